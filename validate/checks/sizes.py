"""Which sizes the model takes, and what the file weighs."""

from __future__ import annotations

from pixelproof.challenge import Track
from pixelproof.files import MIB
from pixelproof.report import CheckResult, Evidence, SizeTrial, Status
from pixelproof.validate.checks.base import Check


class Resolution(Check):
    """Any height and width, output size = input size times scale."""

    id = "resolution"
    title = "Any resolution"
    group = "resolution"
    position = 70

    def run(self, evidence: Evidence, track: Track) -> CheckResult:
        """Failed at the first size that is refused or comes out wrong."""
        contract = track.contract
        scale = f" x {contract.scale}" if contract.scale != 1 else ""
        expected = f"output size = input size{scale} at every size tried"
        trials = evidence.size_trials
        if not trials:
            return self.not_run(expected, evidence.stopped or "not run")
        broken = [t for t in trials if not _right(t, contract.scale, contract.channels[1])]
        sizes = ", ".join(f"{t.height}x{t.width}" for t in trials)
        if broken:
            fixed = "" if len(broken) < len(trials) else " (at every size)"
            found = "; ".join(_failure(t) for t in broken[:2]) + fixed
            remedy = "Leave height and width open when freezing: a placeholder of (1, None, None, channels)."
            return self.result("failed", expected=expected, found=found, remedy=remedy)
        if _states_fixed_shape(evidence):
            found = f"right at {sizes}, but the file states a fixed shape and had to be resized"
            remedy = "Submit the .pb, which takes any size by itself."
            return self.result("warning", expected=expected, found=found, remedy=remedy)
        return self.result("passed", expected=expected, found=f"right at {sizes}")


class Size(Check):
    """The file's size."""

    id = "size"
    title = "Model size"
    group = "size"
    position = 80

    def run(self, evidence: Evidence, track: Track) -> CheckResult:
        """Failed above the limit."""
        limit = track.limits.model_mib
        if limit is None:
            return self.not_run("no limit in this track", "not limited")
        mib = evidence.artifact.size_bytes / MIB
        expected = f"at most {limit:g} MiB"
        status: Status = "passed" if mib <= limit else "failed"
        remedy = "Fewer channels or layers; check that the file holds no training leftovers."
        return self.result(status, expected=expected, found=f"{mib:.2f} MiB", remedy=remedy)


def _right(trial: SizeTrial, scale: int, channels: int) -> bool:
    return trial.output == (1, trial.height * scale, trial.width * scale, channels)


def _failure(trial: SizeTrial) -> str:
    where = f"{trial.height}x{trial.width}"
    if trial.output is None:
        return f"{where} refused: {trial.error}"
    return f"{where} gave {'x'.join(map(str, trial.output))}"


def _states_fixed_shape(evidence: Evidence) -> bool:
    if evidence.interface is None or len(evidence.interface.inputs) != 1:
        return False
    shape = evidence.interface.inputs[0].shape
    return shape is not None and len(shape) == 4 and shape[1] is not None and shape[2] is not None
