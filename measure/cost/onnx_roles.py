"""What ONNX's operations do, in the words of `pixelproof.measure.cost.network`, and which inputs count."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

_ROLES: Mapping[str, str] = MappingProxyType(
    {
        "conv": "Conv ConvInteger QLinearConv",
        "conv_transposed": "ConvTranspose",
        "matmul": "Gemm MatMul MatMulInteger QLinearMatMul",
        "einsum": "Einsum",
        "relu": "Relu",
        "elu": "Elu",
        "leaky_relu": "LeakyRelu",
        "prelu": "PRelu",
        "clip": "Clip",
        "batch_norm": "BatchNormalization",
        "norm": "GroupNormalization InstanceNormalization LayerNormalization RMSNormalization",
        "grid_sample": "GridSample",
        "average_pool": "AveragePool GlobalAveragePool",
        "mean": "ReduceMean",
        "select": "Where",
        "greater": "Greater GreaterOrEqual",
        "less": "Less LessOrEqual",
        "add": "Add Sum",
        "sub": "Sub",
        "mul": "Mul",
        "div": "Div",
        "max": "Max",
        "min": "Min",
        "neg": "Neg",
        "abs": "Abs",
        "pow": "Pow",
        "sqrt": "Sqrt",
        "reciprocal": "Reciprocal",
        "layout": "Flatten Reshape Squeeze Transpose Unsqueeze",
        "move": (
            "CenterCropPad Compress ConstantOfShape DepthToSpace Expand Gather GatherElements GatherND Pad Slice "
            "SpaceToDepth Tile"
        ),
        "split": "Split",
        "concat": "Concat",
        "sizes": "Shape Size",
        "pass": "Cast CastLike DequantizeLinear Dropout Identity QuantizeLinear",
        "random": ("Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike"),
        "call": "If Loop Scan",
    }
)

_ORDER: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "QLinearConv": (0, 3, 8),
        "QLinearMatMul": (0, 3),
        "ConvInteger": (0, 1),
        "MatMulInteger": (0, 1),
        "BatchNormalization": (0, 1, 2),
        "InstanceNormalization": (0, 1, 2),
        "LayerNormalization": (0, 1, 2),
        "GroupNormalization": (0, 1, 2),
        "RMSNormalization": (0, 1),
        "ReduceMean": (0,),
        "Resize": (0,),
        "Upsample": (0,),
        "Split": (0,),
        "Clip": (0,),
        "CastLike": (0,),
        "DequantizeLinear": (0,),
        "QuantizeLinear": (0,),
        "Dropout": (0,),
    }
)

RESIZES: Mapping[str, str] = MappingProxyType({"nearest": "resize_nearest", "linear": "resize_bilinear"})
"""Roles of Resize and Upsample by their mode; another mode is ``other``."""


@cache
def roles() -> Mapping[str, str]:
    """Roles by operation."""
    return MappingProxyType({name: role for role, names in _ROLES.items() for name in names.split()})


def ordered(op: str, inputs: tuple[str, ...]) -> tuple[str, ...]:
    """An operation's inputs in the order of its role."""
    places = _ORDER.get(op)
    return inputs if places is None else tuple(inputs[place] for place in places if place < len(inputs))
