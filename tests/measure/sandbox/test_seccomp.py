"""The filter as a program: run by a small interpreter of classic BPF, and by the kernel."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelproof.measure.sandbox import seccomp
from pixelproof.measure.sandbox.system_calls import AUDIT_ARCH, CAPSET, SECCOMP, Machine

PID = 4321
MACHINES: tuple[Machine, ...] = ("x86_64", "aarch64")
HEADERS = {
    "x86_64": (Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), Path("/usr/include/asm/unistd_64.h")),
    "aarch64": (Path("/usr/include/asm-generic/unistd.h"),),
}


def answer(machine: Machine, number: int, *arguments: int, arch: int | None = None) -> int:
    """What the filter returns for a call, by the rules of seccomp(2)."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<iIQ6Q", number, AUDIT_ARCH[machine] if arch is None else arch, 0, *padded)
    program = seccomp.program(machine, pid=PID)
    at = accumulator = 0
    for _ in range(len(program)):
        code, yes, no, operand = program[at]
        at += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, operand)
        elif code == 0x06:
            return operand
        else:
            tests = {0x15: accumulator == operand, 0x35: accumulator >= operand, 0x45: accumulator & operand}
            at += yes if tests[code] else no
    raise AssertionError("the filter has no end")


def allowed(machine: Machine, number: int, *arguments: int) -> bool:
    """Whether a call goes through."""
    return answer(machine, number, *arguments) == seccomp.ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_every_denied_call_is_denied_whatever_its_arguments(machine: Machine) -> None:
    column = MACHINES.index(machine)
    numbers = {name: pair[column] for name, pair in seccomp.DENIED.items() if pair[column] is not None}
    assert len(numbers) > 90
    for number in numbers.values():
        assert number is not None
        for arguments in ((), (PID,), (2**64 - 1,) * 6):
            assert answer(machine, number, *arguments) == seccomp.NOT_PERMITTED


@given(number=st.integers(0, 600), arguments=st.lists(st.integers(0, 2**64 - 1), max_size=6))
@pytest.mark.parametrize("machine", MACHINES)
def test_nothing_else_is_denied(machine: Machine, number: int, arguments: list[int]) -> None:
    column = MACHINES.index(machine)
    listed = {pair[column] for pair in seccomp.DENIED.values()} | {seccomp.CLONE3}
    judged = {
        table[machine]
        for table in (seccomp.CLONE, seccomp.KILL, seccomp.TGKILL, seccomp.PRLIMIT64, seccomp.IOCTL)
    }
    if number not in listed | judged:
        assert allowed(machine, number, *arguments)


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_that_depend_on_their_arguments(machine: Machine) -> None:
    clone, kill, tgkill = seccomp.CLONE[machine], seccomp.KILL[machine], seccomp.TGKILL[machine]
    thread = 0x3D0F00  # as the C library starts one
    assert allowed(machine, clone, thread)
    assert not allowed(machine, clone, 17)  # fork: SIGCHLD alone
    assert not allowed(machine, clone, thread | 0x10000000)  # with a user namespace
    assert answer(machine, seccomp.CLONE3) == seccomp.NOT_IMPLEMENTED
    for signal in (kill, tgkill):
        assert allowed(machine, signal, PID, 6)
        assert not allowed(machine, signal, PID + 1, 6)
        assert not allowed(machine, signal, 2**32 - 1, 9)  # everybody
    limits = seccomp.PRLIMIT64[machine]
    assert allowed(machine, limits, 0, 7, 0, 0x7FFF0000)
    assert not allowed(machine, limits, 0, 7, 0x7FFF0000, 0)
    assert not allowed(machine, limits, 0, 7, 1 << 40, 0)
    ioctl = seccomp.IOCTL[machine]
    assert allowed(machine, ioctl, 0, 0x5401)
    assert not allowed(machine, ioctl, 0, 0x5412) and not allowed(machine, ioctl, 0, 0x541C)


def test_calls_of_another_architecture_end_the_process() -> None:
    assert answer("x86_64", 1, arch=0x40000003) == seccomp.KILL_PROCESS  # 32-bit calls
    assert answer("x86_64", 0x40000000 | 41) == seccomp.NOT_IMPLEMENTED  # the x32 table


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_are_the_kernels(machine: Machine) -> None:
    header = next((path for path in HEADERS[machine] if path.exists()), None)
    if header is None:
        pytest.skip(f"needs the kernel's headers for {machine} (Debian: linux-libc-dev)")
    text = header.read_text()
    known = {name: int(n) for name, n in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)}
    column = MACHINES.index(machine)
    ours = {name: pair[column] for name, pair in seccomp.DENIED.items() if pair[column] is not None}
    singles = {
        "clone": seccomp.CLONE, "kill": seccomp.KILL, "tgkill": seccomp.TGKILL, "prlimit64": seccomp.PRLIMIT64,
        "ioctl": seccomp.IOCTL, "seccomp": SECCOMP, "capset": CAPSET,
    }  # fmt: skip
    ours |= {name: table[machine] for name, table in singles.items()}
    told = {name: number for name, number in ours.items() if name in known}
    assert len(told) > 0.9 * len(ours)
    assert told == {name: known[name] for name in told}
