"""Which TensorFlow operations a judged graph may hold: a list of what computes images, grouped by purpose.

A list of what is allowed, because a list of what is dangerous is never complete: `ReadFile` and `DebugIdentity` are
not even marked as stateful. Names are those of TensorFlow 2.21's registry, older spellings that the frozen graphs of
2018 use included. Left out on purpose: all that reads or writes files, prints, decodes images, reaches a network,
runs Python, holds a resource, queue, table, list or iterator, and internal names (with a leading underscore).
"""

from __future__ import annotations

from collections.abc import Mapping


def _names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


TENSOR_OPERATIONS_BY_PURPOSE: Mapping[str, frozenset[str]] = {
    "inputs and constants": _names(
        "Const Fill LinSpace OnesLike Placeholder PlaceholderWithDefault Range ZerosLike"
    ),
    "pass on and check": _names(
        "Assert CheckNumerics EnsureShape Identity IdentityN NoOp PreventGradient Snapshot StopGradient"
    ),
    "convolution": _names(
        """BiasAdd Conv2D Conv2DBackpropInput Conv3D Conv3DBackpropInputV2 DepthwiseConv2dNative
        DepthwiseConv2dNativeBackpropInput FusedPadConv2D FusedResizeAndPadConv2D"""
    ),
    "pooling": _names("AvgPool AvgPool3D MaxPool MaxPool3D MaxPoolV2 MaxPoolWithArgmax"),
    "normalisation": _names(
        "BatchNormWithGlobalNormalization FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 L2Loss LRN"
    ),
    "activation": _names("Elu LeakyRelu LogSoftmax Relu Relu6 Selu Sigmoid Softmax Softplus Softsign Tanh"),
    "arithmetic": _names(
        """Abs AccumulateNV2 Add AddN AddV2 ClipByValue Div DivNoNan FloorDiv FloorMod Inv Maximum Minimum Mod Mul
        Neg RealDiv Reciprocal Sign Square SquaredDifference Sub TruncateDiv"""
    ),
    "functions of one number": _names(
        """Acos Acosh Asin Asinh Atan Atan2 Atanh Ceil Cos Cosh Erf Erfc Exp Expm1 Floor IsFinite IsInf IsNan Log
        Log1p Pow Rint Round Rsqrt Sin Sinh Sqrt Tan"""
    ),
    "comparison and logic": _names(
        """Equal Greater GreaterEqual Less LessEqual LogicalAnd LogicalNot LogicalOr NotEqual Select SelectV2
        Where"""
    ),
    "reduction": _names("All Any ArgMax ArgMin Cumprod Cumsum EuclideanNorm Max Mean Min Prod Sum TopKV2"),
    "shape and layout": _names(
        """BroadcastArgs BroadcastTo Concat ConcatOffset ConcatV2 ExpandDims ExtractImagePatches InvertPermutation
        MirrorPad Pack Pad PadV2 Rank Reshape Reverse ReverseV2 Roll Shape ShapeN Size Slice Split SplitV Squeeze
        StridedSlice Tile Transpose Unpack"""
    ),
    "gather and scatter": _names(
        "DynamicPartition DynamicStitch Gather GatherNd GatherV2 OneHot ScatterNd TensorScatterUpdate"
    ),
    "depth and space": _names(
        "BatchToSpace BatchToSpaceND DepthToSpace SpaceToBatch SpaceToBatchND SpaceToDepth"
    ),
    "resize and colour": _names(
        """AdjustContrast AdjustContrastv2 AdjustHue AdjustSaturation CropAndResize HSVToRGB
        ImageProjectiveTransformV2 ImageProjectiveTransformV3 RGBToHSV ResizeArea ResizeBicubic ResizeBilinear
        ResizeNearestNeighbor ScaleAndTranslate"""
    ),
    "fourier transform and complex numbers": _names(
        "Angle Complex ComplexAbs Conj FFT FFT2D IFFT IFFT2D IRFFT IRFFT2D Imag RFFT RFFT2D Real"
    ),
    "matrices": _names(
        """BatchMatMul BatchMatMulV2 BatchMatMulV3 Einsum MatMul MatrixBandPart MatrixDiag MatrixDiagPart
        MatrixDiagPartV3 MatrixDiagV3 MatrixInverse"""
    ),
    "quantisation and casts": _names(
        """Bitcast Cast Dequantize FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars
        FakeQuantWithMinMaxVarsPerChannel QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4
        QuantizeV2"""
    ),
    "random numbers": _names(
        """RandomStandardNormal RandomUniform StatelessRandomGetAlg StatelessRandomGetKeyCounter
        StatelessRandomNormal StatelessRandomNormalV2 StatelessRandomUniform StatelessRandomUniformV2
        TruncatedNormal"""
    ),
}

TENSOR_OPERATIONS = frozenset[str]().union(*TENSOR_OPERATIONS_BY_PURPOSE.values())

_RANDOM = "draws from a seed that the process keeps; the check of determinism judges what comes of it"
_CHECKS = "ends the run with an error, so that it may not be optimised away"

STATEFUL_AND_ALLOWED: Mapping[str, str] = {
    "RandomStandardNormal": _RANDOM,
    "RandomUniform": _RANDOM,
    "TruncatedNormal": _RANDOM,
    "StatelessRandomGetAlg": "its answer depends on the device, nothing else",
    "Assert": _CHECKS,
    "CheckNumerics": _CHECKS,
}

# Held together by graph cycles through NextIteration and Merge alone.
DATAFLOW_CONTROL = _names("ControlTrigger Enter Exit LoopCond Merge NextIteration Switch")

# Those that name functions of the graph's library in their attributes.
FUNCTION_CALLS = _names(
    "Case If PartitionedCall StatefulPartitionedCall StatelessCase StatelessIf StatelessWhile While"
)

CONTROL_FLOW = DATAFLOW_CONTROL | FUNCTION_CALLS

# A SavedModel's weights: state of the process, read and set in memory; gone once it is frozen.
VARIABLE_OPERATIONS = _names(
    """AssignAddVariableOp AssignSubVariableOp AssignVariableOp DisableCopyOnRead ReadVariableOp VarHandleOp
    VarIsInitializedOp VariableShape"""
)

# What the functions hold that TensorFlow 2 writes to save and restore a SavedModel's weights, and no other function.
SAVE_OPERATIONS = _names(
    """Cast Const DisableCopyOnRead Identity MergeV2Checkpoints NoOp Pack ReadVariableOp SaveV2 Select
    ShardedFilename StaticRegexFullMatch StringJoin"""
)
RESTORE_OPERATIONS = _names("AssignVariableOp Cast Const Identity NoOp RestoreV2")
