"""Which operations of ONNX a judged model may hold: a list of what computes images, grouped by purpose.

Names are those of the standard's own domain (`onnx.defs`, opset 1 to 28), retired ones included. Left out on purpose:
strings, sequences and optional values, losses, decoding of images, and detection.
"""

from __future__ import annotations

from collections.abc import Mapping


def _names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


OPERATIONS_BY_PURPOSE: Mapping[str, frozenset[str]] = {
    "constants": _names(
        """BlackmanWindow Constant ConstantOfShape EyeLike HammingWindow HannWindow Identity MelWeightMatrix Range"""
    ),
    "convolution and pooling": _names(
        """AveragePool CausalConvWithState Col2Im Conv ConvInteger ConvTranspose DeformConv GlobalAveragePool
        GlobalLpPool GlobalMaxPool LpPool MaxPool MaxUnpool QLinearConv"""
    ),
    "normalisation": _names(
        """BatchNormalization GroupNormalization InstanceNormalization LRN LayerNormalization LpNormalization
        MeanVarianceNormalization RMSNormalization"""
    ),
    "activation": _names(
        """Celu Clip Dropout Elu Gelu HardSigmoid HardSwish Hardmax LeakyRelu LogSoftmax Mish PRelu Relu Selu Shrink
        Sigmoid Softmax Softplus Softsign SwiGLU Swish Tanh ThresholdedRelu"""
    ),
    "arithmetic": _names(
        """Abs Add BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike CumProd CumSum
        DequantizeLinear Div DynamicQuantizeLinear Max Mean Min Mod Mul Neg QuantizeLinear Reciprocal Sign Sub Sum"""
    ),
    "functions of one number": _names(
        """Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Erf Exp Floor IsInf IsNaN Log Pow Round Sin Sinh Sqrt
        Tan"""
    ),
    "comparison and logic": _names("And Equal Greater GreaterOrEqual Less LessOrEqual Not Or Where Xor"),
    "matrices and attention": _names(
        """Attention Det Einsum Gemm LinearAttention MatMul MatMulInteger QLinearMatMul RotaryEmbedding TensorScatter
        Trilu"""
    ),
    "reduction": _names(
        """ArgMax ArgMin ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd
        ReduceSum ReduceSumSquare TopK"""
    ),
    "shape and layout": _names(
        """CenterCropPad Compress Concat DepthToSpace Expand Flatten NonZero Pad Reshape ReverseSequence Shape Size
        Slice SpaceToDepth Split Squeeze Tile Transpose Unique Unsqueeze"""
    ),
    "gather and scatter": _names("Gather GatherElements GatherND OneHot Scatter ScatterElements ScatterND"),
    "resize": _names("AffineGrid GridSample Resize Upsample"),
    "recurrent, with their state as input and output": _names("GRU LSTM RNN"),
    "Fourier": _names("DFT STFT"),
    "random, which the check for determinism judges": _names(
        "Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike"
    ),
}

TENSOR_OPERATIONS: frozenset[str] = frozenset().union(*OPERATIONS_BY_PURPOSE.values())

CONTROL_FLOW: frozenset[str] = _names("If Loop Scan")
"""Allowed as well; they alone may hold subgraphs."""

_OPTIONAL_FROM: Mapping[int, frozenset[str]] = {
    1: _names(
        """Clip DFT Dropout ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd
        ReduceSum ReduceSumSquare Resize Split Squeeze Trilu"""
    ),
    2: _names(
        """CausalConvWithState Conv ConvInteger ConvTranspose DequantizeLinear Gemm LayerNormalization MatMulInteger
        MaxUnpool Pad QuantizeLinear STFT TensorScatter"""
    ),
    3: _names("Attention DeformConv GRU LSTM LinearAttention RNN RotaryEmbedding Slice"),
    8: _names("QLinearConv"),
}
_OPTIONAL_BEFORE: Mapping[str, int] = {"Loop": 2, "Scan": 1}

_EXCLUDED: Mapping[str, frozenset[str]] = {
    "operations on strings": _names(
        "RegexFullMatch StringConcat StringNormalizer StringSplit TfIdfVectorizer"
    ),
    "operations on sequences and optional values": _names(
        """ConcatFromSequence Optional OptionalGetElement OptionalHasElement SequenceAt SequenceConstruct
        SequenceEmpty SequenceErase SequenceInsert SequenceLength SequenceMap SplitToSequence"""
    ),
    "operations that decode image files": _names("ImageDecoder"),
    "losses": _names("NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss"),
    "operations of detection": _names("MaxRoiPool NonMaxSuppression RoiAlign"),
}


def standard(domain: str) -> bool:
    """Whether a domain is that of the standard's general operations."""
    return domain in ("", "ai.onnx")


def may_be_left_out(operation: str, place: int) -> bool:
    """Whether an allowed operation does without its input at a place, counted from 0, in some opset."""
    first = next((first for first, names in _OPTIONAL_FROM.items() if operation in names), None)
    return place < _OPTIONAL_BEFORE.get(operation, 0) or (first is not None and place >= first)


def why_refused(domain: str, operation: str) -> str:
    """What an operation that is not allowed is, in a few words."""
    if standard(domain):
        found = [why for why, names in _EXCLUDED.items() if operation in names]
        return found[0] if found else "operations that ONNX doesn't have"
    if domain == "ai.onnx.ml":
        return "operations for tables, which image models don't need"
    if domain.startswith(("com.microsoft", "com.ms")):
        return "operations of com.microsoft, onnxruntime's own"
    return "operations that are neither ONNX's nor functions of the file"
