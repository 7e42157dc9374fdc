"""Which file of an unpacked submission is the model that is judged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelproof.challenge import Challenge
from pixelproof.errors import SubmissionRefused
from pixelproof.files import sha256_of
from pixelproof.submit.archive import model_root
from pixelproof.submit.find_models import FoundModel, find_models
from pixelproof.submit.manifest import Manifest

MOST_NAMED = 5


@dataclass(frozen=True)
class _Candidate:
    name: str
    model: FoundModel


def choose_model(
    folder: Path, names: Sequence[str], *, challenge: Challenge, track_name: str, manifest: Manifest | None
) -> Path:
    """The model of a submission: the one that its manifest names, else that of the rules' name, else the only one.

    Args:
        folder: where it was unpacked.
        names: of its files, relative to the folder.
        manifest: what the submission says of itself.

    Raises:
        SubmissionRefused: no model, several that nothing tells apart, a format that the challenge doesn't take, or a
            manifest of something else.
    """
    if manifest is not None:
        _check_manifest(manifest, challenge=challenge, track_name=track_name)
    companion = challenge.track(track_name).companion
    found = [_Candidate(m.path.relative_to(folder).as_posix(), m) for m in find_models(folder, names)]
    usable = [item for item in found if item.model.format is not None]
    if companion is not None and len(usable) > 1:
        usable = [item for item in usable if Path(item.name).name != companion.member]
    if not usable:
        raise _no_model(found, names)
    if manifest is not None:
        return _named_by(manifest, usable)
    taken = _of_formats(usable, challenge)
    chosen = [item for item in taken if item.name == _expected(item, challenge)] or taken
    if len(chosen) > 1:
        remedy = "Pack one, or pack with package-submission, whose manifest names it."
        raise SubmissionRefused(
            "A submission must hold one model", found=_some(i.name for i in chosen), remedy=remedy
        )
    return chosen[0].model.path


def check_format(model: str, kind: str, challenge: Challenge) -> None:
    """Refuse a format that the challenge doesn't take.

    Raises:
        SubmissionRefused: it is another.
    """
    formats = challenge.submission.formats if challenge.submission is not None else ()
    if formats and kind not in formats:
        rule = f"{challenge.id} takes {' or '.join(formats)}"
        remedy = "Export the model in that format: convert-model --format."
        raise SubmissionRefused(rule, found=f"{kind}: {model}", remedy=remedy)


def _check_manifest(manifest: Manifest, *, challenge: Challenge, track_name: str) -> None:
    remedy = "Judge it by the rules that it was packed for, or ask the team to pack it again."
    if manifest.challenge != challenge.id:
        rule = f"A submission's manifest must be of {challenge.id}"
        raise SubmissionRefused(rule, found=repr(manifest.challenge), remedy=remedy)
    if manifest.track != track_name:
        rule = f"A submission's manifest must be of track {track_name}"
        raise SubmissionRefused(rule, found=f"track {manifest.track!r}", remedy=remedy)


def _named_by(manifest: Manifest, usable: Sequence[_Candidate]) -> Path:
    named = [item for item in usable if item.name == manifest.model.member]
    remedy = "Ask the team to pack it again with package-submission."
    if not named:
        rule = f"A submission must hold the model that its manifest names, {manifest.model.member!r}"
        raise SubmissionRefused(rule, found=_some(item.name for item in usable), remedy=remedy)
    path = named[0].model.path
    if sha256_of(path) != manifest.model.sha256:
        rule = "A submission's model must be the one that its manifest describes"
        raise SubmissionRefused(rule, found=f"other bytes in {manifest.model.member}", remedy=remedy)
    return path


def _of_formats(usable: Sequence[_Candidate], challenge: Challenge) -> list[_Candidate]:
    formats = challenge.submission.formats if challenge.submission is not None else ()
    taken = [item for item in usable if not formats or item.model.format in formats]
    if not taken:
        check_format(usable[0].name, str(usable[0].model.format), challenge)
    return taken


def _expected(item: _Candidate, challenge: Challenge) -> str | None:
    if challenge.submission is None or item.model.format is None:
        return None
    return model_root(challenge.submission, kind=item.model.format, where=challenge.id)


def _no_model(found: Sequence[_Candidate], names: Sequence[str]) -> SubmissionRefused:
    told = "; ".join(item.model.problem for item in found[:MOST_NAMED]) or _some(names)
    remedy = "A .pb, .tflite or .onnx file or a SavedModel folder is one."
    return SubmissionRefused("A submission must hold a model", found=told, remedy=remedy)


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - MOST_NAMED} more" if len(listed) > MOST_NAMED else ""
    return ", ".join(listed[:MOST_NAMED]) + more
