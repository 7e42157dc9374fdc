"""Mutations of bytes: what storage, transfer and malice do to a file. Seeded, so each mutant can be made again."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

INTERESTING = (0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF)
LONG_NUMBERS = (b"\xff" * 9 + b"\x01", b"\xff\xff\xff\xff\x0f", b"\x80" * 9 + b"\x01", b"\xff\xff\xff\x7f")
OPERATIONS = (
    b"Conv2D", b"Relu", b"AddV2", b"Mul", b"Identity", b"Const", b"Placeholder", b"Reshape", b"Pad", b"Fill",
    b"Tile", b"ReadFile", b"PyFunc", b"Switch", b"Merge", b"PartitionedCall", b"Gather", b"Slice", b"Where",
)  # fmt: skip
MOST_STEPS = 6

Mutation = Callable[[bytearray, random.Random, Sequence[bytes]], None]


def _flip(data: bytearray, dice: random.Random, seeds: Sequence[bytes]) -> None:
    at = dice.randrange(len(data))
    data[at] ^= 1 << dice.randrange(8)


def _set(data: bytearray, dice: random.Random, seeds: Sequence[bytes]) -> None:
    data[dice.randrange(len(data))] = dice.choice(INTERESTING)


def _number(data: bytearray, dice: random.Random, seeds: Sequence[bytes]) -> None:
    """A small number is counted up or down, as lengths, offsets and enumerations are."""
    at = dice.randrange(len(data))
    data[at] = (data[at] + dice.choice((-2, -1, 1, 2, 4, 8))) % 256


def _word(data: bytearray, dice: random.Random, seeds: Sequence[bytes]) -> None:
    at = dice.randrange(max(len(data) - 8, 1))
    size = dice.choice((2, 4, 8))
    value = dice.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63, len(data), dice.randrange(2**16)))
    data[at : at + size] = (value % 256**size).to_bytes(size, "little")


def _delete(data: bytearray, dice: random.Random, seeds: Sequence[bytes]) -> None:
    at = dice.randrange(len(data))
    del data[at : at + dice.choice((1, 2, 4, 16, 64))]


def _double(data: bytearray, dice: random.Random, seeds: Sequence[bytes]) -> None:
    at, size = dice.randrange(len(data)), dice.choice((1, 4, 16, 64))
    data[at:at] = data[at : at + size]


def _insert(data: bytearray, dice: random.Random, seeds: Sequence[bytes]) -> None:
    at = dice.randrange(len(data) + 1)
    data[at:at] = dice.choice((*LONG_NUMBERS, dice.randbytes(dice.randrange(1, 9))))


def _splice(data: bytearray, dice: random.Random, seeds: Sequence[bytes]) -> None:
    """A piece of another file of the same kind takes the place of as long a piece."""
    other = dice.choice(seeds)
    size = dice.randrange(1, min(len(other), len(data), 200) + 1)
    start, at = dice.randrange(len(other) - size + 1), dice.randrange(len(data) - size + 1)
    data[at : at + size] = other[start : start + size]


def _cut(data: bytearray, dice: random.Random, seeds: Sequence[bytes]) -> None:
    del data[dice.randrange(len(data)) :]


def _operation(data: bytearray, dice: random.Random, seeds: Sequence[bytes]) -> None:
    """The name of an operation, with its length before it, becomes another's of any length."""
    old = [name for name in OPERATIONS if bytes([len(name)]) + name in data]
    if not old:
        _number(data, dice, seeds)
        return
    name, new = dice.choice(old), dice.choice(OPERATIONS)
    at = data.find(bytes([len(name)]) + name)
    data[at : at + 1 + len(name)] = bytes([len(new)]) + new


MUTATIONS: tuple[Mutation, ...] = (
    _flip, _flip, _set, _number, _number, _word, _delete, _double, _insert, _splice, _cut, _operation, _operation,
)  # fmt: skip


def mutant(seeds: Sequence[bytes], dice: random.Random) -> bytes:
    """One of the seeds after one to six mutations, fewer more often."""
    data = bytearray(dice.choice(seeds))
    for _ in range(min(1 + int(dice.expovariate(1.5)), MOST_STEPS)):
        if not data:
            break
        dice.choice(MUTATIONS)(data, dice, seeds)
    return bytes(data)
