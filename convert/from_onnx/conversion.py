"""One .onnx from beginning to end: read and translated in a locked child, proven against onnxruntime, delivered."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from pixelproof.convert.conversion import PROOF, Publish
from pixelproof.convert.delivery import STAGING, deliver, folder_for_results, sweep
from pixelproof.convert.export import Exported, Note, export_all
from pixelproof.convert.from_onnx.call import Request, chosen_formats
from pixelproof.convert.from_onnx.importer import Described, Importer, Parting
from pixelproof.convert.plan import DEFAULT_OPSET, Plan
from pixelproof.convert.source import Shape, Source
from pixelproof.convert.workers import WarmWorkers
from pixelproof.environment import environment
from pixelproof.errors import ArtifactError, EnvironmentFault, ModelFailed, ParityBroken, WorkerStopped
from pixelproof.files import disk_faults, write_text
from pixelproof.measure.formats import Kind
from pixelproof.measure.interrupts import interrupts_deferred
from pixelproof.measure.parity import SIZE_MULTIPLES, ParityRow, Size, probe_image, require
from pixelproof.measure.protocol import Array
from pixelproof.measure.worker import Worker
from pixelproof.report import dump_json
from pixelproof.schema import to_jsonable
from pixelproof.temporary import private_tempdir, temporary_folder

UNEVEN: tuple[Size, ...] = ((37, 54), (45, 23))


def convert_file(
    request: Request,
    described: Described,
    importer: Importer,
    *,
    workers: WarmWorkers,
    note: Note,
    publish: Publish | None = None,
) -> dict[str, Any]:
    """Convert, prove and deliver; returns what parity.json holds.

    Args:
        described: by `importer`, which has read the file and begun to translate it.
        note: told a line for each step.
        publish: given the document as soon as it is there, also when the proof fails.

    Raises:
        CallError: the formats or the shape don't suit the file.
        ModelFailed: an operator is not translated, or TFLite lacks one.
        ParityBroken: an artifact computes another picture; the first layer that differs is named. parity.json is
            written, the artifacts are not.
    """
    formats = chosen_formats(request, described)
    with workers.take("onnx") as judge:
        with interrupts_deferred():
            graph = _graph(importer, request)
        judge.load(request.path, "onnx", channels_first=described.layout == "NCHW")
        shapes, outputs = _outputs(judge, _rungs(request, described, formats))
    note(f"  proven at {', '.join(f'{h}x{w}' for _, h, w, _ in dict.fromkeys(shapes))}")
    source = Source(
        label=request.path.name,
        graph=graph,
        channels=shapes[0][3],
        outputs=outputs,
        weights=None,
        shapes=shapes,
    )
    plan = Plan(formats, request.shape or shapes[-1], request.ends, DEFAULT_OPSET, ladder=())
    sweep(request.folder)
    with folder_for_results(request.folder):
        document = _exported(
            request, plan, source, described, importer, workers=workers, note=note, publish=publish
        )
    return document


def _graph(importer: Importer, request: Request) -> Any:
    """The translated graph; it comes from the child, so it is scanned as a stranger's."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.framework.graph_pb2 import GraphDef

    from pixelproof.measure.graph_scan import require_clean
    from pixelproof.measure.scan.graphdef import scan_graph

    graph = GraphDef()
    try:
        graph.ParseFromString(importer.translation())
    except DecodeError as error:
        raise ArtifactError("The importer must give a graph", found=str(error)) from error
    require_clean(scan_graph(graph, label=request.path.name), label=request.path.name)
    return graph


def _rungs(request: Request, described: Described, formats: tuple[Kind, ...]) -> list[list[Shape]]:
    """Shapes at which the file is tried, odd ones first, then multiples; what it fixes stays as it is."""
    _, fixed_height, fixed_width, channels = described.shape
    assert channels is not None
    full: list[Shape] = []
    if "tflite" in formats:
        full = [request.shape or (1, fixed_height or 0, fixed_width or 0, channels)]
    rungs: dict[tuple[Shape, ...], None] = {}
    for multiple in SIZE_MULTIPLES:
        sizes = [_multiples(size, multiple) for size in UNEVEN]
        small = [(1, fixed_height or height, fixed_width or width, channels) for height, width in sizes]
        rungs[(*dict.fromkeys(small), *full)] = None
    return [list(rung) for rung in rungs]


def _multiples(size: Size, multiple: int) -> Size:
    """The next multiples of both sides; where they are equal, the second is one more."""
    height, width = (-(-side // multiple) * multiple for side in size)
    return (height, width + multiple) if height == width else (height, width)


def _outputs(judge: Worker, rungs: Sequence[Sequence[Shape]]) -> tuple[tuple[Shape, ...], tuple[Array, ...]]:
    """The .onnx's own outputs at the first rung that it takes."""
    refusals: list[tuple[int, Shape, ModelFailed]] = []
    for rung in rungs:
        outputs: list[Array] = []
        for shape in rung:
            try:
                outputs.append(judge.run(probe_image(*shape[1:])))
            except ModelFailed as error:
                refusals.append((len(outputs), shape, error))
                break
        else:
            return tuple(rung), tuple(outputs)
    _, shape, refusal = max(refusals, key=lambda item: item[0])
    raise ModelFailed(
        "The .onnx must run at the sizes at which it is proven",
        found=f"at {shape[1]}x{shape[2]}: {refusal.found or refusal.rule}",
        remedy="Small sizes are tried up to multiples of 64; the last one is --input-shape.",
    ) from refusal


def _exported(
    request: Request,
    plan: Plan,
    source: Source,
    described: Described,
    importer: Importer,
    *,
    workers: WarmWorkers,
    note: Note,
    publish: Publish | None,
) -> dict[str, Any]:
    with (
        disk_faults(request.folder),
        private_tempdir(),
        temporary_folder(f"{STAGING}{os.getpid()}-", parent=request.folder) as staging,
    ):
        exported = export_all(source, plan, staging, workers=workers, note=note)
        rows = [row for item in exported for row in item.rows]
        failed = next((row for row in rows if not row.passed), None)
        parting, lost = (None, "") if failed is None else _parting(importer, failed, source, plan)
        document = _document(request, described, exported, parting)
        if failed is None:
            deliver(staging, [item.name for item in exported], request.folder)
        write_text(request.folder / PROOF, dump_json(document))
        if publish is not None:
            publish(document)
        _require(rows, parting, lost, request)
    return document


def _parting(importer: Importer, failed: ParityRow, source: Source, plan: Plan) -> tuple[Parting | None, str]:
    """The first layer that differs; where there is none, why."""
    try:
        found = importer.trace(
            probe_image(failed.height, failed.width, source.channels),
            kind="tflite" if failed.format == "tflite" else "pb",
            input_name=plan.ends.input_name,
            tolerance=failed.tolerance,
        )
    except (ModelFailed, WorkerStopped, EnvironmentFault) as error:
        return None, f"which layer it is could not be found: {error.rule}: {error.found}"
    return found, "no single layer differs by itself" if found is None else ""


def _require(rows: Sequence[ParityRow], parting: Parting | None, lost: str, request: Request) -> None:
    """Raise unless all rows passed, with the layer at which the two part."""
    try:
        require(rows)
    except ParityBroken as error:
        where = lost
        if parting is not None:
            where = (
                f"the first layer that differs is {parting.name} ({parting.op}): {parting.max_abs:.3g}, "
                f"where its values reach {parting.largest:.3g}"
            )
        remedy = f"Nothing was delivered; {request.folder / PROOF} has the figures."
        raise ParityBroken(error.rule, found=f"{error.found}; {where}", remedy=remedy) from error


def _document(
    request: Request, described: Described, exported: Sequence[Exported], parting: Parting | None
) -> dict[str, Any]:
    document = {
        "schema_version": 1,
        "source": str(request.path),
        "onnx": described,
        "passed": all(row.passed for item in exported for row in item.rows),
        "first_difference": parting,
        "artifacts": exported,
        "environment": environment(),
    }
    return dict(to_jsonable(document))
