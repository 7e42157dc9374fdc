"""What advice is drawn from, and the words that all of it shares."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pixelproof.tflite.inspection.macs import macs_of
from pixelproof.tflite.inspection.model import Model, Operation
from pixelproof.tflite.inspection.timing import Times

NAMED = 4


@dataclass(frozen=True)
class Advice:
    """One reason.

    Attributes:
        id: stable, for JSON.
        why: what costs, with figures; full sentences.
        remedy: what to do; full sentences.
        operations: that it is about, by index.
        share: of the time, in [0, 1]; None where it was not measured.
    """

    id: str
    why: str
    remedy: str
    operations: tuple[int, ...] = ()
    share: float | None = None


@dataclass(frozen=True)
class Facts:
    """What advice is drawn from: the model with its shapes bound as far as they are, and times where measured."""

    model: Model
    times: Times | None

    def share(self, operations: Iterable[Operation]) -> float | None:
        """Share of the time."""
        return None if self.times is None else self.times.share(*(each.index for each in operations))

    def weight(self, operations: Iterable[Operation]) -> float:
        """Share of the time; of the multiply-accumulates where no time was measured."""
        found = list(operations)
        share = self.share(found)
        if share is not None:
            return share
        whole = sum(macs_of(each) or 0 for each in self.model.operations)
        return sum(macs_of(each) or 0 for each in found) / whole if whole else 0.0

    def ns_per_kmac(self, operations: Iterable[Operation]) -> float | None:
        """Nanoseconds for a thousand multiply-accumulates; None where not measured."""
        found = list(operations)
        products = sum(macs_of(each) or 0 for each in found)
        if self.times is None or not products:
            return None
        times = [self.times.operations[each.index].ms for each in found]
        return None if None in times else sum(ms for ms in times if ms is not None) * 1e9 / products


def indices(operations: Iterable[Operation]) -> tuple[int, ...]:
    """Places in the file, sorted."""
    return tuple(sorted({operation.index for operation in operations}))


def counted(operations: list[Operation]) -> str:
    """``CONV_2D (#3, #7 and 20 more)``."""
    kinds = ", ".join(dict.fromkeys(operation.type for operation in operations))
    return f"{kinds} ({listed(f'#{operation.index}' for operation in operations)})"


def listed(names: Iterable[str]) -> str:
    """The first few of them, and how many more."""
    found = list(names)
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return ", ".join(found[:NAMED]) + more


def how_often(count: int) -> str:
    """``once``, ``twice``, ``3 times``."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def of_time(share: float | None) -> str:
    """`` (12 % of the time)``; nothing where it was not measured."""
    return "" if share is None else f" ({percent(share)} of the time)"


def percent(share: float) -> str:
    """A share in whole percent; ``<1%`` for what is more than nothing."""
    return "<1%" if 0 < share < 0.005 else f"{share:.0%}"
