"""One row a comparison: what, ours, the peer's, ratio, target, met or not."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Row:
    """A comparison; times in seconds; ``ratio`` is ours / peer's."""

    what: str
    ours_s: float
    peer: str
    peer_s: float
    target: float | None

    @property
    def ratio(self) -> float:
        """Ours over the peer's: below 1 is faster."""
        return self.ours_s / self.peer_s

    @property
    def verdict(self) -> str:
        """Whether the target is met."""
        if self.target is None:
            return "-"
        return "met" if self.ratio <= self.target else "NOT met"


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
    pairs = [(ours(), peer()) for _ in range(rounds)]
    return median(a for a, _ in pairs), median(b for _, b in pairs), [a / b for a, b in pairs]


def show(rows: Sequence[Row]) -> None:
    """Print the table with the machine that it was measured on."""
    from pixelproof.console import Console
    from pixelproof.environment import environment

    where = environment()
    console = Console()
    console.table(
        f"{where.cpu}, {where.cores} cores, {where.memory_mib / 1024:.0f} GiB, TensorFlow "
        f"{where.libraries.get('tensorflow', '-')}",
        ["what", "ours, s", "peer", "peer, s", "ratio", "target", "verdict"],
        [
            [
                row.what,
                f"{row.ours_s:.2f}",
                row.peer,
                f"{row.peer_s:.2f}",
                f"{row.ratio:.2f}",
                "-" if row.target is None else f"<= {row.target:g}",
                row.verdict,
            ]
            for row in rows
        ],
    )
