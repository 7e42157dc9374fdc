"""Speed of one model beside another: interleaved pairs, a robust interval of the ratio, no fixed number of runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

MIN_PAIRS = 10
TARGET_HALF_WIDTH = 0.01
TRIM = 0.2


@dataclass(frozen=True)
class Ratio:
    """A ratio of times with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def converged(self) -> bool:
        """Whether the interval is narrower than ±1 %."""
        return math.log(self.high / self.low) / 2 <= TARGET_HALF_WIDTH if self.low > 0 else False


@dataclass(frozen=True)
class Timing:
    """All samples in ms, pair by pair, and the ratio of the second to the first."""

    first_ms: tuple[float, ...]
    second_ms: tuple[float, ...]
    ratio: Ratio


def paired_ratio(first_ms: Sequence[float], second_ms: Sequence[float]) -> Ratio:
    """Ratio second / first of paired times, with a 95 % interval.

    The 20 % trimmed mean of the pairs' log ratios, with the interval of Tukey and McLaughlin (1963) from the
    winsorised variance: a pair that another process disturbed doesn't move it.

    Args:
        first_ms, second_ms: at least two pairs, positive.
    """
    from scipy.stats import t

    logs = np.sort(np.log(np.asarray(second_ms, float) / np.asarray(first_ms, float)))
    count = len(logs)
    cut = int(TRIM * count)
    kept = logs[cut : count - cut]
    winsorised = np.clip(logs, kept[0], kept[-1])
    spread = math.sqrt(float(np.var(winsorised, ddof=1)))
    half = float(t.ppf(0.975, len(kept) - 1)) * spread / ((1 - 2 * cut / count) * math.sqrt(count))
    centre = float(kept.mean())
    return Ratio(value=math.exp(centre), low=math.exp(centre - half), high=math.exp(centre + half))


def interleaved(
    first: Callable[[int], float],
    second: Callable[[int], float],
    *,
    images: int,
    max_pairs: int,
    min_pairs: int = MIN_PAIRS,
    note: Callable[[int, Ratio], None] | None = None,
) -> Timing:
    """Time two models in turn until the interval of their ratio is narrower than ±1 %.

    Who goes first alternates, so that a machine that grows slower favours neither.

    Args:
        first, second: time one call on the image with this number, in ms.
        images: how many images there are; pairs go through them in turn.
        max_pairs: where to stop at the latest.
        note: told after each pair, from the second on.
    """
    a: list[float] = []
    b: list[float] = []
    most = max(max_pairs, 2)
    while True:
        image = len(a) % images
        if len(a) % 2:
            later = second(image)
            a.append(first(image))
            b.append(later)
        else:
            a.append(first(image))
            b.append(second(image))
        if len(a) < 2:
            continue
        ratio = paired_ratio(a, b)
        if note is not None:
            note(len(a), ratio)
        if len(a) >= most or (len(a) >= min_pairs and ratio.converged):
            return Timing(first_ms=tuple(a), second_ms=tuple(b), ratio=ratio)
