"""Write every artifact into a staging folder, and prove each in a fresh process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pixelproof.convert.plan import FILE_NAMES, Plan
from pixelproof.convert.source import Shape, Source
from pixelproof.convert.workers import WarmWorkers
from pixelproof.files import sha256_of, size_bytes
from pixelproof.measure.formats import Kind
from pixelproof.measure.graph_def import reduces_image
from pixelproof.measure.interrupts import interrupts_deferred
from pixelproof.measure.parity import ParityRow, probe_image, row_for
from pixelproof.measure.protocol import Array
from pixelproof.measure.worker import Worker

Note = Callable[[str], None]
ODD_TFLITE = ".odd.tflite"


@dataclass(frozen=True)
class Exported:
    """One artifact in the staging folder."""

    name: str
    format: Kind
    size_bytes: int
    sha256: str
    write_s: float
    rows: tuple[ParityRow, ...]
    prove_s: float


def export_all(
    source: Source, plan: Plan, staging: Path, *, workers: WarmWorkers, note: Note
) -> list[Exported]:
    """Write and prove the plan's artifacts; writing goes on while earlier artifacts are proven.

    Args:
        note: told a line for each artifact.

    Returns:
        One entry an artifact, in the plan's order, proven or not: `parity.require` decides.
    """
    prover = _Prover(source, plan, staging, workers)
    exported: dict[Kind, Future[Exported]] = {}
    pool = ThreadPoolExecutor(max_workers=4)
    try:
        with interrupts_deferred():
            write_artifact("pb", source, plan, staging)  # also what float64 is computed with
        for kind in [k for k in ("pb", "tflite", "onnx", "savedmodel") if k in plan.formats]:
            if kind == "tflite" and "savedmodel" in plan.formats:
                workers.warm("savedmodel")
            start = time.monotonic()
            with interrupts_deferred():
                proofs = write_artifact(kind, source, plan, staging)
            exported[kind] = pool.submit(prover.prove, kind, proofs, time.monotonic() - start, note)
        return [exported[kind].result() for kind in plan.formats]
    except BaseException:
        workers.abort()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def write_artifact(kind: Kind, source: Source, plan: Plan, staging: Path) -> list[tuple[Path, list[int]]]:
    """Write one artifact.

    Returns:
        The files to prove with the indices of their probes; the first one is the artifact itself.
    """
    path = staging / FILE_NAMES[kind]
    ends = plan.ends
    small = [i for i in range(len(source.shapes)) if not _is_full(i, source, plan)]
    if kind == "pb":
        path.write_bytes(source.graph.SerializeToString(deterministic=True))
    elif kind == "savedmodel":
        from pixelproof.convert.saved_model import write_saved_model

        write_saved_model(
            source.graph,
            path,
            input_name=ends.input_name,
            output_name=ends.output_name,
            channels=source.channels,
        )
    elif kind == "onnx":
        from pixelproof.convert.onnx import to_onnx

        path.write_bytes(
            to_onnx(source.graph, input_name=ends.input_name, output_name=ends.output_name, opset=plan.opset)
        )
    else:
        path.write_bytes(_tflite(source, plan, plan.shape))
        if not source.shapes:
            return [(path, [])]
        odd = staging / ODD_TFLITE
        odd.write_bytes(_tflite(source, plan, source.shapes[0]))
        return [(path, [len(source.shapes) - 1]), (odd, [0])]
    return [(path, small)]


def line_for(done: Exported) -> str:
    """One artifact for people: size, times, and how far it is from its source."""
    worst = max(done.rows, key=lambda r: r.difference.max_abs)
    verdict = "equal" if all(row.passed for row in done.rows) else "DIFFERENT"
    return (
        f"  {done.name:<13} {done.size_bytes / 2**20:7.2f} MiB   written in {done.write_s:4.1f} s, "
        f"proven in {done.prove_s:4.1f} s   {verdict}: largest difference {worst.difference.max_abs:.1e} "
        f"({worst.difference.max_levels:.4f} of a level)"
    )


@dataclass(frozen=True)
class _Prover:
    """Reloads artifacts in fresh workers and compares them with the source's outputs."""

    source: Source
    plan: Plan
    staging: Path
    workers: WarmWorkers

    def prove(
        self, kind: Kind, proofs: Sequence[tuple[Path, list[int]]], write_s: float, note: Note
    ) -> Exported:
        """All proofs of one artifact."""
        start = time.monotonic()
        rows: list[ParityRow] = []
        for number, (path, indices) in enumerate(proofs):
            label = FILE_NAMES[kind] if number == 0 else f"{FILE_NAMES[kind]} (converted at this size)"
            rows += self._rows(kind, path, indices, label)
            if number:
                path.unlink()
        artifact = self.staging / FILE_NAMES[kind]
        done = Exported(
            name=FILE_NAMES[kind],
            format=kind,
            size_bytes=size_bytes(artifact),
            sha256=sha256_of(artifact),
            write_s=write_s,
            rows=tuple(rows),
            prove_s=time.monotonic() - start,
        )
        note(line_for(done))
        return done

    def _rows(self, kind: Kind, path: Path, indices: Sequence[int], label: str) -> list[ParityRow]:
        shapes = [self.source.shapes[i] for i in indices]
        with self.workers.take(kind) as worker:
            self._load(worker, path, kind)
            outputs = [worker.run(probe_image(*shape[1:])) for shape in shapes]
        is_global = reduces_image(self.source.graph)
        return [
            row_for(
                artifact=label,
                kind=kind,
                source=self.source.outputs[i],
                output=output,
                shape=shape[1:3],
                global_statistics=is_global,
                float64=lambda shape=shape: self._float64(shape),  # type: ignore[misc]
            )
            for i, shape, output in zip(indices, shapes, outputs, strict=True)
        ]

    def _float64(self, shape: Shape) -> Array:
        with self.workers.take("pb") as worker:
            self._load(worker, self.staging / FILE_NAMES["pb"], "pb")
            return worker.run_float64(probe_image(*shape[1:]))

    def _load(self, worker: Worker, path: Path, kind: Kind) -> None:
        ends = self.plan.ends
        worker.load(path, kind, input_name=f"{ends.input_name}:0", output_name=f"{ends.output_name}:0")


def _is_full(index: int, source: Source, plan: Plan) -> bool:
    return "tflite" in plan.formats and index == len(source.shapes) - 1


def _tflite(source: Source, plan: Plan, shape: Shape) -> bytes:
    from pixelproof.tflite.converter import to_tflite

    return to_tflite(
        source.graph,
        input_name=f"{plan.ends.input_name}:0",
        output_name=f"{plan.ends.output_name}:0",
        shape=shape,
    )
