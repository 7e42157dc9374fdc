"""One conversion from beginning to end: source, artifacts, proof, delivery."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pixelproof.convert.delivery import STAGING, deliver, folder_for_results, sweep
from pixelproof.convert.export import Exported, Note, export_all
from pixelproof.convert.plan import FILE_NAMES, Plan, Request, check_files, make_plan
from pixelproof.convert.source import Source, keras_file_source, registered_source
from pixelproof.convert.workers import WarmWorkers
from pixelproof.environment import environment
from pixelproof.files import disk_faults, write_text
from pixelproof.measure.formats import Kind
from pixelproof.measure.interrupts import interrupts_deferred
from pixelproof.measure.parity import require
from pixelproof.report import dump_json
from pixelproof.schema import to_jsonable
from pixelproof.temporary import private_tempdir, temporary_folder

Publish = Callable[[dict[str, Any]], None]
Stage = Callable[[str, int], Callable[[int, str], None]]
PROOF = "parity.json"
OWN_SHAPE = (1, 720, 1280, 3)


def convert(
    request: Request,
    *,
    workers: WarmWorkers,
    note: Note,
    publish: Publish | None = None,
    stage: Stage | None = None,
) -> dict[str, Any]:
    """Convert, prove and deliver; returns what parity.json holds.

    Args:
        workers: may hold warm ones.
        note: told a line for each step.
        stage: begins a stage of so many timed pairs, where the graph is optimized.
        publish: given the document as soon as it is there, also when the proof fails.

    Raises:
        CallError, CheckpointError, InputError: the request can't be met.
        ModelFailed: a format lacks an operation of the model.
        ParityBroken: an artifact computes another picture; parity.json is written, the artifacts are not.
        EnvironmentFault: the folder can't be written, or a converter can't do it.
    """
    check_files(request)
    plan = _plan(request)
    sweep(request.folder)
    with (
        folder_for_results(request.folder),
        disk_faults(request.folder),
        private_tempdir(),
        temporary_folder(f"{STAGING}{os.getpid()}-", parent=request.folder) as staging,
    ):
        source = _source(request, plan)
        _note_source(source, plan, note)
        optimized = None
        if request.optimize_for is not None:
            source, optimized = _optimized(source, plan, request.optimize_for, note, stage)
        exported = export_all(source, plan, staging, workers=workers, note=note)
        rows = [row for item in exported for row in item.rows]
        document = _document(source, exported, plan) | ({"optimized": optimized} if optimized else {})
        if all(row.passed for row in rows):
            deliver(staging, [item.name for item in exported], request.folder)
        write_text(request.folder / PROOF, dump_json(document))
        if publish is not None:
            publish(document)
        require(rows)
    _note_others(request, note)
    return document


def _plan(request: Request) -> Plan:
    if "onnx" in request.formats:
        from pixelproof.convert.onnx import check_opset

        check_opset(request.opset)
    contract = None
    shape = request.shape or OWN_SHAPE
    if request.is_registered:
        with interrupts_deferred():
            from pixelproof.models import registry

            spec = registry.spec(request.model)
        contract = spec.contract
        shape = request.shape or (1, *spec.size, contract.channels[0])
    return make_plan(
        formats=request.formats,
        shape=shape,
        ends=request.ends,
        opset=request.opset,
        contract=contract,
    )


def _source(request: Request, plan: Plan) -> Source:
    if request.is_function:
        from pixelproof.convert.file_source import file_source

        return file_source(
            request.model,
            request.checkpoint,
            probes=plan.probes(),
            ends=plan.ends,
            allow_surplus=request.allow_surplus,
        )
    with interrupts_deferred():
        if request.is_keras_file:
            return keras_file_source(Path(request.model), probes=plan.probes(), ends=plan.ends)
        assert request.checkpoint is not None
        return registered_source(
            request.model,
            request.checkpoint,
            probes=plan.probes(),
            ends=plan.ends,
            allow_surplus=request.allow_surplus,
            options=request.options,
        )


def _optimized(
    source: Source, plan: Plan, kind: Kind, note: Note, stage: Stage | None
) -> tuple[Source, dict[str, Any]]:
    from pixelproof.convert.optimize.document import document_of, gain_line
    from pixelproof.convert.optimize.of_source import optimized_source

    faster, result = optimized_source(source, plan, kind=kind, note=note, stage=stage)
    note(f"  {gain_line(result)}")
    return faster, {"timed_as": kind, "shape": list(plan.shape), **document_of(result)}


def _note_source(source: Source, plan: Plan, note: Note) -> None:
    weights = source.weights
    used = f": {weights.used} weights used ({weights.format})" if weights else ""
    note(f"{source.label}{used}")
    if weights and weights.taken:
        note(f"  of the file's dictionaries: {weights.taken}")
    if weights and weights.reported:
        note(f"  left out: {len(weights.reported)} optimizer slots and counters ({weights.reported[0]}, ...)")
    if weights and weights.surplus:
        note(f"  left out as allowed: {', '.join(weights.surplus)}")
    if source.shapes and source.shapes[0][1:3] != plan.ladder[0][0]:
        refused, taken = plan.ladder[0][0], source.shapes[0][1:3]
        note(f"  doesn't take {refused[0]}x{refused[1]}: proven at {taken[0]}x{taken[1]}")


def _note_others(request: Request, note: Note) -> None:
    others = [name for kind, name in FILE_NAMES.items() if kind not in request.formats]
    left = [name for name in others if (request.folder / name).exists()]
    if left:
        note(f"  left as they were, from an earlier conversion: {', '.join(left)}")


def _document(source: Source, exported: Sequence[Exported], plan: Plan) -> dict[str, Any]:
    weights = source.weights
    read = None
    if weights is not None:
        read = {
            "format": weights.format,
            "used": weights.used,
            "taken": weights.taken,
            "reported": weights.reported,
            "surplus": weights.surplus,
        }
    document = {
        "schema_version": 1,
        "source": source.label,
        "checkpoint": read,
        "clip": plan.ends.clip,
        "passed": all(row.passed for item in exported for row in item.rows),
        "artifacts": exported,
        "environment": environment(),
    }
    return dict(to_jsonable(document))
