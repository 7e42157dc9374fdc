"""A stranger's zip into a folder that appears whole or not at all, by rules that leave nothing to the reader."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pixelproof.errors import CallError, InputError
from pixelproof.files import disk_faults, replacing_folder
from pixelproof.submit.manifest import Member
from pixelproof.submit.zip_layout import Entry, read_layout
from pixelproof.submit.zip_members import checked_blocks
from pixelproof.submit.zip_rules import Limits, Rule

__all__ = ["Limits", "Rule", "Unpacked", "extract", "unpack_submission"]

Stage = Callable[[str, int], Callable[[int, str], None]]
"""``stage(title, total)`` begins a bar of ``total`` bytes and gives its ``advance(bytes, note)``."""

_FILE, _FOLDER = 0o644, 0o755


@dataclass(frozen=True)
class Unpacked:
    """What `unpack_submission` wrote: the files, sorted by name, with their sizes and hashes."""

    folder: Path
    members: tuple[Member, ...]
    total_bytes: int


def unpack_submission(
    path: Path,
    folder: Path,
    *,
    limits: Limits | None = None,
    replace: bool = False,
    stage: Stage | None = None,
) -> Unpacked:
    """Unpack a submission's zip; the folder appears whole or not at all.

    Files get mode 0644 and folders 0755 (the outermost as the umask says), nothing is executable, no time is kept.
    What the zip claims is checked before the disk is touched; what it holds is counted while it is read.

    Args:
        path: the zip.
        folder: a new or empty folder.
        limits: how much the zip may hold; `Limits` as it is where None.
        replace: an existing folder may be full; all that is in it goes.
        stage: shows progress.

    Raises:
        SubmissionRefused: a rule is broken; ``rule`` is one of `Rule`, ``found`` names the member.
        InputError: no zip, or no readable file.
        CallError: a folder that can't be written to.
        EnvironmentFault: the disk is full or the folder can't be written.
    """
    with _opened(path) as stream:
        entries = read_layout(stream, limits=limits or Limits())
        place = _place(folder, path=path, replace=replace)
        with replacing_folder(place) as temporary:
            members = _read(stream, entries, folder=temporary, keep=lambda name: True, stage=stage)
    return Unpacked(folder, members, sum(member.size_bytes for member in members))


def extract(
    path: Path, folder: Path, *, keep: Callable[[str], bool], limits: Limits | None = None
) -> tuple[Member, ...]:
    """Read and check every member of a zip, and write those that are wanted; the caller sweeps up.

    Args:
        path: the zip.
        folder: an empty folder.
        keep: whether to write the member of this name.
        limits: how much the zip may hold; `Limits` as it is where None.

    Returns:
        All files of the zip, sorted by name.

    Raises:
        SubmissionRefused, InputError: as `unpack_submission`.
    """
    with _opened(path) as stream:
        entries = read_layout(stream, limits=limits or Limits())
        return _read(stream, entries, folder=folder, keep=keep, stage=None)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        if path.exists() and not path.is_file():
            found = f"{path}, {'a folder' if path.is_dir() else 'a device or pipe'}"
            raise InputError("A submission must be a zip", found=found, remedy="Ask for a plain .zip.")
        stream = path.open("rb")
    except OSError as error:
        raise InputError("A submission must be readable", found=f"{path}: {error.strerror}") from error
    with stream:
        yield stream


def _place(folder: Path, *, path: Path, replace: bool) -> Path:
    """Where the folder is, links followed, if it may be written there."""
    place = Path(os.path.realpath(folder))
    with disk_faults(place):
        if not place.exists():
            return place
        full = place.is_dir() and any(place.iterdir())
    if not place.is_dir():
        remedy = "Choose a new folder's name."
        raise CallError("The zip must be unpacked into a folder", found=f"a file: {folder}", remedy=remedy)
    inside = [p for p in (Path.cwd(), Path(os.path.realpath(path))) if place in (p, *p.parents)]
    if inside or os.path.ismount(place):
        rule = "The zip must be unpacked into a folder that can be replaced"
        found = f"{folder}, {f'which holds {inside[0]}' if inside else 'a mount point'}"
        raise CallError(rule, found=found, remedy="Choose a new folder in it.")
    if full and not replace:
        rule = "The zip must be unpacked into a new or empty folder"
        remedy = "Choose another, or replace it and all that is in it with --force."
        raise CallError(rule, found=str(folder), remedy=remedy)
    return place


def _read(
    stream: BinaryIO,
    entries: Sequence[Entry],
    *,
    folder: Path,
    keep: Callable[[str], bool],
    stage: Stage | None,
) -> tuple[Member, ...]:
    total = sum(entry.size_bytes for entry in entries)
    advance = stage("unpack", total) if stage else lambda steps, note: None
    members = []
    for entry in entries:
        target = folder.joinpath(*entry.name.split("/")) if keep(entry.name) else None
        if target is not None:
            _make_folders(target if entry.is_folder else target.parent, below=folder)
        size, digest = 0, hashlib.sha256()
        with _written(target if not entry.is_folder else None) as write:
            for block in checked_blocks(stream, entry):
                size += len(block)
                digest.update(block)
                write(block)
                advance(len(block), entry.name)
        if not entry.is_folder:
            members.append(Member(entry.name, size, digest.hexdigest()))
    return tuple(sorted(members, key=lambda member: member.name))


@contextmanager
def _written(target: Path | None) -> Iterator[Callable[[bytes], object]]:
    """A function that appends to a new file; one that drops the bytes where there is no target."""
    if target is None:
        yield len
        return
    with target.open("xb") as copy:
        yield copy.write
    target.chmod(_FILE)


def _make_folders(folder: Path, *, below: Path) -> None:
    if folder == below or folder.is_dir():
        return
    _make_folders(folder.parent, below=below)
    folder.mkdir()
    folder.chmod(_FOLDER)
