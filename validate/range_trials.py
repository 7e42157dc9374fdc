"""For which range of values a network was made: tried on pictures whose targets are known.

The extremes of an output say nothing where a network clips, or is only somewhat off: an RFDN of 0..255 given [0, 1]
loses 3 dB. So a picture is given in other ranges too, and what comes out is compared with the target as the challenge
compares it. A network without biases is the same in every range: both are one picture, and nothing is told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pixelproof.errors import ModelFailed, WorkerStopped
from pixelproof.images import Rgb8
from pixelproof.measure.metrics import psnr_db
from pixelproof.measure.protocol import Array
from pixelproof.report import RangeTrial
from pixelproof.validate.checks.trained_range import BEYOND, BYTES, SIGNED, TWICE, UNIT, Range, is_better

_BEST_DB = 100.0
_SAME = 0.02

_Plan = tuple[tuple[Range, tuple[Range, ...]], ...]
_PLAN: _Plan = (
    (UNIT, (BYTES, SIGNED)),
    (TWICE, (TWICE,)),
    (BYTES, (BYTES, UNIT)),
    (SIGNED, (SIGNED,)),
)


@dataclass(frozen=True)
class Picture:
    """A picture of the track: ``x`` float32 (1, height, width, channels) in [0, 1], what comes out, what should."""

    x: Array
    output: Array
    target: Rgb8


def range_trials(
    run: Callable[[Array], Array], pictures: Sequence[Picture], *, crop_border: int
) -> tuple[RangeTrial, ...]:
    """The pictures in other ranges: the first one; all, and beyond the range too, where some range is better there.

    Args:
        run: the model; an input that it can't take is left out.
        crop_border: pixels dropped on each side before comparing, where the picture is larger.
    """
    pictures = [picture for picture in pictures if _can_be_compared(picture)]
    if not pictures:
        return ()
    first = _tried(run, pictures[:1], _PLAN, crop_border=crop_border)
    better = {trial.input_range for trial in first if is_better(trial)}
    if not better:
        return first
    beyond: _Plan = tuple((far, (far,)) for near, far in BEYOND.items() if near in better)
    return _tried(run, pictures, beyond + _PLAN, crop_border=crop_border)


def _tried(
    run: Callable[[Array], Array], pictures: Sequence[Picture], plan: _Plan, *, crop_border: int
) -> tuple[RangeTrial, ...]:
    figures: dict[tuple[Range, Range], list[tuple[float, float, float]]] = {}
    for picture in pictures:
        before = _figures(picture.output, picture.target, crop_border)[0]
        for given, taken in plan:
            raw = picture.output if given == UNIT else _answer(run, _from_unit(picture.x, given))
            if raw is None or raw.shape != picture.output.shape or not np.isfinite(raw).all():
                continue
            if given == BYTES and _is_same(_to_unit(raw, BYTES), picture.output):
                break  # the same in every range: what differs in [-1, 1] is brightness alone
            for output_range in taken:
                after, alike = _figures(_to_unit(raw, output_range), picture.target, crop_border)
                figures.setdefault((given, output_range), []).append((after, after - before, alike))
    return tuple(
        RangeTrial(
            input_range=given,
            output_range=output_range,
            images=len(found),
            psnr_db=_mean([after for after, _, _ in found]),
            mean_gain_db=_mean([gain for _, gain, _ in found]),
            least_gain_db=min(gain for _, gain, _ in found),
            correlation=min(alike for _, _, alike in found),
        )
        for (given, output_range), found in figures.items()
        if len(found) == len(pictures)
    )


def _answer(run: Callable[[Array], Array], x: Array) -> Array | None:
    try:
        return run(x)
    except (ModelFailed, WorkerStopped):
        return None


def _can_be_compared(picture: Picture) -> bool:
    """Whether the output is a finite picture of the target's size, and the target not all of one colour."""
    return (
        picture.output.shape == (1, *picture.target.shape)
        and bool(np.isfinite(picture.output).all())
        and float(np.std(picture.target)) > 0
    )


def _figures(output: Array, target: Rgb8, crop_border: int) -> tuple[float, float]:
    """(PSNR in dB, correlation) of one output, brought to [0, 1] and clipped there as challenges do."""
    clipped = np.clip(output[0], 0.0, 1.0).astype(np.float64)
    exact = target / 255.0
    border = crop_border if min(exact.shape[:2]) > 4 * crop_border else 0
    return min(psnr_db(clipped, exact, crop_border=border), _BEST_DB), _correlation(clipped, exact)


def _correlation(a: Array, b: Array) -> float:
    """Pearson's; 0 where one of them is flat."""
    a, b = a - a.mean(), b - b.mean()
    scale = math.sqrt(float(np.mean(a**2)) * float(np.mean(b**2)))
    return float(np.mean(a * b)) / scale if scale > 1e-12 else 0.0


def _from_unit(x: Array, to: Range) -> Array:
    return x * np.float32(to[1] - to[0]) + np.float32(to[0])


def _to_unit(y: Array, of: Range) -> Array:
    return (y - np.float32(of[0])) * np.float32(1 / (of[1] - of[0]))


def _is_same(a: Array, b: Array) -> bool:
    return float(np.mean(np.abs(a - b))) < _SAME * float(np.mean(np.abs(b)))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
