"""The student's code as members of a zip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelproof.errors import CallError
from pixelproof.files import MIB

MOST_FILES = 2000
MOST_BYTES = 200 * MIB
_LEFT_OUT = frozenset({"__pycache__", "node_modules", "venv"})
_LEFT_OUT_SUFFIXES = frozenset({".pyc", ".pyo"})


@dataclass(frozen=True)
class Code:
    """Files to pack.

    Attributes:
        files: name, below the folder of the zip, to file.
        left_out: caches and hidden files, by their names.
    """

    files: dict[str, Path]
    left_out: tuple[str, ...]


def collect_code(paths: Sequence[Path]) -> Code:
    """Files as they are, and folders with all that is in them but caches and hidden files.

    What lies in one folder alone keeps its names; of several folders each keeps its own.

    Raises:
        CallError: none given, nothing there, a link, two files of one name, more than code can be.
    """
    if not paths:
        remedy = "Name your files and folders with --code, as often as needed."
        raise CallError("A hand-in needs its code", found="no --code", remedy=remedy)
    files: dict[str, Path] = {}
    left_out: list[str] = []
    for path in paths:
        for name, file in _below(path, alone=len(paths) == 1, left_out=left_out):
            if name in files:
                remedy = "Give them names of their own, or name the folder that holds both."
                raise CallError(
                    "Files of --code must differ in name", found=f"{files[name]} and {file}", remedy=remedy
                )
            files[name] = file
    total = sum(file.stat().st_size for file in files.values())
    if not files:
        raise CallError("--code must hold files", found=f"none in {paths[0]}")
    if len(files) > MOST_FILES or total > MOST_BYTES:
        found = f"{len(files)} files, {total / MIB:.1f} MiB"
        rule = f"Code must be at most {MOST_FILES} files and {MOST_BYTES // MIB} MiB"
        raise CallError(rule, found=found, remedy="Leave data, results and checkpoints out of --code.")
    return Code(dict(sorted(files.items())), tuple(left_out))


def _below(path: Path, *, alone: bool, left_out: list[str]) -> list[tuple[str, Path]]:
    if path.is_symlink() or not (path.is_file() or path.is_dir()):
        what = "a link" if path.is_symlink() else "nothing there, or no plain file"
        raise CallError("--code must name files and folders", found=f"{path}: {what}")
    if path.is_file():
        return [(path.name, path)]
    members: list[tuple[str, Path]] = []
    top = "" if alone else f"{path.resolve().name}/"
    for member in _walk(path, left_out=left_out):
        if member.is_symlink() or not member.is_file():
            raise CallError("--code must hold plain files, no links or devices", found=str(member))
        members.append((f"{top}{member.relative_to(path).as_posix()}", member))
        if len(members) > MOST_FILES:
            remedy = "Leave data, results and checkpoints out of --code."
            raise CallError(
                f"Code must be at most {MOST_FILES} files", found=f"more in {path}", remedy=remedy
            )
    return members


def _walk(folder: Path, *, left_out: list[str]) -> Iterator[Path]:
    """Everything below a folder that is no folder, links not followed."""
    try:
        members = sorted(folder.iterdir())
    except OSError as error:
        raise CallError("--code must be readable", found=f"{folder}: {error.strerror}") from error
    for member in members:
        if member.name.startswith(".") or member.name in _LEFT_OUT or member.suffix in _LEFT_OUT_SUFFIXES:
            left_out.append(member.name)
        elif member.is_dir() and not member.is_symlink():
            yield from _walk(member, left_out=left_out)
        else:
            yield member
