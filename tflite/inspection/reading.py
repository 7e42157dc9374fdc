"""A .tflite file's bytes as operations and tensors.

The reader is the scan's own (`pixelproof.measure.scan.flatbuffer`), which checks every offset before it follows it;
what comes here has been through the scan besides. Nothing of the file is run.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from pixelproof.errors import ArtifactError
from pixelproof.measure.scan.findings import shown
from pixelproof.measure.scan.flatbuffer import (
    FlatbufferDamaged,
    FlatbufferTooLarge,
    Record,
    read_flatbuffer,
)
from pixelproof.measure.scan.tflite_operations import builtin_names
from pixelproof.measure.scan.tflite_schema import tflite_schema
from pixelproof.measure.scan.tflite_tensors import Tensor as Stored
from pixelproof.measure.scan.tflite_tensors import stored_bytes
from pixelproof.tflite.inspection.model import Model, Operation, Shape, Tensor, Value

MOST_VALUES = 64
_LEFT_OUT = -1
_INTEGERS: Mapping[str, str] = MappingProxyType({"INT32": "i", "INT64": "q"})
_SCALARS = ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")


def read_model(data: bytes, *, label: str) -> Model:
    """The operations of a file's first subgraph.

    Args:
        data: the file; the scan has refused nothing in it.
        label: how messages name it.

    Raises:
        ArtifactError: it is no TFLite flatbuffer, or a damaged one.
    """
    rule = "A .tflite file must be a TFLite flatbuffer"
    try:
        root = read_flatbuffer(data, tflite_schema(), root="Model")
        return _model(root, size_bytes=len(data))
    except (FlatbufferDamaged, FlatbufferTooLarge, IndexError, struct.error) as error:
        remedy = "Write it again, or copy it again."
        raise ArtifactError(rule, found=f"{label}: {error}", remedy=remedy) from error


def _model(root: Record, *, size_bytes: int) -> Model:
    graph, buffers = root.rows("subgraphs")[0], root.rows("buffers")
    sizes = [stored_bytes(buffer, file_bytes=size_bytes) or 0 for buffer in buffers]
    tensors = [_tensor(index, record, buffers, sizes) for index, record in enumerate(graph.rows("tensors"))]
    codes = [(_type(code), code.int("version")) for code in root.rows("operator_codes")]
    records = graph.rows("operators")
    _mark_folded(tensors, records, codes)
    used = {
        buffer
        for each in root.rows("subgraphs")
        for record in each.rows("tensors")
        if (buffer := record.int("buffer"))
    }
    return Model(
        operations=tuple(_operation(index, record, codes, tensors) for index, record in enumerate(records)),
        inputs=tuple(tensors[index] for index in graph.numbers("inputs")),
        outputs=tuple(tensors[index] for index in graph.numbers("outputs")),
        tensors=tuple(tensors),
        subgraphs=len(root.rows("subgraphs")),
        size_bytes=size_bytes,
        constant_bytes=sum(sizes[buffer] for buffer in used),
    )


def _type(code: Record) -> str:
    """The operation's name; the code stood in one byte once, and newer ones don't fit there."""
    name = builtin_names()[max(code.int("deprecated_builtin_code"), code.int("builtin_code"))]
    return f"CUSTOM {shown(code.text('custom_code'))}" if name == "CUSTOM" else name


def _tensor(index: int, record: Record, buffers: Sequence[Record], sizes: Sequence[int]) -> Tensor:
    stored, quantization = Stored(record), record.row("quantization")
    scales: tuple[float, ...] = quantization.numbers("scale") if quantization is not None else ()
    zeros: tuple[int, ...] = quantization.numbers("zero_point") if quantization is not None else ()
    size = sizes[stored.buffer] if stored.buffer else 0
    return Tensor(
        index=index,
        name=stored.name,
        dtype=stored.kind.lower(),
        shape=_shape(record),
        stored_bytes=size,
        scales=len(scales),
        scale=scales[0] if scales else 0.0,
        zero_point=zeros[0] if zeros else 0,
        values=_values(stored, buffers[stored.buffer].data("data")) if size else None,
    )


def _shape(record: Record) -> Shape:
    """The shape, None where its signature leaves a dimension free."""
    shape: tuple[int, ...] = record.numbers("shape")
    signature: tuple[int, ...] = record.numbers("shape_signature")
    return tuple(None if free < 0 else size for size, free in zip(shape, signature or shape, strict=True))


def _values(stored: Stored, data: memoryview) -> tuple[int, ...] | None:
    letter = _INTEGERS.get(stored.kind)
    if letter is None or stored.elements > MOST_VALUES:
        return None
    return struct.unpack(f"<{len(data) // struct.calcsize(f'<{letter}')}{letter}", data)


def _mark_folded(tensors: list[Tensor], records: Sequence[Record], codes: Sequence[tuple[str, int]]) -> None:
    """Mark what DEQUANTIZE and DENSIFY make of constants: float16 weights as float32, once."""
    for record in records:
        inputs, outputs = record.numbers("inputs"), record.numbers("outputs")
        kind = codes[record.int("opcode_index")][0]
        if kind in ("DEQUANTIZE", "DENSIFY") and all(tensors[index].constant for index in inputs):
            for index in outputs:
                tensors[index] = replace(tensors[index], folded=True)


def _operation(
    index: int, record: Record, codes: Sequence[tuple[str, int]], tensors: Sequence[Tensor]
) -> Operation:
    kind, version = codes[record.int("opcode_index")]
    return Operation(
        index=index,
        type=kind,
        version=version,
        inputs=tuple(None if i == _LEFT_OUT else tensors[i] for i in record.numbers("inputs")),
        outputs=tuple(tensors[i] for i in record.numbers("outputs")),
        options=MappingProxyType(
            {**_options(record, "builtin_options"), **_options(record, "builtin_options_2")}
        ),
    )


def _options(record: Record, union: str) -> dict[str, Value]:
    """Whole numbers and vectors of them of an options table."""
    table = record.row(union)
    if table is None:
        return {}
    found: dict[str, Value] = {}
    for field in tflite_schema().tables[table.kind].fields:
        if field.kind == "scalar" and field.item in _SCALARS:
            found[field.name] = table.int(field.name)
        elif field.kind == "scalars" and field.item in _SCALARS and field.name in table:
            found[field.name] = tuple(table.numbers(field.name))
    return found
