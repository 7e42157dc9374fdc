"""The official files of a challenge: a list with sizes and hashes, kept as data beside its rules."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath

from pixelproof.errors import CallError, ChallengeError, did_you_mean
from pixelproof.files import sha256_of
from pixelproof.schema import build


@dataclass(frozen=True)
class ListedFile:
    """One file: path below the challenge's folder, size, SHA-256 as hex."""

    path: str
    bytes: int
    sha256: str

    def is_right(self, path: Path) -> bool:
        """Whether the file at ``path`` has this size and hash."""
        return path.is_file() and path.stat().st_size == self.bytes and sha256_of(path) == self.sha256


@dataclass(frozen=True)
class Example:
    """A listed model that can be judged as soon as it is there, and its track."""

    model: str
    track: str


@dataclass(frozen=True)
class FileList:
    """All files of a challenge, and where they are published."""

    base_url: str
    files: tuple[ListedFile, ...]
    example: Example | None = None


def load_file_list(challenge: str) -> FileList:
    """The file list of a shipped challenge.

    Raises:
        CallError: pixelproof ships no list for this challenge.
    """
    name = f"{challenge}.files.json"
    entry = resources.files("pixelproof.challenges").joinpath(name)
    if not entry.is_file():
        choices = did_you_mean(challenge, challenges_with_files())
        remedy = f"{choices} Other data is brought by hand and named with --data."
        raise CallError("A fetched challenge must have a file list", found=repr(challenge), remedy=remedy)
    return parse_file_list(entry.read_text(encoding="utf-8"), label=name)


def challenges_with_files() -> tuple[str, ...]:
    """Ids of the challenges whose files can be fetched."""
    folder = resources.files("pixelproof.challenges")
    ending = ".files.json"
    return tuple(sorted(f.name.removesuffix(ending) for f in folder.iterdir() if f.name.endswith(ending)))


def parse_file_list(text: str, *, label: str) -> FileList:
    """A file list from JSON text; ``label`` names it in messages.

    Raises:
        ChallengeError: not of the schema, or a path leaves the challenge's folder.
    """

    def fail(path: str, rule: str, found: str, remedy: str) -> ChallengeError:
        return ChallengeError(f"{label}: {path} {rule}", found=found, remedy=remedy)

    listed = build(FileList, json.loads(text), fail=fail)
    for file in listed.files:
        path = PurePosixPath(file.path)
        if path.is_absolute() or ".." in path.parts:
            raise fail("files", "must stay below the challenge's folder", file.path, "")
    return listed
