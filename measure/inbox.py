"""The worker's inbox: a copy of the artifact, which is all of the user's files that the worker ever sees.

The parent copies bytes and looks into nothing. What is judged can't change under the judgement, and the model's
own folder stays closed.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from pixelproof.errors import ArtifactError, GraphRefused
from pixelproof.files import FULL, disk_faults

MOST_FILES = 10_000
MOST_DEPTH = 8
DEFAULT_MAX_BYTES = 2 << 30
"""protobuf and flatbuffers end at 2 GiB."""


class Inbox:
    """A folder of copies, one for each artifact.

    Args:
        folder: exists, and is empty.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._copies: dict[Path, tuple[tuple[int, ...], Path]] = {}
        self._made = 0

    def copy_of(self, artifact: Path, *, max_bytes: int = DEFAULT_MAX_BYTES) -> Path:
        """The copy of a file or SavedModel folder; made where it isn't there yet, or the original has changed.

        Links inside a folder are copied as links: they lead nowhere from there.

        Raises:
            ArtifactError: it is gone or can't be read.
            GraphRefused: it is too large, or holds what is neither file nor folder nor link.
            EnvironmentFault: the disk is full.
        """
        try:
            identity = _identity(artifact)
            known = self._copies.get(artifact)
            if known is not None and known[0] == identity:
                return known[1]
            if known is not None:
                shutil.rmtree(known[1].parent)
            self._made += 1
            target = self._folder / str(self._made) / (artifact.name or "artifact")
            target.parent.mkdir()
            _Copy(max_bytes).copy(artifact, target)
        except OSError as error:
            if error.errno in FULL:
                with disk_faults(self._folder):
                    raise
            found = f"{artifact}: {error.strerror or error}"
            raise ArtifactError("The artifact must be readable", found=found) from error
        self._copies[artifact] = identity, target
        return target


class _Copy:
    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._files = 0

    def copy(self, source: Path, target: Path) -> None:
        mode = source.stat().st_mode  # the artifact itself may be a link of the user's
        if stat.S_ISDIR(mode):
            self._folder(source, target, depth=1)
        else:
            self._one(source, target, mode)

    def _folder(self, source: Path, target: Path, *, depth: int) -> None:
        if depth > MOST_DEPTH:
            raise GraphRefused("A SavedModel must be a flat folder", found=f"more than {MOST_DEPTH} levels")
        target.mkdir()
        with os.scandir(source) as entries:
            for entry in entries:
                mode = entry.stat(follow_symlinks=False).st_mode
                if stat.S_ISDIR(mode):
                    self._count(0)
                    self._folder(Path(entry.path), target / entry.name, depth=depth + 1)
                elif stat.S_ISLNK(mode):
                    self._count(0)
                    (target / entry.name).symlink_to(Path(entry.path).readlink())
                else:
                    self._one(Path(entry.path), target / entry.name, mode)

    def _one(self, source: Path, target: Path, mode: int) -> None:
        if not stat.S_ISREG(mode):
            raise GraphRefused("A model must consist of plain files", found=f"{source.name}, a special file")
        self._count(source.stat().st_size)
        shutil.copyfile(source, target)
        target.chmod(0o644)

    def _count(self, size: int) -> None:
        self._bytes += size
        self._files += 1
        if self._bytes > self._max_bytes:
            raise too_large(self._bytes, self._max_bytes)
        if self._files > MOST_FILES:
            raise GraphRefused("A SavedModel must be of few files", found=f"more than {MOST_FILES}")


def too_large(size: int, most: int) -> GraphRefused:
    """The refusal of a file beyond a size, both in bytes."""
    return GraphRefused(
        f"A model must have at most {most / 2**20:g} MiB to be opened",
        found=f"{size / 2**20:.1f} MiB or more",
        remedy="Store weights once, in float32 or smaller, and no training state.",
    )


def _identity(artifact: Path) -> tuple[int, ...]:
    """What changes with a file, or with the files by which a SavedModel is written anew."""
    paths = [artifact, artifact / "saved_model.pb", artifact / "variables" / "variables.index"]
    states = [path.stat() for path in paths[:1]] + [path.lstat() for path in paths[1:] if path.exists()]
    return tuple(n for s in states for n in (s.st_ino, s.st_size, s.st_mtime_ns))
