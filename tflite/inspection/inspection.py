"""Inspecting a .tflite file: scanned, read, timed behind the worker's walls, and judged by the delegates' rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelproof.errors import ArtifactError, CallError, ModelFailed, WorkerStopped
from pixelproof.measure.formats import Kind, detect_kind
from pixelproof.measure.graph_scan import require_clean
from pixelproof.measure.worker import Worker
from pixelproof.tflite.inspection.advice import advise
from pixelproof.tflite.inspection.bench import Bench
from pixelproof.tflite.inspection.delegates import Verdict, judge_all
from pixelproof.tflite.inspection.facts import Advice
from pixelproof.tflite.inspection.macs import macs_in_all, macs_of
from pixelproof.tflite.inspection.model import Model, Operation, Shape, Tensor, bound
from pixelproof.tflite.inspection.reading import read_model
from pixelproof.tflite.inspection.rules import shape_text
from pixelproof.tflite.inspection.timing import METHOD, Advance, Times, measure

MIB = 1024 * 1024
SCAN_MEMORY_MIB = 2048
SCAN_TIME_S = 60.0
Progress = Callable[[int], AbstractContextManager[Advance]]
_FORMATS: dict[Kind, str] = {
    "pb": "a frozen graph (.pb)",
    "savedmodel": "a SavedModel",
    "onnx": "an ONNX model",
}


@dataclass(frozen=True)
class Inspection:
    """What is known of a file.

    Attributes:
        model: with its shapes bound where they were free and a shape was given.
        times: None where it was not run.
        not_timed: why it was not run; "" where it was.
        verdicts: of the delegates' static rules.
        advice: why it is slow, the costliest first.
    """

    path: Path
    model: Model
    times: Times | None
    not_timed: str
    verdicts: tuple[Verdict, ...]
    advice: tuple[Advice, ...]

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        times = self.times
        return {
            "path": str(self.path),
            "format": "tflite",
            "size_bytes": self.model.size_bytes,
            "parameters": self.model.parameters,
            "constant_bytes": self.model.constant_bytes,
            "macs": macs_in_all(self.model),
            "subgraphs": self.model.subgraphs,
            "inputs": [_tensor(tensor) for tensor in self.model.inputs],
            "outputs": [_tensor(tensor) for tensor in self.model.outputs],
            "latency_ms": None if times is None else times.latency_ms,
            "threads": None if times is None else times.threads,
            "timing": _timing(times, self.not_timed),
            "operations": [_operation(operation, times) for operation in self.model.operations],
            "delegates": {verdict.id: _verdict(verdict) for verdict in self.verdicts},
            "advice": self.advice,
        }


def _silent(total: int) -> AbstractContextManager[Advance]:
    return nullcontext(lambda steps, note: None)


def inspect_file(
    path: Path,
    *,
    input_shape: tuple[int, ...] | None = None,
    timed: bool = True,
    threads: int,
    runs: int = 10,
    timeout_s: float = 600.0,
    require_sandbox: bool = False,
    progress: Progress = _silent,
) -> Inspection:
    """Inspect a file; it is run only behind the worker's walls, and only after its scan refused nothing.

    Args:
        input_shape: of its only input, where the file leaves sizes free.
        timed: whether to run it at all.
        threads: of the runtime.
        runs: of each operation and of the whole file.
        timeout_s: wall-clock limit for each of them.
        progress: given how many operations will be timed, a context that is told after each.

    Raises:
        ArtifactError: no .tflite file, or a damaged one.
        GraphRefused: it holds what a judged model may not hold.
        CallError: the shape is not one that the file takes.
        ModelFailed: the runtime can't run it.
        WorkerStopped: it crashed, or took too long.
        EnvironmentFault: no process can be started behind the walls that are required.
    """
    _require_tflite(path)
    _require_clean(path, require_sandbox=require_sandbox)
    written = read_model(_bytes_of(path), label=path.name)
    shape = _asked_shape(written, input_shape, label=path.name)
    free = written.free and shape is None
    model, times = written, None
    if not free and (timed or shape is not None):
        with (
            _no_time_as_remedy(),
            Bench(threads=threads, timeout_s=timeout_s, require_sandbox=require_sandbox) as bench,
        ):
            model = bound(written, _bound_shapes(bench, path, written, shape))
            if timed:
                with progress(len(model.operations)) as advance:
                    times = measure(bench, model, threads=threads, runs=runs, advance=advance)
    return Inspection(
        path=path,
        model=model,
        times=times,
        not_timed=_why_not(written, free=free, timed=timed),
        verdicts=judge_all(written),
        advice=advise(model, times),
    )


@contextmanager
def _no_time_as_remedy() -> Iterator[None]:
    """Name the way out where a file can't be run: it can be inspected all the same."""
    remedy = "--no-time inspects it without running it."
    try:
        yield
    except WorkerStopped as error:
        told = f"{error.remedy} {remedy}".strip()
        raise WorkerStopped(error.rule, reason=error.reason, found=error.found, remedy=told) from error
    except ModelFailed as error:
        if type(error) is not ModelFailed:
            raise
        raise ModelFailed(error.rule, found=error.found, remedy=remedy) from error


def _require_tflite(path: Path) -> None:
    kind = detect_kind(path)
    if kind != "tflite":
        remedy = "pb2tflite converts it." if kind == "pb" else f"pixelproof scan {path} says what it holds."
        raise ArtifactError("inspect takes a .tflite file", found=f"{path}, {_FORMATS[kind]}", remedy=remedy)


def _require_clean(path: Path, *, require_sandbox: bool) -> None:
    memory = SCAN_MEMORY_MIB + 4 * path.stat().st_size / MIB
    with Worker(
        threads=1, timeout_s=SCAN_TIME_S, memory_limit_mib=memory, require_sandbox=require_sandbox
    ) as worker:
        require_clean(worker.scan(path, "tflite"), label=path.name)


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError("The artifact must be readable", found=f"{path}: {error.strerror}") from error


def _asked_shape(model: Model, asked: tuple[int, ...] | None, *, label: str) -> Shape | None:
    """The shape to bind; None where there is nothing to bind.

    Raises:
        CallError: the file has several inputs, or takes another shape.
    """
    if asked is None:
        return None
    if len(model.inputs) != 1:
        rule = "--input-shape is for files with one input"
        raise CallError(rule, found=f"{len(model.inputs)} inputs in {label}")
    takes = model.inputs[0].shape
    fits = len(takes) == len(asked) and all(
        size in (None, wish) for size, wish in zip(takes, asked, strict=True)
    )
    if not fits:
        remedy = (
            "? stands for what is free." if None in takes else "Its sizes are fixed: leave the option out."
        )
        found = f"{shape_text(asked)} where {label} takes {shape_text(takes)}"
        raise CallError("--input-shape must fit the file's input", found=found, remedy=remedy)
    return asked if None in takes else None


def _bound_shapes(bench: Bench, path: Path, model: Model, shape: Shape | None) -> dict[int, Shape]:
    try:
        return bench.open(path, model, shape=shape)
    except ModelFailed as error:
        if shape is None or type(error) is not ModelFailed:
            raise
        rule, found = "The graph must take the shape", f"{shape_text(shape)}: {error.found}"
        remedy = "Choose a size that the architecture takes, such as multiples of 16 or 32."
        raise CallError(rule, found=found, remedy=remedy) from error


def _why_not(model: Model, *, free: bool, timed: bool) -> str:
    if free:
        shapes = ", ".join(shape_text(tensor.shape) for tensor in model.inputs)
        wish = ",".join("512" if size is None else str(size) for size in model.inputs[0].shape)
        return (
            f"The input's sizes are free ({shapes}): give them for time and multiply-accumulates, "
            f"for example --input-shape {wish}."
        )
    return "" if timed else "Not timed: --no-time."


def _timing(times: Times | None, why_not: str) -> dict[str, Any]:
    if times is None:
        return {"method": None, "not_timed": why_not}
    return {
        "method": METHOD,
        "runs": times.runs,
        "sum_ms": times.sum_ms,
        "coverage": times.coverage,
        "xnnpack_partitions": times.partitions,
        "not_timed": "",
    }


def _tensor(tensor: Tensor) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "dtype": tensor.dtype,
        "shape": list(tensor.shape),
        "constant": tensor.constant,
        "scales": tensor.scales,
    }


def _operation(operation: Operation, times: Times | None) -> dict[str, Any]:
    time = None if times is None else times.operations[operation.index]
    return {
        "index": operation.index,
        "type": operation.type,
        "version": operation.version,
        "name": operation.name,
        "inputs": [None if tensor is None else _tensor(tensor) for tensor in operation.inputs],
        "outputs": [_tensor(tensor) for tensor in operation.outputs],
        "options": {name: list(v) if isinstance(v, tuple) else v for name, v in operation.options.items()},
        "macs": macs_of(operation),
        "parameters": operation.parameters,
        "time_ms": None if time is None else time.ms,
        "share": None if times is None else times.share(operation.index),
        "xnnpack": None if time is None else time.xnnpack,
        "trouble": "" if time is None else time.trouble,
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "title": verdict.title,
        "label": verdict.label,
        "compatible": verdict.compatible,
        "refused": verdict.refused,
        "taken": verdict.taken,
        "operations": verdict.operations,
        "findings": verdict.findings,
    }
