"""Limits that the kernel enforces, and how large they are."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import pytest

from pixelproof.measure.sandbox.limits import Limits, limits_for

Attempt = Callable[[str, dict[str, str]], dict[str, str]]


def limits(memory: float | None, *, lifetime_s: float = 60, threads: int = 2) -> Limits:
    """Limits on a machine of two cores."""
    return limits_for(memory_limit_mib=memory, cores=2, lifetime_s=lifetime_s, threads=threads)


def test_the_backstop_stands_above_the_watched_limit() -> None:
    data = limits(3584).data_mib
    assert data is not None and 3584 + 4096 < data < 4 * 3584
    for nothing in (None, math.inf):
        assert limits(nothing).data_mib is None


def test_processor_time_outlasts_what_the_clocks_allow() -> None:
    assert limits(None, lifetime_s=3600, threads=8).cpu_s > 8 * 3600
    assert limits(None, lifetime_s=0).cpu_s >= 60  # imports take some


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_the_limits_hold(attempt: Attempt) -> None:
    walls = (
        "from pixelproof.measure.sandbox import limits\n"
        "import resource\n"
        "said = limits.apply(limits.Limits(data_mib=512, cpu_s=77))\n"
    )
    trials = {
        "told": "said == 'CORE, CPU, FSIZE, NOFILE, DATA' or 1 / 0",
        "core": "resource.getrlimit(resource.RLIMIT_CORE) == (0, 0) or 1 / 0",
        "cpu": "resource.getrlimit(resource.RLIMIT_CPU)[0] == 77 or 1 / 0",
        "memory": "bytearray(1 << 30)",
        "a large file": "open(own + '/big', 'wb').truncate(65 << 20)",
        "many files": "[open('/dev/null') for _ in range(600)]",
    }
    found = attempt(walls, trials)
    assert found == {
        **dict.fromkeys(("told", "core", "cpu"), "done"),
        "memory": "MemoryError",
        "a large file": "OSError",
        "many files": "OSError",
    }
