"""How much a constant claims to hold, and how much of it the file really stores; nothing is decoded.

A TensorProto may state a large shape and store one value, which is then repeated: 130 bytes that claim gigabytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tensorflow.core.framework.types_pb2 import DataType

MAX_DIMENSIONS = 254  # TensorFlow's own limit (TensorShape::MaxDimensions)
LARGEST_SIZE = 2**63 - 1


@dataclass(frozen=True)
class ElementType:
    """One element of a tensor: its bytes in memory, and the TensorProto field that stores it one by one."""

    size_bytes: int
    field: str


# The fields of tensor.proto, version 2.21; a string takes 24 bytes in memory, whatever it says.
_ELEMENTS: Mapping[str, ElementType] = {
    "DT_FLOAT": ElementType(4, "float_val"),
    "DT_DOUBLE": ElementType(8, "double_val"),
    "DT_HALF": ElementType(2, "half_val"),
    "DT_BFLOAT16": ElementType(2, "half_val"),
    "DT_BOOL": ElementType(1, "bool_val"),
    "DT_INT8": ElementType(1, "int_val"),
    "DT_INT16": ElementType(2, "int_val"),
    "DT_INT32": ElementType(4, "int_val"),
    "DT_INT64": ElementType(8, "int64_val"),
    "DT_UINT8": ElementType(1, "int_val"),
    "DT_UINT16": ElementType(2, "int_val"),
    "DT_UINT32": ElementType(4, "uint32_val"),
    "DT_UINT64": ElementType(8, "uint64_val"),
    "DT_QINT8": ElementType(1, "int_val"),
    "DT_QINT16": ElementType(2, "int_val"),
    "DT_QINT32": ElementType(4, "int_val"),
    "DT_QUINT8": ElementType(1, "int_val"),
    "DT_QUINT16": ElementType(2, "int_val"),
    "DT_COMPLEX64": ElementType(8, "scomplex_val"),
    "DT_COMPLEX128": ElementType(16, "dcomplex_val"),
    "DT_STRING": ElementType(24, "string_val"),
}

ELEMENTS: Mapping[int, ElementType] = {DataType.Value(name): kind for name, kind in _ELEMENTS.items()}
STRING: int = DataType.Value("DT_STRING")
RESOURCE: int = DataType.Value("DT_RESOURCE")
NUMBERS: frozenset[int] = frozenset(ELEMENTS) - {STRING}


def type_name(number: int) -> str:
    """A DataType as TensorFlow's users write it: ``float32`` is ``float``, a reference ends in ``_ref``."""
    return (
        DataType.Name(number).removeprefix("DT_").lower() if number in DataType.values() else f"type {number}"
    )


def size_of(number: int, shape: Any) -> int | None:
    """What a tensor takes in memory.

    Args:
        number: its DataType.
        shape: a TensorShapeProto.

    Returns:
        None where it has no such size: an unknown or negative dimension, more dimensions or elements than a tensor
        may have, an element type that no constant has.
    """
    element = ELEMENTS.get(number)
    if element is None or shape.unknown_rank or len(shape.dim) > MAX_DIMENSIONS:
        return None
    size = element.size_bytes
    empty = False
    for dimension in shape.dim:
        if dimension.size < 0:
            return None
        empty = empty or dimension.size == 0
        size *= max(dimension.size, 1)
        if size > LARGEST_SIZE:
            return None
    return 0 if empty else size


def stored_bytes(tensor: Any, *, declared: int) -> int:
    """How many of its declared bytes a TensorProto stores, at most all."""
    if tensor.ByteSize() >= declared:
        return declared
    element = ELEMENTS[tensor.dtype]
    one_by_one = len(getattr(tensor, element.field)) * element.size_bytes
    if element.field.endswith("complex_val"):
        one_by_one //= 2
    return min(declared, max(len(tensor.tensor_content), one_by_one))
