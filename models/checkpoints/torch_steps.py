"""The instructions of pickles, protocols 2 to 5, as far as ``torch.save`` writes them.

Their encoding and meaning: Python's ``pickletools``. Left out: those of protocol 0 and 1, which spell numbers as
text, and those that make objects in other ways than by a call.
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable, Mapping
from typing import Any

from pixelproof.models.checkpoints.torch_faults import Damaged
from pixelproof.models.checkpoints.torch_refs import StorageRef, TensorRef, called, named, scalar, storage

_u16 = struct.Struct("<H").unpack_from
_u32 = struct.Struct("<I").unpack_from
_i32 = struct.Struct("<i").unpack_from
_f64 = struct.Struct(">d").unpack_from


class Machine:
    """A stack of values, numbered values to come back to, and the places of marks on the stack.

    Args:
        data: with the pickle in it.
        at: where the next instruction is.
    """

    __slots__ = ("at", "data", "marks", "memo", "stack", "storages")

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.storages: list[StorageRef] = []

    def taken(self, size: int) -> bytes:
        """The next bytes."""
        start = self.at
        self.at = end = start + size
        if end > len(self.data):
            raise Damaged("it is cut short")
        return self.data[start:end]

    def number(self, size: int) -> int:
        """The next bytes as a number from 0 on."""
        return int.from_bytes(self.taken(size), "little")

    def line(self) -> str:
        """The text up to the end of its line."""
        end = self.data.index(b"\n", self.at)
        start, self.at = self.at, end + 1
        return self.data[start:end].decode()

    def since_mark(self) -> list[Any]:
        """The values since the last mark, taken from the stack."""
        place = self.marks.pop()
        values = self.stack[place:]
        del self.stack[place:]
        return values


Step = Callable[[Machine], None]


def _mark(machine: Machine) -> None:
    machine.marks.append(len(machine.stack))


def _skip(size: int) -> Step:
    def step(machine: Machine) -> None:
        machine.at += size

    return step


def _put_1(machine: Machine) -> None:
    machine.memo[machine.data[machine.at]] = machine.stack[-1]
    machine.at += 1


def _put_4(machine: Machine) -> None:
    machine.memo[_u32(machine.data, machine.at)[0]] = machine.stack[-1]
    machine.at += 4


def _memoize(machine: Machine) -> None:
    machine.memo[len(machine.memo)] = machine.stack[-1]


def _get_1(machine: Machine) -> None:
    machine.stack.append(machine.memo[machine.data[machine.at]])
    machine.at += 1


def _get_4(machine: Machine) -> None:
    machine.stack.append(machine.memo[_u32(machine.data, machine.at)[0]])
    machine.at += 4


def _int_1(machine: Machine) -> None:
    machine.stack.append(machine.data[machine.at])
    machine.at += 1


def _packed(unpack: Callable[[bytes, int], tuple[Any, ...]], size: int) -> Step:
    def step(machine: Machine) -> None:
        machine.stack.append(unpack(machine.data, machine.at)[0])
        machine.at += size

    return step


def _constant(value: object) -> Step:
    return lambda machine: machine.stack.append(value)


def _pushed(value: Callable[[Machine], object]) -> Step:
    return lambda machine: machine.stack.append(value(machine))


def _text(size: int) -> Step:
    def step(machine: Machine) -> None:
        machine.stack.append(machine.taken(machine.number(size)).decode("utf-8", "surrogatepass"))

    return step


def _old_text(size: int) -> Step:
    """Text of Python 2, which had one type for text and bytes."""
    return _pushed(lambda machine: machine.taken(machine.number(size)).decode("latin-1"))


def _bytes(size: int) -> Step:
    return _pushed(lambda machine: machine.taken(machine.number(size)))


def _long(size: int) -> Step:
    return _pushed(lambda machine: int.from_bytes(machine.taken(machine.number(size)), "little", signed=True))


def _tuple(count: int) -> Step:
    def step(machine: Machine) -> None:
        values = tuple(machine.stack[-count:])
        if len(values) != count:
            raise Damaged("too few values")
        machine.stack[-count:] = [values]

    return step


def _tuple_since_mark(machine: Machine) -> None:
    place = machine.marks.pop()
    stack = machine.stack
    stack[place:] = [tuple(stack[place:])]


def _global(machine: Machine) -> object:
    module = machine.line()
    return named(f"{module}.{machine.line()}")


def _stack_global(machine: Machine) -> object:
    name, module = machine.stack.pop(), machine.stack.pop()
    return named(f"{scalar(module)}.{scalar(name)}")


def _call(machine: Machine) -> None:
    arguments = machine.stack.pop()
    machine.stack[-1] = called(machine.stack[-1], arguments)


def _persistent(machine: Machine) -> None:
    found = storage(machine.stack[-1])
    machine.storages.append(found)
    machine.stack[-1] = found


def _build(machine: Machine) -> None:
    """What an object keeps besides its items, ``_metadata`` of a state dict: not needed."""
    machine.stack.pop()
    if not isinstance(machine.stack[-1], dict | TensorRef):
        raise Damaged("a state for something that is no dictionary")


def _set_items(target: object, items: list[Any]) -> None:
    if not isinstance(target, dict) or len(items) % 2:
        raise Damaged("items for something that is no dictionary")
    for place in range(0, len(items), 2):
        target[scalar(items[place])] = items[place + 1]


def _set_one(machine: Machine) -> None:
    items = machine.stack[-2:]
    del machine.stack[-2:]
    _set_items(machine.stack[-1], items)


def _set_many(machine: Machine) -> None:
    items = machine.since_mark()
    _set_items(machine.stack[-1], items)


def _extend(target: object, items: list[Any]) -> None:
    if isinstance(target, list):
        target.extend(items)
    elif isinstance(target, set):
        target.update(map(scalar, items))
    else:
        raise Damaged("items for something that is no list")


def _append_one(machine: Machine) -> None:
    item = machine.stack.pop()
    _extend(machine.stack[-1], [item])


def _append_many(machine: Machine) -> None:
    items = machine.since_mark()
    _extend(machine.stack[-1], items)


def _dictionary(machine: Machine) -> object:
    target: dict[Any, object] = {}
    _set_items(target, machine.since_mark())
    return target


_BY_NAME: Mapping[str, Step] = {
    "PROTO": _skip(1),
    "FRAME": _skip(8),
    "MARK": _mark,
    "POP": lambda machine: machine.stack.__delitem__(-1),
    "POP_MARK": lambda machine: machine.since_mark().clear(),
    "DUP": _pushed(lambda machine: machine.stack[-1]),
    "BINPUT": _put_1,
    "LONG_BINPUT": _put_4,
    "MEMOIZE": _memoize,
    "BINGET": _get_1,
    "LONG_BINGET": _get_4,
    "NONE": _constant(None),
    "NEWTRUE": _constant(True),
    "NEWFALSE": _constant(False),
    "BININT": _packed(_i32, 4),
    "BININT1": _int_1,
    "BININT2": _packed(_u16, 2),
    "LONG1": _long(1),
    "LONG4": _long(4),
    "BINFLOAT": _packed(_f64, 8),
    "BINUNICODE": _text(4),
    "SHORT_BINUNICODE": _text(1),
    "BINUNICODE8": _text(8),
    "BINSTRING": _old_text(4),
    "SHORT_BINSTRING": _old_text(1),
    "BINBYTES": _bytes(4),
    "SHORT_BINBYTES": _bytes(1),
    "BINBYTES8": _bytes(8),
    "EMPTY_TUPLE": _constant(()),
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "TUPLE": _tuple_since_mark,
    "EMPTY_LIST": _pushed(lambda _: []),
    "LIST": _pushed(lambda machine: machine.since_mark()),
    "APPEND": _append_one,
    "APPENDS": _append_many,
    "EMPTY_DICT": _pushed(lambda _: {}),
    "DICT": _pushed(_dictionary),
    "SETITEM": _set_one,
    "SETITEMS": _set_many,
    "EMPTY_SET": _pushed(lambda _: set()),
    "ADDITEMS": _append_many,
    "FROZENSET": _pushed(lambda machine: {scalar(item) for item in machine.since_mark()}),
    "GLOBAL": _pushed(_global),
    "STACK_GLOBAL": _pushed(_stack_global),
    "REDUCE": _call,
    "NEWOBJ": _call,
    "BUILD": _build,
    "BINPERSID": _persistent,
}

_CODES = {operation.name: ord(operation.code) for operation in pickletools.opcodes}
_BY_CODE = {_CODES[name]: step for name, step in _BY_NAME.items()}

STEPS: tuple[Step | None, ...] = tuple(map(_BY_CODE.get, range(256)))
"""What each instruction does, by its code; None for those that are refused."""
