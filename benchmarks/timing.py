"""Times of whole commands and of calls, ours and the peer's in turn."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from statistics import median


def timed(commands: Sequence[Sequence[str]], *, prepare: Callable[[], None] | None = None) -> float:
    """Wall-clock seconds of commands run one after another.

    Raises:
        RuntimeError: one of them failed.
    """
    if prepare is not None:
        prepare()
    start = time.perf_counter()
    for command in commands:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}\n{done.stdout.decode(errors='replace')[-2000:]}")
    return time.perf_counter() - start


def interleaved(
    ours: Callable[[], float], peer: Callable[[], float], *, rounds: int
) -> tuple[float, float, list[float]]:
    """Medians of both, measured in turn, and the ratio of every round."""
    pairs = in_turn(ours, peer, rounds=rounds)
    return median(a for a, _ in pairs), median(b for _, b in pairs), [a / b for a, b in pairs]


def in_turn(
    ours: Callable[[], float], peer: Callable[[], float], *, rounds: int
) -> list[tuple[float, float]]:
    """(ours, the peer's) of each round; who goes first alternates."""
    pairs = []
    for number in range(rounds):
        if number % 2:
            second = peer()
            pairs.append((ours(), second))
        else:
            first = ours()
            pairs.append((first, peer()))
    return pairs


def spread(values: Sequence[float], *, digits: int = 2) -> str:
    """Smallest to largest of a few rounds."""
    return f"rounds {min(values):.{digits}f} to {max(values):.{digits}f}"
