"""What TensorFlow's operations do, in the words of `pixelproof.measure.cost.network`, and which inputs count.

Only operations that the scan lets pass; what is not listed is ``other``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

_ROLES: Mapping[str, str] = MappingProxyType(
    {
        "conv": "Conv2D Conv3D DepthwiseConv2dNative FusedPadConv2D FusedResizeAndPadConv2D",
        "conv_transposed": ("Conv2DBackpropInput Conv3DBackpropInputV2 DepthwiseConv2dNativeBackpropInput"),
        "matmul": "MatMul BatchMatMul BatchMatMulV2 BatchMatMulV3",
        "einsum": "Einsum",
        "relu": "Relu",
        "relu6": "Relu6",
        "elu": "Elu",
        "leaky_relu": "LeakyRelu",
        "clip": "ClipByValue",
        "batch_norm": "FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3",
        "resize_nearest": "ResizeNearestNeighbor",
        "resize_bilinear": "ResizeBilinear",
        "mean": "Mean",
        "average_pool": "AvgPool",
        "select": "Select SelectV2",
        "greater": "Greater GreaterEqual",
        "less": "Less LessEqual",
        "add": "Add AddV2 AddN AccumulateNV2 BiasAdd",
        "sub": "Sub",
        "mul": "Mul",
        "div": "Div DivNoNan RealDiv",
        "max": "Maximum",
        "min": "Minimum",
        "neg": "Neg",
        "abs": "Abs",
        "pow": "Pow",
        "square": "Square",
        "squared_difference": "SquaredDifference",
        "sqrt": "Sqrt",
        "rsqrt": "Rsqrt",
        "reciprocal": "Inv Reciprocal",
        "layout": "ExpandDims Reshape Squeeze Transpose",
        "move": (
            "BroadcastTo DepthToSpace ExtractImagePatches Fill Gather GatherNd GatherV2 MirrorPad Pack Pad PadV2 "
            "Reverse ReverseV2 Roll Slice SpaceToDepth StridedSlice Tile Unpack"
        ),
        "split": "Split SplitV",
        "concat": "Concat ConcatV2",
        "space_to_batch": "SpaceToBatch SpaceToBatchND",
        "batch_to_space": "BatchToSpace BatchToSpaceND",
        "sizes": "Rank Shape ShapeN Size",
        "pass": (
            "Cast CheckNumerics Dequantize EnsureShape FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars "
            "FakeQuantWithMinMaxVarsPerChannel Identity PlaceholderWithDefault PreventGradient "
            "QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4 QuantizeV2 Snapshot "
            "StopGradient"
        ),
        "random": (
            "RandomStandardNormal RandomUniform StatelessRandomNormal StatelessRandomNormalV2 "
            "StatelessRandomUniform StatelessRandomUniformV2 TruncatedNormal"
        ),
        "branch": "Merge Switch",
        "loop": "Enter Exit LoopCond NextIteration",
        "call": "Case If StatelessCase StatelessIf StatelessWhile While",
    }
)

_ORDER: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "FusedPadConv2D": (0, 2),
        "FusedResizeAndPadConv2D": (0, 3),
        "Conv2DBackpropInput": (2, 1),
        "Conv3DBackpropInputV2": (2, 1),
        "DepthwiseConv2dNativeBackpropInput": (2, 1),
        "FusedBatchNorm": (0, 1, 2),
        "FusedBatchNormV2": (0, 1, 2),
        "FusedBatchNormV3": (0, 1, 2),
        "ResizeNearestNeighbor": (0,),
        "ResizeBilinear": (0,),
        "Mean": (0,),
        "Split": (1,),
        "Fill": (1, 0),
    }
)
"""Which inputs an operation's role takes, where that isn't all of them in their order."""


@cache
def roles() -> Mapping[str, str]:
    """Roles by operation."""
    return MappingProxyType({name: role for role, names in _ROLES.items() for name in names.split()})


def ordered(op: str, inputs: tuple[str, ...]) -> tuple[str, ...]:
    """An operation's inputs in the order of its role."""
    if op == "ConcatV2":
        return inputs[:-1]
    if op == "Concat":
        return inputs[1:]
    places = _ORDER.get(op)
    return inputs if places is None else tuple(inputs[place] for place in places if place < len(inputs))
