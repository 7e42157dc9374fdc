"""The constants of an ONNX model: where they are stored, and whether they hold as much as they say.

Types, and the field that stores each, are those of onnx.proto (TensorProto.DataType and its comments).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pixelproof.measure.scan.findings import Finding, shown
from pixelproof.measure.scan.onnx_proto import text

MAX_RANK = 32
LARGEST_SIZE = 2**63 - 1
_TYPED_FIELDS = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")
STRING = 8


@dataclass(frozen=True)
class ElementType:
    """How elements are stored.

    Attributes:
        bits: of an element in ``raw_data``.
        field: which other field may hold them, and how many of its entries one element takes.
    """

    bits: int
    field: str
    entries: float = 1.0


ELEMENTS: Mapping[int, ElementType] = {
    1: ElementType(32, "float_data"),
    2: ElementType(8, "int32_data"),
    3: ElementType(8, "int32_data"),
    4: ElementType(16, "int32_data"),
    5: ElementType(16, "int32_data"),
    6: ElementType(32, "int32_data"),
    7: ElementType(64, "int64_data"),
    9: ElementType(8, "int32_data"),
    10: ElementType(16, "int32_data"),
    11: ElementType(64, "double_data"),
    12: ElementType(32, "uint64_data"),
    13: ElementType(64, "uint64_data"),
    14: ElementType(64, "float_data", 2),
    15: ElementType(128, "double_data", 2),
    16: ElementType(16, "int32_data"),
    17: ElementType(8, "int32_data"),
    18: ElementType(8, "int32_data"),
    19: ElementType(8, "int32_data"),
    20: ElementType(8, "int32_data"),
    21: ElementType(4, "int32_data", 0.5),
    22: ElementType(4, "int32_data", 0.5),
    23: ElementType(4, "int32_data", 0.5),
    24: ElementType(8, "int32_data"),
    25: ElementType(2, "int32_data", 0.25),
    26: ElementType(2, "int32_data", 0.25),
}
"""Types of numbers by their code."""


def stored_bytes(tensor: Any) -> int:
    """What the numbers stored in a tensor take once it is loaded."""
    kind = ELEMENTS.get(tensor.data_type)
    if kind is None:
        return 0
    return len(tensor.raw_data) + math.ceil(len(getattr(tensor, kind.field)) / kind.entries * kind.bits / 8)


def tensor_findings(tensor: Any, *, place: str) -> Iterator[Finding]:
    """What is wrong with a constant.

    Args:
        tensor: TensorProto.
        place: where it stands, in words, safe to print.
    """
    if tensor.external_data or tensor.data_location:
        locations = [text(entry.value) for entry in tensor.external_data if entry.key == "location"]
        where = f"{place} in {shown(locations[0])}" if locations else place
        remedy = (
            "Save the model with its weights inside: onnx.save(model, path, save_as_external_data=False)."
        )
        yield Finding("All weights must be in the file", "external data", where, remedy)
        return
    kind = ELEMENTS.get(tensor.data_type)
    if kind is None:
        what = "strings" if tensor.data_type == STRING else f"elements of type {tensor.data_type}"
        yield Finding("Tensors must hold numbers", what, place)
        return
    sizes = list(tensor.dims)
    if len(sizes) > MAX_RANK or any(size < 0 for size in sizes) or tensor.HasField("segment"):
        yield Finding(
            "Constants must have whole shapes", "negative or too many dimensions, or segments", place
        )
        return
    if math.prod(max(1, size) for size in sizes) > LARGEST_SIZE:
        yield Finding("Constants must have whole shapes", "more elements than can be counted", place)
        return
    filled = {field: count for field in _TYPED_FIELDS if (count := len(getattr(tensor, field)))}
    if tensor.HasField("raw_data"):
        stored, expected = len(tensor.raw_data), math.ceil(math.prod(sizes) * kind.bits / 8)
    else:
        stored, expected = filled.pop(kind.field, 0), math.ceil(math.prod(sizes) * kind.entries)
    if stored != expected or filled:
        found = f"{place} ({'x'.join(str(size) for size in sizes) or 'one'}: {expected:,}, stored {stored:,})"
        yield Finding("A constant must hold as much as its shape and type say", "more or less", found)
