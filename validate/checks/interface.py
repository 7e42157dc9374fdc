"""Does the file load, do its ends look as the contract says, and does it run?"""

from __future__ import annotations

from pixelproof.challenge import Track
from pixelproof.report import CheckResult, Evidence, Status, TensorInfo
from pixelproof.validate.checks.base import Check

FORMAT_NAMES = {"pb": ".pb", "savedmodel": "SavedModel", "tflite": ".tflite", "onnx": ".onnx"}
BAYER = "A model of packed Bayer is for a RAW track: see docs/convert.md#bayer."


class Loads(Check):
    """The runtime loads the file."""

    id = "loads"
    title = "Loads"
    group = "contract"
    position = 10
    always = True

    def run(self, evidence: Evidence, track: Track) -> CheckResult:
        """Failed where loading raised an error, or took the worker down."""
        expected = f"a {FORMAT_NAMES[evidence.artifact.format]} that its runtime loads"
        if evidence.scan is not None and evidence.scan.refusals:
            return self.not_run(expected, "not loaded: refused before that")
        if evidence.load_error is not None:
            remedy = "Convert it again: convert-model proves each file before it delivers it."
            return self.result("failed", expected=expected, found=evidence.load_error, remedy=remedy)
        if evidence.interface is None:
            return self.not_run(expected, "not loaded")
        return self.result("passed", expected=expected, found="loaded")


class Names(Check):
    """One input and one output, under the names that the evaluation script asks for."""

    id = "names"
    title = "Input and output"
    group = "contract"
    position = 20

    def run(self, evidence: Evidence, track: Track) -> CheckResult:
        """Exact for a .pb; in the other formats the names are of no consequence."""
        contract = track.contract
        is_graph = evidence.artifact.format == "pb"
        expected = "one input, one output"
        if is_graph:
            expected += f": {contract.input}, {contract.output}"
        if evidence.interface is None:
            return self.not_run(expected, "not loaded")
        inputs = [t.name for t in evidence.interface.inputs]
        outputs = [t.name for t in evidence.interface.outputs]
        found = f"{_listed(inputs)} in; {_listed(outputs)} out"
        if len(inputs) != 1:
            remedy = "What is no image must be a constant of the graph: freeze it for inference."
            return self.result("failed", expected=expected, found=found, remedy=remedy)
        if not is_graph:
            status: Status = "passed" if len(outputs) == 1 else "failed"
            remedy = "Export the model with the restored image as its only output."
            return self.result(status, expected=expected, found=found, remedy=remedy)
        if inputs != [contract.input] or contract.output not in outputs:
            remedy = (
                f"Name the nodes {contract.input.split(':')[0]} and {contract.output.split(':')[0]}: convert-model "
                "does by default, or take its --input-name and --output-name."
            )
            return self.result("failed", expected=expected, found=found, remedy=remedy)
        if len(outputs) > 1:
            rest = f"Nothing reads the others; cut the graph at {contract.output}."
            return self.result("warning", expected=expected, found=found, remedy=rest)
        return self.result("passed", expected=expected, found=found)


class Tensors(Check):
    """Channels, dtype and batch."""

    id = "tensors"
    title = "Shape and type"
    group = "contract"
    position = 30

    def run(self, evidence: Evidence, track: Track) -> CheckResult:
        """Both ends of a type that the rules take, four dimensions, the track's channels, batch 1 accepted.

        What the file leaves open is read off an output.
        """
        wanted_in, wanted_out = track.contract.channels
        dtypes = track.contract.dtypes
        expected = f"{' or '.join(dtypes)}, 1 x height x width x {wanted_in} in, {wanted_out} out"
        if evidence.interface is None:
            return self.not_run(expected, "not loaded")
        if len(evidence.interface.inputs) != 1 or not evidence.interface.outputs:
            return self.not_run(expected, "not one input and one output")
        source = evidence.interface.inputs[0]
        result = next(
            (t for t in evidence.interface.outputs if t.name == evidence.used_output),
            evidence.interface.outputs[0],
        )
        problems = [
            *_problems("input", source, wanted_in, dtypes),
            *(_problems("output", result, wanted_out, dtypes) or _seen_problems(evidence, wanted_out)),
        ]
        found = f"{_shown(source)} in, {_shown(result)} out"
        if problems:
            remedy = " ".join(f"{problem}." for problem in problems)
            if wanted_in != 4 and source.shape is not None and source.shape[3:] == (4,):
                remedy += f" {BAYER}"
            return self.result("failed", expected=expected, found=found, remedy=remedy)
        return self.result("passed", expected=expected, found=found)


class Runs(Check):
    """The model answers at all."""

    id = "runs"
    title = "Runs"
    group = "contract"
    position = 35
    always = True

    def run(self, evidence: Evidence, track: Track) -> CheckResult:
        """Failed where judging had to end because the model can't be run, or raised an error."""
        expected = "an answer to each input, within the time limit"
        if evidence.stopped is not None:
            source = evidence.interface.inputs[:1] if evidence.interface else ()
            is_bayer = track.contract.channels[0] != 4 and any(
                t.shape and t.shape[3:] == (4,) for t in source
            )
            remedy = BAYER if is_bayer else "What needs the model to run was not judged: mend this first."
            return self.result("failed", expected=expected, found=evidence.stopped, remedy=remedy)
        measured = (evidence.size_trials, evidence.range_samples, evidence.fidelity, evidence.runtime)
        if not any(measured) and evidence.memory is None:
            return self.not_run(expected, "nothing asked it to")
        return self.result("passed", expected=expected, found="answered")


def _problems(end: str, tensor: TensorInfo, channels: int, dtypes: tuple[str, ...]) -> list[str]:
    problems = []
    if tensor.dtype not in dtypes:
        problems.append(f"The {end} must be {' or '.join(dtypes)}; found {tensor.dtype}")
    if tensor.shape is None:
        return problems
    if len(tensor.shape) != 4:
        return [*problems, f"The {end} must have four dimensions; found {len(tensor.shape)}"]
    if tensor.shape[3] not in (None, channels):
        problems.append(f"The {end} must have {channels} channels; found {tensor.shape[3]}")
    if tensor.shape[0] not in (None, 1):
        problems.append(f"The {end}'s batch must be 1 or open; found {tensor.shape[0]}")
    return problems


def _seen_problems(evidence: Evidence, channels: int) -> list[str]:
    """What the declared shape did not tell and an output did."""
    shapes = [trial.output for trial in evidence.size_trials or () if trial.output is not None]
    wrong = [shape for shape in shapes if len(shape) != 4 or shape[3] != channels]
    if not wrong:
        return []
    return [f"The output must be 1 x height x width x {channels}; found {'x'.join(map(str, wrong[0]))}"]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "") or "none"


def _shown(tensor: TensorInfo) -> str:
    if tensor.shape is None:
        return f"{tensor.dtype} of unknown shape"
    return f"{tensor.dtype} " + "x".join("?" if n is None else str(n) for n in tensor.shape)
