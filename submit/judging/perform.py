"""One job done: the submission is copied, unpacked and judged, and whatever happens becomes a result."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pixelproof.challenge import load_challenge, rules_sha256
from pixelproof.errors import (
    ArtifactError,
    EnvironmentFault,
    InputError,
    PixelproofError,
    RuleBroken,
    SubmissionRefused,
)
from pixelproof.files import MIB, sha256_of, size_bytes
from pixelproof.measure.formats import detect_kind
from pixelproof.measure.inbox import Inbox
from pixelproof.report import Report
from pixelproof.submit.archive import MANIFEST
from pixelproof.submit.judging.choosing import check_format, choose_model
from pixelproof.submit.judging.entering import MOST_MANIFEST_BYTES, parsed_manifest
from pixelproof.submit.judging.job import Job, Result
from pixelproof.submit.ledger.records import SubmittedFile
from pixelproof.submit.manifest import Manifest
from pixelproof.submit.unpack import extract
from pixelproof.submit.zip_rules import Limits, Rule, refused
from pixelproof.temporary import temporary_folder
from pixelproof.validate.checks.base import Group
from pixelproof.validate.job import Progress, needs_images
from pixelproof.validate.judgement import judge
from pixelproof.validate.options import Options

CHANGED = "A submission must stay as it was when it was entered"
_AGAIN = "Leave the folder alone and start again: it is entered as it is now."


@dataclass(frozen=True)
class Laid:
    """A submission laid out for judging.

    Attributes:
        shown: what a report says in place of these folders.
    """

    model: Path
    companion: Path | None
    files: tuple[SubmittedFile, ...]
    shown: Mapping[str, str]


def perform(job: Job, progress: Progress) -> Result:
    """Judge; nothing that a submission holds or does raises.

    Args:
        progress: told of the stages.
    """
    started = _now()
    files: tuple[SubmittedFile, ...] = ()

    def ended(error: PixelproofError, kind: Any) -> Result:
        return Result(
            kind,
            started,
            _now(),
            socket.gethostname(),
            rule=error.rule,
            found=error.found,
            remedy=error.remedy,
            files=files,
        )

    try:
        if rules_sha256(job.terms.challenge) != job.terms.rules_sha256:
            raise EnvironmentFault(
                "The rules must stay as they were", found=f"others in {job.terms.challenge}"
            )
        with _laid_out(job) as laid:
            files = laid.files
            report = _judged(job, laid, progress)
            document = relabelled(report.to_json(), laid.shown)
        return Result("judged", started, _now(), socket.gethostname(), report=document, files=files)
    except (RuleBroken, ArtifactError, _Unfit) as error:
        return ended(error, "refused")
    except PixelproofError as error:
        return ended(error, "error")
    except Exception as error:  # noqa: BLE001 - one submission must not stop the rest
        found = f"{type(error).__name__}: {error}"
        remedy = "This is a fault of pixelproof; judge it with validate-pb --debug to see where."
        return ended(EnvironmentFault("Judging must come to its end", found=found, remedy=remedy), "error")


class _Unfit(InputError):
    """What was handed in is not what it should be."""


@contextmanager
def _laid_out(job: Job) -> Iterator[Laid]:
    """The submission in a folder of our own, so that it can't change, or vanish, while it is judged."""
    with temporary_folder("pixelproof-judging-") as folder:
        yield _unpacked(job, folder) if job.kind == "zip" else _copied(job, folder)


def _unpacked(job: Job, folder: Path) -> Laid:
    copy, unpacked = folder / "submission.zip", folder / "unpacked"
    _check_size(Path(job.path))
    _check_same(job, _copy(Path(job.path), copy))
    unpacked.mkdir()
    try:
        members = extract(copy, unpacked, keep=lambda name: True)
    except InputError as error:
        found = error.found.replace(str(copy), job.name)
        raise _Unfit(error.rule, found=found, remedy=error.remedy) from error
    copy.unlink()
    manifest = _manifest(unpacked, job.name)
    model = choose_model(
        unpacked,
        [member.name for member in members],
        challenge=load_challenge(job.terms.challenge),
        track_name=job.terms.track,
        manifest=manifest,
    )
    files = tuple(SubmittedFile(member.name, member.size_bytes, member.sha256) for member in members)
    return Laid(model, None, files, {str(unpacked): job.name})


def _check_size(path: Path) -> None:
    """Refuse a zip that can't hold to the limits before its bytes are copied."""
    most = Limits().total_bytes * 9 // 8 + Limits().directory_bytes + MIB
    if path.is_file() and path.stat().st_size > most:
        raise refused(Rule.TOTAL, f"{path.stat().st_size} bytes of zip, {most} at most")


def _copied(job: Job, folder: Path) -> Laid:
    path = Path(job.path)
    inbox = Inbox(folder)
    if not path.exists():
        raise EnvironmentFault(CHANGED, found=f"no file {path}", remedy=_AGAIN)
    model = inbox.copy_of(path)
    sha256 = sha256_of(model)
    _check_same(job, sha256)
    check_format(job.name, detect_kind(model), load_challenge(job.terms.challenge))
    shown = {str(model): job.name}
    files = [SubmittedFile(job.name, size_bytes(model), sha256)]
    second = None
    if job.companion is not None:
        second = Path(job.companion)
        if second.is_file() and not second.is_symlink():
            second = inbox.copy_of(second)
            shown[str(second)] = second.name
            files.append(SubmittedFile(second.name, second.stat().st_size, sha256_of(second)))
    return Laid(model, second, tuple(files), shown)


def _judged(job: Job, laid: Laid, progress: Progress) -> Report:
    terms = job.terms
    wanted: frozenset[Group] = frozenset(terms.groups)
    groups = wanted & {"runtime"} if job.phase == "runtime" else wanted - {"runtime"}
    options = Options(
        groups=groups,
        images=terms.images,
        max_runs=terms.max_runs,
        baseline=None if terms.baseline is None else Path(terms.baseline),
        companion=laid.companion,
        threads=terms.runtime_threads if job.phase == "runtime" else terms.threads,
        time_limit_s=terms.time_limit_s,
        total_time_limit_s=terms.total_time_limit_s,
        require_sandbox=terms.require_sandbox,
        pictures=Path(job.pictures) if job.pictures is not None and "fidelity" in groups else None,
        layers=job.pictures is not None,
    )
    track = load_challenge(terms.challenge).track(terms.track)
    return judge(
        laid.model,
        challenge_name=terms.challenge,
        track_name=terms.track,
        data=terms.data if needs_images(track, groups) else None,
        options=options,
        progress=progress,
        psnr_gate=terms.psnr_gate,
    )


def relabelled(document: Any, shown: Mapping[str, str]) -> Any:
    """A document with some paths replaced wherever a text has them; they would tell of a folder that is gone."""
    if isinstance(document, dict):
        return {key: relabelled(value, shown) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [relabelled(value, shown) for value in document]
    if isinstance(document, str):
        for path, name in shown.items():
            document = document.replace(path, name)
    return document


def _copy(source: Path, target: Path) -> str:
    """Copy a file; its SHA-256."""
    digest = hashlib.sha256()
    try:
        stream = source.open("rb")
    except OSError as error:
        raise EnvironmentFault(CHANGED, found=f"{source}: {error.strerror}", remedy=_AGAIN) from error
    with stream, target.open("xb") as copy:
        while block := stream.read(MIB):
            digest.update(block)
            copy.write(block)
    return digest.hexdigest()


def _check_same(job: Job, sha256: str) -> None:
    if sha256 != job.sha256:
        raise EnvironmentFault(CHANGED, found=f"other bytes in {job.path}", remedy=_AGAIN)


def _manifest(unpacked: Path, label: str) -> Manifest | None:
    path = unpacked / MANIFEST
    if not path.is_file():
        return None
    remedy = "Pack with package-submission, or leave manifest.json out."
    if path.stat().st_size > MOST_MANIFEST_BYTES:
        rule = f"A manifest must have at most {MOST_MANIFEST_BYTES // MIB} MiB"
        raise SubmissionRefused(rule, found=f"{path.stat().st_size} bytes", remedy=remedy)
    try:
        return parsed_manifest(path.read_bytes(), label=f"{label}/{MANIFEST}")
    except InputError as error:
        raise _Unfit(error.rule, found=error.found, remedy=error.remedy or remedy) from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
