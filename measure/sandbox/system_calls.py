"""Linux system calls that Python has no function for, and their numbers on two machines.

Numbers: the kernel's arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from typing import Literal

Machine = Literal["x86_64", "aarch64"]

AUDIT_ARCH: dict[Machine, int] = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
SECCOMP: dict[Machine, int] = {"x86_64": 317, "aarch64": 277}
CAPSET: dict[Machine, int] = {"x86_64": 126, "aarch64": 91}
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446


def machine() -> Machine | None:
    """This machine's architecture where the tables have it, and None elsewhere."""
    if sys.platform != "linux" or sys.maxsize < 2**32:
        return None
    name = platform.machine()
    if name in ("x86_64", "aarch64"):
        return name  # type: ignore[return-value]
    return None


def library() -> ctypes.CDLL:
    """The C library, with `ctypes.get_errno` working."""
    return ctypes.CDLL(None, use_errno=True)


def system_call(number: int, *arguments: int | ctypes.Array[ctypes.c_char] | None) -> int:
    """One system call.

    Raises:
        OSError: with the kernel's error number.
    """
    call = library().syscall
    call.restype = ctypes.c_long
    result = int(call(ctypes.c_long(number), *(_argument(a) for a in arguments)))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def prctl(option: int, *arguments: int | ctypes.Array[ctypes.c_char]) -> int:
    """prctl(2).

    Raises:
        OSError: with the kernel's error number.
    """
    call = library().prctl
    padded = [*(_argument(a) for a in arguments), *[ctypes.c_ulong(0)] * (4 - len(arguments))]
    result = int(call(ctypes.c_int(option), *padded))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _argument(value: int | ctypes.Array[ctypes.c_char] | None) -> object:
    return ctypes.c_long(value) if isinstance(value, int) else value
