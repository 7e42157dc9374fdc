"""Speed of one model beside another: interleaved pairs, a robust interval of the ratio, no fixed number of runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pixelproof.errors import CallError

MIN_PAIRS = 10
TARGET_HALF_WIDTH = 0.01
TRIM = 0.2
STEADY_LOOKS = 3


@dataclass(frozen=True)
class Ratio:
    """A ratio of times with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def is_narrow(self) -> bool:
        """Whether the interval is narrower than ±1 %."""
        return self.low > 0 and math.log(self.high / self.low) / 2 < TARGET_HALF_WIDTH


@dataclass(frozen=True)
class Timing:
    """All samples in ms, pair by pair, and the ratio of the second to the first.

    Attributes:
        converged: whether there were enough pairs, and the interval stayed narrower than ±1 %.
    """

    first_ms: tuple[float, ...]
    second_ms: tuple[float, ...]
    ratio: Ratio
    converged: bool


def paired_ratio(first_ms: Sequence[float], second_ms: Sequence[float]) -> Ratio:
    """Ratio second / first of paired times, with a 95 % interval.

    The 20 % trimmed mean of the pairs' log ratios, with the interval of Tukey and McLaughlin (1963) from the
    winsorised variance: a pair that another process disturbed doesn't move it.

    Args:
        first_ms, second_ms: milliseconds, positive; at least two pairs.

    Raises:
        CallError: fewer than two pairs, unequal numbers, or a time that is not positive.
    """
    from scipy.special import stdtrit  # half the import time of scipy.stats

    first, second = np.asarray(first_ms, float), np.asarray(second_ms, float)
    if first.shape != second.shape or first.ndim != 1 or len(first) < 2:
        raise CallError(
            "Paired times must be at least two pairs", found=f"{len(first)} and {len(second)} times"
        )
    if not (np.all(np.isfinite(first) & (first > 0)) and np.all(np.isfinite(second) & (second > 0))):
        raise CallError("Times must be positive", found="zero, negative or not finite")
    logs = np.sort(np.log(second / first))
    count = len(logs)
    cut = int(TRIM * count)
    kept = logs[cut : count - cut]
    winsorised = np.clip(logs, kept[0], kept[-1])
    spread = math.sqrt(float(np.var(winsorised, ddof=1)))
    half = float(stdtrit(len(kept) - 1, 0.975)) * spread / ((1 - 2 * cut / count) * math.sqrt(count))
    centre = float(kept.mean())
    return Ratio(value=math.exp(centre), low=math.exp(centre - half), high=math.exp(centre + half))


def interval_ms(samples_ms: Sequence[float]) -> tuple[float, float]:
    """95 % interval of a time, by the method of `paired_ratio`.

    Args:
        samples_ms: at least two.
    """
    ratio = paired_ratio(samples_ms, [1.0] * len(samples_ms))
    return 1.0 / ratio.high, 1.0 / ratio.low


def alone(
    call: Callable[[int], float],
    *,
    images: int,
    max_runs: int,
    note: Callable[[int, Ratio], None] | None = None,
) -> Timing:
    """Time one model until the 95 % interval of its own time is narrower than ±1 %.

    As `interleaved` beside a clock that always says 1 ms: the ratio is 1 ms over the model's time.

    Raises:
        CallError: as `interleaved`.
    """
    timing = interleaved(call, lambda image: 1.0, images=images, max_pairs=max_runs, note=note)
    return Timing(first_ms=timing.first_ms, second_ms=(), ratio=timing.ratio, converged=timing.converged)


def interleaved(
    first: Callable[[int], float],
    second: Callable[[int], float],
    *,
    images: int,
    max_pairs: int,
    min_pairs: int = MIN_PAIRS,
    note: Callable[[int, Ratio], None] | None = None,
) -> Timing:
    """Time two models in turn until the 95 % interval of their ratio is narrower than ±1 %.

    Who goes first alternates, on each image too, so that neither a machine that grows slower nor an image
    favours one. The interval must be narrow three times in a row: stopping at the first narrow one prefers
    samples that are close by chance, and would hold the true ratio 88 instead of 92 times in 100 (noise of
    2.5 % a call).

    Args:
        first, second: time one call on the image with this number, in ms.
        images: how many images there are; pairs go through them in turn.
        max_pairs: where to stop at the latest; below ``min_pairs`` the result can't be converged.
        note: told after each pair, from the second on.

    Raises:
        CallError: no image, or fewer than two pairs.
    """
    if images < 1 or max_pairs < 2:
        raise CallError("Timing takes an image and at least two pairs", found=f"{images} and {max_pairs}")
    a: list[float] = []
    b: list[float] = []
    steady = 0
    while True:
        image, turn = len(a) % images, len(a) // images
        if (image + turn) % 2:
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
        steady = steady + 1 if ratio.is_narrow else 0
        converged = len(a) >= min_pairs and steady >= min(STEADY_LOOKS, len(a))
        if converged or len(a) >= max_pairs:
            return Timing(first_ms=tuple(a), second_ms=tuple(b), ratio=ratio, converged=converged)
