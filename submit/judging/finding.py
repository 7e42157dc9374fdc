"""What is to be judged: zips and artifacts below the paths that were given, in a fixed order."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pixelproof.errors import InputError

FoundKind = Literal["zip", "artifact"]
MODEL_SUFFIXES = (".pb", ".tflite", ".lite", ".onnx")
MOST_DEPTH = 16
_SAVED_MODEL = "saved_model.pb"


@dataclass(frozen=True)
class Found:
    """One submission.

    Attributes:
        path: absolute.
        name: relative to the path that was given, with ``/``; with its parents' names where two would be one.
        kind: a zip, or a model file or SavedModel folder as it is.
    """

    path: Path
    name: str
    kind: FoundKind


@dataclass(frozen=True)
class Skipped:
    """Something in a folder that is no submission, and why."""

    path: Path
    why: str


@dataclass(frozen=True)
class Search:
    """What was found, sorted by path within each path that was given, and what was passed over."""

    found: tuple[Found, ...]
    skipped: tuple[Skipped, ...]


def find_submissions(
    paths: Sequence[Path], *, companion: str | None = None, passed_over: Collection[Path] = ()
) -> Search:
    """The submissions at and below some paths.

    A folder is searched through; links in it are not followed. What a path itself names may be a link.

    Args:
        paths: zips, model files, SavedModel folders, or folders that hold any of them.
        companion: name of the second file that the track takes; beside a model it is no submission of its own.
        passed_over: files and folders that are not looked at, such as those that the call itself writes.

    Raises:
        InputError: a path is missing, unreadable, or neither; or there is nothing to judge.
    """
    found: list[Found] = []
    skipped: list[Skipped] = []
    own = {_real(path) for path in passed_over}
    for path in paths:
        before = len(found)
        kind = _kind_of_given(path)
        if kind is not None:
            found.append(Found(_absolute(path), path.name or _absolute(path).name, kind))
            continue
        _search(path, path, found, skipped, companion=companion, own=own, depth=0)
        if len(found) == before:
            remedy = "Zips, .pb, .tflite and .onnx files and SavedModel folders are submissions."
            told = f"none in {path}" + (f", {_some(skipped)}" if skipped else ", an empty folder")
            raise InputError("A folder of submissions must hold submissions", found=told, remedy=remedy)
    if not found:
        raise InputError("Something must be given to judge", found="no path")
    return Search(_apart(_once(found)), tuple(skipped))


def _kind_of_given(path: Path) -> FoundKind | None:
    """The kind of a path that the user named; None for a folder to be searched."""
    try:
        if path.is_dir():
            return "artifact" if (path / _SAVED_MODEL).is_file() else None
        if not path.exists():
            raise InputError("A path to judge must exist", found=f"no file {path}")
        kind = _kind_of_file(path) if path.is_file() else None
        if kind is None:
            remedy = "Give a .zip, .pb, .tflite or .onnx file, a SavedModel folder, or a folder of them."
            raise InputError(
                "A path to judge must be a zip, an artifact or a folder", found=str(path), remedy=remedy
            )
    except OSError as error:
        raise InputError("A path to judge must be readable", found=f"{path}: {error.strerror}") from error
    return kind


def _kind_of_file(path: Path) -> FoundKind | None:
    suffix = path.suffix.lower()
    if suffix == ".zip":
        return "zip"
    return "artifact" if suffix in MODEL_SUFFIXES else None


def _search(
    folder: Path,
    top: Path,
    found: list[Found],
    skipped: list[Skipped],
    *,
    companion: str | None,
    own: Collection[str],
    depth: int,
) -> None:
    if depth > MOST_DEPTH:
        skipped.append(Skipped(folder, f"more than {MOST_DEPTH} folders deep"))
        return
    try:
        with os.scandir(folder) as entries:
            members = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        if depth == 0:
            raise InputError(
                "A path to judge must be readable", found=f"{folder}: {error.strerror}"
            ) from error
        skipped.append(Skipped(folder, error.strerror or str(error)))
        return
    for member in members:
        path = Path(member.path)
        why = _no_submission(member, companion=companion, own=own)
        if why is not None:
            skipped.append(Skipped(path, why))
        elif not member.is_dir(follow_symlinks=False):
            kind = _kind_of_file(path)
            assert kind is not None
            found.append(Found(_absolute(path), path.relative_to(top).as_posix(), kind))
        elif (path / _SAVED_MODEL).is_file():
            found.append(Found(_absolute(path), path.relative_to(top).as_posix(), "artifact"))
        else:
            _search(path, top, found, skipped, companion=companion, own=own, depth=depth + 1)


def _no_submission(member: os.DirEntry[str], *, companion: str | None, own: Collection[str]) -> str | None:
    """Why a folder's member is not looked at; None where it is."""
    if member.is_symlink():
        return "a link"
    if member.name.startswith(".") or member.name == "__MACOSX":
        return "hidden"
    if _real(Path(member.path)) in own:
        return "written by this call"
    if member.is_dir(follow_symlinks=False):
        return None
    if not member.is_file(follow_symlinks=False):
        return "a device or pipe"
    if companion is not None and member.name == companion:
        return "the second file of a submission"
    return None if _kind_of_file(Path(member.name)) else "neither a zip nor an artifact"


def _once(found: Sequence[Found]) -> list[Found]:
    """Each file once, though two of the given paths may lead to it."""
    by_place: dict[str, Found] = {}
    for item in found:
        by_place.setdefault(_real(item.path), item)
    return list(by_place.values())


def _apart(found: Sequence[Found]) -> tuple[Found, ...]:
    """Names made longer by parent folders until no two are equal."""
    named = list(found)
    for _ in range(MOST_DEPTH):
        counted = Counter(item.name for item in named)
        if max(counted.values()) == 1:
            break
        named = [_longer(item) if counted[item.name] > 1 else item for item in named]
    return tuple(named)


def _longer(item: Found) -> Found:
    parts = item.path.parts[1:]
    return replace(item, name="/".join(parts[-(item.name.count("/") + 2) :]))


def _some(skipped: Sequence[Skipped]) -> str:
    names = ", ".join(f"{item.path.name} ({item.why})" for item in skipped[:3])
    more = f" and {len(skipped) - 3} more" if len(skipped) > 3 else ""
    return f"{len(skipped)} passed over: {names}{more}"


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - links stay as they are


def _real(path: Path) -> str:
    return os.path.realpath(path)
