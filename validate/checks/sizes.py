"""Which sizes the model takes, and what the file weighs."""

from __future__ import annotations

from collections.abc import Sequence

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
        """Failed where a size is refused or comes out wrong."""
        contract = track.contract
        scale = f" x {contract.scale}" if contract.scale != 1 else ""
        expected = f"output size = input size{scale}, at every size"
        trials = evidence.size_trials
        if not trials:
            return self.not_run(expected, "no size was tried")
        refused = [t for t in trials if t.output is None]
        wrong = [t for t in trials if t.output is not None and not _right(t, contract.scale)]
        right = _sizes([t for t in trials if _right(t, contract.scale)])
        if refused or wrong:
            parts = []
            if wrong:
                parts.append(", ".join(_outcome(t) for t in wrong))
            if refused:
                parts.append(f"refused at {_sizes(refused)}: {refused[0].error}")
            if right:
                parts.append(f"right at {right}")
            remedy = "Leave height and width open when freezing: a placeholder of (1, None, None, channels)."
            if wrong:
                remedy = "What halves the picture inside must crop or pad it to the input's size at the end."
            elif not right and not _states_fixed_shape(evidence):
                remedy = "The model ran at no size at all: mend that first."
            return self.result("failed", expected=expected, found="; ".join(parts), remedy=remedy)
        if contract.any_resolution and _states_fixed_shape(evidence):
            found = f"right at {right}, but the file states a fixed shape and had to be resized"
            remedy = "Submit the .pb, which takes any size by itself."
            return self.result("warning", expected=expected, found=found, remedy=remedy)
        return self.result("passed", expected=expected, found=f"right at {right}")


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


def _right(trial: SizeTrial, scale: int) -> bool:
    wanted = 1, trial.height * scale, trial.width * scale
    return trial.output is not None and len(trial.output) == 4 and trial.output[:3] == wanted


def _outcome(trial: SizeTrial) -> str:
    output = trial.output or ()
    kept = output[1:3] if len(output) == 4 and output[0] == 1 else output
    return f"{trial.height}x{trial.width} became {'x'.join(map(str, kept)) or 'a single number'}"


def _sizes(trials: Sequence[SizeTrial]) -> str:
    return ", ".join(f"{t.height}x{t.width}" for t in trials)


def _states_fixed_shape(evidence: Evidence) -> bool:
    if evidence.interface is None or len(evidence.interface.inputs) != 1:
        return False
    shape = evidence.interface.inputs[0].shape
    return shape is not None and len(shape) == 4 and shape[1] is not None and shape[2] is not None
