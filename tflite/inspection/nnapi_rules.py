"""Rules of the NNAPI delegate, through which Android reaches NPUs and DSPs, at NNAPI 1.3 (Android 11, API level 30).

Sources, read as of 2025: tensorflow/lite/delegates/nnapi/nnapi_delegate.cc (NNAPIDelegateKernel::Validate); the
Android documentation's NNAPI migration guide. NNAPI is deprecated from Android 15 on; makers' own NPU delegates have
their own lists, mostly shorter. What a driver then does with an operation, only the device can tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pixelproof.tflite.inspection.model import CONVERSIONS, Model, Operation
from pixelproof.tflite.inspection.rules import (
    OTHER_TYPE,
    FileRule,
    Rule,
    data_inputs,
    dtypes,
    is_int16,
    no_int16,
    one_resize_convention,
    only_listed,
    rank_at_most,
    sizes_constant,
    sizes_fixed,
    static_tensors,
)

NAME = "NNAPI 1.3"
_SOURCE = "tensorflow/lite/delegates/nnapi/nnapi_delegate.cc, Validate"


@dataclass(frozen=True)
class Takes:
    """What Validate asks of an operation: types of its first data input, and the highest version."""

    types: tuple[str, ...]
    version: int


_F, _Q, _I, _B, _H = ("float32",), ("uint8", "int8"), ("int32",), ("bool",), ("float16",)


def _all(names: str, types: tuple[str, ...], version: int) -> dict[str, Takes]:
    return {name: Takes(types, version) for name in names.split()}


LISTED: Mapping[str, Takes] = {
    **_all("LESS LESS_EQUAL GREATER GREATER_EQUAL EQUAL NOT_EQUAL", _F + _Q + _I + _B, 2),
    **_all("ADD MUL SQUARED_DIFFERENCE SLICE SELECT TOPK_V2", _F + _Q + _I, 2),
    **_all("SUB MAXIMUM MINIMUM SPLIT", _F + _Q + _I, 3),
    **_all("SPLIT_V", _F + _Q + _I, 2),
    **_all("CAST TILE", _F + _Q + _I, 1),
    **_all("AVERAGE_POOL_2D MAX_POOL_2D SOFTMAX RELU RELU6 RELU_N1_TO_1 LOGISTIC TANH PAD PADV2", _F + _Q, 2),
    **_all("STRIDED_SLICE TRANSPOSE MEAN SPACE_TO_DEPTH REDUCE_MIN REDUCE_MAX PACK UNPACK", _F + _Q, 2),
    **_all("SPACE_TO_BATCH_ND BATCH_TO_SPACE_ND DEPTH_TO_SPACE QUANTIZE L2_NORMALIZATION", _F + _Q, 2),
    **_all("CONV_2D FULLY_CONNECTED", _F + _Q, 5),
    **_all("TRANSPOSE_CONV", _F + _Q, 4),
    **_all("DEPTHWISE_CONV_2D RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR", _F + _Q, 3),
    **_all("HARD_SWISH RESHAPE SQUEEZE LEAKY_RELU PRELU", _F + _Q, 1),
    **_all("ABS DIV ELU EXP FLOOR L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOG LOG_SOFTMAX POW", _F, 1),
    **_all("REDUCE_PROD SIN SQRT SUM", _F, 1),
    **_all("RSQRT", _F, 2),
    **_all("NEG", _F + _I, 2),
    **_all("CONCATENATION", _H + _F + _Q, 2),
    **_all("ARG_MAX ARG_MIN GATHER", _H + _F + _I + _Q, 2),
    **_all("EXPAND_DIMS", _H + _F + _I + _Q, 1),
    **_all("DEQUANTIZE", _H + _Q, 2),
    **_all("LOGICAL_AND LOGICAL_OR LOGICAL_NOT", _B, 1),
}


def _types(operation: Operation) -> str | None:
    """Types of what runs through it; Validate looks at the first data input."""
    takes = LISTED.get(operation.type)
    if takes is None:
        return None
    data = [t for t in data_inputs(operation) if t.dtype not in takes.types and not t.quantized]
    return dtypes(data) or None


def _int8_form(operation: Operation) -> str | None:
    """Quantized tensors in an operation that NNAPI has for other types only."""
    takes = LISTED.get(operation.type)
    if takes is None:
        return None
    lacking = [t for t in data_inputs(operation) if t.dtype not in takes.types and t.quantized]
    data = [tensor for tensor in lacking if not is_int16(tensor)]
    return f"{operation.type} in {dtypes(data)}" if data else None


def _version(operation: Operation) -> str | None:
    takes = LISTED.get(operation.type)
    if takes is None or operation.version <= takes.version:
        return None
    return f"version {operation.version}, above {takes.version}"


def _bias(operation: Operation) -> str | None:
    """CONV_2D must have a bias; TRANSPOSE_CONV gets one of zeros from the delegate."""
    missing = operation.type == "CONV_2D" and operation.input(2) is None
    return "no bias" if missing else None


def _filter(operation: Operation) -> str | None:
    """TRANSPOSE_CONV must have its filter as a constant."""
    kernel = operation.input(1)
    computed = operation.type == "TRANSPOSE_CONV" and kernel is not None and not kernel.constant
    return "a filter that is computed" if computed else None


def _activation(operation: Operation) -> str | None:
    fused = operation.type == "CONCATENATION" and operation.option("fused_activation_function")
    return "a fused activation" if fused else None


def _scalar_mean(operation: Operation) -> str | None:
    scalar = operation.type in ("MEAN", "SUM", "REDUCE_PROD") and not operation.outputs[0].shape
    return "a single number as its result" if scalar else None


def _android_10(operation: Operation) -> str | None:
    """Up to API level 29 no resize may align corners or halve pixel centres."""
    if operation.type not in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"):
        return None
    named = [flag for flag in ("align_corners", "half_pixel_centers") if operation.option(flag)]
    return named[0] if named else None


def _island(operation: Operation) -> str | None:
    """Not Validate's, but a consequence: an NPU of integers gives float operations back."""
    floats = [tensor for tensor in operation.running if tensor.dtype == "float32"]
    return "float32" if floats and operation.type not in CONVERSIONS else None


def _signed(model: Model) -> str | None:
    """int8 with a zero point came with NNAPI 1.3; before, quantized tensors were uint8."""
    return "an int8 file" if model.is_quantized and _has(model, "int8") else None


def _float_file(model: Model) -> str | None:
    return None if model.is_quantized else "a float file"


def _has(model: Model, dtype: str) -> bool:
    return any(tensor.dtype == dtype for operation in model.operations for tensor in operation.outputs)


ISLAND = Rule(
    "float-island",
    "In an int8 file, float operations leave an NPU of integers",
    "Quantize them as well, or move them behind the last DEQUANTIZE.",
    "follows from NNAPI's partitioning by driver",
    _island,
    blocks=False,
)
"""For int8 files only; `delegates.judge` sees to that."""

RULES: tuple[Rule, ...] = (
    only_listed(LISTED, delegate=NAME, source=_SOURCE),
    rank_at_most(4, source=_SOURCE),
    sizes_constant(source=_SOURCE),
    Rule("type", "Tensors must be of a type that NNAPI has for the operation", OTHER_TYPE, _SOURCE, _types),
    no_int16(delegate=NAME, source=_SOURCE),
    Rule(
        "int8",
        "The operation must have a quantized form in NNAPI",
        "Write it with operations that have one: ADD, SUB, MUL, MEAN, CONV_2D, TANH, ...",
        _SOURCE,
        _int8_form,
    ),
    Rule(
        "version",
        "The operation must be of a version that the delegate knows",
        "Convert with the older form of the operation, or leave it to the CPU.",
        _SOURCE,
        _version,
    ),
    Rule("bias", "CONV_2D must have a bias", "Convert it with a bias of zeros.", _SOURCE, _bias),
    Rule(
        "filter", "TRANSPOSE_CONV must have a constant filter", "Freeze the weights first.", _SOURCE, _filter
    ),
    Rule("activation", "CONCATENATION must have no activation", "Apply it afterwards.", _SOURCE, _activation),
    Rule("scalar", "Reductions must leave a dimension", "Use keepdims=True.", _SOURCE, _scalar_mean),
    one_resize_convention(source=_SOURCE),
    Rule(
        "android-10",
        "Android 10 and older resize without align_corners and half_pixel_centers only",
        "Upsample by TRANSPOSE_CONV, or by DEPTH_TO_SPACE behind a convolution, where such phones count.",
        f"{_SOURCE}; tensorflow issue 45207",
        _android_10,
        blocks=False,
    ),
)

FILE_RULES: tuple[FileRule, ...] = (
    static_tensors(delegate=NAME),
    sizes_fixed(delegate=NAME, source="NNAPI: allow_dynamic_dimensions is off unless the app sets it"),
    FileRule(
        "signed",
        "int8 with a zero point needs Android 11; Android 10 and older take uint8",
        "Quantize to uint8 inputs and outputs for older phones, and test there.",
        _SOURCE,
        _signed,
        blocks=False,
    ),
    FileRule(
        "float",
        "Many NPUs compute in integers, or in float16, only; float32 then runs on the GPU or the CPU",
        "Quantize to int8 with real images, and check the loss.",
        "makers' documentation differs; NNAPI lets the driver choose",
        _float_file,
        blocks=False,
    ),
)
