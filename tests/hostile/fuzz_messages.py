"""Mutations of protobuf messages that parse again: another operation, a rewired input, a wild number."""

from __future__ import annotations

import random
from typing import Any

from fuzz_mutations import OPERATIONS

NUMBERS = (0, 1, 2, 3, 7, 64, -1, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63))


def mutated(message: Any, dice: random.Random) -> bytes:
    """A message after one to three mutations of its fields, as bytes."""
    copy = type(message)()
    copy.CopyFrom(message)
    for _ in range(dice.choice((1, 1, 2, 3))):
        places = list(_places(copy))
        if places:
            _change(*dice.choice(places), dice, _texts(places))
    return bytes(copy.SerializeToString())


def _places(message: Any) -> Any:
    """(owner, field) of every field that is set, at any depth."""
    for field, value in message.ListFields():
        yield message, field
        if field.type != field.TYPE_MESSAGE:
            continue
        if field.message_type.GetOptions().map_entry:
            values = [value[key] for key in value] if _holds_messages(field) else []
        else:
            values = value if field.is_repeated else [value]
        for inner in values:
            yield from _places(inner)


def _holds_messages(field: Any) -> bool:
    return bool(field.message_type.fields_by_name["value"].message_type)


def _texts(places: Any) -> list[str]:
    """Names that occur: inputs can be rewired to them."""
    found = []
    for owner, field in places:
        if field.type == field.TYPE_STRING:
            value = getattr(owner, field.name)
            found += list(value) if field.is_repeated else [value]
    return found


def _change(owner: Any, field: Any, dice: random.Random, texts: list[str]) -> None:
    if field.type == field.TYPE_MESSAGE and field.message_type.GetOptions().map_entry:
        entries = getattr(owner, field.name)
        del entries[dice.choice(sorted(entries))]
    elif not field.is_repeated:
        if dice.random() < 0.15 or field.type == field.TYPE_MESSAGE:
            owner.ClearField(field.name)
        else:
            setattr(owner, field.name, _value(field, getattr(owner, field.name), dice, texts))
    else:
        _change_list(getattr(owner, field.name), field, dice, texts)


def _change_list(values: Any, field: Any, dice: random.Random, texts: list[str]) -> None:
    at = dice.randrange(len(values))
    what = dice.random()
    if what < 0.2:
        del values[at]
    elif field.type == field.TYPE_MESSAGE:
        values.add().CopyFrom(values[at])
    elif what < 0.4:
        values.append(values[at])
    else:
        values[at] = _value(field, values[at], dice, texts)


def _value(field: Any, old: Any, dice: random.Random, texts: list[str]) -> Any:
    if field.type == field.TYPE_STRING:
        operations = [name.decode() for name in OPERATIONS]
        return dice.choice([*texts, *operations, "", f"^{dice.choice(texts)}", f"{dice.choice(texts)}:1"])
    if field.type == field.TYPE_BYTES:
        data = bytearray(old or b"\0")
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        return bytes(data[: dice.choice((len(data), len(data) // 2, 4))])
    if field.type == field.TYPE_ENUM:
        return dice.choice([value.number for value in field.enum_type.values])
    if field.type == field.TYPE_BOOL:
        return not old
    if isinstance(old, float):
        return dice.choice((0.0, -1.0, 1e30, float("nan"), float("inf")))
    return _fitting(field, dice.choice((*NUMBERS, old + 1, old - 1)))


def _fitting(field: Any, number: int) -> int:
    narrow = (field.TYPE_INT32, field.TYPE_UINT32, field.TYPE_SINT32, field.TYPE_FIXED32, field.TYPE_SFIXED32)
    is_unsigned = field.type in (field.TYPE_UINT32, field.TYPE_UINT64, field.TYPE_FIXED32, field.TYPE_FIXED64)
    bits = 32 if field.type in narrow else 64
    low, high = (0, 2**bits - 1) if is_unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return max(low, min(high, number))
