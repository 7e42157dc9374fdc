"""Rules of the GPU delegate (OpenCL, OpenGL, Metal).

Sources, read as of 2025: tensorflow/lite/tools/versioning/gpu_compatibility.cc (CheckGpuDelegateCompatibility),
tensorflow/lite/delegates/gpu/common/model_builder.cc (GetOpsToReplace) and model_builder_helper.cc
(ExtractTensorShape, PopulateQuantParams), tensorflow/lite/delegates/gpu/README.md (operations and tips).
`tf.lite.experimental.Analyzer(gpu_compatibility=True)` says nothing of the kind, so the rules are written down here.
"""

from __future__ import annotations

from collections.abc import Mapping

from pixelproof.tflite.inspection.model import Model, Operation
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

NAME = "The GPU delegate"
_COMPATIBILITY = "tensorflow/lite/tools/versioning/gpu_compatibility.cc"
_BUILDER = "tensorflow/lite/delegates/gpu/common/model_builder.cc"
_HELPER = "tensorflow/lite/delegates/gpu/common/model_builder_helper.cc"
_README = "tensorflow/lite/delegates/gpu/README.md"
LANES = 4

LISTED = frozenset(
    "ABS ADD ADD_N AVERAGE_POOL_2D BATCH_MATMUL CAST CEIL CONCATENATION CONV_2D COS CUMSUM DENSIFY "
    "DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV ELU EQUAL EXP FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED "
    "GATHER GELU GREATER GREATER_EQUAL HARD_SWISH LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGISTIC MAXIMUM "
    "MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL ONE_HOT PACK PAD PADV2 POW PRELU QUANTIZE REDUCE_MAX "
    "REDUCE_MIN REDUCE_PROD RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR "
    "RSQRT SELECT SELECT_V2 SIGN SIN SLICE SOFTMAX SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE "
    "STRIDED_SLICE SUB SUM TANH TILE TRANSPOSE TRANSPOSE_CONV UNPACK".split()
)
"""Of both files: what CheckGpuDelegateCompatibility passes, and NewOperationParser has a parser for."""

_USUAL = ("float32", "float16", "int8", "uint8")
_INPUTS: Mapping[str, tuple[str, ...]] = {
    "CAST": ("bool", "int32"),
    "GATHER": ("int32",),
    "LOGICAL_AND": ("bool",),
    "ONE_HOT": ("int32",),
    "SELECT": ("bool",),
    "SELECT_V2": ("bool",),
}
_COMPARISONS = ("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL")
_OUTPUTS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(_COMPARISONS, ("bool",)),
    "CAST": ("bool", "int32"),
    "LOGICAL_AND": ("bool",),
}


def _types(operation: Operation) -> str | None:
    """Float, or int8 and uint8 with quantization enabled (the Android default); few others, where listed."""
    takes = (*_USUAL, *_INPUTS.get(operation.type, ()))
    gives = (*_USUAL, *_OUTPUTS.get(operation.type, ()))
    found = [tensor for tensor in data_inputs(operation) if tensor.dtype not in takes]
    found += [tensor for tensor in operation.outputs if tensor.dtype not in gives]
    return dtypes([tensor for tensor in found if not is_int16(tensor)]) or None


def _per_channel(operation: Operation) -> str | None:
    """PopulateQuantParams refuses a tensor that is computed and has a scale for each channel."""
    found = [tensor for tensor in operation.running if tensor.quantized and tensor.scales > 1]
    return f"{found[0].scales} scales on what it computes" if found else None


def _two_inputs(operation: Operation) -> str | None:
    wrong = operation.type == "ADD_N" and len(operation.inputs) != 2
    return f"{len(operation.inputs)} inputs" if wrong else None


def _slices(operation: Operation) -> str | None:
    """SLICE and STRIDED_SLICE of three or four dimensions, without masks that change the number of them."""
    first = operation.input(0)
    if operation.type not in ("SLICE", "STRIDED_SLICE") or first is None:
        return None
    if len(first.shape) not in (3, 4):
        return f"a tensor of {len(first.shape)} dimensions"
    masks = ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    found = [mask for mask in masks if operation.option(mask)]
    return f"{found[0]}" if found else None


def _padding(operation: Operation) -> str | None:
    """PAD and MIRROR_PAD by a table of 3x2 or 4x2, and reflected, not symmetric."""
    if operation.type not in ("PAD", "PADV2", "MIRROR_PAD"):
        return None
    table = operation.input(1)
    if table is not None and table.shape not in ((3, 2), (4, 2)):
        return "padding for another number of dimensions than 3 or 4"
    symmetric = operation.type == "MIRROR_PAD" and operation.option("mode") == 1
    return "symmetric padding" if symmetric else None


def _depthwise(operation: Operation) -> str | None:
    """The output must have as many channels as the input times the multiplier."""
    first = operation.input(0)
    if operation.type != "DEPTHWISE_CONV_2D" or first is None:
        return None
    depth, made = first.shape[-1], operation.outputs[0].shape[-1]
    multiplier = operation.option("depth_multiplier")
    if depth is None or made is None or depth * multiplier == made:
        return None
    return f"{made} channels from {depth} by a multiplier of {multiplier}"


def _old_resize(operation: Operation) -> str | None:
    """half_pixel_centers is version 3 of RESIZE_BILINEAR; the delegate of 2019 took version 1, today's v1-3."""
    if operation.type not in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"):
        return None
    named = [flag for flag in ("align_corners", "half_pixel_centers") if operation.option(flag)]
    return f"{named[0]} (version {operation.version})" if named else None


def _lanes(operation: Operation) -> str | None:
    """Tensors lie in slices of four channels: five channels cost what eight do (gpu/README.md, tips)."""
    if operation.type not in ("CONV_2D", "TRANSPOSE_CONV"):
        return None
    channels = operation.outputs[0].shape[-1] if operation.outputs[0].shape else None
    if channels is None or channels % LANES == 0:
        return None
    return "1 channel" if channels == 1 else f"{channels} channels"


def _moves(operation: Operation) -> str | None:
    """Operations that only move data are dear on a GPU (gpu/README.md, tips)."""
    moving = (
        "RESHAPE",
        "TRANSPOSE",
        "SPACE_TO_DEPTH",
        "DEPTH_TO_SPACE",
        "BATCH_TO_SPACE_ND",
        "SPACE_TO_BATCH_ND",
    )
    return f"{operation.type}, which only moves data" if operation.type in moving else None


def _integers(model: Model) -> str | None:
    """A GPU computes in float16 or float32; integers are converted on the way (gpu/README.md)."""
    return "quantized convolutions" if model.is_quantized else None


RULES: tuple[Rule, ...] = (
    only_listed(LISTED, delegate=NAME, source=f"{_COMPATIBILITY} and {_BUILDER}, NewOperationParser"),
    rank_at_most(4, source=f"{_HELPER}, ExtractTensorShape"),
    sizes_constant(source=f"{_COMPATIBILITY}, CheckInputsOutputs"),
    Rule(
        "type",
        "Tensors must be float32, float16, int8 or uint8",
        OTHER_TYPE,
        f"{_BUILDER}, GetOpsToReplace",
        _types,
    ),
    no_int16(delegate=NAME, source=f"{_BUILDER}, GetOpsToReplace"),
    Rule(
        "per-channel",
        "Only constants may have a scale for each channel",
        "Quantize activations by tensor, as the TFLite converter does.",
        f"{_HELPER}, PopulateQuantParams",
        _per_channel,
    ),
    Rule("inputs", "ADD_N must have two inputs", "Add in pairs.", _COMPATIBILITY, _two_inputs),
    Rule(
        "slice",
        "Slices must be of 3 or 4 dimensions and keep them",
        "Slice with ranges (x[:, a:b]) and not with single indices or new axes.",
        _COMPATIBILITY,
        _slices,
    ),
    Rule(
        "padding",
        "Padding must be of 3 or 4 dimensions; mirrored padding must reflect",
        "Pad with mode REFLECT or CONSTANT.",
        _COMPATIBILITY,
        _padding,
    ),
    Rule(
        "depthwise",
        "A depthwise convolution must make its multiplier times its input channels",
        "Export it again from the framework's own depthwise layer.",
        _COMPATIBILITY,
        _depthwise,
    ),
    one_resize_convention(source=_COMPATIBILITY),
    Rule(
        "old-resize",
        "Delegates of 2019 know no half_pixel_centers, and ignored align_corners",
        "Ship the runtime with the app, or upsample by TRANSPOSE_CONV or DEPTH_TO_SPACE.",
        f"{_README} (RESIZE_BILINEAR v1-3); tensorflow issue 24986",
        _old_resize,
        blocks=False,
    ),
    Rule(
        "lanes",
        f"Channels are computed in groups of {LANES}",
        f"Choose widths that are multiples of {LANES}; for RGB at twice the size, 12 channels and DEPTH_TO_SPACE.",
        f"{_README}, tips",
        _lanes,
        blocks=False,
    ),
    Rule(
        "moves",
        "Moving data is dear on a GPU",
        "Drop reshapes and transposes that the result does not need; one DEPTH_TO_SPACE at the end is fine.",
        f"{_README}, tips",
        _moves,
        blocks=False,
    ),
)

FILE_RULES: tuple[FileRule, ...] = (
    static_tensors(delegate=NAME),
    sizes_fixed(delegate=NAME, source=f"{_README}; tensorflow issue 38036"),
    FileRule(
        "integers",
        "A GPU computes in float16 or float32: integers save memory there, not time",
        "For the GPU, ship the float file (or float16 weights) as well, and compare on the device.",
        _README,
        _integers,
        blocks=False,
    ),
)
