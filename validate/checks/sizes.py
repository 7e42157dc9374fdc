"""Which sizes the model takes, and what the file weighs."""

from __future__ import annotations

from collections.abc import Sequence

from pixelproof.challenge import Track
from pixelproof.contract import Contract
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
        if contract.fixed_size is not None:
            return self._fixed(evidence, contract)
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

    def _fixed(self, evidence: Evidence, contract: Contract) -> CheckResult:
        """One size that the file must state, and keep."""
        assert contract.fixed_size is not None
        height, width = contract.fixed_size
        out = f"{height * contract.scale}x{width * contract.scale}"
        expected = f"{height}x{width} stated, {out} out"
        trial = next(
            (t for t in evidence.size_trials or () if (t.height, t.width) == contract.fixed_size), None
        )
        if trial is None:
            return self.not_run(expected, "that size was not tried")
        stated = _stated_size(evidence)
        remedy = f"Convert it at that size: --input-shape 1,{height},{width},{contract.channels[0]}."
        if stated != contract.fixed_size:
            found = "an open size" if stated is None else f"{stated[0]}x{stated[1]} stated"
            return self.result("failed", expected=expected, found=found, remedy=remedy)
        if not _right(trial, contract.scale):
            found = _outcome(trial) if trial.output is not None else f"refused: {trial.error}"
            return self.result("failed", expected=expected, found=found, remedy=remedy)
        return self.result("passed", expected=expected, found=f"{height}x{width} stated, {out} out")


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
    return _stated_size(evidence) is not None


def _stated_size(evidence: Evidence) -> tuple[int, int] | None:
    """(height, width) where the file fixes both."""
    if evidence.interface is None or len(evidence.interface.inputs) != 1:
        return None
    shape = evidence.interface.inputs[0].shape
    if shape is None or len(shape) != 4 or shape[1] is None or shape[2] is None:
        return None
    return shape[1], shape[2]
