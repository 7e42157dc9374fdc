"""A training run's folder as files: what a hand-in tells of it, and what it takes out of it."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelproof.errors import CallError, CheckpointError, ImageError, InputError
from pixelproof.files import MIB, read_bytes
from pixelproof.images import unreadable
from pixelproof.submit.course.checkpoint import StoredCheckpoint, read_stored_checkpoint
from pixelproof.submit.course.faults import Faults
from pixelproof.submit.course.history import History, parse_history
from pixelproof.validate.image_results.listing import plain_files

RECIPE, HISTORY, CURVES, MACHINE, FINAL, LOGS = (
    "run.toml", "history.csv", "curves.png", "machine.json", "final.keras", "logs",
)  # fmt: skip
_MOST_BYTES = 64 * MIB
_TABLES = ("data", "training", "optimizer", "loss")
_SAME_LOSS = 1e-4


@dataclass(frozen=True)
class Run:
    """A run that is fit to be handed in.

    Attributes:
        recipe: run.toml as a table.
        machine: machine.json; ``versions`` in it holds text alone.
        logs: name below the run's folder to file, of all that was written of the training, without checkpoints and
            sample pictures.
    """

    path: Path
    recipe: Mapping[str, Any]
    history: History
    machine: Mapping[str, Any]
    checkpoint: StoredCheckpoint
    logs: Mapping[str, Path]

    @property
    def model(self) -> str:
        """Name of the architecture."""
        return str(self.recipe["model"])

    @property
    def versions(self) -> Mapping[str, str]:
        """Libraries that the run was trained with."""
        return dict(self.machine["versions"])


def read_run(path: Path | None, *, checkpoint: Path | None, faults: Faults) -> Run | None:
    """Read a run; every fault is noted, and with one there is no run.

    Args:
        path: the run's folder; None where the user named none.
        checkpoint: the file to hand in; the run's last one where it is None.
    """
    if path is None:
        remedy = "Name the folder that train-model wrote with --run."
        faults.add(CallError("A hand-in needs its training run", found="no --run", remedy=remedy))
        return None
    if not path.is_dir():
        remedy = "Name the folder that train-model wrote."
        faults.add(CallError("--run must be a run's folder", found=f"no folder {path}", remedy=remedy))
        return None
    recipe = history = machine = stored = None
    logs: dict[str, Path] = {}
    with faults.noted():
        recipe = _recipe(path / RECIPE)
    with faults.noted():
        history = parse_history(_read(path / HISTORY), label=str(path / HISTORY))
    with faults.noted():
        machine = _machine(path / MACHINE)
    with faults.noted():
        _check_png(path / CURVES)
    with faults.noted():
        logs = _logs(path)
    with faults.noted():
        stored = read_stored_checkpoint(path / FINAL if checkpoint is None else checkpoint)
    if recipe is None or history is None or machine is None or stored is None:
        return None
    run = Run(path, recipe, history, machine, stored, logs)
    with faults.noted():
        _check_belongs(run, is_final=checkpoint is None)
    return run


def training_files(run: Run, *, below: str) -> dict[str, Path]:
    """Member name to file, of the run's small files, for a folder of the zip."""
    return {f"{below}/{name}": run.path / name for name in (RECIPE, HISTORY, CURVES, MACHINE)}


def _read(path: Path) -> bytes:
    if path.is_file() and path.stat().st_size > _MOST_BYTES:
        rule = f"A run's {path.name} must be at most {_MOST_BYTES // MIB} MiB"
        raise InputError(rule, found=f"{path.stat().st_size / MIB:.1f} MiB: {path}")
    return read_bytes(path, what=f"A run's {path.name}")


def _recipe(path: Path) -> Mapping[str, Any]:
    try:
        table = tomllib.loads(_read(path).decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError("A run's recipe must be TOML", found=f"{path}: {error}") from error
    missing = [name for name in _TABLES if not isinstance(table.get(name), dict)]
    if not isinstance(table.get("model"), str):
        missing.insert(0, "model")
    if missing:
        remedy = "Take the folder as train-model wrote it."
        found = f"{path} without {', '.join(missing)}"
        raise InputError("A run's recipe must be whole", found=found, remedy=remedy)
    return table


def _machine(path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise InputError("A run's machine.json must be JSON", found=f"{path}: {error}") from error
    versions = document.get("versions") if isinstance(document, dict) else None
    if not isinstance(versions, dict) or not all(isinstance(v, str) for v in versions.values()):
        found = f"{path} without versions"
        raise InputError("A run's machine.json must name the libraries with their versions", found=found)
    return dict(document)


def _check_png(path: Path) -> None:
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG",)) as picture:
            picture.load()
    except FileNotFoundError as error:
        remedy = (
            "train-model draws it at the end, where Matplotlib is installed: pip install 'pixelproof[train]'."
        )
        raise ImageError("A run must have its curves", found=f"no {path}", remedy=remedy) from error
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise unreadable(path, error) from error


def _logs(path: Path) -> dict[str, Path]:
    """All below logs/; links are refused."""
    if not (path / LOGS).is_dir():
        remedy = "Take the folder as train-model wrote it."
        raise InputError("A run must have its logs", found=f"no folder {path / LOGS}", remedy=remedy)
    files, strange, _ = plain_files(path / LOGS)
    if strange:
        found = f"{path / LOGS / strange[0]}"
        raise InputError("A run's logs must be plain files, no links or devices", found=found)
    return {f"{LOGS}/{name}": path / LOGS / name for name in files}


def _check_belongs(run: Run, *, is_final: bool) -> None:
    """The checkpoint is of this run: the same network, and the history's loss at its epoch."""
    stored, history = run.checkpoint, run.history
    remedy = "Take run and checkpoint of one training."
    if stored.recipe.get("model") != run.model:
        found = f"{stored.recipe.get('model')!r} in {stored.path}, {run.model!r} in {run.path / RECIPE}"
        raise CheckpointError("A checkpoint must be of the run's network", found=found, remedy=remedy)
    losses = dict(history.series("loss"))
    if stored.epoch not in losses or (is_final and stored.epoch != history.epochs):
        found = f"epoch {stored.epoch} in {stored.path}, and 1 to {history.epochs} in {run.path / HISTORY}"
        raise CheckpointError("A checkpoint must be of the run's last epoch", found=found, remedy=remedy)
    loss = losses[stored.epoch]
    if stored.loss is not None and not math.isclose(stored.loss, loss, rel_tol=_SAME_LOSS, abs_tol=1e-12):
        found = (
            f"loss {stored.loss:g} at epoch {stored.epoch} in {stored.path}, {loss:g} in {run.path / HISTORY}"
        )
        raise CheckpointError("A checkpoint must be of this run", found=found, remedy=remedy)
