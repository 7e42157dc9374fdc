"""The worker's protocol: length-prefixed frames of a small JSON header and raw arrays, with size caps.

Frame: 4 bytes magic, 4 bytes header length, 8 bytes payload length (big endian), header, payload.
The header's ``arrays`` lists dtype and shape of the arrays that stand one after another in the payload.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Read = Callable[[int], bytearray]
Write = Callable[[bytes | memoryview], None]

MAGIC = b"pxpf"
PREFIX = struct.Struct(">4sIQ")
MAX_HEADER_BYTES = 1 << 20
MAX_PAYLOAD_BYTES = 4 << 30
DTYPES = frozenset(
    {"float16", "float32", "float64", "uint8", "int8", "int16", "uint16", "int32", "int64", "bool"}
)


class ProtocolError(Exception):
    """The other side sent something that is no frame."""


def send(write: Write, header: dict[str, Any], arrays: Sequence[Array] = ()) -> None:
    """Write one frame."""
    contiguous = [np.ascontiguousarray(array) for array in arrays]
    described = [{"dtype": a.dtype.name, "shape": list(a.shape)} for a in contiguous]
    text = json.dumps({**header, "arrays": described}).encode()
    write(PREFIX.pack(MAGIC, len(text), sum(a.nbytes for a in contiguous)) + text)
    for array in contiguous:
        if array.nbytes:
            write(array.reshape(-1).view(np.uint8).data)


def receive(read: Read, *, max_payload: int = MAX_PAYLOAD_BYTES) -> tuple[dict[str, Any], list[Array]]:
    """Read one frame.

    Args:
        read: returns exactly as many bytes as asked for.

    Raises:
        ProtocolError: wrong magic, sizes beyond the caps, or arrays that don't fill the payload.
    """
    magic, header_bytes, payload_bytes = PREFIX.unpack(read(PREFIX.size))
    if magic != MAGIC or header_bytes > MAX_HEADER_BYTES or payload_bytes > max_payload:
        raise ProtocolError(
            f"no frame: magic {magic!r}, header {header_bytes}, payload {payload_bytes} bytes"
        )
    try:
        header = json.loads(read(header_bytes))
    except ValueError as error:
        raise ProtocolError(f"header is not JSON: {error}") from error
    if not isinstance(header, dict) or not isinstance(header.get("arrays"), list):
        raise ProtocolError("header is not a table with arrays")
    return header, _arrays(header.pop("arrays"), read, payload_bytes)


def _arrays(described: list[Any], read: Read, payload_bytes: int) -> list[Array]:
    arrays = []
    left = payload_bytes
    for item in described:
        if not isinstance(item, dict) or item.get("dtype") not in DTYPES:
            raise ProtocolError(f"array of dtype {item!r}"[:200])
        shape = item.get("shape")
        if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape) or len(shape) > 8:
            raise ProtocolError(f"array of shape {shape!r}"[:200])
        dtype = np.dtype(item["dtype"])
        size = dtype.itemsize
        for n in shape:
            size *= n
        if size > left:
            raise ProtocolError("arrays larger than the payload")
        left -= size
        arrays.append(np.frombuffer(read(size), dtype=dtype).reshape(shape))
    if left:
        raise ProtocolError(f"{left} bytes behind the last array")
    return arrays
