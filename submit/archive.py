"""The deterministic zip: the same contents give the same bytes, on any machine and at any time.

Members are stored, not compressed: trained float weights shrink by a few per cent only, and compressed bytes
would depend on the zlib at hand.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from pixelproof.challenge import Submission
from pixelproof.errors import ChallengeError, InputError, SubmissionRefused
from pixelproof.files import MIB, sha256_of, size_bytes
from pixelproof.report import dump_json
from pixelproof.submit.manifest import Manifest, Member
from pixelproof.submit.unpack import extract

MANIFEST, REPORT, MAIL = "manifest.json", "report.json", "mail.txt"
Contents = Mapping[str, bytes | Path]
"""Member name to its bytes, or to the file that holds them."""

_SUFFIXES = {"pb": ".pb", "tflite": ".tflite", "onnx": ".onnx", "savedmodel": ""}
_TIME = (1980, 1, 1, 0, 0, 0)
_REGULAR_FILE_644 = 0o100644 << 16
_UNIX = 3
_READS_BACK = "The zip must read back as it was packed"


def model_root(submission: Submission, *, kind: str, where: str) -> str:
    """Name of the model in the zip: the challenge's; with the format's own suffix where others are taken too.

    Raises:
        ChallengeError: ``model_member`` is no relative path, or is a name that the zip needs for itself.
    """
    member = submission.model_member
    path = PurePosixPath(member)
    plain = str(path) == member and member.isprintable() and not set('\\:*?"<>|') & set(member)
    if not plain or path.is_absolute() or not path.parts or ".." in path.parts:
        raise ChallengeError(f"{where}: submission.model_member must be a relative path", found=repr(member))
    if path.parts[0] in (MANIFEST, REPORT, MAIL):
        found = repr(member)
        raise ChallengeError(f"{where}: submission.model_member must be a name of its own", found=found)
    if submission.formats == (kind,):
        return member
    stem = path.with_suffix("") if path.suffix in _SUFFIXES.values() else path
    return f"{stem}{_SUFFIXES[kind]}"


def model_contents(model: Path, root: str) -> dict[str, Path]:
    """The model's members: one file, or every file of a SavedModel folder below ``root``."""
    if not model.is_dir():
        return {root: model}
    files = sorted(p for p in model.rglob("*") if p.is_file())
    return {f"{root}/{p.relative_to(model).as_posix()}": p for p in files}


def describe(contents: Contents) -> tuple[Member, ...]:
    """Size and hash of every member, sorted by name."""
    return tuple(_described(name, contents[name]) for name in sorted(contents))


def write_zip(path: Path, contents: Contents) -> None:
    """Write the members, sorted by name, with fixed times and permissions and no extra fields."""
    with zipfile.ZipFile(path, "w", compression=zipfile.ZIP_STORED) as archive:
        for name in sorted(contents):
            source = contents[name]
            info = zipfile.ZipInfo(name, date_time=_TIME)
            info.create_system = _UNIX
            info.external_attr = _REGULAR_FILE_644
            info.file_size = len(source) if isinstance(source, bytes) else size_bytes(source)
            with archive.open(info, "w") as target:
                if isinstance(source, bytes):
                    target.write(source)
                else:
                    with source.open("rb") as stream:
                        while block := stream.read(MIB):
                            target.write(block)


def verify_zip(path: Path, *, expected: Manifest, folder: Path) -> Path:
    """Read a zip back as an organiser does, compare every member with the manifest, lay the model out in a folder.

    Args:
        path: the zip.
        expected: the manifest that it was written with.
        folder: an empty folder.

    Returns:
        The model below ``folder``.

    Raises:
        SubmissionRefused: a member is missing, surplus, damaged or changed, or is none that `unpack-submission`
            takes.
    """
    roots = [packed.member for packed in (expected.model, expected.companion) if packed is not None]
    manifest = _described(MANIFEST, dump_json(expected.to_json()).encode())
    packed = sorted([*expected.members, manifest], key=lambda member: member.name)
    with _damage_told():
        found = extract(path, folder, keep=lambda name: any(_inside(name, root) for root in roots))
    names, listed = ([member.name for member in members] for members in (found, packed))
    if names != listed:
        raise _broken(f"the members {', '.join(names)} where the manifest lists {', '.join(listed)}")
    for member in sorted(set(packed) - set(found), key=lambda member: member.name):
        raise _broken("another manifest" if member == manifest else f"other bytes in {member.name}")
    model = folder / expected.model.member
    if sha256_of(model) != expected.model.sha256:
        raise _broken(f"another model in {expected.model.member}")
    return model


def _described(name: str, source: bytes | Path) -> Member:
    if isinstance(source, bytes):
        return Member(name, len(source), hashlib.sha256(source).hexdigest())
    return Member(name, size_bytes(source), sha256_of(source))


def _inside(name: str, root: str) -> bool:
    return name == root or name.startswith(f"{root}/")


def _broken(found: str) -> SubmissionRefused:
    return SubmissionRefused(_READS_BACK, found=found, remedy="Pack again; leave the model alone meanwhile.")


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except (InputError, SubmissionRefused) as error:
        found = f"{error.rule}; found {error.found}"
        raise SubmissionRefused(_READS_BACK, found=found, remedy=error.remedy) from error
