"""Flatbuffers made with the flatbuffers package and then broken by hand."""

from __future__ import annotations

import struct
from typing import Any

import flatbuffers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelproof.measure.scan.flatbuffer import (
    FlatbufferDamaged,
    FlatbufferTooLarge,
    Record,
    read_flatbuffer,
)
from pixelproof.measure.scan.flatbuffer_schema import Schema, parse_schema

SCHEMA = parse_schema(
    {
        "Root": (
            "count:i4 - ratio:f4=2 name:str sizes:[i8] bytes:[u1] leaf:Leaf leaves:[Leaf] body_type:u1 body:Body? "
            "next:Root nexts:[Root] large:u8"
        ),
        "Leaf": "value:i2=7",
        "Other": "text:str",
    },
    {"Body": "NONE Leaf Other"},
)


def leaf(builder: Any, value: int) -> int:
    """A Leaf."""
    builder.StartObject(1)
    builder.PrependInt16Slot(0, value, 7)
    return int(builder.EndObject())


def whole() -> bytes:
    """A Root with everything in it."""
    builder = flatbuffers.Builder(0)
    name = builder.CreateString("größe")
    builder.StartVector(8, 3, 8)
    for size in (3, -2, 1):
        builder.PrependInt64(size)
    sizes = builder.EndVector()
    data = builder.CreateByteVector(b"abc")
    leaves = [leaf(builder, value) for value in (1, 7, -3)]
    builder.StartVector(4, 3, 4)
    for offset in reversed(leaves):
        builder.PrependUOffsetTRelative(offset)
    vector = builder.EndVector()
    text = builder.CreateString("inside")
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(0, text, 0)
    other = builder.EndObject()
    builder.StartObject(13)
    builder.PrependInt32Slot(0, -5, 0)
    builder.PrependUint64Slot(12, 2**63, 0)
    for slot, offset in ((3, name), (4, sizes), (5, data), (6, leaves[0]), (7, vector), (9, other)):
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    builder.PrependUint8Slot(8, 2, 0)
    builder.Finish(builder.EndObject())
    return bytes(builder.Output())


def read(data: bytes, schema: Schema = SCHEMA, **limits: int) -> Record:
    """The Root of some bytes."""
    return read_flatbuffer(data, schema, root="Root", **limits)


def made(*, slots: list[int], inline: bytes, after: bytes = b"", vtable_bytes: int | None = None) -> bytes:
    """A buffer byte by byte: offset, vtable, the root table with its inline bytes, and what follows."""
    length = 4 + 2 * len(slots)
    table = 4 + length + (-length) % 4
    vtable = struct.pack(f"<HH{len(slots)}H", vtable_bytes or length, 4 + len(inline), *slots)
    padding = b"\0" * ((-length) % 4)
    return struct.pack("<I", table) + vtable + padding + struct.pack("<i", table - 4) + inline + after


def test_all_kinds_of_fields() -> None:
    root = read(whole())
    assert root.kind == "Root"
    assert (root.int("count"), root.int("large")) == (-5, 2**63)
    assert root.text("name") == "größe"
    assert root.numbers("sizes") == (1, -2, 3)
    assert root.data("bytes") == b"abc"
    assert [row.int("value") for row in root.rows("leaves")] == [1, 7, -3]
    leaf_row, body = root.row("leaf"), root.row("body")
    assert leaf_row is not None and leaf_row.int("value") == 1
    assert body is not None and (body.kind, body.text("text")) == ("Other", "inside")


def test_absent_fields_have_the_schemas_values() -> None:
    root = read(made(slots=[], inline=b""))
    assert root.int("count") == 0 and root.int("ratio") == 2
    assert root.text("name") == "" and root.numbers("sizes") == () and root.rows("leaves") == ()
    assert root.row("leaf") is None and root.row("body") is None


def test_vectors_are_views_of_the_file() -> None:
    data = whole()
    assert read(data).data("bytes").obj is data


def test_fields_beyond_the_schema_are_not_followed() -> None:
    small = parse_schema({"Root": "count:i4"}, {})
    assert read(whole(), small).int("count") == -5


def test_a_union_of_an_unknown_type_is_not_followed() -> None:
    data = made(slots=[0] * 8 + [8, 4], inline=struct.pack("<IBxxx", 8, 9), after=b"\xff" * 8)
    root = read(data)
    assert root.int("body_type") == 9 and root.row("body") is None


def test_bytes_that_are_no_text_are_replaced() -> None:
    data = made(slots=[0, 0, 0, 4], inline=struct.pack("<I", 4), after=struct.pack("<I", 2) + b"\xff\xfe\0")
    assert read(data).text("name") == "\ufffd\ufffd"


NAME = [0, 0, 0, 4]

BROKEN = {
    "empty": b"",
    "three bytes": b"abc",
    "root beyond the end": struct.pack("<I", 400) + b"\0" * 40,
    "root at itself": struct.pack("<I", 0) + b"\0" * 40,
    "root not aligned": struct.pack("<I", 6) + b"\0" * 40,
    "root at the last bytes": struct.pack("<II", 6, 0),
    "vtable before the file": struct.pack("<Ii", 4, 100) + b"\0" * 40,
    "vtable after the file": struct.pack("<Ii", 4, -100) + b"\0" * 40,
    "vtable not aligned": struct.pack("<Ii", 4, -5) + b"\4\0\4\0" * 10,
    "vtable too short": made(slots=[], inline=b"", vtable_bytes=2),
    "vtable of odd length": made(slots=[], inline=b"", vtable_bytes=5),
    "vtable longer than the file": made(slots=[], inline=b"", vtable_bytes=4000),
    "table longer than the file": made(slots=[4], inline=b"\0" * 4)[:-4],
    "field in the table's head": made(slots=[2], inline=b"\0" * 4),
    "field not aligned": made(slots=[5], inline=b"\0" * 8),
    "field outside its table": made(slots=[8], inline=b"\0" * 4, after=b"\0" * 8),
    "string's offset outside its table": made(slots=[0, 0, 0, 8], inline=b"\0" * 4, after=b"\0" * 8),
    "string's offset of 0": made(slots=NAME, inline=struct.pack("<I", 0), after=b"\0" * 8),
    "string's offset negative": made(slots=NAME, inline=struct.pack("<I", 2**32 - 4), after=b"\0" * 8),
    "string beyond the end": made(slots=NAME, inline=struct.pack("<I", 80), after=b"\0" * 8),
    "string longer than the file": made(
        slots=NAME, inline=struct.pack("<I", 4), after=struct.pack("<I", 2**32 - 1)
    ),
    "string without its end": made(
        slots=NAME, inline=struct.pack("<I", 4), after=struct.pack("<I", 2) + b"ab"
    ),
    "string with another end": made(
        slots=NAME, inline=struct.pack("<I", 4), after=struct.pack("<I", 2) + b"abc"
    ),
    "vector longer than the file": made(
        slots=[0, 0, 0, 0, 4], inline=struct.pack("<I", 4), after=struct.pack("<I", 2**29) + b"\0" * 8
    ),
    "vector of tables longer than the file": made(
        slots=[0] * 7 + [4], inline=struct.pack("<I", 4), after=struct.pack("<I", 2**30) + b"\0" * 8
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_damage_is_found(case: str) -> None:
    with pytest.raises(FlatbufferDamaged):
        read(BROKEN[case])


def test_every_shortened_file_is_damaged() -> None:
    data = whole().rstrip(b"\0") + b"\0"  # without the padding after the last string
    assert read(data).text("name") == "größe"
    for length in range(len(data)):
        with pytest.raises(FlatbufferDamaged):
            read(data[:length])


def test_a_table_shared_at_every_level_is_too_large() -> None:
    builder = flatbuffers.Builder(0)
    below = leaf(builder, 1)
    builder.StartObject(0)
    below = builder.EndObject()
    for _ in range(20):
        builder.StartVector(4, 10, 4)
        for _ in range(10):
            builder.PrependUOffsetTRelative(below)
        vector = builder.EndVector()
        builder.StartObject(12)
        builder.PrependUOffsetTRelativeSlot(11, vector, 0)
        below = builder.EndObject()
    builder.Finish(below)
    with pytest.raises(FlatbufferTooLarge):  # 10^20 visits
        read(bytes(builder.Output()))


def chain(levels: int) -> bytes:
    """Roots inside each other."""
    builder = flatbuffers.Builder(0)
    below = 0
    for _ in range(levels):
        builder.StartObject(11)
        if below:
            builder.PrependUOffsetTRelativeSlot(10, below, 0)
        below = builder.EndObject()
    builder.Finish(below)
    return bytes(builder.Output())


def test_levels_are_limited() -> None:
    assert read(chain(5), max_levels=5).row("next") is not None
    with pytest.raises(FlatbufferTooLarge):
        read(chain(6), max_levels=5)
    with pytest.raises(FlatbufferTooLarge):
        read(chain(5000))


def test_elements_are_limited() -> None:
    assert read(whole(), max_elements=6).numbers("sizes")
    with pytest.raises(FlatbufferTooLarge):
        read(whole(), max_elements=5)


@settings(max_examples=300, deadline=1000)
@given(st.data())
def test_no_other_error_escapes(drawn: st.DataObject) -> None:
    data = bytearray(whole())
    for _ in range(drawn.draw(st.integers(1, 6))):
        place = drawn.draw(st.integers(0, len(data) - 4))
        data[place : place + 4] = drawn.draw(
            st.one_of(st.binary(min_size=4, max_size=4), st.just(b"\0\0\0\0"))
        )
    try:
        root = read(bytes(data[: drawn.draw(st.integers(0, len(data)))]))
    except (FlatbufferDamaged, FlatbufferTooLarge):
        return
    root.numbers("sizes")
    root.text("name")
