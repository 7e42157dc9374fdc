"""A pickle reader that knows only what a PyTorch state dict is made of.

A pickle is a program: Python's own reader imports and calls whatever it names, and a crafted one of ten bytes makes
it take gigabytes. This one interprets the listed instructions (`torch_steps`) on plain values. A name in the file is
looked up in a fixed table (`torch_refs`) and never imported; what isn't in the table ends the reading. An instruction
makes one value at most, as long as the file's own bytes for it, and nothing recurses.
"""

from __future__ import annotations

import pickletools
import struct
from dataclasses import dataclass

from pixelproof.models.checkpoints.torch_faults import Damaged
from pixelproof.models.checkpoints.torch_refs import StorageRef
from pixelproof.models.checkpoints.torch_steps import STEPS, Machine

MOST_PICKLE_BYTES = 16 * 1024 * 1024
_STOP = ord(".")
_MISTAKES = (IndexError, KeyError, TypeError, ValueError, AttributeError, OverflowError, struct.error)


@dataclass(frozen=True, slots=True)
class Pickle:
    """What a pickle describes.

    Attributes:
        value: plain values and `TensorRef`; an ``OrderedDict`` is a dict. Lists and dictionaries may hold themselves.
        storages: that its tensors look into.
        end: of it, in bytes.
    """

    value: object
    storages: tuple[StorageRef, ...]
    end: int


def read_pickle(data: bytes, start: int = 0) -> Pickle:
    """Read a pickle without running anything of it.

    Args:
        data: with the pickle in it.
        start: where it begins.

    Raises:
        ForeignName: it names a function or class that a state dict doesn't need.
        Damaged: it ends early, or is no pickle of a state dict.
    """
    machine = Machine(data, start)
    try:
        _run(machine)
        value = machine.stack.pop()
    except _MISTAKES as error:
        raise Damaged(f"nonsense before byte {machine.at:,}") from error
    return Pickle(value, tuple(machine.storages), machine.at)


def _run(machine: Machine) -> None:
    steps, data, size = STEPS, machine.data, len(machine.data)
    while machine.at < size:
        code = data[machine.at]
        machine.at += 1
        if code == _STOP:
            return
        step = steps[code]
        if step is None:
            raise Damaged(_unknown(code, machine.at - 1))
        step(machine)
    raise Damaged("it is cut short")


def _unknown(code: int, at: int) -> str:
    known = [operation.name for operation in pickletools.opcodes if ord(operation.code) == code]
    return f"{known[0] if known else 'no instruction'} at byte {at:,}, which torch.save doesn't write"
