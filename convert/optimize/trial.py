"""A changed network beside the one that it was made from: the same picture, and how much faster?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelproof.errors import ModelFailed
from pixelproof.measure.formats import Kind
from pixelproof.measure.parity import probe_image
from pixelproof.measure.protocol import Array
from pixelproof.measure.runtime import Ratio, interleaved
from pixelproof.measure.worker import Worker

WARM_UP_RUNS = 2
MEMORY_RUNS = 2

Shape = tuple[int, int, int, int]
Stage = Callable[[str, int], Callable[[int, str], None]]


@dataclass(frozen=True)
class Bench:
    """How candidates are written, run and timed.

    Attributes:
        folder: for the files.
        kind: format in which they are timed; pictures are compared as .pb.
        shape: (1, height, width, channels) at which they are timed.
        ends: tensors of input and output, as in ``input:0``.
        most_pairs: timed pairs at most.
        threads: of the runtime; all cores where None.
        stage: begins a stage of so many timed pairs, and gives what is told each of them.
    """

    folder: Path
    kind: Kind
    shape: Shape
    ends: tuple[str, str]
    most_pairs: int
    threads: int | None = None
    stage: Stage | None = None

    def write(self, graph: Any, name: str) -> Path:
        """The graph as a .pb in the folder."""
        path = self.folder / f"{name}.pb"
        path.write_bytes(graph.SerializeToString(deterministic=True))
        return path

    def timed_file(self, graph: Any, name: str) -> Path:
        """The graph in the format in which it is timed."""
        if self.kind == "pb":
            return self.write(graph, name)
        path = self.folder / f"{name}.{self.kind}"
        if self.kind == "tflite":
            from pixelproof.tflite.converter import to_tflite

            data = to_tflite(graph, input_name=self.ends[0], output_name=self.ends[1], shape=self.shape)
        else:
            from pixelproof.convert.onnx import to_onnx

            names = [end.split(":")[0] for end in self.ends]
            data = to_onnx(graph, input_name=names[0], output_name=names[1])
        path.write_bytes(data)
        return path

    def load(self, worker: Worker, path: Path) -> None:
        """Load a file of the timed format; a TFLite file has ends of its own."""
        start, end = (None, None) if self.kind == "tflite" else self.ends
        worker.load(path, self.kind, input_name=start, output_name=end)


def outputs_of(bench: Bench, graph: Any, shapes: Sequence[Shape]) -> list[Array]:
    """Outputs of a graph for the probe of each shape, in a fresh process.

    Raises:
        ModelFailed, WorkerStopped: it can't run at one of them.
    """
    with Worker(threads=bench.threads) as worker:
        worker.load(bench.write(graph, "compared"), "pb", input_name=bench.ends[0], output_name=bench.ends[1])
        return [worker.run(probe_image(*shape[1:])) for shape in shapes]


def largest_difference(outputs: Sequence[Array], wanted: Sequence[Array]) -> float:
    """Largest absolute difference over all pairs; infinite where one isn't finite, or a shape differs."""
    worst = 0.0
    for a, b in zip(outputs, wanted, strict=True):
        if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
            return float("inf")
        worst = max(worst, float(np.max(np.abs(a.astype(np.float64) - b))))
    return worst


def timed_ratio(bench: Bench, slower: Path, faster: Path, *, what: str) -> tuple[Ratio, float, float]:
    """(time of the first over time of the second, median ms of each), in interleaved pairs.

    Args:
        what: name of the stage.

    Raises:
        ModelFailed, WorkerStopped: one can't run at the bench's shape.
    """
    image = probe_image(*bench.shape[1:])
    advance = bench.stage(what, bench.most_pairs) if bench.stage is not None else None

    def note(done: int, ratio: Ratio) -> None:
        if advance is not None:
            advance(1 if done > 2 else 2, f"{ratio.value:.3f}x, {ratio.low:.3f} to {ratio.high:.3f}")

    with Worker(threads=bench.threads) as first, Worker(threads=bench.threads) as second:
        for worker in (first, second):
            worker.prepare(bench.kind)
        for worker, path in ((first, slower), (second, faster)):
            load_for_timing(bench, worker, path, image)
        timing = interleaved(
            lambda number: second.time_ms(0),
            lambda number: first.time_ms(0),
            images=1,
            max_pairs=bench.most_pairs,
            note=note,
        )
    return timing.ratio, float(np.median(timing.second_ms)), float(np.median(timing.first_ms))


def load_for_timing(bench: Bench, worker: Worker, path: Path, image: Array) -> None:
    """Load a file, and run it until its buffers are there."""
    bench.load(worker, path)
    worker.put(0, image)
    for _ in range(WARM_UP_RUNS):
        worker.time_ms(0)


def peak_memory_mib(bench: Bench, path: Path) -> float:
    """Peak resident memory of a worker that loads a file and runs it at the bench's shape, in MiB.

    Raises:
        ModelFailed, WorkerStopped: it can't run at that shape.
    """
    with Worker(threads=bench.threads, exact_memory=True) as worker:
        worker.prepare(bench.kind)
        worker.ready()
        worker.put(0, probe_image(*bench.shape[1:]))
        worker.reset_peak()
        bench.load(worker, path)
        for _ in range(MEMORY_RUNS):
            worker.time_ms(0)
        return worker.peak_mib()


def shapes_that_run(bench: Bench, graph: Any, ladder: Sequence[Sequence[tuple[int, int]]]) -> list[Shape]:
    """Small uneven shapes, the first rung of a ladder that a graph takes.

    Raises:
        ModelFailed: it takes none.
    """
    refusal: ModelFailed | None = None
    with Worker(threads=bench.threads) as worker:
        worker.load(bench.write(graph, "original"), "pb", input_name=bench.ends[0], output_name=bench.ends[1])
        for rung in ladder:
            shapes = [(1, height, width, bench.shape[3]) for height, width in rung]
            try:
                for shape in shapes:
                    worker.run(probe_image(*shape[1:]))
            except ModelFailed as error:
                refusal = refusal or error
            else:
                return shapes
    assert refusal is not None
    raise refusal
