"""Reading a flatbuffer that may be hostile: every offset, vtable, vector and string is checked before it is followed.

The layout is FlatBuffers' own (https://flatbuffers.dev/internals): little-endian; a table begins with the signed
distance back to its vtable, and the vtable holds the 16-bit place of each field, 0 for an absent one. Offsets are
unsigned and lead forward only, so no path comes back to where it has been; but tables may be shared, and sharing at
every level multiplies. So tables and vector elements are counted at every visit, and the counts are capped.

Nothing is copied: vectors and strings are views of the file.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from pixelproof.measure.scan.flatbuffer_schema import SCALARS, Field, Schema

MAX_LEVELS = 32
MAX_TABLES = 1_000_000
MAX_ELEMENTS = 4_000_000
_LEAST_TABLE = 8  # the offset to it, and its own to the vtable
_LEAST_ELEMENT = 2
_LARGEST_OFFSET = 2**31 - 1
_OFFSET, _BACK, _SLOT, _LENGTHS = SCALARS["u4"], SCALARS["i4"], SCALARS["u2"], struct.Struct("<HH")
_NOTHING = memoryview(b"")


class FlatbufferDamaged(Exception):
    """The bytes are no flatbuffer of the schema; the text says what is wrong, and where."""


class FlatbufferTooLarge(Exception):
    """It has more tables, elements or levels than are read."""


class Record:
    """A table that has been read; vectors of numbers are decoded when they are asked for."""

    __slots__ = ("_values", "kind")

    def __init__(self, kind: str, values: Mapping[str, Any]) -> None:
        self.kind = kind
        self._values = values

    def __contains__(self, name: str) -> bool:
        """Whether the file or the schema gives the field a value."""
        return name in self._values

    def int(self, name: str) -> int:
        """A whole number; the schema's own where the file leaves it out."""
        return int(self._values[name])

    def data(self, name: str) -> memoryview:
        """The bytes of a string or a vector; empty where it is absent."""
        return self._values[name][0] if name in self._values else _NOTHING

    def text(self, name: str) -> str:
        """A string, whatever its bytes are; empty where it is absent."""
        return bytes(self.data(name)).decode("utf-8", "replace")

    def numbers(self, name: str) -> tuple[Any, ...]:
        """A vector of numbers; empty where it is absent."""
        if name not in self._values:
            return ()
        view, item = self._values[name]
        code = SCALARS[item]
        return struct.unpack(f"<{len(view) // code.size}{code.format[1:]}", view)

    def row(self, name: str) -> Record | None:
        """A table, or a union's; None where it is absent or of an unknown type."""
        return self._values.get(name)

    def rows(self, name: str) -> tuple[Record, ...]:
        """A vector of tables; empty where it is absent."""
        rows: tuple[Record, ...] = self._values.get(name, ())
        return rows


def read_flatbuffer(
    data: bytes | memoryview,
    schema: Schema,
    *,
    root: str,
    max_levels: int = MAX_LEVELS,
    max_tables: int = MAX_TABLES,
    max_elements: int = MAX_ELEMENTS,
) -> Record:
    """The root table with all that hangs on it.

    Fields that the schema doesn't know are not followed, nor are tables of union types that it doesn't know. A file
    whose tables are its own, not shared, can't hold more of them than a limit by its size, which holds as well.

    Args:
        root: name of the root's table in the schema.
        max_elements: of all vectors but those of single bytes.

    Raises:
        FlatbufferDamaged: an offset leads outside, or a length says more than there is.
        FlatbufferTooLarge: more tables, elements or levels than the limits.
    """
    view = memoryview(data)
    reader = _Reader(
        view,
        schema,
        max_tables=min(max_tables, len(view) // _LEAST_TABLE + 1),
        max_elements=min(max_elements, len(view) // _LEAST_ELEMENT),
    )
    return reader.table(reader.followed(0), root, max_levels)


class _Reader:
    """The file, and how much of its limits is left."""

    def __init__(self, data: memoryview, schema: Schema, *, max_tables: int, max_elements: int) -> None:
        self._data, self._size, self._schema = data, len(data), schema
        self._tables_left, self._elements_left = max_tables, max_elements

    def followed(self, at: int) -> int:
        """Where the offset at a place leads: a multiple of four with room for a table's or a vector's head."""
        if at & 3 or at + 4 > self._size:
            raise FlatbufferDamaged(f"no room for an offset at byte {at}")
        distance: int = _OFFSET.unpack_from(self._data, at)[0]
        target = at + distance
        if not 0 < distance <= _LARGEST_OFFSET or target & 3 or target + 4 > self._size:
            raise FlatbufferDamaged(f"an offset at byte {at} that leads to byte {target} of {self._size}")
        return target

    def table(self, at: int, name: str, levels: int) -> Record:
        """The table at a place that `followed` gave."""
        self._tables_left -= 1
        if self._tables_left < 0 or levels <= 0:
            raise FlatbufferTooLarge("more tables or levels than are read")
        layout = self._schema.tables[name]
        values: dict[str, Any] = dict(layout.absent)
        slots, end = self._slots(at, layout.slots)
        for field in layout.fields:
            if field.slot >= len(slots):
                break
            inside = slots[field.slot]
            if inside:
                if inside < 4:
                    raise FlatbufferDamaged(f"a {field.name} inside the head of its table at byte {at}")
                value = self._value(field, at + inside, end, values, levels)
                if value is not None:
                    values[field.name] = value
        return Record(name, values)

    def _slots(self, at: int, wanted: int) -> tuple[tuple[int, ...], int]:
        """The first slots of a table's vtable, and where the table ends."""
        vtable = at - _BACK.unpack_from(self._data, at)[0]
        if vtable < 0 or vtable & 1 or vtable + 4 > self._size:
            raise FlatbufferDamaged(f"a table at byte {at} whose vtable is at byte {vtable} of {self._size}")
        length, inline = _LENGTHS.unpack_from(self._data, vtable)
        if length < 4 or length & 1 or vtable + length > self._size:
            raise FlatbufferDamaged(f"a vtable of {length} bytes at byte {vtable}")
        if inline < 4 or at + inline > self._size:
            raise FlatbufferDamaged(f"a table of {inline} bytes at byte {at} of {self._size}")
        count = min(wanted, (length - 4) // 2)
        return struct.unpack_from(f"<{count}H", self._data, vtable + 4), at + inline

    def _value(self, field: Field, at: int, end: int, values: Mapping[str, Any], levels: int) -> Any:
        """What a present field holds; None for a union without a table that the schema knows."""
        if field.kind == "scalar":
            code = SCALARS[field.item]
            if at + code.size > end or at % code.size:
                raise FlatbufferDamaged(f"a {field.name} at byte {at}, outside its table or not aligned")
            return code.unpack_from(self._data, at)[0]
        if at + 4 > end:
            raise FlatbufferDamaged(f"a {field.name} at byte {at}, outside its table")
        target = self.followed(at)
        if field.kind == "table":
            return self.table(target, field.item, levels - 1)
        if field.kind == "union":
            choices, chosen = self._schema.unions[field.item], values[f"{field.name}_type"]
            return self.table(target, choices[chosen], levels - 1) if 0 < chosen < len(choices) else None
        if field.kind == "tables":
            count = self._count(target, 4, field.name)
            places = range(target + 4, target + 4 + 4 * count, 4)
            return tuple(self.table(self.followed(place), field.item, levels - 1) for place in places)
        return self._vector(field, target)

    def _vector(self, field: Field, at: int) -> tuple[memoryview, str]:
        """A vector of numbers, or a string, which ends with a zero that its length doesn't count."""
        if field.kind == "scalars":
            size = SCALARS[field.item].size
            return self._data[at + 4 : at + 4 + size * self._count(at, size, field.name)], field.item
        end = at + 4 + self._count(at, 1, field.name)
        if end >= self._size or self._data[end]:
            raise FlatbufferDamaged(f"a {field.name} at byte {at} without its end")
        return self._data[at + 4 : end], "u1"

    def _count(self, at: int, size: int, name: str) -> int:
        """The length of a vector whose elements all lie inside the file."""
        count: int = _OFFSET.unpack_from(self._data, at)[0]
        if at + 4 + count * size > self._size:
            raise FlatbufferDamaged(f"a {name} of {count} elements at byte {at} of {self._size}")
        if size > 1:
            self._elements_left -= count
            if self._elements_left < 0:
                raise FlatbufferTooLarge("more vector elements than are read")
        return count
