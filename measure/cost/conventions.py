"""How layers become FLOPs: one function a convention, of a row of facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pixelproof.errors import CallError, did_you_mean
from pixelproof.measure.cost.table import Row

Convention = Callable[[Row], int]

_PRODUCTS = frozenset({"conv", "conv_transposed", "linear", "matmul"})


def ntire2022(row: Row) -> int:
    """FLOPs as the counter of NTIRE's efficient super-resolution challenges up to 2023 gives them.

    Multiply-accumulates of convolutions without bias, of a transposed one as well by its *output* positions
    (stride^2 times what it computes); of linear layers; one per output element of ReLU, ReLU6, LeakyReLU, PReLU
    and ELU; two per element of a batch normalisation with scale and shift, one without. Nothing for sums,
    products, pooling, resizing, sigmoids, attention or other normalisations.

    Source: ``get_model_flops`` in ``utils/model_summary.py`` of github.com/ofsoundof/NTIRE2022_ESR (after K. Zhang's
    AIM 2020 counter). That counter sees modules only: a ``torch.nn.functional.relu`` costs nothing there and one
    per element here, because a graph doesn't tell. For a linear layer on more than two dimensions it multiplies
    the second dimension, not the last; here the product itself is counted.
    """
    if row.kind in ("conv", "conv_transposed"):
        return row.output_macs
    if row.kind == "linear":
        return row.macs
    if row.kind == "activation":
        return row.output_elements
    if row.kind == "batch_norm":
        return row.output_elements * (2 if row.affine else 1)
    return 0


def fvcore(row: Row) -> int:
    """FLOPs as ``fvcore.nn.FlopCountAnalysis`` counts them, which NTIRE uses from 2024 on.

    One a multiply-accumulate of convolutions (transposed: by input positions), linear layers and products of
    features; batch normalisation with stored statistics 2 an element with scale and shift, 1 without; other
    normalisations 5 and 4; nearest resizing 1 an output element, bilinear and grid sampling 4; the mean over the
    whole image 1 an input element. Nothing for activations, sums, max pooling, bicubic resizing.

    Source: ``fvcore/nn/flop_count.py`` and ``jit_handles.py`` of github.com/facebookresearch/fvcore. There a mean
    counts where it is ``AdaptiveAvgPool2d`` and not where it is ``Tensor.mean``; a graph doesn't tell, and here it
    counts.
    """
    if row.kind in _PRODUCTS:
        return row.macs
    if row.kind == "batch_norm":
        return row.input_elements * (2 if row.affine else 1)
    if row.kind == "norm":
        return row.input_elements * (5 if row.affine else 4)
    if row.kind == "resize_nearest":
        return row.output_elements
    if row.kind in ("resize_bilinear", "grid_sample"):
        return 4 * row.output_elements
    return row.input_elements if row.kind == "average" else 0


def two_per_mac(row: Row) -> int:
    """Two for each multiply-accumulate of convolutions (transposed: by input positions), linear layers and products.

    Nothing for biases, activations, normalisations and the rest. So TensorFlow's profiler counts Conv2D and MatMul
    (``RegisterStatistics(..., "flops")`` in ``tensorflow/python/ops/nn_ops.py`` and ``math_ops.py``).
    """
    return 2 * row.macs if row.kind in _PRODUCTS else 0


CONVENTIONS: Mapping[str, Convention] = MappingProxyType(
    {"ntire2022": ntire2022, "fvcore": fvcore, "2xmac": two_per_mac}
)


def convention_named(name: str) -> Convention:
    """The convention of a name.

    Raises:
        CallError: there is none.
    """
    if name not in CONVENTIONS:
        rule = "A convention must be one of those that pixelproof counts by"
        raise CallError(rule, found=name, remedy=did_you_mean(name, list(CONVENTIONS)))
    return CONVENTIONS[name]
