"""Resident memory over time, kept in a few hundred values however long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable

from pixelproof.evidence import MemoryTrace

TRACE_STEPS = 200
TRACE_STEP_S = 0.01


class Recorder:
    """Resident sizes over time in few steps, of each the largest; steps grow as time passes.

    One thread may add while another one reads.

    Args:
        most: how many steps there may be; an even number.
        step_s: length of a step at first.
    """

    def __init__(
        self,
        *,
        most: int = TRACE_STEPS,
        step_s: float = TRACE_STEP_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._step_s = step_s
        self._clock = clock
        self._start = clock()
        self._mib: list[float] = []
        self._marks: list[float] = []

    def add(self, mib: float) -> None:
        """A size seen now; a step in which nothing was seen takes the size before it."""
        place = int((self._clock() - self._start) / self._step_s)
        while place >= self._most:
            self._mib = [max(self._mib[i : i + 2]) for i in range(0, len(self._mib), 2)]
            self._step_s *= 2
            place //= 2
        held = self._mib[-1] if self._mib else mib
        self._mib += [held] * (place - len(self._mib)) + [mib] * (place >= len(self._mib))
        self._mib[place] = max(self._mib[place], mib)

    def mark(self) -> None:
        """A run of the model begins now."""
        self._marks.append(self._clock() - self._start)

    def trace(self) -> MemoryTrace | None:
        """What was seen; None where nothing was."""
        values, step_s = self._mib, self._step_s
        if not values:
            return None
        return MemoryTrace(
            step_ms=step_s * 1000,
            rss_mib=tuple(round(value, 2) for value in values),
            runs_ms=tuple(round(1000 * mark, 1) for mark in self._marks),
        )
