"""A run's checkpoint as a file: its digests, its parameters, where the run stood. No layer of it is built."""

from __future__ import annotations

import hashlib
import json
import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelproof.errors import CheckpointError
from pixelproof.files import MIB, sha256_of

ARGUMENTS, DIGESTS, WEIGHTS = "training/arguments.json", "training/digests.json", "model.weights.h5"
_MOST_MEMBERS = 64
_MOST_BYTES = 4096 * MIB
_MOST_TEXT_BYTES = 64 * MIB
_NO_PARAMETERS = frozenset({"optimizer", "seed_generator"})


@dataclass(frozen=True)
class StoredCheckpoint:
    """What a checkpoint says of itself.

    Attributes:
        parameters: how many numbers its layers hold, moving statistics included.
        epoch: after which it was written.
        recipe: the table of its recipe.
        loss: of the last epoch in its history; None where that is empty.
    """

    path: Path
    sha256: str
    size_bytes: int
    parameters: int
    epoch: int
    recipe: Mapping[str, Any]
    loss: float | None


def read_stored_checkpoint(path: Path) -> StoredCheckpoint:
    """Read a checkpoint of ``train-model`` without building its network.

    Every member is held against the digest that the run wrote; of the weights, the shapes alone are read.

    Raises:
        CheckpointError: missing, damaged, without digests, or of an unusual size.
    """
    with _damage_told(path), zipfile.ZipFile(path) as archive:
        members = _members(archive, path)
        if DIGESTS not in members:
            remedy = "Take RUN/final.keras or one of RUN/checkpoints as train-model wrote it."
            found = f"no {DIGESTS} in {path}"
            raise CheckpointError("A checkpoint must hold its digests", found=found, remedy=remedy)
        _check_digests(archive, members, path)
        missing = [name for name in (ARGUMENTS, WEIGHTS) if name not in members]
        if missing:
            found = f"{path} without {' and '.join(missing)}"
            raise CheckpointError("A checkpoint must be one of train-model's", found=found)
        arguments = _json(archive, ARGUMENTS, path)
        with archive.open(WEIGHTS) as stream:
            parameters = _parameters(stream)
    recipe, epoch = arguments.get("recipe"), arguments.get("epoch")
    if not isinstance(recipe, dict) or not isinstance(epoch, int) or isinstance(epoch, bool):
        found = f"{path}: {ARGUMENTS} without recipe and epoch"
        raise CheckpointError("A checkpoint must say where its run stood", found=found)
    if not parameters:
        raise CheckpointError("A checkpoint must hold weights", found=f"none in {path}")
    loss = _last_loss(arguments.get("history"))
    return StoredCheckpoint(path, sha256_of(path), path.stat().st_size, parameters, epoch, recipe, loss)


def _members(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    listed = archive.infolist()
    names = [info.filename for info in listed]
    total = sum(info.file_size for info in listed)
    if len(listed) > _MOST_MEMBERS or total > _MOST_BYTES or len(set(names)) != len(names):
        found = f"{path}: {len(listed)} members, {total / MIB:.1f} MiB"
        raise CheckpointError("A checkpoint must be of a usual size, each member once", found=found)
    return dict(zip(names, listed, strict=True))


def _check_digests(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], path: Path) -> None:
    digests = _json(archive, DIGESTS, path)
    wrong = sorted(set(digests) ^ (members.keys() - {DIGESTS}))
    wrong += [name for name in members if name in digests and _digest(archive, name) != digests[name]]
    if wrong:
        remedy = "Take an earlier checkpoint of the run, or train on with train-model resume."
        found = f"another SHA-256 for {wrong[0]} in {path}"
        raise CheckpointError("A checkpoint must be as its run wrote it", found=found, remedy=remedy)


def _json(archive: zipfile.ZipFile, name: str, path: Path) -> dict[str, Any]:
    if archive.getinfo(name).file_size > _MOST_TEXT_BYTES:
        raise CheckpointError("A checkpoint must be of a usual size", found=f"{path}: {name} is too large")
    document = json.loads(archive.read(name))
    if not isinstance(document, dict):
        raise ValueError(f"{name} is no table")
    return document


def _digest(archive: zipfile.ZipFile, name: str) -> str:
    digest = hashlib.sha256()
    with archive.open(name) as stream:
        while block := stream.read(MIB):
            digest.update(block)
    return digest.hexdigest()


def _parameters(stream: Any) -> int:
    """Numbers in a Keras weights file, but the optimizer's and those of random generators."""
    import h5py  # type: ignore[import-untyped]

    total = 0

    def add(name: str, member: Any) -> None:
        nonlocal total
        if isinstance(member, h5py.Dataset) and not _NO_PARAMETERS & set(name.split("/")):
            total += math.prod(member.shape)

    with h5py.File(stream, "r") as stored:
        stored.visititems(add)  # hard links alone: nothing outside the file is opened
    return total


def _last_loss(history: object) -> float | None:
    if isinstance(history, list) and history and isinstance(history[-1], dict):
        loss = history[-1].get("loss")
        return float(loss) if isinstance(loss, int | float) else None
    return None


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        remedy = "Let the run come to its end (train-model resume), or name one with --checkpoint."
        raise CheckpointError(
            "A run must have its last checkpoint", found=f"no {path}", remedy=remedy
        ) from error
    except (
        OSError, zipfile.BadZipFile, zlib.error, ValueError, KeyError, TypeError, RuntimeError, EOFError,
        RecursionError,
    ) as error:  # fmt: skip
        remedy = "Take an earlier checkpoint of the run, or train on with train-model resume."
        found = f"a damaged file: {path} ({error})"
        raise CheckpointError("A checkpoint must be whole", found=found, remedy=remedy) from error
