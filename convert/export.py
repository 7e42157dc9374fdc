"""Write every artifact into a staging folder, prove each in a fresh process, and only then deliver them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pixelproof.convert.plan import FILE_NAMES, Plan
from pixelproof.convert.source import Source
from pixelproof.convert.workers import WarmWorkers
from pixelproof.files import sha256_of, size_bytes
from pixelproof.measure.formats import Kind
from pixelproof.measure.graph_def import reduces_image
from pixelproof.measure.parity import ParityRow, row_for
from pixelproof.measure.protocol import Array
from pixelproof.measure.worker import Worker

Note = Callable[[str], None]


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
    source: Source, plan: Plan, staging: Path, *, probes: Sequence[Array], workers: WarmWorkers, note: Note
) -> list[Exported]:
    """Write and prove the plan's artifacts; writing goes on while earlier artifacts are proven.

    Args:
        probes: of `Plan.probes`, in the order of ``source.outputs``.
        note: told a line for each artifact.

    Returns:
        One entry an artifact, in the plan's order, proven or not: `parity.require` decides.
    """
    pb = staging / FILE_NAMES["pb"]
    pb.write_bytes(source.graph.SerializeToString())
    is_global = reduces_image(source.graph)
    small = len(plan.small_sizes)

    def float64_at_full_shape() -> Array:
        with Worker() as worker:
            worker.load(
                pb, "pb", input_name=f"{plan.ends.input_name}:0", output_name=f"{plan.ends.output_name}:0"
            )
            return worker.run_float64(probes[-1])

    def prove(kind: Kind, path: Path, indices: Sequence[int], worker: Worker, label: str) -> list[ParityRow]:
        rows = []
        with worker:
            worker.load(
                path,
                kind,
                input_name=f"{plan.ends.input_name}:0",
                output_name=f"{plan.ends.output_name}:0",
            )
            outputs = [worker.run(probes[i]) for i in indices]
        for i, output in zip(indices, outputs, strict=True):
            rows.append(
                row_for(
                    artifact=label,
                    kind=kind,
                    source=source.outputs[i],
                    output=output,
                    shape=(probes[i].shape[1], probes[i].shape[2]),
                    global_statistics=is_global,
                    float64=float64_at_full_shape if i >= small else None,
                )
            )
        return rows

    exported: dict[Kind, Future[Exported]] = {}
    with ThreadPoolExecutor(max_workers=4) as pool:
        for kind in [k for k in ("pb", "tflite", "onnx", "savedmodel") if k in plan.formats]:
            if kind == "tflite" and "savedmodel" in plan.formats:
                workers.warm("savedmodel")
            start = time.monotonic()
            proofs = write_artifact(kind, source, plan, staging)
            exported[kind] = pool.submit(
                _prove_all, kind, proofs, staging, prove, workers, time.monotonic() - start, note
            )
        return [exported[kind].result() for kind in plan.formats]


def write_artifact(kind: Kind, source: Source, plan: Plan, staging: Path) -> list[tuple[Path, list[int]]]:
    """Write one artifact.

    Returns:
        The files to prove with the indices of their probes; the first one is the artifact itself.
    """
    path = staging / FILE_NAMES[kind]
    ends = plan.ends
    every_small = list(range(len(plan.small_sizes)))
    if kind == "savedmodel":
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
            to_onnx(
                source.graph,
                input_name=ends.input_name,
                output_name=ends.output_name,
                channels=source.channels,
                opset=plan.opset,
            )
        )
    elif kind == "tflite":
        odd = staging / ".odd.tflite"
        path.write_bytes(_tflite(source, plan, plan.shape))
        odd.write_bytes(_tflite(source, plan, (1, *plan.tflite_odd_size, source.channels)))
        return [(path, [len(every_small)]), (odd, [0])]
    return [(path, every_small)]


def _tflite(source: Source, plan: Plan, shape: tuple[int, int, int, int]) -> bytes:
    from pixelproof.tflite.converter import to_tflite

    return to_tflite(
        source.graph,
        input_name=f"{plan.ends.input_name}:0",
        output_name=f"{plan.ends.output_name}:0",
        shape=shape,
    )


def _prove_all(
    kind: Kind,
    proofs: list[tuple[Path, list[int]]],
    staging: Path,
    prove: Callable[..., list[ParityRow]],
    workers: WarmWorkers,
    write_s: float,
    note: Note,
) -> Exported:
    start = time.monotonic()
    rows: list[ParityRow] = []
    for number, (path, indices) in enumerate(proofs):
        label = FILE_NAMES[kind] if number == 0 else f"{FILE_NAMES[kind]} (converted at this size)"
        rows += prove(kind, path, indices, workers.take(kind), label)
        if number:
            path.unlink()
    artifact = staging / FILE_NAMES[kind]
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


def line_for(done: Exported) -> str:
    """One artifact for people: size, times, and how far it is from its source."""
    worst = max(done.rows, key=lambda r: r.difference.max_abs)
    verdict = "equal" if all(row.passed for row in done.rows) else "DIFFERENT"
    return (
        f"  {done.name:<13} {done.size_bytes / 2**20:7.2f} MiB   written in {done.write_s:4.1f} s, "
        f"proven in {done.prove_s:4.1f} s   {verdict}: largest difference {worst.difference.max_abs:.1e} "
        f"({worst.difference.max_levels:.4f} of a level)"
    )
