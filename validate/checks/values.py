"""What comes out: finite, in range, the same each time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pixelproof.challenge import Track
from pixelproof.report import NOISE, CheckResult, Evidence, RangeSample
from pixelproof.validate.checks import trained_range
from pixelproof.validate.checks.base import Check


class Finite(Check):
    """No NaN, no infinity."""

    id = "finite"
    title = "Finite output"
    group = "contract"
    position = 40

    def run(self, evidence: Evidence, track: Track) -> CheckResult:
        """Failed where any output held a value that is not finite."""
        expected = "no NaN and no infinity"
        samples = evidence.range_samples
        if not samples:
            return self.not_run(expected, "no output was looked at")
        bad = [s for s in samples if s.non_finite]
        if bad:
            found = ", ".join(f"{s.non_finite} values on {s.source}" for s in bad[:3])
            found += f" and on {len(bad) - 3} more" if len(bad) > 3 else ""
            remedy = "Look for a division or a square root of zero, or weights that diverged in training."
            return self.result("failed", expected=expected, found=f"NaN or infinity: {found}", remedy=remedy)
        return self.result("passed", expected=expected, found=f"finite on {_sources(samples)}")


class Range(Check):
    """Output values in [0, 1].

    White noise can earn a warning but fails nobody: PIRM 2018's own vgg_19, which stays within [-0.09, 1.16] on
    photographs, answers it with [-0.63, 1.60].
    """

    id = "range"
    title = "Value range"
    group = "range"
    position = 50

    def run(self, evidence: Evidence, track: Track) -> CheckResult:
        """A warning outside the rule's range, failed far outside it or where the model was made for another one."""
        low, high = track.contract.warn_range
        least, most = track.contract.fail_range
        expected = f"[{low:g}, {high:g}]; [{least:g}, {most:g}] with a warning"
        if not evidence.range_samples:
            return self.not_run(expected, "no output was looked at")
        samples = [s for s in evidence.range_samples if not math.isnan(s.minimum)]
        if not samples:
            remedy = "See the check on finite output."
            return self.result("failed", expected=expected, found="no finite value", remedy=remedy)
        pictures = [s for s in samples if s.source != NOISE]
        down, up = _extremes(pictures or samples)
        found = f"{_number(down.minimum)} to {_number(up.maximum)}"
        left_range = bool(pictures) and (down.minimum < least or up.maximum > most)
        repeats = (
            evidence.determinism_max_abs is not None and evidence.determinism_max_abs <= Determinism.limit
        )
        other = trained_range.other_range(evidence, left_range=left_range) if repeats else None
        if other is not None:
            found += f"; {trained_range.told(other)}"
            return self.result("failed", expected=expected, found=found, remedy=trained_range.remedy(other))
        if left_range:
            worst = down if least - down.minimum > up.maximum - most else up
            remedy = (
                f"This was on {worst.source}. Images go in as 0..1 and must come out so. A model trained on 0..255 "
                "multiplies its input by 255 and divides its output again, inside the graph; one that ends in "
                "-1..1 ends with x / 2 + 0.5."
            )
            return self.result("failed", expected=expected, found=found, remedy=remedy)
        down, up = _extremes(samples)
        if down.minimum < low or up.maximum > high:
            if NOISE in (down.source, up.source):
                found += f", on noise {_number(down.minimum)} to {_number(up.maximum)}"
            worst = max(samples, key=lambda s: s.share_outside)
            if not math.isnan(worst.share_outside):
                found += f"; most outside on {worst.source}: {worst.share_outside:.2%}"
            remedy = (
                "The challenge clips, so this may stay; convert-model --clip puts the clip into the graph."
            )
            return self.result("warning", expected=expected, found=found, remedy=remedy)
        if evidence.clips_itself:
            found += "; the graph clips by itself"
        return self.result("passed", expected=expected, found=found)


def _extremes(samples: Sequence[RangeSample]) -> tuple[RangeSample, RangeSample]:
    """The sample with the smallest value, and the one with the largest."""
    return min(samples, key=lambda s: s.minimum), max(samples, key=lambda s: s.maximum)


class Determinism(Check):
    """The same input gives the same output."""

    id = "determinism"
    title = "Determinism"
    group = "contract"
    position = 60
    limit = 1e-5

    def run(self, evidence: Evidence, track: Track) -> CheckResult:
        """Failed where two runs differ by more than float32 summation order explains."""
        expected = f"two runs agree within {self.limit:g}"
        apart = evidence.determinism_max_abs
        if apart is None:
            return self.not_run(expected, "not run twice")
        if apart > self.limit or math.isnan(apart):
            remedy = "Switch dropout and random noise off for inference."
            return self.result("failed", expected=expected, found=f"{apart:.3g} apart", remedy=remedy)
        found = "bit-equal" if apart == 0 else f"{apart:.1e} apart"
        return self.result("passed", expected=expected, found=found)


def _sources(samples: tuple[RangeSample, ...]) -> str:
    names = [sample.source for sample in samples]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _number(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 100 else f"{value:.4g}"
