"""Checkpoints: a Keras file that every tool reads, and in it all that a run needs to go on exactly.

Beside the members of a ``.keras`` file (the bare model, with averaged weights where there is an average) the zip
holds ``training/arguments.json`` (recipe, epoch, step, samples used, history), ``training/state.npz`` (every
variable: weights, optimizer, dropout's seeds, averages) and ``training/digests.json`` (SHA-256 of each other member).
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pixelproof.errors import CheckpointError, PixelproofError, RecipeError
from pixelproof.files import MIB, write_bytes
from pixelproof.models.checkpoints.options import TRAINING_ARGUMENTS
from pixelproof.models.training.recipe import TrainingRecipe
from pixelproof.models.training.run.folder import RunFolder, is_run
from pixelproof.models.training.run.recipe_file import recipe_of, table_of
from pixelproof.temporary import temporary_folder

if TYPE_CHECKING:
    import keras

Arrays = Mapping[str, npt.NDArray[Any]]
Row = Mapping[str, float | int]

ARGUMENTS, STATE, DIGESTS = TRAINING_ARGUMENTS, "training/state.npz", "training/digests.json"
SCHEMA_VERSION = 1
_MAX_ARGUMENTS_BYTES = 64 * MIB
_HDF5_START = b"\x89HDF\r\n\x1a\n"
_EPOCH_OF_ZIP = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Arguments:
    """Where a run stood.

    Attributes:
        recipe: what was trained, and how.
        epoch, step: how many are done.
        samples: how many were used; the loader's whole state.
        seconds: of training so far.
        history: a row an epoch.
    """

    recipe: TrainingRecipe
    epoch: int
    step: int
    samples: int
    seconds: float
    history: tuple[Row, ...]


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read.

    Attributes:
        path: its file.
        arguments: where the run stood.
        arrays: every variable's value by name.
    """

    path: Path
    arguments: Arguments
    arrays: Arrays


def write_checkpoint(path: Path, *, model: keras.Model, arrays: Arrays, arguments: Arguments) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        model: the bare model as it shall be used, float32.
        arrays: every variable's value by name.

    Raises:
        EnvironmentFault: the disk is full, or the folder can't be written; an older file of this name stays.
    """
    members = {**_keras_members(model), ARGUMENTS: _encoded(arguments), STATE: _packed(arrays)}
    members[DIGESTS] = json.dumps({name: _digest(data) for name, data in members.items()}, indent=1).encode()
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH_OF_ZIP), data)
    write_bytes(path, zipped.getvalue())


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; every member is held against its digest.

    Raises:
        CheckpointError: missing, damaged, or no checkpoint of a training run.
    """
    members = _members(path)
    return Checkpoint(path, _decoded(members[ARGUMENTS], path), _unpacked(members[STATE], path))


def newest_checkpoint(run: Path) -> tuple[Checkpoint, tuple[tuple[Path, str], ...]]:
    """The newest good checkpoint of a run, and those newer ones that are damaged, with the reason.

    Raises:
        CheckpointError: there is none.
    """
    damaged: list[tuple[Path, str]] = []
    for _, path in RunFolder(run).saved():
        try:
            return read_checkpoint(path), tuple(damaged)
        except CheckpointError as error:
            damaged.append((path, error.found))
    found = "; ".join(reason for _, reason in damaged) or f"none in {RunFolder(run).checkpoints}"
    raise CheckpointError(
        "A run must hold a good checkpoint", found=found, remedy="Train it anew: run.toml is its recipe."
    )


def open_checkpoint(path: Path) -> tuple[Checkpoint, tuple[tuple[Path, str], ...]]:
    """The checkpoint behind a path: the newest good one of a run's folder, or the file itself.

    Raises:
        CheckpointError: none there, or a damaged one.
    """
    if path.is_dir():
        if not is_run(path):
            remedy = "A run's folder holds run.toml and checkpoints/."
            raise CheckpointError("A folder must be that of a training run", found=str(path), remedy=remedy)
        return newest_checkpoint(path)
    return read_checkpoint(path), ()


def model_of(checkpoint: Checkpoint) -> keras.Model:
    """The bare model with the weights that the checkpoint has for use.

    Raises:
        CheckpointError: its weights aren't those of its architecture.
    """
    from pixelproof.models.checkpoints.loading import load_checkpoint
    from pixelproof.models.training.run.network import network_of

    recipe = checkpoint.arguments.recipe
    model = network_of(recipe)
    load_checkpoint(model, checkpoint.path, model_name=recipe.model)
    return model


def _members(path: Path) -> dict[str, bytes]:
    rule = "A checkpoint must be whole"
    try:
        with path.open("rb") as file:
            if file.read(len(_HDF5_START)) == _HDF5_START:
                raise _of_another(path, "weights alone (HDF5)")
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if DIGESTS not in names:
                raise _of_another(path, f"no {DIGESTS} in it")
            if archive.getinfo(ARGUMENTS).file_size > _MAX_ARGUMENTS_BYTES:
                raise CheckpointError(
                    rule, found=f"{path}: {ARGUMENTS} of more than {_MAX_ARGUMENTS_BYTES} bytes"
                )
            members = {name: archive.read(name) for name in names}
        digests = json.loads(members[DIGESTS])
        wrong = [name for name in members if name != DIGESTS and digests.get(name) != _digest(members[name])]
        wrong += [name for name in digests if name not in members]
    except OSError as error:
        found = f"{path}: {error.strerror or error}"
        raise CheckpointError("A checkpoint must be a readable file", found=found) from error
    except (zipfile.BadZipFile, KeyError, ValueError, AttributeError, NotImplementedError, EOFError) as error:
        raise CheckpointError(rule, found=f"a damaged file: {path} ({error})") from error
    if wrong:
        raise CheckpointError(rule, found=f"a damaged file: {path} ({wrong[0]} has another SHA-256)")
    return members


def _of_another(path: Path, found: str) -> CheckpointError:
    remedy = "Checkpoints of train-model lie in RUN/checkpoints."
    return CheckpointError(
        "A checkpoint must be one of train-model's", found=f"{path}: {found}", remedy=remedy
    )


def _keras_members(model: keras.Model) -> dict[str, bytes]:
    import keras

    room = sum(int(np.prod(weight.shape)) * 4 for weight in model.weights) * 2 + MIB
    with temporary_folder("pixelproof-checkpoint-", room_bytes=room) as folder:
        keras.saving.save_model(model, file := folder / "model.keras")
        with zipfile.ZipFile(file) as archive:
            return {name: archive.read(name) for name in archive.namelist()}


def _packed(arrays: Arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _unpacked(data: bytes, path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (ValueError, OSError, zipfile.BadZipFile, KeyError, EOFError) as error:
        raise CheckpointError("A checkpoint must be whole", found=f"{path}: {STATE}: {error}") from error


def _encoded(arguments: Arguments) -> bytes:
    document = {
        "schema_version": SCHEMA_VERSION,
        "recipe": table_of(arguments.recipe),
        "epoch": arguments.epoch,
        "step": arguments.step,
        "samples": arguments.samples,
        "seconds": arguments.seconds,
        "history": [dict(row) for row in arguments.history],
    }
    return json.dumps(document, indent=1).encode()


def _decoded(data: bytes, path: Path) -> Arguments:
    def fail(key: str, rule: str, found: str, remedy: str) -> RecipeError:
        return RecipeError(f"{key} {rule}", found=found, remedy=remedy)

    try:
        document = json.loads(data)
        if document["schema_version"] != SCHEMA_VERSION:
            found = f"{path}: version {document['schema_version']}"
            remedy = "It is of another version of pixelproof: use that one."
            raise CheckpointError(
                f"A checkpoint must be of version {SCHEMA_VERSION}", found=found, remedy=remedy
            )
        return Arguments(
            recipe=recipe_of(document["recipe"], fail=fail),
            epoch=_count(document["epoch"]),
            step=_count(document["step"]),
            samples=_count(document["samples"]),
            seconds=float(document["seconds"]),
            history=tuple(_rows(document["history"])),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(
            "A checkpoint must be whole", found=f"{path}: {ARGUMENTS}: {error!r}"
        ) from error
    except CheckpointError:
        raise
    except PixelproofError as error:
        raise CheckpointError("A checkpoint's recipe must be one", found=f"{path}: {error}") from error


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value


def _rows(value: object) -> Sequence[Row]:
    if not isinstance(value, list) or not all(
        isinstance(row, dict)
        and all(isinstance(k, str) and isinstance(v, int | float) for k, v in row.items())
        for row in value
    ):
        raise ValueError("history is no list of rows of numbers")
    return value


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
