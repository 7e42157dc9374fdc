"""What a benchmark says: a comparison, or why there is none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Bound = Literal["ratio <=", "ratio >=", "ours <=", "ours >="]
Met = Literal["yes", "no", "no target", "failed"]


@dataclass(frozen=True)
class Row:
    """One comparison, measured in one run.

    Attributes:
        what: what was measured, with its sizes.
        ours: our figure, in ``unit``; None where the benchmark failed, and ``note`` says how.
        peer: what ours is compared with, by its public name; "" where only a limit is held.
        peer_value: its figure, in the same unit; None where there is no peer.
        target: the limit that ``bound`` applies; None where there is none.
        bound: what the limit is for, the ratio ours / peer or our figure, and on which side it must lie.
        unit: s, ms, MiB, GFLOP/s; "" for a plain number.
        paired: the ratio where it was taken pair by pair; else it is the quotient of the two figures.
        note: the spread, how many rounds, what else one must know.
    """

    what: str
    ours: float | None
    peer: str = ""
    peer_value: float | None = None
    target: float | None = None
    bound: Bound = "ratio <="
    unit: str = "s"
    paired: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours over the peer's: of times, below 1 is faster."""
        if self.paired is not None:
            return self.paired
        if self.ours is None or not self.peer_value:
            return None
        return self.ours / self.peer_value

    @property
    def met(self) -> Met:
        """Whether the target is met; a figure that is not a number meets none."""
        if self.ours is None:
            return "failed"
        if self.target is None:
            return "no target"
        side, sign = self.bound.split()
        value = self.ratio if side == "ratio" else self.ours
        if value is None or math.isnan(value):
            return "no"
        within = value <= self.target if sign == "<=" else value >= self.target
        return "yes" if within else "no"


@dataclass(frozen=True)
class Skip:
    """A benchmark, or a part of one, that didn't run, and what it needs."""

    reason: str


def failed(what: str, why: str) -> Row:
    """The row of a benchmark that ended with an error."""
    return Row(what, None, note=why)


def to_json(said: Row | Skip) -> dict[str, Any]:
    """As a JSON object; `from_json` reads it."""
    if isinstance(said, Skip):
        return {"skipped": said.reason}
    return {**asdict(said), "ratio": said.ratio, "met": said.met}


def from_json(said: Mapping[str, Any]) -> Row | Skip:
    """What `to_json` wrote."""
    if "skipped" in said:
        return Skip(said["skipped"])
    return Row(**{name: said[name] for name in Row.__dataclass_fields__})
