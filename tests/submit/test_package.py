"""Packing: what is refused, what is forced, what lies in the zip, and what is left when it fails."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pixelproof import files
from pixelproof.errors import (
    ArtifactError,
    CallError,
    ChallengeError,
    EnvironmentFault,
    ReportError,
    SubmissionRefused,
    WorkerStopped,
)
from pixelproof.report import CheckResult, Report, read_report
from pixelproof.submit import package
from pixelproof.submit.letters import register
from pixelproof.submit.manifest import Manifest


def members_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def manifest_of(path: Path) -> Manifest:
    return Manifest.from_json(json.loads(members_of(path)["manifest.json"]), label=str(path))


def failing(name: str, status: str = "failed", found: str = "too much", remedy: str = "") -> CheckResult:
    return CheckResult(name, name, status, "rule", found, remedy)  # type: ignore[arg-type]


def changed(report: Report, result: CheckResult) -> Report:
    return replace(report, checks=tuple(result if c.id == result.id else c for c in report.checks))


# What lies in the zip


def test_members_and_manifest(desk: Any) -> None:
    packed = desk.pack(link="https://example.org/model.pb")
    members = members_of(desk.out)
    assert list(members) == ["mail.txt", "manifest.json", "model.pb", "report.json"]
    assert members["model.pb"] == desk.model.read_bytes()
    assert members["report.json"] == desk.report.read_bytes()
    manifest = manifest_of(desk.out)
    assert manifest == packed.manifest
    assert {m.name: (m.size_bytes, m.sha256) for m in manifest.members} == {
        name: (len(data), hashlib.sha256(data).hexdigest())
        for name, data in members.items()
        if name != "manifest.json"
    }
    assert (manifest.challenge, manifest.track) == ("pirm2018", "B")
    assert (manifest.team.id, manifest.team.name) == ("42", "Name")
    assert manifest.model.sha256 == read_report(desk.report).evidence.artifact.sha256
    assert manifest.figures_of == "challenge"
    assert manifest.figures.psnr_db == 21.5
    assert manifest.figures.latency_ms == 50.0
    assert manifest.figures.peak_rss_mib == 900.0
    assert manifest.figures.scores == {"A": 7.0, "B": 8.5, "C": 9.8}
    assert manifest.forced == ()
    assert packed.sha256 == hashlib.sha256(desk.out.read_bytes()).hexdigest()
    assert packed.size_bytes == desk.out.stat().st_size


def test_mail_lies_in_the_zip_and_beside_it(desk: Any) -> None:
    packed = desk.pack(link="https://example.org/model.pb")
    expected = (
        "To: ai.mobile.challenge@gmail.com\nSubject: [Track B] [42] [Name] Submission\n\n"
        "Link to model.pb file: https://example.org/model.pb\n"
    )
    assert packed.mail.path == desk.out.with_name("submission.mail.txt")
    assert packed.mail.path.read_text(encoding="utf-8") == expected
    assert members_of(desk.out)["mail.txt"].decode() == expected
    assert desk.left_behind() == ["submission.mail.txt", "submission.zip"]


def test_a_missing_link_is_a_marked_blank(desk: Any) -> None:
    assert desk.pack().mail.message.text == "Link to model.pb file: <put the link here>"


def test_the_packed_model_is_judged_again(desk: Any) -> None:
    desk.pack()
    assert desk.recheck.seen == [(desk.model.read_bytes(), "model.pb", "pirm2018", "B")]


def test_unicode_names(desk: Any) -> None:
    packed = desk.pack(team_name="深層学習 Équipe")
    assert packed.mail.message.subject == "[Track B] [42] [深層学習 Équipe] Submission"
    assert manifest_of(desk.out).team.name == "深層学習 Équipe"


def test_same_inputs_same_bytes(desk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = desk.pack(link="https://a.b/c").sha256
    os.utime(desk.model, (10**9, 10**9))
    os.utime(desk.report, (2 * 10**9, 2 * 10**9))
    desk.model.chmod(0o600)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    second = desk.pack(
        model=Path(os.path.relpath(desk.model)),
        report=Path(os.path.relpath(desk.report)),
        out=Path("other.zip"),
        link="https://a.b/c",
    )
    assert second.sha256 == first
    assert (elsewhere / "other.zip").read_bytes() == desk.out.read_bytes()


def test_forced_bytes_are_the_same_too(desk: Any, tmp_path: Path) -> None:
    desk.recheck.results = (failing("loads", "passed"), failing("range", found=f"in {tmp_path}"))
    desk.write_report(changed(read_report(desk.report), failing("size")))
    first = desk.pack(force=True).sha256
    moved = tmp_path / "moved"
    desk.folder.rename(moved)
    desk.recheck.results = (failing("loads", "passed"), failing("range", found="in another folder"))
    second = desk.pack(model=moved / "net.pb", report=moved / "report.json", force=True)
    assert second.sha256 == first


def test_packing_again_replaces(desk: Any) -> None:
    desk.pack()
    desk.pack(team_name="Other")
    assert manifest_of(desk.out).team.name == "Other"
    assert desk.left_behind() == ["submission.mail.txt", "submission.zip"]


def test_samples_are_marked_not_refused(desk: Any) -> None:
    desk.write_report(replace(read_report(desk.report), official_data=False, data="samples"))
    assert desk.pack().manifest.figures_of == "samples"
    assert json.loads(members_of(desk.out)["manifest.json"])["figures_of"] == "samples"


def test_a_saved_model_goes_in_as_a_tree(desk: Any, challenge_file: Callable[..., str]) -> None:
    challenge = challenge_file(
        ('formats = ["pb"]', 'formats = ["savedmodel"]'),
        ('model_member = "model.pb"', 'model_member = "entry/net"'),
    )
    model = desk.folder / "saved_model"
    (model / "variables").mkdir(parents=True)
    (model / "assets").mkdir()
    (model / "saved_model.pb").write_bytes(b"graph")
    (model / "variables" / "variables.index").write_bytes(b"index")
    _report_for(desk, model, challenge)
    desk.pack(model=model, challenge=challenge)
    assert list(members_of(desk.out)) == [
        "entry/net/saved_model.pb",
        "entry/net/variables/variables.index",
        "mail.txt",
        "manifest.json",
        "report.json",
    ]
    assert desk.recheck.seen[0][0] == ["saved_model.pb", "variables", "variables/variables.index"]
    assert manifest_of(desk.out).model.sha256 == files.sha256_of(model)


def _report_for(desk: Any, model: Path, challenge: str) -> None:
    from pixelproof.measure.formats import artifact_at
    from pixelproof.submit.rules import load_rules

    rules = load_rules(challenge)
    old = read_report(desk.report)
    desk.write_report(
        replace(
            old,
            challenge=rules.challenge.id,
            rules_sha256=rules.sha256,
            evidence=replace(old.evidence, artifact=artifact_at(model)),
        )
    )


def test_a_users_challenge_file(desk: Any, challenge_file: Callable[..., str]) -> None:
    challenge = challenge_file(("[submission.mail]", "[submission.mail]\n# mine"))
    _report_for(desk, desk.model, challenge)
    assert desk.pack(challenge=challenge).manifest.challenge == "mine"


def test_a_challenge_without_a_mail(desk: Any, challenge_file: Callable[..., str]) -> None:
    challenge = challenge_file(
        ("[submission.mail]", "[submission.unused]"),
        ("[submission.unused]", "[submission.registration]"),
        (
            'subject = "[Track {track}] [{team_id}] [{team_name}] Submission"\n'
            'text = "Link to model.pb file: {link}"\n\n[submission.registration]\n'
            'to = "ai.mobile.challenge@gmail.com"\n',
            "",
        ),
    )
    _report_for(desk, desk.model, challenge)
    packed = desk.pack(challenge=challenge)
    assert packed.mail is None
    assert "mail.txt" not in members_of(desk.out)
    assert desk.left_behind() == ["submission.zip"]
    with pytest.raises(CallError, match="--link"):
        desk.pack(challenge=challenge, link="https://a.b")


# What is refused

Break = Callable[[Report], Report]
BROKEN: Mapping[str, tuple[Break, str]] = {
    "model_changed": (
        lambda r: replace(
            r, evidence=replace(r.evidence, artifact=replace(r.evidence.artifact, sha256="0" * 64))
        ),
        "000000000000",
    ),
    "report_failed": (lambda r: changed(r, failing("range", found="up to 255")), r"range \(up to 255\)"),
    "other_challenge": (lambda r: replace(r, challenge="mai2021-isp"), "mai2021-isp"),
    "other_track": (lambda r: replace(r, track="A"), "'A'"),
    "other_rules": (lambda r: replace(r, rules_sha256="f" * 64), "today's rules"),
    "check_not_run": (lambda r: changed(r, failing("memory", "not_run")), "not run: memory"),
    "partial_images": (
        lambda r: replace(
            r, evidence=replace(r.evidence, fidelity=replace(r.evidence.fidelity, images_available=300))
        ),
        "1 of 300",
    ),
}


@pytest.mark.parametrize("reason", BROKEN)
def test_each_reason_refuses_and_leaves_nothing(desk: Any, reason: str) -> None:
    breaking, found = BROKEN[reason]
    desk.write_report(breaking(read_report(desk.report)))
    with pytest.raises(SubmissionRefused, match=found) as caught:
        desk.pack(track="B")
    assert caught.value.exit_code == 1
    assert caught.value.remedy
    assert desk.left_behind() == []
    assert desk.recheck.seen == []


@pytest.mark.parametrize("reason", BROKEN)
def test_force_packs_and_marks_the_reason(desk: Any, reason: str) -> None:
    breaking, _ = BROKEN[reason]
    desk.write_report(breaking(read_report(desk.report)))
    desk.pack(track="B", force=True)
    marked = manifest_of(desk.out).forced
    assert [override.id for override in marked] == [reason]
    assert marked[0].found and marked[0].rule
    assert str(desk.folder) not in members_of(desk.out)["manifest.json"].decode()


def test_an_absent_check_did_not_run(desk: Any) -> None:
    report = read_report(desk.report)
    kept = tuple(c for c in report.checks if c.id not in ("memory", "fidelity"))
    desk.write_report(replace(report, checks=kept))
    with pytest.raises(SubmissionRefused, match="memory, fidelity"):
        desk.pack()


def test_a_warning_is_no_reason(desk: Any) -> None:
    desk.write_report(changed(read_report(desk.report), failing("range", "warning", "up to 1.18")))
    assert desk.pack().manifest.forced == ()


def test_a_check_that_nobody_requires_may_be_left_out(desk: Any) -> None:
    report = read_report(desk.report)
    desk.write_report(replace(report, checks=(*report.checks, failing("extra", "not_run"))))
    assert desk.pack().manifest.forced == ()


def test_all_reasons_are_told_at_once(desk: Any) -> None:
    report = read_report(desk.report)
    report = changed(changed(report, failing("size")), failing("memory", "not_run"))
    desk.write_report(replace(report, track="A"))
    with pytest.raises(SubmissionRefused) as caught:
        desk.pack(track="B")
    message = str(caught.value)
    assert "3 faults" in message
    for part in ("(1)", "(2)", "(3)", "size (too much)", "not run: memory", "'A'"):
        assert part in message
    desk.pack(track="B", force=True)
    assert len(manifest_of(desk.out).forced) == 3


def test_a_claim_of_having_passed_counts_for_nothing(desk: Any) -> None:
    desk.write_report(changed(read_report(desk.report), failing("range")))
    document = json.loads(desk.report.read_text())
    desk.report.write_text(json.dumps({**document, "passed": True}))
    with pytest.raises(SubmissionRefused, match="range"):
        desk.pack()


def test_a_changed_model_is_refused(desk: Any) -> None:
    desk.model.write_bytes(desk.model.read_bytes() + b"\0")
    with pytest.raises(SubmissionRefused, match="must be the one that was judged") as caught:
        desk.pack()
    assert f"validate-pb {desk.model} --track B" in caught.value.remedy


def test_changed_rules_are_refused(desk: Any, challenge_file: Callable[..., str]) -> None:
    challenge = challenge_file(("speedup_cap = 4.0", "speedup_cap = 4.0"))
    _report_for(desk, desk.model, challenge)
    text = Path(challenge).read_text()
    Path(challenge).write_text(text.replace("speedup_cap = 4.0", "speedup_cap = 5.0"))
    with pytest.raises(SubmissionRefused, match="today's rules of mine"):
        desk.pack(challenge=challenge)


def tflite_of(desk: Any) -> Path:
    model: Path = desk.folder / "model.tflite"
    model.write_bytes(b"\0\0\0\0TFL3" + b"\0" * 20)
    _report_for(desk, model, "pirm2018")
    return model


def test_another_format_is_refused_with_the_way_out(desk: Any) -> None:
    with pytest.raises(SubmissionRefused, match="pirm2018 takes pb; found tflite") as caught:
        desk.pack(model=tflite_of(desk))
    assert "convert-model --format pb" in caught.value.remedy


def test_another_format_forced_keeps_its_suffix(desk: Any) -> None:
    desk.pack(model=tflite_of(desk), force=True)
    assert "model.tflite" in members_of(desk.out)
    assert [override.id for override in manifest_of(desk.out).forced] == ["format"]


def test_the_reports_track_is_the_default(desk: Any) -> None:
    desk.write_report(replace(read_report(desk.report), track="A"))
    packed = desk.pack()
    assert packed.manifest.track == "A"
    assert packed.mail.message.subject.startswith("[Track A]")


# The second judgement


def test_a_failing_packed_model_is_refused(desk: Any) -> None:
    desk.recheck.results = (
        failing("loads", "passed"),
        failing("range", found="up to 255", remedy="Rescale."),
    )
    with pytest.raises(SubmissionRefused, match=r"packed model.*range \(up to 255\).*Rescale"):
        desk.pack()
    assert desk.left_behind() == []


def test_a_required_check_left_out_of_the_second_judgement_is_refused(desk: Any) -> None:
    desk.recheck.results = (failing("loads", "passed"), failing("range", "not_run"))
    with pytest.raises(SubmissionRefused, match="packed model"):
        desk.pack()


def test_a_failing_packed_model_forced_is_marked(desk: Any) -> None:
    desk.recheck.results = (failing("loads", "passed"), failing("range"), failing("names"))
    packed = desk.pack(force=True)
    assert [(o.id, o.found) for o in manifest_of(desk.out).forced] == [
        ("packed_model_failed", "range, names")
    ]
    assert packed.manifest == manifest_of(desk.out)
    data = members_of(desk.out)
    assert all(hashlib.sha256(data[m.name]).hexdigest() == m.sha256 for m in packed.manifest.members)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(
    "results", [(), (failing("names", "passed"),), (failing("loads"),), (failing("loads", "not_run"),)]
)
def test_a_model_that_does_not_load_is_never_packed(
    desk: Any, results: tuple[CheckResult, ...], force: bool
) -> None:
    desk.recheck.results = results
    with pytest.raises(SubmissionRefused, match="must load"):
        desk.pack(force=force)
    assert desk.left_behind() == []


@pytest.mark.parametrize(
    "error",
    [
        ArtifactError("An artifact must be a graph"),
        WorkerStopped("The worker must answer", reason="crashed"),
        KeyboardInterrupt(),
    ],
)
def test_an_error_in_the_second_judgement_leaves_nothing(desk: Any, error: Exception) -> None:
    desk.recheck.error = error
    with pytest.raises(type(error)):
        desk.pack(force=True, registration=True, members=["A, B, C"])
    assert desk.left_behind() == []


def test_a_model_that_changes_while_it_is_packed_is_refused(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = package.write_zip

    def write(path: Path, contents: Any) -> None:
        desk.model.write_bytes(desk.model.read_bytes()[::-1])
        real(path, contents)

    monkeypatch.setattr(package, "write_zip", write)
    with pytest.raises(SubmissionRefused, match=r"other bytes in model\.pb"):
        desk.pack()
    assert desk.left_behind() == []


def test_a_refused_run_leaves_an_earlier_zip_whole(desk: Any) -> None:
    desk.pack()
    before = desk.out.read_bytes()
    desk.recheck.results = (failing("loads"),)
    with pytest.raises(SubmissionRefused):
        desk.pack(team_name="Other")
    assert desk.out.read_bytes() == before
    assert desk.left_behind() == ["submission.mail.txt", "submission.zip"]


# What is wrong with the call or the inputs


def test_a_missing_model(desk: Any) -> None:
    desk.model.unlink()
    with pytest.raises(ArtifactError, match=r"no file .*net\.pb"):
        desk.pack(force=True)
    assert desk.left_behind() == []


def test_an_empty_model_is_never_packed(desk: Any) -> None:
    desk.model.write_bytes(b"")
    with pytest.raises(ArtifactError, match="empty"):
        desk.pack(force=True)


def test_a_folder_that_is_no_saved_model(desk: Any) -> None:
    with pytest.raises(ArtifactError, match=r"without saved_model\.pb"):
        desk.pack(model=desk.folder)


def test_a_missing_report_says_how_to_make_one(desk: Any) -> None:
    desk.report.unlink()
    with pytest.raises(CallError, match=r"validate-pb .*net\.pb --track NAME --json"):
        desk.pack()


@pytest.mark.parametrize("text", ["", "not json", "[]", '{"schema_version": 99}', '{"schema_version": 1}'])
def test_a_damaged_report(desk: Any, text: str) -> None:
    desk.report.write_text(text)
    with pytest.raises(ReportError):
        desk.pack(force=True)
    assert desk.left_behind() == []


def test_an_unknown_track_lists_the_choices(desk: Any) -> None:
    with pytest.raises(CallError, match=r"'C'.*A, B"):
        desk.pack(track="C", force=True)


def test_an_unknown_challenge(desk: Any) -> None:
    with pytest.raises(CallError, match="pirm2018"):
        desk.pack(challenge="pirm2019")


def test_a_challenge_without_submissions(desk: Any, tmp_path: Path) -> None:
    path = tmp_path / "bare.toml"
    path.write_text(
        'id = "bare"\ntitle = "t"\nurl = "u"\ndata_folder = "d"\n'
        '[tracks.A]\ntitle = "a"\n[tracks.A.contract]\n'
    )
    with pytest.raises(ChallengeError, match=r"no \[submission\]"):
        desk.pack(challenge=str(path))


def test_an_unknown_placeholder_in_the_challenge(desk: Any, challenge_file: Callable[..., str]) -> None:
    challenge = challenge_file(("[{team_id}]", "[{team_number}]"))
    _report_for(desk, desk.model, challenge)
    with pytest.raises(ChallengeError, match=r"submission\.mail\.subject.*\{team_number\}"):
        desk.pack(challenge=challenge)
    assert desk.left_behind() == []


@pytest.mark.parametrize("option", ["team_name", "team_id"])
@pytest.mark.parametrize("value", ["a\nBcc: x@y.z", "../up", "x" * 201, ""])
def test_bad_names(desk: Any, option: str, value: str) -> None:
    with pytest.raises(CallError, match=f"--{option.replace('_', '-')}"):
        desk.pack(**{option: value})
    assert desk.left_behind() == []


@pytest.mark.parametrize("name", ["submission", "submission.pb", "net.pb"])
def test_out_is_a_zip(desk: Any, name: str) -> None:
    with pytest.raises(CallError, match=r"ending in \.zip"):
        desk.pack(out=desk.folder / name)
    assert desk.model.stat().st_size == 5120


def test_out_is_no_folder_and_no_input(desk: Any, tmp_path: Path) -> None:
    folder = tmp_path / "folder.zip"
    folder.mkdir()
    with pytest.raises(CallError, match=r"ending in \.zip"):
        desk.pack(out=folder)
    with pytest.raises(CallError, match="outside the inputs"):
        desk.pack(model=desk.folder, out=desk.folder / "submission.zip")
    odd = desk.folder / "report.zip"
    desk.report.rename(odd)
    with pytest.raises(CallError, match="outside the inputs"):
        desk.pack(report=odd, out=desk.folder / ".." / desk.folder.name / "report.zip")


def test_members_without_registration_are_told(desk: Any) -> None:
    with pytest.raises(CallError, match="--registration"):
        desk.pack(members=["Ada, Lovelace, London"])


# A disk that fails


def test_a_full_disk_while_writing_leaves_nothing(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(path: Path, contents: Any) -> None:
        path.write_bytes(b"PK half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(package, "write_zip", write)
    with pytest.raises(EnvironmentFault, match=r"disk is full.*submission\.zip"):
        desk.pack(registration=True, members=["A, B, C"])
    assert desk.left_behind() == []


def test_a_full_disk_while_syncing_leaves_nothing(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def sync(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", sync)
    with pytest.raises(EnvironmentFault, match="disk is full"):
        desk.pack(registration=True, members=["A, B, C"])
    assert desk.left_behind() == []


def test_a_folder_that_cannot_be_made(desk: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EnvironmentFault, match="writable"):
        desk.pack(out=tmp_path / "file" / "submission.zip")


# Registration


def test_registration_beside_a_submission(desk: Any) -> None:
    packed = desk.pack(registration=True, members=["Ada, Lovelace, London", "Alan,Turing,Manchester"])
    expected = (
        "To: ai.mobile.challenge@gmail.com\nSubject: AI Mobile Challenge Registration\n\n"
        "Name\nAda, Lovelace, London\nAlan, Turing, Manchester\n"
    )
    assert packed.registration.path == desk.out.with_name("submission.registration.mail.txt")
    assert packed.registration.path.read_text(encoding="utf-8") == expected
    assert all(b"Lovelace" not in data for data in members_of(desk.out).values()), (
        "members stay out of the zip"
    )


def test_registration_alone(tmp_path: Path) -> None:
    written = register(out=tmp_path / "s.zip", team_name="Ñame", members=["Ada, Lovelace, London"])
    assert written.path.read_text(encoding="utf-8").endswith("\n\nÑame\nAda, Lovelace, London\n")
    assert [p.name for p in tmp_path.iterdir()] == ["s.registration.mail.txt"]


def test_registration_needs_a_member(desk: Any, tmp_path: Path) -> None:
    with pytest.raises(CallError, match=r"--registration.*--member"):
        desk.pack(registration=True)
    with pytest.raises(CallError, match=r"--registration.*--member"):
        register(out=tmp_path / "s.zip", team_name="Name", members=[])


def test_registration_needs_a_challenge_with_that_mail(
    tmp_path: Path, challenge_file: Callable[..., str]
) -> None:
    challenge = challenge_file(("[submission.registration]", "[tracks.A.limits2]"))
    text = Path(challenge).read_text()
    Path(challenge).write_text(text[: text.index("[tracks.A.limits2]")])
    with pytest.raises(CallError, match=r"none in .*mine\.toml"):
        register(out=tmp_path / "s.zip", team_name="N", members=["A, B, C"], challenge=challenge)
