"""Which files a folder of results holds, found without following a link or opening anything."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pixelproof.errors import CallError, SubmissionRefused

MOST_FILES = 20_000
MOST_LEVELS = 32
MOST_BYTES = 16 * 1024**3
_JUNK_FILES = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
_JUNK_FOLDER = "__MACOSX"


@dataclass(frozen=True)
class Listing:
    """A folder of results.

    Attributes:
        place: the folder below it that holds the pictures.
        pictures: by name, in that folder; their suffix in any case.
        elsewhere: pictures under expected names in other folders.
        others: further files.
        strange: links, devices, pipes.
        total_bytes: of all files.
    """

    place: PurePosixPath = field(default_factory=PurePosixPath)
    pictures: Mapping[str, Path] = field(default_factory=dict)
    elsewhere: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    strange: tuple[str, ...] = ()
    total_bytes: int = 0


def list_results(root: Path, *, extension: str, expected: Collection[str]) -> Listing:
    """Look through a folder.

    The pictures' folder is the one with most of the expected names; without such names, with most pictures. What
    macOS and Windows leave in folders is passed over.

    Args:
        extension: of the pictures, with its dot.
        expected: names that they should have; may be empty.

    Raises:
        CallError: no readable folder.
        SubmissionRefused: too many files, or folders nested too deep, to be an honest one.
    """
    files, strange, total_bytes = plain_files(root)
    by_place: dict[PurePosixPath, dict[str, Path]] = {}
    for path in files:
        if path.suffix.lower() == extension:
            by_place.setdefault(path.parent, {})[path.name] = root / path
    names = set(expected)

    def merit(place: PurePosixPath) -> tuple[int, int, int, str]:
        held = by_place[place]
        return -len(names & held.keys()), -len(held), len(place.parts), str(place)

    place = min(by_place, key=merit, default=PurePosixPath())
    elsewhere = tuple(str(p) for p in files if p.parent != place and p.name in names)
    pictures = by_place.get(place, {})
    apart = {*(place / name for name in pictures), *map(PurePosixPath, elsewhere)}
    others = tuple(str(p) for p in files if p not in apart)
    return Listing(place, pictures, elsewhere, others, strange, total_bytes)


def plain_files(root: Path) -> tuple[list[PurePosixPath], tuple[str, ...], int]:
    """Plain files below a folder, sorted; what is neither file nor folder; bytes of the files.

    Raises:
        CallError, SubmissionRefused: as `list_results`.
    """
    files: list[PurePosixPath] = []
    strange: list[str] = []
    total_bytes, seen = 0, 0
    waiting = [PurePosixPath()]
    while waiting:
        folder = waiting.pop()
        if len(folder.parts) > MOST_LEVELS:
            raise _refused(f"folders more than {MOST_LEVELS} deep")
        for name in _names(root / folder):
            seen += 1
            if seen > MOST_FILES:
                raise _refused(f"more than {MOST_FILES} files and folders")
            path = folder / name
            status = (root / path).lstat()
            if stat.S_ISDIR(status.st_mode):
                if name != _JUNK_FOLDER:
                    waiting.append(path)
            elif not stat.S_ISREG(status.st_mode):
                strange.append(str(path))
            elif not name.startswith("._") and name.lower() not in _JUNK_FILES:
                files.append(path)
                total_bytes += status.st_size
    if total_bytes > MOST_BYTES:
        raise _refused(f"{total_bytes} bytes")
    return sorted(files), tuple(sorted(strange)), total_bytes


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 -- names alone: no file is looked at
    except OSError as error:
        raise CallError("Results must be a readable folder", found=f"{folder}: {error.strerror}") from error


def _refused(found: str) -> SubmissionRefused:
    remedy = "Hand in the pictures, and little besides."
    return SubmissionRefused("A folder of results must be of a usual size", found=found, remedy=remedy)
