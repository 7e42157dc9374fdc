"""The tensors of a TFLite model: types, shapes, stored bytes, quantization.

What is asked here is what the runtime takes for granted or finds out late. Where a tensor's data lies follows
tflite/core/interpreter_builder.cc: inside the flatbuffer, or else beyond it at an offset, when that is above 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from pixelproof.measure.scan.findings import Finding, shown
from pixelproof.measure.scan.flatbuffer import Record

MAX_RANK = 8
MAX_ELEMENTS = 2**31 - 1
"""The kernels count a tensor's elements in 32 bits."""

_TYPES: tuple[tuple[str, int | None], ...] = (
    ("FLOAT32", 32),
    ("FLOAT16", 16),
    ("INT32", 32),
    ("UINT8", 8),
    ("INT64", 64),
    ("STRING", None),
    ("BOOL", 8),
    ("INT16", 16),
    ("COMPLEX64", 64),
    ("INT8", 8),
    ("FLOAT64", 64),
    ("COMPLEX128", 128),
    ("UINT64", 64),
    ("RESOURCE", None),
    ("VARIANT", None),
    ("UINT32", 32),
    ("UINT16", 16),
    ("INT4", 4),
    ("BFLOAT16", 16),
    ("INT2", 2),
    ("UINT4", 4),
    ("FLOAT8_E4M3FN", 8),
    ("FLOAT8_E5M2", 8),
)
"""The schema's `TensorType` by code, and the bits of an element; None where it is no number."""

_RANGES = {"INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-32768, 32767), "INT4": (-8, 7)}


class Tensor:
    """What the checks need to know of a tensor.

    Attributes:
        kind: element type, as in the schema.
        bits: of an element; None where it is no number.
        shape: as stated; may be nonsense.
        buffer: where its data lies.
        record: all that the file says.
    """

    __slots__ = ("bits", "buffer", "kind", "record", "shape")

    def __init__(self, record: Record) -> None:
        code = record.int("type")
        self.kind, self.bits = _TYPES[code] if 0 <= code < len(_TYPES) else (f"type {code}", None)
        self.shape: tuple[int, ...] = record.numbers("shape")
        self.buffer = record.int("buffer")
        self.record = record

    @property
    def name(self) -> str:
        """Its name, safe to print."""
        return shown(self.record.text("name"))

    @property
    def quantized(self) -> bool:
        """Whether it has a scale."""
        quantization = self.record.row("quantization")
        return quantization is not None and len(quantization.data("scale")) > 0

    @property
    def elements(self) -> int:
        """How many there are; a dimension of 0 counts as 1, so that it doesn't hide the size of the others."""
        return math.prod(max(1, size) for size in self.shape)

    @property
    def bytes(self) -> int:
        """What its elements take."""
        return 0 if 0 in self.shape or self.bits is None else (self.elements * self.bits + 7) // 8

    def __str__(self) -> str:
        sizes = "x".join(str(size) for size in self.shape[: MAX_RANK + 1])
        return f"{self.name} ({sizes or 'one'} of {self.kind})"


def stored_bytes(buffer: Record, *, file_bytes: int) -> int | None:
    """The bytes of a buffer; 0 where it is empty, None where it leads outside the file."""
    inside = len(buffer.data("data"))
    offset, size = buffer.int("offset"), buffer.int("size")
    if inside or offset <= 1:
        return inside
    return size if offset + size <= file_bytes else None


def tensor_findings(tensor: Tensor, *, stored: Sequence[int | None]) -> Iterator[Finding]:
    """What is wrong with a tensor.

    Args:
        stored: the bytes of each buffer of the model, as `stored_bytes` gives them.
    """
    record, shape = tensor.record, tensor.shape
    if tensor.bits is None:
        remedy = "Take strings, tables and resources out of the model."
        yield Finding("Tensors must hold numbers", f"tensors of {tensor.kind}", tensor.name, remedy)
        return
    if record.int("is_variable"):
        yield Finding("A model must keep nothing from one run to the next", "variable tensors", tensor.name)
    if record.row("sparsity") is not None:
        remedy = "Convert it without sparse encoding."
        yield Finding("Weights must be dense", "sparse tensors", tensor.name, remedy)
    if record.int("external_buffer"):
        yield Finding("All weights must be in the file", "tensors in external buffers", tensor.name)
    if len(shape) > MAX_RANK or any(size < 0 for size in shape) or tensor.elements > MAX_ELEMENTS:
        rule = f"Tensors must have at most {MAX_RANK} dimensions and less than 2^31 elements"
        yield Finding(rule, "other shapes", str(tensor))
        return
    signature: tuple[int, ...] = record.numbers("shape_signature")
    if signature and not _agrees(signature, shape):
        rule = "A tensor's shape signature must be its shape, with -1 for free dimensions"
        yield Finding(rule, "another signature", str(tensor))
    yield from _storage_findings(tensor, stored)
    quantization = record.row("quantization")
    if quantization is not None:
        yield from _quantization_findings(tensor, quantization)


def _agrees(signature: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    free = len(signature) == len(shape)
    return free and all(a in (-1, b) for a, b in zip(signature, shape, strict=True))


def _storage_findings(tensor: Tensor, stored: Sequence[int | None]) -> Iterator[Finding]:
    if tensor.buffer >= len(stored):
        yield Finding("Every tensor's buffer must be in the file", f"{len(stored)} buffers", str(tensor))
        return
    size = stored[tensor.buffer] if tensor.buffer else 0
    if size and size != tensor.bytes:
        rule = "A constant must hold as many bytes as its shape and type say"
        yield Finding(rule, "more or fewer bytes", f"{tensor}: {tensor.bytes:,} bytes, stored {size:,}")


def _quantization_findings(tensor: Tensor, quantization: Record) -> Iterator[Finding]:
    scales, zeros = quantization.numbers("scale"), quantization.numbers("zero_point")
    if quantization.int("details_type"):
        yield Finding("Quantization must be by tensor or by channel", "another scheme", str(tensor))
    if not scales:
        return
    axis = quantization.int("quantized_dimension")
    by_channel = 0 <= axis < len(tensor.shape) and len(scales) == tensor.shape[axis]
    if len(zeros) not in (1, len(scales)) or not (len(scales) == 1 or by_channel):
        rule = "Quantization must have a scale and a zero point for the tensor or each channel"
        yield Finding(rule, f"{len(scales)} scales and {len(zeros)} zero points", str(tensor))
    low, high = _RANGES.get(tensor.kind, (-(2**31), 2**31 - 1))
    if not all(0 <= scale < math.inf for scale in scales) or not all(low <= zero <= high for zero in zeros):
        rule = "Scales must be finite, and zero points values of the tensor's type"
        yield Finding(rule, "other values", str(tensor))
