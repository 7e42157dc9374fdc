"""Does the file load, and do its ends look as the contract says?"""

from __future__ import annotations

from pixelproof.challenge import Track
from pixelproof.report import CheckResult, Evidence, Status, TensorInfo
from pixelproof.validate.checks.base import Check


class Loads(Check):
    """The runtime loads the file."""

    id = "loads"
    title = "Loads"
    group = "contract"
    position = 10

    def run(self, evidence: Evidence, track: Track) -> CheckResult:
        """Failed where loading raised an error."""
        expected = f"a .{evidence.artifact.format} that its runtime loads"
        if evidence.load_error is not None:
            remedy = "Convert it again: convert-model proves each file before it delivers it."
            return self.result("failed", expected=expected, found=evidence.load_error, remedy=remedy)
        if evidence.interface is None:
            return self.not_run(expected, "not loaded")
        return self.result("passed", expected=expected, found="loaded")


class Names(Check):
    """One input and one output, under the names that the evaluation script asks for."""

    id = "names"
    title = "Names of input and output"
    group = "contract"
    position = 20

    def run(self, evidence: Evidence, track: Track) -> CheckResult:
        """Exact for a .pb; in the other formats the names are of no consequence."""
        contract = track.contract
        expected = f"one input {contract.input} and one output {contract.output}"
        if evidence.interface is None:
            return self.not_run(expected, "not loaded")
        inputs = [t.name for t in evidence.interface.inputs]
        outputs = [t.name for t in evidence.interface.outputs]
        found = f"{_listed(inputs)} -> {_listed(outputs)}"
        remedy = "convert-model names them so; pick others with --input-name and --output-name."
        if len(inputs) != 1:
            return self.result("failed", expected=expected, found=found, remedy=remedy)
        if evidence.artifact.format != "pb":
            status: Status = "passed" if len(outputs) == 1 else "failed"
            return self.result(status, expected="one input and one output", found=found, remedy=remedy)
        if inputs != [contract.input] or contract.output not in outputs:
            return self.result("failed", expected=expected, found=found, remedy=remedy)
        if len(outputs) > 1:
            rest = "The other final nodes are left over; cut the graph at the output."
            return self.result("warning", expected=expected, found=found, remedy=rest)
        return self.result("passed", expected=expected, found=found)


class Tensors(Check):
    """Channels, dtype and batch."""

    id = "tensors"
    title = "Channels, dtype, batch"
    group = "contract"
    position = 30

    def run(self, evidence: Evidence, track: Track) -> CheckResult:
        """Both ends float32, four dimensions, the track's channels, batch 1 accepted."""
        wanted_in, wanted_out = track.contract.channels
        expected = f"float32, 1 x height x width x {wanted_in} in, {wanted_out} out"
        if evidence.interface is None:
            return self.not_run(expected, "not loaded")
        if len(evidence.interface.inputs) != 1 or not evidence.interface.outputs:
            return self.not_run(expected, "not one input and one output")
        source = evidence.interface.inputs[0]
        result = next(
            (t for t in evidence.interface.outputs if t.name == evidence.used_output),
            evidence.interface.outputs[0],
        )
        problems = [*_problems("input", source, wanted_in), *_problems("output", result, wanted_out)]
        found = f"{_shown(source)} in, {_shown(result)} out"
        if problems:
            remedy = "; ".join(problems) + "."
            if source.shape is not None and len(source.shape) == 4 and source.shape[3] == 4:
                remedy += " A model of packed Bayer is for a RAW track: see docs/convert.md#bayer."
            return self.result("failed", expected=expected, found=found, remedy=remedy)
        return self.result("passed", expected=expected, found=found)


def _problems(end: str, tensor: TensorInfo, channels: int) -> list[str]:
    problems = []
    if tensor.dtype != "float32":
        problems.append(f"The {end} must be float32")
    if tensor.shape is None:
        return problems
    if len(tensor.shape) != 4:
        return [*problems, f"The {end} must have four dimensions"]
    if tensor.shape[3] not in (None, channels):
        problems.append(f"The {end} must have {channels} channels; found {tensor.shape[3]}")
    if tensor.shape[0] not in (None, 1):
        problems.append(f"The {end}'s batch must be 1")
    return problems


def _listed(names: list[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "") or "none"


def _shown(tensor: TensorInfo) -> str:
    if tensor.shape is None:
        return f"{tensor.dtype} of unknown shape"
    return f"{tensor.dtype} " + "x".join("?" if n is None else str(n) for n in tensor.shape)
