"""What comes out: finite, in range, the same each time."""

from __future__ import annotations

from pixelproof.challenge import Track
from pixelproof.report import CheckResult, Evidence, RangeSample
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
            return self.not_run(expected, evidence.stopped or "not run")
        bad = [s for s in samples if s.non_finite]
        if bad:
            found = ", ".join(f"{s.non_finite} values on {s.source}" for s in bad)
            remedy = "Look for a division or a square root of zero, or weights that diverged in training."
            return self.result("failed", expected=expected, found=found, remedy=remedy)
        return self.result("passed", expected=expected, found=f"finite on {len(samples)} kinds of input")


class Range(Check):
    """Output values in [0, 1]."""

    id = "range"
    title = "Value range"
    group = "range"
    position = 50

    def run(self, evidence: Evidence, track: Track) -> CheckResult:
        """A warning outside the rule's range, failed where the model was made for another one."""
        low, high = track.contract.warn_range
        least, most = track.contract.fail_range
        expected = f"[{low:g}, {high:g}]; beyond [{least:g}, {most:g}] the model was made for another range"
        samples = [s for s in evidence.range_samples or () if s.minimum == s.minimum]
        if not samples:
            return self.not_run(expected, evidence.stopped or "not run")
        down, up = min(samples, key=lambda s: s.minimum), max(samples, key=lambda s: s.maximum)
        found = f"{_number(down.minimum)} to {_number(up.maximum)}"
        if down.minimum < least or up.maximum > most:
            worst = down if least - down.minimum > up.maximum - most else up
            remedy = (
                f"On {worst.source}. Scale inside the model: inputs come in [0, 1] and outputs must too; a model "
                "trained on 0..255 divides, one trained on -1..1 ends with x / 2 + 0.5."
            )
            return self.result("failed", expected=expected, found=found, remedy=remedy)
        if down.minimum < low or up.maximum > high:
            share = max(s.share_outside for s in samples)
            found += f"; {share:.2%} of values outside on {_worst_share(samples).source}"
            remedy = "The challenge clips; --clip in convert-model puts the clip into the graph."
            return self.result("warning", expected=expected, found=found, remedy=remedy)
        if evidence.clips_itself:
            found += "; the graph clips by itself"
        return self.result("passed", expected=expected, found=found)


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
            return self.not_run(expected, evidence.stopped or "not run")
        if apart > self.limit or apart != apart:
            remedy = "Switch dropout and random noise off for inference."
            return self.result("failed", expected=expected, found=f"{apart:.3g} apart", remedy=remedy)
        found = "bit-equal" if apart == 0 else f"{apart:.1e} apart"
        return self.result("passed", expected=expected, found=found)


def _number(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 100 else f"{value:.4g}"


def _worst_share(samples: list[RangeSample]) -> RangeSample:
    return max(samples, key=lambda s: s.share_outside)
