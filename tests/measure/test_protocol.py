"""Frames survive the trip, and garbage is refused without harm."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pixelproof.measure import protocol
from pixelproof.measure.protocol import PREFIX, ProtocolError, receive, send

CARRIED = st.sampled_from(sorted(protocol.DTYPES)).map(np.dtype)


def _pack(header: dict[str, object], arrays: list[np.ndarray]) -> bytes:
    written = io.BytesIO()
    send(lambda data: written.write(data) and None, header, arrays)
    return written.getvalue()


def _unpack(data: bytes) -> tuple[dict[str, object], list[np.ndarray]]:
    stream = io.BytesIO(data)

    def read(count: int) -> bytearray:
        got = bytearray(stream.read(count))
        if len(got) < count:
            raise EOFError
        return got

    return receive(read)


def _frame(header: object, payload: bytes = b"", *, payload_bytes: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (
        PREFIX.pack(b"pxpf", len(text), len(payload) if payload_bytes is None else payload_bytes)
        + text
        + payload
    )


@given(
    st.lists(
        CARRIED.flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0, min_side=0, max_dims=5))),
        max_size=3,
    )
)
def test_arrays_come_back_as_they_were(arrays: list[np.ndarray]) -> None:
    header, got = _unpack(_pack({"op": "run", "text": "straße"}, arrays))
    assert header == {"op": "run", "text": "straße"}
    assert [(a.dtype, a.shape) for a in got] == [(a.dtype, a.shape) for a in arrays]
    for one, other in zip(got, arrays, strict=True):
        np.testing.assert_array_equal(one, other)
        one[...] = 1  # the receiver owns it


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24, dtype=np.float32).reshape(2, 3, 4)[:, ::2, ::-1],
        np.asfortranarray(np.arange(12, dtype=np.int16).reshape(3, 4)),
        np.arange(6, dtype=">f4").reshape(2, 3),
        np.arange(6, dtype=">i2").reshape(2, 3),
    ],
    ids=["strided", "fortran", "big-endian float", "big-endian int"],
)
def test_any_memory_layout_is_sent_by_value(array: np.ndarray) -> None:
    _, (got,) = _unpack(_pack({}, [array]))
    np.testing.assert_array_equal(got, array)
    assert got.dtype.isnative and got.dtype.name == array.dtype.name


@pytest.mark.parametrize(
    "array",
    [np.array(["a"]), np.array([object()]), np.zeros(2, np.complex64), np.zeros((1,) * 9, np.float32)],
    ids=["text", "objects", "complex", "nine dimensions"],
)
def test_what_the_protocol_does_not_carry_is_refused_before_anything_is_written(array: np.ndarray) -> None:
    written: list[bytes | memoryview] = []
    with pytest.raises(ProtocolError):
        send(written.append, {"op": "run"}, [np.zeros(3, np.float32), array])
    assert written == []


def _spec(dtype: object, shape: object) -> dict[str, object]:
    return {"arrays": [{"dtype": dtype, "shape": shape}]}


GARBAGE = {
    "another magic": b"HTTP/1.1 200 OK\r\n",
    "a log line": b"2024-01-01 00:00:00 I tensorflow/core\n",
    "a huge header": PREFIX.pack(b"pxpf", 1 << 31, 0),
    "a huge payload": PREFIX.pack(b"pxpf", 2, 1 << 62),
    "no JSON": _frame(b"{not json"),
    "no UTF-8": _frame(b'{"arrays": "\xff"}'),
    "deep JSON": _frame(b"[" * 100_000),
    "a list": _frame([1, 2]),
    "no arrays": _frame({"ok": True}),
    "arrays that are none": _frame({"arrays": [None]}),
    "too many arrays": _frame({"arrays": [{"dtype": "uint8", "shape": [0]}] * 1000}),
    "an object array": _frame(_spec("object", [1]), b"12345678"),
    "a dtype that is a list": _frame(_spec(["float32"], [1]), b"1234"),
    "a negative side": _frame(_spec("uint8", [-1])),
    "a side that is true": _frame(_spec("uint8", [True]), b"1"),
    "a fraction": _frame(_spec("uint8", [1.0]), b"1"),
    "a side beyond all memory": _frame(_spec("uint8", [0, 1 << 60])),
    "sides whose product is beyond": _frame(_spec("uint8", [0, 1 << 32, 1 << 32, 1 << 32])),
    "too many dimensions": _frame(_spec("uint8", [1] * 9), b"1"),
    "arrays larger than the payload": _frame(_spec("float32", [4]), b"1234"),
    "a payload larger than its arrays": _frame(_spec("float32", [1]), b"12345678"),
    "a payload without arrays": _frame({"arrays": []}, b"12345678"),
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_a_protocol_error(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        _unpack(data)


@given(st.binary(max_size=200))
def test_random_bytes_never_do_worse_than_a_protocol_error(data: bytes) -> None:
    with pytest.raises((ProtocolError, EOFError)):
        _unpack(data)
    with pytest.raises((ProtocolError, EOFError)):
        _unpack(PREFIX.pack(b"pxpf", len(data), 0) + data)


def test_nothing_is_allocated_for_a_payload_that_the_header_does_not_explain() -> None:
    asked: list[int] = []
    stream = io.BytesIO(_frame({"arrays": []}, payload_bytes=protocol.MAX_PAYLOAD_BYTES))

    def read(count: int) -> bytearray:
        asked.append(count)
        return bytearray(stream.read(count))

    with pytest.raises(ProtocolError):
        receive(read)
    assert sum(asked) < 100


def test_a_frame_that_is_cut_short_ends_the_stream() -> None:
    whole = _pack({"op": "run"}, [np.ones((3, 4), np.float32)])
    for length in (0, 3, PREFIX.size, PREFIX.size + 5, len(whole) - 1):
        with pytest.raises(EOFError):
            _unpack(whole[:length])
