"""What TFLite's operations do, in the words of `pixelproof.measure.cost.network`, and which inputs count."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

_ROLES: Mapping[str, str] = MappingProxyType(
    {
        "conv": "CONV_2D CONV_3D DEPTHWISE_CONV_2D",
        "conv_transposed": "CONV_3D_TRANSPOSE TRANSPOSE_CONV",
        "matmul": "BATCH_MATMUL FULLY_CONNECTED",
        "relu": "RELU",
        "relu6": "RELU6",
        "elu": "ELU",
        "leaky_relu": "LEAKY_RELU",
        "prelu": "PRELU",
        "clip": "RELU_0_TO_1 RELU_N1_TO_1",
        "resize_nearest": "RESIZE_NEAREST_NEIGHBOR",
        "resize_bilinear": "RESIZE_BILINEAR",
        "mean": "MEAN",
        "average_pool": "AVERAGE_POOL_2D",
        "select": "SELECT SELECT_V2",
        "greater": "GREATER GREATER_EQUAL",
        "less": "LESS LESS_EQUAL",
        "add": "ADD ADD_N",
        "sub": "SUB",
        "mul": "MUL",
        "div": "DIV",
        "max": "MAXIMUM",
        "min": "MINIMUM",
        "neg": "NEG",
        "abs": "ABS",
        "pow": "POW",
        "square": "SQUARE",
        "squared_difference": "SQUARED_DIFFERENCE",
        "sqrt": "SQRT",
        "rsqrt": "RSQRT",
        "layout": "EXPAND_DIMS RESHAPE SQUEEZE TRANSPOSE",
        "move": (
            "BROADCAST_TO DEPTH_TO_SPACE FILL GATHER GATHER_ND MIRROR_PAD PACK PAD PADV2 REVERSE_V2 SLICE "
            "SPACE_TO_DEPTH STRIDED_SLICE TILE UNPACK"
        ),
        "split": "SPLIT SPLIT_V",
        "concat": "CONCATENATION",
        "space_to_batch": "SPACE_TO_BATCH_ND",
        "batch_to_space": "BATCH_TO_SPACE_ND",
        "sizes": "RANK SHAPE",
        "pass": "CAST DEQUANTIZE FAKE_QUANT QUANTIZE",
        "random": "RANDOM_STANDARD_NORMAL RANDOM_UNIFORM",
        "call": "IF STABLEHLO_COMPOSITE WHILE",
    }
)

_ORDER: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "CONV_3D_TRANSPOSE": (2, 1, 3),
        "TRANSPOSE_CONV": (2, 1, 3),
        "MEAN": (0,),
        "RESIZE_BILINEAR": (0,),
        "RESIZE_NEAREST_NEIGHBOR": (0,),
        "SPLIT": (1,),
        "FILL": (1, 0),
    }
)

FUSED: Mapping[int, tuple[str, str]] = MappingProxyType(
    {1: ("relu", "RELU"), 2: ("clip", "RELU_N1_TO_1"), 3: ("relu6", "RELU6"), 4: ("other", "TANH")}
)
"""Activation functions inside other operations, by the schema's number: role and name."""


@cache
def roles() -> Mapping[str, str]:
    """Roles by operation."""
    return MappingProxyType({name: role for role, names in _ROLES.items() for name in names.split()})


def ordered(op: str, inputs: tuple[str, ...]) -> tuple[str, ...]:
    """An operation's inputs in the order of its role."""
    places = _ORDER.get(op)
    return inputs if places is None else tuple(inputs[place] for place in places if place < len(inputs))
