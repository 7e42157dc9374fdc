"""The worker's protocol: length-prefixed frames of a small JSON header and raw arrays, with size caps.

Frame: 4 bytes magic, 4 bytes header length, 8 bytes payload length (big endian), header, payload.
The header's ``arrays`` lists dtype and shape of the arrays that stand one after another in the payload.
"""

from __future__ import annotations

import json
import math
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
MAX_ARRAYS = 64
MAX_DIMENSIONS = 8
DTYPES = frozenset(
    {"float16", "float32", "float64", "uint8", "int8", "int16", "uint16", "int32", "int64", "bool"}
)


class ProtocolError(Exception):
    """The other side sent something that is no frame, or what is to be sent fits into none."""


def send(write: Write, header: dict[str, Any], arrays: Sequence[Array] = ()) -> None:
    """Write one frame.

    Raises:
        ProtocolError: an array that the protocol doesn't carry; nothing has been written then.
    """
    native = [_native(array) for array in arrays]
    described = [{"dtype": a.dtype.name, "shape": list(a.shape)} for a in native]
    text = json.dumps({**header, "arrays": described}).encode()
    payload_bytes = sum(a.nbytes for a in native)
    if len(text) > MAX_HEADER_BYTES or payload_bytes > MAX_PAYLOAD_BYTES or len(native) > MAX_ARRAYS:
        raise ProtocolError(f"{len(native)} arrays of {payload_bytes} bytes, header of {len(text)} bytes")
    write(PREFIX.pack(MAGIC, len(text), payload_bytes) + text)
    for array in native:
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
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"header is not JSON: {error}") from error
    if not isinstance(header, dict) or not isinstance(header.get("arrays"), list):
        raise ProtocolError("header is not a table with arrays")
    return header, _arrays(header.pop("arrays"), read, payload_bytes)


def _native(array: Array) -> Array:
    """The array in C order and this machine's byte order, its dimensions kept."""
    array = np.asarray(array, order="C")
    if array.dtype.name not in DTYPES or array.ndim > MAX_DIMENSIONS:
        raise ProtocolError(f"array of {array.dtype.name} with {array.ndim} dimensions")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _arrays(described: list[Any], read: Read, payload_bytes: int) -> list[Array]:
    if len(described) > MAX_ARRAYS:
        raise ProtocolError(f"{len(described)} arrays")
    specs = [_spec(item) for item in described]
    if sum(dtype.itemsize * math.prod(shape) for dtype, shape in specs) != payload_bytes:
        raise ProtocolError(f"arrays that don't fill the payload of {payload_bytes} bytes")
    arrays = []
    for dtype, shape in specs:
        data = read(dtype.itemsize * math.prod(shape))
        arrays.append(np.frombuffer(data, dtype=dtype).reshape(shape))
    return arrays


def _spec(item: Any) -> tuple[np.dtype[Any], tuple[int, ...]]:
    dtype = item.get("dtype") if isinstance(item, dict) else None
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ProtocolError(f"array of dtype {dtype!r}"[:200])
    shape = item.get("shape")
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
        raise ProtocolError(f"array of shape {shape!r}"[:200])
    whole = all(type(n) is int and 0 <= n <= MAX_PAYLOAD_BYTES for n in shape)
    if not whole or math.prod(max(n, 1) for n in shape) > MAX_PAYLOAD_BYTES:
        raise ProtocolError(f"array of shape {shape!r}"[:200])
    return np.dtype(dtype), tuple(shape)
