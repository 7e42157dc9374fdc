"""The ``.safetensors`` format: the header's length in 8 bytes, the header as JSON, the numbers.

Format: public repository huggingface/safetensors, README. Everything that it promises is checked: each tensor lies
inside the file, is as long as its shape and type say, and none overlaps another.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from pixelproof.errors import CheckpointError
from pixelproof.models.checkpoints.locate import Located
from pixelproof.models.checkpoints.torch_tensors import (
    ITEM_BYTES,
    Block,
    Stored,
    TensorFile,
    contiguous,
    opened_raw,
)

MOST_HEADER_BYTES = 100_000_000
_LENGTH_BYTES = 8
_DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32",
    "I16": "int16", "I8": "int8", "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip


class _Broken(Exception):
    """What the file breaks of the format."""


@contextmanager
def open_safetensors(located: Located) -> Iterator[TensorFile]:
    """Open a ``.safetensors`` file for reading.

    Raises:
        CheckpointError: damaged, cut short, or not of this format.
    """
    path = located.path
    with opened_raw(path) as stream:
        try:
            tensors = _tensors(stream, path.stat().st_size)
        except _Broken as error:
            rule = "A .safetensors file must be whole and follow its format"
            remedy = "It is damaged or cut short: fetch it again."
            raise CheckpointError(rule, found=f"{path}: {error}", remedy=remedy) from error
        yield TensorFile(path, tensors, "", stream)


def is_safetensors(start: bytes, size_bytes: int) -> bool:
    """Whether a file looks like one.

    Args:
        start: its first nine bytes or more.
        size_bytes: of the file.
    """
    return start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= size_bytes - _LENGTH_BYTES


def _tensors(stream: BinaryIO, size_bytes: int) -> dict[str, Stored]:
    length = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
    start = _LENGTH_BYTES + length
    if start > size_bytes or length > MOST_HEADER_BYTES:
        raise _Broken(f"a header of {length:,} bytes in a file of {size_bytes:,}")
    try:
        header = json.loads(stream.read(length), object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        raise _Broken("a header that is no JSON") from error
    if not isinstance(header, dict):
        raise _Broken("a header that is no dictionary")
    header.pop("__metadata__", None)
    tensors = {name: _stored(name, described, start) for name, described in header.items()}
    end = start
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].span)):
        if tensor.start != end:
            raise _Broken(f"{name}, which doesn't begin where the tensor before it ends")
        end += tensor.span * ITEM_BYTES[tensor.dtype]
    if end != size_bytes:
        raise _Broken(f"tensors of {end - start:,} bytes in {size_bytes - start:,}")
    return tensors


def _stored(name: str, described: object, start: int) -> Stored:
    match described:
        case {"dtype": str(dtype), "shape": [*sides], "data_offsets": [int(first), int(end)]}:
            pass
        case _:
            raise _Broken(f"{name:.80} without dtype, shape and data_offsets")
    if dtype not in _DTYPES:
        raise _Broken(f"{name:.80} of the type {dtype:.20}, which isn't read")
    if not all(isinstance(side, int) and side >= 0 for side in sides) or len(sides) > 64:
        raise _Broken(f"{name:.80} with a shape that is none")
    kind = _DTYPES[dtype]
    shape = tuple(sides)
    if not 0 <= first <= end or end - first != math.prod(shape) * ITEM_BYTES[kind]:
        raise _Broken(f"{name:.80}, which isn't as long as its shape")
    return Stored(kind, shape, contiguous(shape), start + first, Block(start + first, end - first))


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Broken("a header with a name twice")
    return found
