"""A zip that is read back and compared before it takes its name."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelproof.errors import CallError, SubmissionRefused
from pixelproof.files import MIB, replacing_file, sha256_of
from pixelproof.submit.archive import Contents, describe, write_zip
from pixelproof.submit.manifest import Member
from pixelproof.submit.zip_layout import read_layout
from pixelproof.submit.zip_names import check_unique, member_path
from pixelproof.submit.zip_rules import Limits

LIMITS = Limits(members=5000, total_bytes=1900 * MIB, directory_bytes=4 * MIB)
"""Below the size where zip programs change the format."""


@dataclass(frozen=True)
class Written:
    """A zip and its members, sorted by name."""

    path: Path
    sha256: str
    size_bytes: int
    members: tuple[Member, ...]


def check_names(names: Sequence[str]) -> None:
    """Names that every system takes, each once.

    Raises:
        SubmissionRefused: one that is not; the message names it.
    """
    check_unique((member_path(name.encode(errors="surrogateescape"), limits=LIMITS), False) for name in names)


def check_free(path: Path, *, inputs: Sequence[Path]) -> None:
    """Refuse a place for the zip that is a folder, an input, or inside one.

    Raises:
        CallError: it is.
    """
    place = path.resolve()
    if path.is_dir():
        raise CallError("The zip must be a file", found=f"a folder: {path}", remedy="Choose another --out.")
    around = next((i for i in inputs if i.resolve() in (place, *place.parents)), None)
    if around is not None:
        found = f"{path}, in {around}"
        raise CallError(
            "The zip must lie outside what goes into it", found=found, remedy="Choose another --out."
        )


def write_proven(
    path: Path, contents: Contents, *, judge: Callable[[Path], None] = lambda path: None
) -> Written:
    """Write a zip, read it back, compare every member, and let it be judged; then it takes its name.

    Its bytes depend on names and contents alone.

    Args:
        judge: raises where the zip, under a name for the time being, breaks a rule.

    Raises:
        SubmissionRefused: a name that not every system takes, too much for one zip, a member that changed meanwhile.
        EnvironmentFault: the disk is full, or the folder can't be written.
    """
    check_names(sorted(contents))
    members = describe(contents)
    total = sum(member.size_bytes for member in members)
    if total > LIMITS.total_bytes or len(members) > LIMITS.members:
        found = f"{len(members)} files, {total / MIB:.1f} MiB"
        rule = f"A hand-in must be at most {LIMITS.members} files and {LIMITS.total_bytes // MIB} MiB"
        raise SubmissionRefused(rule, found=found, remedy="Leave data and checkpoints out of --code.")
    with replacing_file(path) as temporary:
        write_zip(temporary, contents)
        _compare(temporary, members)
        judge(temporary)
        size, digest = temporary.stat().st_size, sha256_of(temporary)
    return Written(path, digest, size, members)


def _compare(path: Path, members: Sequence[Member]) -> None:
    with path.open("rb") as stream:
        laid_out = sorted(entry.name for entry in read_layout(stream, limits=LIMITS))
    wrong = sorted({member.name for member in members} ^ set(laid_out))
    try:
        with zipfile.ZipFile(path) as archive:  # as others will read it, checksums included
            wrong += [
                m.name for m in members if not wrong and _read(archive, m.name) != (m.size_bytes, m.sha256)
            ]
    except zipfile.BadZipFile as error:
        wrong.append(str(error))
    if wrong:
        remedy = "Leave the files alone while they are packed, and pack again."
        raise SubmissionRefused(
            "The zip must read back as it was packed", found=f"another {wrong[0]}", remedy=remedy
        )


def _read(archive: zipfile.ZipFile, name: str) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    with archive.open(name) as stream:
        while block := stream.read(MIB):
            size += len(block)
            digest.update(block)
    return size, digest.hexdigest()
