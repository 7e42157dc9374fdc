"""A judged model into the zip that a challenge takes, and the mails that go with it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pixelproof import __version__
from pixelproof.challenge import Challenge
from pixelproof.errors import ArtifactError, CallError
from pixelproof.files import read_bytes, replacing_file, sha256_of
from pixelproof.measure.formats import artifact_at
from pixelproof.report import Artifact, CheckResult, Report, dump_json, read_report
from pixelproof.submit.archive import (
    MAIL,
    MANIFEST,
    REPORT,
    Contents,
    describe,
    model_contents,
    model_root,
    verify_zip,
    write_zip,
)
from pixelproof.submit.companion import companion_refusals, find_companion
from pixelproof.submit.letters import (
    MailFile,
    mail_path,
    registration_letter,
    registration_path,
    sender_of,
    submission_letter,
    write_with,
)
from pixelproof.submit.manifest import Manifest, PackedModel, Team, figures_of
from pixelproof.submit.refusals import recheck_refusals, refusals, refuse, require_loads
from pixelproof.submit.rules import SubmissionRules, check_out, load_rules
from pixelproof.temporary import temporary_folder

Recheck = Callable[[Path, Challenge, str], tuple[CheckResult, ...]]
"""Judges a model for a track's contract: (model, challenge, name of the track)."""


@dataclass(frozen=True)
class Packed:
    """What `pack` wrote, and how many such submissions a team may send a day."""

    path: Path
    sha256: str
    size_bytes: int
    manifest: Manifest
    mail: MailFile | None
    registration: MailFile | None
    per_day: int | None


def pack(
    *,
    model: Path,
    report: Path,
    out: Path,
    companion: Path | None = None,
    team_id: str,
    team_name: str,
    challenge: str = "pirm2018",
    track: str | None = None,
    link: str | None = None,
    members: Sequence[str] = (),
    registration: bool = False,
    force: bool = False,
    recheck: Recheck | None = None,
) -> Packed:
    """Pack a judged model; the zip and its mails appear together or not at all.

    The zip is read back, every member is compared with the manifest, and the packed model is judged again for
    contract before the zip takes its name.

    Args:
        model: a .pb, .tflite or .onnx file or a SavedModel folder.
        report: the JSON that ``validate-pb --json`` wrote for it.
        out: the zip; ``<stem>.mail.txt`` and ``<stem>.registration.mail.txt`` go beside it.
        companion: the second file, where the track asks for one; the one beside the model where it is None.
        team_id, team_name: one line each, usable as a file's name.
        challenge: id or TOML file.
        track: name of the track; the report's where it is None.
        link: address of the model for the mail; a marked blank where it is None.
        members: ``Name, Surname, Affiliation`` each, for the mails that list them.
        registration: write the registration mail too.
        force: pack against every reason but a model that can't be read; each is marked in the manifest.
        recheck: judges the packed model; the track's contract in a fresh worker where it is None.

    Raises:
        SubmissionRefused: model, report and challenge don't agree, or the packed model fails.
        ArtifactError: the model can't be read.
        InputError: the report can't be read.
        CallError: an unknown challenge or track, no report, a bad name, a bad ``out``.
        ChallengeError: the challenge takes no submissions, or its texts are wrong.
        EnvironmentFault: the disk is full or the folder can't be written.
    """
    rules = load_rules(challenge)
    check_out(out, inputs=(model, report))
    sender = sender_of(team_name=team_name, team_id=team_id, link=link, members=members)
    artifact = _artifact(model)
    verdict = _report(report, model=model)
    track_name = track if track is not None else verdict.track
    asked = rules.challenge.model_track(track_name)
    root = model_root(rules.submission, kind=artifact.format, where=rules.label)
    beside = find_companion(model, asked, root=root, given=companion)
    letter = submission_letter(rules, track=track_name, sender=sender, registration=registration)
    joining = registration_letter(rules, track=track_name, sender=sender) if registration else None

    judge_again = _judge_again(model=model, report=report, challenge=challenge, track=track_name)
    reasons = refusals(
        verdict,
        artifact=artifact,
        challenge=rules.challenge,
        track_name=track_name,
        rules_sha256=rules.sha256,
        judge_again=judge_again,
    )
    reasons += tuple(companion_refusals(beside, verdict, judge_again=judge_again))
    if reasons and not force:
        raise refuse(reasons)

    contents: dict[str, bytes | Path] = {**model_contents(model, root)}
    if beside is not None:
        contents[beside.member] = beside.path
    contents[REPORT] = read_bytes(report, what="The report")
    if letter is not None:
        contents[MAIL] = letter.rendered.encode()
    manifest = Manifest(
        challenge=rules.challenge.id,
        track=track_name,
        rules_sha256=rules.sha256,
        team=Team(id=sender.team_id or "", name=sender.team_name),
        model=PackedModel(root, artifact.format, artifact.size_bytes, artifact.sha256),
        companion=None if beside is None else beside.packed,
        members=describe(contents),
        figures_of="challenge" if verdict.official_data else "samples",
        figures=figures_of(verdict),
        forced=tuple(reason.as_override() for reason in reasons),
        pixelproof=__version__,
    )
    with ExitStack() as files:
        mail = write_with(files, letter, mail_path(out))
        registered = write_with(files, joining, registration_path(out))
        temporary = files.enter_context(replacing_file(out))
        judge = recheck or _judge_contract
        manifest = _write_proven(temporary, contents, manifest, rules=rules, recheck=judge, force=force)
        size, digest = temporary.stat().st_size, sha256_of(temporary)
    return Packed(out, digest, size, manifest, mail, registered, rules.submission.per_day)


def _artifact(model: Path) -> Artifact:
    try:
        return artifact_at(model)
    except OSError as error:
        found = f"{error.filename or model}: {error.strerror}"
        raise ArtifactError("The model must be readable", found=found) from error


def _report(path: Path, *, model: Path) -> Report:
    if not path.is_file():
        command = f"validate-pb {shlex.quote(str(model))} --track NAME --json {shlex.quote(str(path))}"
        remedy = f"Judge the model first: {command}. Then name that file with --report."
        raise CallError("A submission needs the report of its model", found=f"no file {path}", remedy=remedy)
    return read_report(path)


def _judge_again(*, model: Path, report: Path, challenge: str, track: str) -> str:
    words = ["validate-pb", str(model), "--track", track, "--json", str(report)]
    if challenge != "pirm2018":
        words += ["--challenge", challenge]
    return f"Judge the model as it is: {shlex.join(words)}."


def _write_proven(
    temporary: Path,
    contents: Contents,
    manifest: Manifest,
    *,
    rules: SubmissionRules,
    recheck: Recheck,
    force: bool,
) -> Manifest:
    """Write the zip, read it back, judge its model; what is forced against that judgement is marked."""
    with _read_back(temporary, contents, manifest) as packed_model:
        results = recheck(packed_model, rules.challenge, manifest.track)
    require_loads(results)
    reasons = recheck_refusals(results, required=rules.submission.required_checks)
    if not reasons:
        return manifest
    if not force:
        raise refuse(reasons)
    overrides = tuple(reason.as_override() for reason in reasons)
    marked = replace(manifest, forced=manifest.forced + overrides)
    with _read_back(temporary, contents, marked):
        return marked


@contextmanager
def _read_back(temporary: Path, contents: Contents, manifest: Manifest) -> Iterator[Path]:
    """Write the zip and yield its model, read back into a folder that lasts as long as the block."""
    write_zip(temporary, {**contents, MANIFEST: dump_json(manifest.to_json()).encode()})
    with temporary_folder("pixelproof-pack-") as folder:
        yield verify_zip(temporary, expected=manifest, folder=folder)


def _judge_contract(model: Path, challenge: Challenge, track_name: str) -> tuple[CheckResult, ...]:
    from pixelproof.validate.judgement import judge_contract

    return judge_contract(model, challenge, track_name)
