"""The schema of a flatbuffer as data: tables with their fields in order, and unions."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

SCALARS: Mapping[str, struct.Struct] = MappingProxyType(
    {
        "i1": struct.Struct("<b"),
        "u1": struct.Struct("<B"),
        "i2": struct.Struct("<h"),
        "u2": struct.Struct("<H"),
        "i4": struct.Struct("<i"),
        "u4": struct.Struct("<I"),
        "i8": struct.Struct("<q"),
        "u8": struct.Struct("<Q"),
        "f4": struct.Struct("<f"),
        "f8": struct.Struct("<d"),
    }
)
"""Numbers: a letter for signed, unsigned or floating, and the bytes that they take."""

Kind = Literal["scalar", "string", "table", "union", "scalars", "tables"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a table.

    Attributes:
        slot: its place in the vtable.
        item: ``u4`` or another scalar, or the name of a table or of a union.
    """

    slot: int
    name: str
    kind: Kind
    item: str


@dataclass(frozen=True, slots=True)
class Layout:
    """A table's fields, how many slots of the vtable they need, and the numbers that a file may leave out."""

    fields: tuple[Field, ...]
    slots: int
    absent: Mapping[str, int | float]


@dataclass(frozen=True, slots=True)
class Schema:
    """Tables by name; unions as the tables that their types 0, 1, ... stand for."""

    tables: Mapping[str, Layout]
    unions: Mapping[str, tuple[str, ...]]


def parse_schema(tables: Mapping[str, str], unions: Mapping[str, str]) -> Schema:
    """A schema from its short form.

    Args:
        tables: fields in the order of their slots, as ``name:type``. A type is a scalar (``i4``, ``u1``, ``f4``; with
            ``=VALUE`` where an absent one is not 0), ``str``, a table's name, ``NAME?`` for a union whose type is the
            field before it, or one of the scalars and tables in brackets for a vector. ``-`` stands for a field that
            is no longer used.
        unions: names of tables, the first that of type 0.
    """
    return Schema(
        tables={name: _layout(text.split()) for name, text in tables.items()},
        unions={name: tuple(text.split()) for name, text in unions.items()},
    )


def _layout(declared: list[str]) -> Layout:
    fields: list[Field] = []
    absent: dict[str, int | float] = {}
    for slot, text in enumerate(declared):
        if text == "-":
            continue
        name, _, rest = text.partition(":")
        item, _, value = rest.partition("=")
        fields.append(_field(slot, name, item))
        if item in SCALARS:
            absent[name] = float(value or 0) if item[0] == "f" else int(value or 0)
    return Layout(tuple(fields), len(declared), absent)


def _field(slot: int, name: str, item: str) -> Field:
    if item.endswith("?"):
        return Field(slot, name, "union", item[:-1])
    if item.startswith("["):
        return Field(slot, name, "scalars" if item[1:-1] in SCALARS else "tables", item[1:-1])
    if item in SCALARS:
        return Field(slot, name, "scalar", item)
    return Field(slot, name, "string" if item == "str" else "table", item)
