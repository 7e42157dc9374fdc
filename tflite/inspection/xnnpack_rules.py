"""Rules of XNNPACK, TFLite's fast kernels on CPUs, which the interpreter uses unless told otherwise.

Sources: tensorflow/lite/delegates/xnnpack/README.md, and xnnpack_delegate.cc for scales. What the README leaves out
was tried with LiteRT 2.3, by files of one operation each, in float32, int8, int16 and float16; the tests repeat it.
"""

from __future__ import annotations

from collections.abc import Mapping

from pixelproof.tflite.inspection.model import Operation, Tensor
from pixelproof.tflite.inspection.rules import (
    OTHER_TYPE,
    FileRule,
    Rule,
    data_inputs,
    dtypes,
    is_int16,
    no_int16,
    only_listed,
    rank_at_most,
    sizes_constant,
    sizes_fixed,
)

NAME = "XNNPACK"
_README = "tensorflow/lite/delegates/xnnpack/README.md"
_TRIED = "tried with LiteRT 2.3"
_CODE = "tensorflow/lite/delegates/xnnpack/xnnpack_delegate.cc"

INT8 = frozenset(
    "ADD BATCH_MATMUL CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE ELU FULLY_CONNECTED "
    "LEAKY_RELU LOGISTIC MAX_POOL_2D MEAN MUL PAD QUANTIZE REDUCE_MAX REDUCE_MIN RESHAPE RESIZE_BILINEAR SLICE "
    "SPACE_TO_DEPTH SPLIT STRIDED_SLICE SUB SUM TANH TRANSPOSE TRANSPOSE_CONV".split()
)
FLOAT = INT8 | frozenset(
    "ABS AVERAGE_POOL_2D CEIL COS DIV EXP FLOOR GELU HARD_SWISH LOG MAXIMUM MINIMUM NEG PRELU RELU RELU6 "
    "RELU_N1_TO_1 ROUND RSQRT SIN SOFTMAX SQRT SQUARE SQUARED_DIFFERENCE".split()
)
INT8_REMEDIES: Mapping[str, str] = {
    "SQUARED_DIFFERENCE": "Write the square as a product: d = x - mean, then d * d; SUB and MUL are taken in int8.",
    "RSQRT": "It is small behind a MEAN over the picture; leave it, or normalise without image statistics.",
    "AVERAGE_POOL_2D": "Use MAX_POOL_2D or a convolution with stride 2.",
    "RELU": "Let the converter fuse it into the convolution before it.",
    "RELU6": "Let the converter fuse it into the convolution before it.",
}
_USUAL = ("float32", "float16", "int8", "uint8")
_FUSED = {4: "TANH", 5: "SIGN_BIT"}
MOST_JOINED, MOST_PARTS, MOST_RANK = 5, 4, 6


def _runs_in_int8(operation: Operation) -> bool:
    return bool(operation.outputs) and operation.outputs[0].quantized


def _int8_kernel(operation: Operation) -> str | None:
    """Operations that it takes in float32 only."""
    eight = _runs_in_int8(operation) and not is_int16(operation.outputs[0])
    lacking = eight and operation.type in FLOAT - INT8
    return f"{operation.type} in {operation.outputs[0].dtype}" if lacking else None


def _types(operation: Operation) -> str | None:
    running = [*data_inputs(operation), *operation.outputs]
    found = [tensor for tensor in running if tensor.dtype not in _USUAL and not is_int16(tensor)]
    plain = [tensor for tensor in running if tensor.dtype in ("int8", "uint8") and not tensor.quantized]
    return dtypes([*found, *plain]) or None


def _constants(operation: Operation) -> str | None:
    """Filters, biases and slopes."""
    places: Mapping[str, tuple[int, ...]] = {
        "CONV_2D": (1, 2),
        "DEPTHWISE_CONV_2D": (1, 2),
        "PRELU": (1,),
        "TRANSPOSE_CONV": (1, 3),
    }
    found = [operation.input(place) for place in places.get(operation.type, ())]
    return "a weight that is computed" if any(t is not None and not t.constant for t in found) else None


def _joined(operation: Operation) -> str | None:
    if operation.type == "CONCATENATION" and len(operation.inputs) > MOST_JOINED:
        return f"{len(operation.inputs)} inputs"
    if operation.type == "SPLIT" and len(operation.outputs) > MOST_PARTS:
        return f"{len(operation.outputs)} outputs"
    return None


def _strides(operation: Operation) -> str | None:
    if operation.type != "STRIDED_SLICE":
        return None
    steps = operation.input(3)
    if steps is not None and steps.values is not None and any(step != 1 for step in steps.values):
        return "steps other than 1"
    masks = ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    found = [mask for mask in masks if operation.option(mask)]
    return found[0] if found else None


def _activation(operation: Operation) -> str | None:
    fused = _FUSED.get(operation.option("fused_activation_function"))
    return f"a fused {fused}" if fused else None


def _pooling(operation: Operation) -> str | None:
    if operation.type not in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        return None
    one = operation.option("filter_width") == operation.option("filter_height") == 1
    steps = operation.option("stride_w") != 1 or operation.option("stride_h") != 1
    return "a 1x1 window that moves further than 1" if one and steps else None


def _scales(operation: Operation) -> str | None:
    """Scale of an input over that of the output: ADD, SUB in [1/1024, 256); LEAKY_RELU, QUANTIZE in [1/256, 128]."""
    ranges = {
        "ADD": (2**-10, 2**8),
        "SUB": (2**-10, 2**8),
        "LEAKY_RELU": (2**-8, 2**7),
        "QUANTIZE": (2**-8, 2**7),
    }
    if operation.type not in ranges or not _runs_in_int8(operation):
        return None
    low, high = ranges[operation.type]
    output = operation.outputs[0].scale
    for tensor in operation.given:
        if _scaled(tensor) and output and not low <= tensor.scale / output <= high:
            return f"an input whose scale is {tensor.scale / output:.2g} of the output's"
    return None


def _zero_point(operation: Operation) -> str | None:
    """The second factor of a quantized BATCH_MATMUL must have the zero point 0."""
    second = operation.input(1)
    if operation.type != "BATCH_MATMUL" or second is None or not second.quantized or not second.zero_point:
        return None
    return f"a second factor with the zero point {second.zero_point}"


def _scaled(tensor: Tensor) -> bool:
    return tensor.quantized and tensor.scale > 0


def _signs(operation: Operation) -> str | None:
    first = operation.input(0)
    if operation.type != "QUANTIZE" or first is None or first.dtype == "float32":
        return None
    made = operation.outputs[0].dtype
    return f"{first.dtype} to {made}" if first.dtype != made else None


RULES: tuple[Rule, ...] = (
    only_listed(FLOAT, delegate=NAME, source=f"{_README}; {_TRIED}"),
    rank_at_most(MOST_RANK, source="XNN_MAX_TENSOR_DIMS of xnnpack.h"),
    sizes_constant(source=f"{_README}; {_TRIED}"),
    Rule("type", "Tensors must be float32, float16, or int8 with a scale", OTHER_TYPE, _README, _types),
    no_int16(delegate=NAME, source=_TRIED),
    Rule(
        "int8",
        "The operation must have an int8 kernel in XNNPACK",
        "Write it with operations that have one: ADD, SUB, MUL, MEAN, CONV_2D, LEAKY_RELU, TANH, ...",
        f"{_README}; {_TRIED}",
        _int8_kernel,
        remedies=INT8_REMEDIES,
    ),
    Rule("constants", "Weights must be constants", "Freeze the weights first.", _README, _constants),
    Rule(
        "parts",
        f"At most {MOST_JOINED} tensors may be joined, and {MOST_PARTS} split off, at once",
        "Join or split in steps.",
        f"{_README}; {_TRIED}",
        _joined,
    ),
    Rule(
        "slice",
        "Slices must take every element, and keep all dimensions",
        "Use ranges; where every second pixel is wanted, SPACE_TO_DEPTH or a stride.",
        _README,
        _strides,
    ),
    Rule("activation", "Only ReLU and its limits may be fused", "Apply it afterwards.", _README, _activation),
    Rule("pooling", "A 1x1 window must move by 1", "Use a slice or a convolution.", _README, _pooling),
    Rule(
        "scales",
        "Scales of inputs and output must be of comparable size",
        "Calibrate with real images: a scale far from the others belongs to a value that is nearly zero.",
        _CODE,
        _scales,
    ),
    Rule(
        "zero-point",
        "The second factor of a matrix product must have the zero point 0",
        "Let the factor that has both signs come second.",
        _TRIED,
        _zero_point,
    ),
    Rule(
        "signs",
        "Requantizing must keep the sign of the type",
        "Convert with int8 or float inputs and outputs in place of uint8.",
        _README,
        _signs,
    ),
)

FILE_RULES: tuple[FileRule, ...] = (
    sizes_fixed(
        delegate=NAME, source=f"{_TRIED}; runtimes before refuse such files (tensorflow issue 41284)"
    ),
)
