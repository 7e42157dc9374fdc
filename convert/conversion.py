"""One conversion from beginning to end: source, artifacts, proof, delivery."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pixelproof.contract import Contract
from pixelproof.convert.export import Exported, Note, export_all
from pixelproof.convert.plan import Plan, Request, make_plan
from pixelproof.convert.source import Source, keras_file_source, registered_source
from pixelproof.convert.workers import WarmWorkers
from pixelproof.environment import environment
from pixelproof.errors import CallError
from pixelproof.files import make_folder, replacing_file, replacing_folder, write_text
from pixelproof.measure.parity import require
from pixelproof.measure.protocol import Array
from pixelproof.report import dump_json
from pixelproof.schema import to_jsonable


def convert(request: Request, *, workers: WarmWorkers, note: Note) -> dict[str, Any]:
    """Convert, prove and deliver; returns what parity.json holds.

    Args:
        workers: may hold warm ones.
        note: told a line for each step.

    Raises:
        CallError, CheckpointError, InputError: the request can't be met.
        ParityBroken: an artifact computes another picture; parity.json is written, the artifacts are not.
        EnvironmentFault: the folder can't be written, or a converter can't do it.
    """
    if request.checkpoint is None and not (request.is_function or request.is_keras_file):
        raise CallError(
            "A registered model needs its checkpoint", found="none", remedy="Give it with --ckpt."
        )
    make_folder(request.folder)
    plan = _plan(request)
    probes = plan.probes()
    source = _source(request, plan, probes)
    _note_source(source, note)
    with tempfile.TemporaryDirectory(prefix=".staging-", dir=request.folder) as name:
        staging = Path(name)
        exported = export_all(source, plan, staging, probes=probes, workers=workers, note=note)
        document = _document(source, exported, plan)
        write_text(request.folder / "parity.json", dump_json(document))
        require([row for item in exported for row in item.rows])
        for item in exported:
            _deliver(staging / item.name, request.folder / item.name)
    return document


def _plan(request: Request) -> Plan:
    if request.is_function or request.is_keras_file:
        contract = Contract(channels=(request.shape[3], 3))
    else:
        from pixelproof.models import registry

        contract = registry.spec(request.model).contract
    return make_plan(
        formats=request.formats,
        shape=request.shape,
        ends=request.ends,
        opset=request.opset,
        contract=contract,
    )


def _source(request: Request, plan: Plan, probes: Sequence[Array]) -> Source:
    if request.is_function:
        from pixelproof.convert.file_source import file_source

        return file_source(
            request.model,
            request.checkpoint,
            probes=probes,
            ends=plan.ends,
            allow_surplus=request.allow_surplus,
        )
    if request.is_keras_file:
        if request.checkpoint is not None:
            raise CallError(
                "A .keras file brings its own weights", found="--ckpt as well", remedy="Leave it out."
            )
        return keras_file_source(Path(request.model), probes=probes, ends=plan.ends)
    assert request.checkpoint is not None
    return registered_source(
        request.model,
        request.checkpoint,
        probes=probes,
        ends=plan.ends,
        allow_surplus=request.allow_surplus,
    )


def _note_source(source: Source, note: Note) -> None:
    weights = source.weights
    used = f": {weights.used} weights used ({weights.format})" if weights else ""
    note(f"{source.label}{used}")
    if weights and weights.reported:
        note(f"  left out: {len(weights.reported)} optimizer slots and counters ({weights.reported[0]}, ...)")
    if weights and weights.surplus:
        note(f"  left out as allowed: {', '.join(weights.surplus)}")


def _document(source: Source, exported: Sequence[Exported], plan: Plan) -> dict[str, Any]:
    weights = source.weights
    read = None
    if weights is not None:
        read = {
            "format": weights.format,
            "used": weights.used,
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


def _deliver(made: Path, target: Path) -> None:
    if made.is_dir():
        if target.is_file():
            target.unlink()
        with replacing_folder(target) as temporary:
            shutil.copytree(made, temporary, dirs_exist_ok=True)
    else:
        with replacing_file(target) as temporary:
            shutil.copyfile(made, temporary)
