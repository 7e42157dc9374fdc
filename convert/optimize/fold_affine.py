"""Per-channel scales, shifts and batch normalisation behind a convolution, folded into its weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from pixelproof.convert.optimize.evaluate import Constant
from pixelproof.convert.optimize.network import Network
from pixelproof.convert.optimize.rewrite import (
    add_convolution,
    added_constant,
    kernel_of,
    multiplied_constant,
    shaping_of,
)

BATCH_NORMS = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})


class FoldAffine:
    """s * (K * x + b) + t equals (s K) * x + (s b + t), for constants s and t of each output channel.

    Batch normalisation in inference is such a pair: s = gamma / sqrt(variance + epsilon), t = beta - s * mean. The
    chain behind a convolution becomes one kernel and one bias. Sums are computed in float64.
    """

    id = "fold_affine"
    title = "scales, shifts and batch normalisation folded into convolutions"

    def sites(self, network: Network) -> list[str]:
        return [node.name for node in network if self._gains(network, node)]

    def _gains(self, network: Network, node: Any) -> bool:
        kernel = kernel_of(network, node)
        if kernel is None:
            return False
        last, scale, _ = self._chain(network, node, kernel.shape[3])
        steps = self._steps(network, node, last)
        return scale is not None or steps > 1

    def _steps(self, network: Network, first: Any, last: Any) -> int:
        steps, node = 0, first
        while node.name != last.name:
            user = network.only_user(node.name)
            assert user is not None
            steps, node = steps + 1, user
        return steps

    def apply(self, network: Network, site: str) -> None:
        convolution = network.node(site)
        kernel = kernel_of(network, convolution)
        assert kernel is not None
        last, scale, shift = self._chain(network, convolution, kernel.shape[3])
        factors = np.ones(kernel.shape[3]) if scale is None else scale
        end = add_convolution(
            network,
            convolution.input[0],
            kernel.astype(np.float64) * factors,
            shift,
            shaping=shaping_of(convolution),
            near=site,
            by=self.id,
        )
        network.replace(last.name, end)

    def _chain(self, network: Network, first: Any, channels: int) -> tuple[Any, Constant | None, Constant]:
        """(last node, scale or None where it is 1, shift) of what follows a convolution."""
        scale: Constant | None = None
        shift: Constant = np.zeros(channels)
        last = first
        while (user := network.only_user(last.name)) is not None:
            step = affine(network, user, last.name)
            if step is None or any(part.size not in (1, channels) for part in step):
                break
            factor, term = step
            if not np.all(factor == 1):
                scale = (np.ones(channels) if scale is None else scale) * factor
            shift = shift * factor + term
            last = user
        return last, scale, shift


def affine(network: Network, node: Any, tensor: str) -> tuple[Constant, Constant] | None:
    """(s, t), float64 (channels,) or (1,), where a node computes s * x + t of the tensor; None elsewhere."""
    one, zero = np.ones(1), np.zeros(1)
    if (added := added_constant(network, node)) is not None and network.source(added[0]) == tensor:
        return one, added[1].astype(np.float64)
    multiplied = multiplied_constant(network, node)
    if multiplied is not None and network.source(multiplied[0]) == tensor:
        return multiplied[1].astype(np.float64), zero
    if node.op in ("Sub", "RealDiv") and network.source(node.input[0]) == tensor:
        value = network.constant(node.input[1])
        if value is None or value.shape != (1,) * (value.ndim - 1) + value.shape[-1:]:
            return None
        value = value.reshape(-1).astype(np.float64)
        return (one, -value) if node.op == "Sub" else (1 / value, zero)
    if node.op in BATCH_NORMS and network.source(node.input[0]) == tensor:
        return _batch_norm(network, node)
    return None


def _batch_norm(network: Network, node: Any) -> tuple[Constant, Constant] | None:
    if node.attr["is_training"].b or node.attr["data_format"].s not in (b"NHWC", b""):
        return None
    values = [network.constant(tensor) for tensor in node.input[1:5]]
    if any(value is None for value in values):
        return None
    gamma, beta, mean, variance = (np.asarray(value, np.float64) for value in values)
    scale = gamma / np.sqrt(variance + node.attr["epsilon"].f)
    return scale, beta - scale * mean
