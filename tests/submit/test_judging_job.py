"""One job: what it makes of a hostile or vanished file, that its figures are validate-pb's, how its process ends."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from pixelproof.challenge import rules_sha256
from pixelproof.errors import EnvironmentFault, ReportError
from pixelproof.files import sha256_of
from pixelproof.report import Report
from pixelproof.submit.judging.job import Job, Result, Terms
from pixelproof.submit.judging.job_process import JobProcess
from pixelproof.submit.judging.perform import perform
from pixelproof.submit.judging.work import Work, next_step
from pixelproof.submit.ledger.records import Entry, Verdict
from pixelproof.validate.checks.base import GROUPS
from pixelproof.validate.judgement import judge
from pixelproof.validate.merging import wants_runtime, was_killed, with_runtime
from pixelproof.validate.options import Options

_SPEC = importlib.util.spec_from_file_location("judging_arena", Path(__file__).with_name("judging_arena.py"))
assert _SPEC is not None and _SPEC.loader is not None
arena: Any = importlib.util.module_from_spec(_SPEC)
sys.modules["judging_arena"] = arena
_SPEC.loader.exec_module(arena)
HOSTILE = arena.module("hostile/archives.py").HOSTILE
NO_ZIPS = arena.module("hostile/archives.py").NO_ZIPS

MakeJob = Callable[..., Job]


def quiet(stage: str, steps: int) -> Callable[[int, str], None]:
    return lambda done, note: None


@pytest.fixture(scope="module")
def contest(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    made: tuple[Path, Path] = arena.write_contest(tmp_path_factory.mktemp("contest"))
    return made


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    data: bytes = arena.write_models(tmp_path_factory.mktemp("models"), "good")["good"]
    return data


@pytest.fixture
def job(contest: tuple[Path, Path]) -> MakeJob:
    rules, data = contest

    def make(path: Path, *, groups: tuple[str, ...] = ("contract", "fidelity"), **more: Any) -> Job:
        terms = Terms(
            challenge=str(rules),
            track="B",
            rules_sha256=rules_sha256(str(rules)),
            data_root=str(data),
            data_origin="given",
            groups=groups,  # type: ignore[arg-type]
            threads=1,
            max_runs=2,
        )
        sha256 = sha256_of(path) if path.exists() else "0" * 64
        kind = "zip" if path.suffix == ".zip" else "artifact"
        given: dict[str, Any] = {
            "number": 1,
            "name": path.name,
            "path": str(path),
            "kind": kind,
            "sha256": sha256,
        }
        return Job(**{**given, "terms": terms, **more})

    return make


@pytest.fixture
def own_temporaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "temporaries"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    assert [path.name for path in folder.iterdir() if not path.name.endswith(".lock")] == []


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_every_hostile_zip_is_refused(name: str, tmp_path: Path, job: MakeJob, own_temporaries: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(HOSTILE[name].build())
    result = perform(job(path), quiet)
    assert result.kind == "refused"
    assert result.rule
    assert str(own_temporaries) not in f"{result.found} {result.remedy}"


@pytest.mark.parametrize("name", sorted(NO_ZIPS))
def test_what_is_no_zip_is_refused(name: str, tmp_path: Path, job: MakeJob, own_temporaries: Path) -> None:
    path = tmp_path / "a.zip"
    made = NO_ZIPS[name]
    path.write_bytes(made() if callable(made) else made)
    result = perform(job(path), quiet)
    assert (result.kind, str(own_temporaries) in result.found) == ("refused", False)


def test_a_file_that_vanished_or_changed_gets_no_verdict(
    tmp_path: Path, job: MakeJob, own_temporaries: Path
) -> None:
    for name in ("a.zip", "a.pb"):
        result = perform(job(tmp_path / name), quiet)
        assert (result.kind, "no file" in result.found or "No such file" in result.found) == ("error", True)
        (tmp_path / name).write_bytes(b"other")
        changed = perform(job(tmp_path / name, sha256="1" * 64), quiet)
        assert (changed.kind, "other bytes" in changed.found) == ("error", True)


def test_rules_that_changed_give_no_verdict(tmp_path: Path, job: MakeJob) -> None:
    made = job(tmp_path / "a.pb")
    result = perform(replace(made, terms=replace(made.terms, rules_sha256="0" * 64)), quiet)
    assert (result.kind, result.rule) == ("error", "The rules must stay as they were")


def test_a_job_survives_its_journey(tmp_path: Path, job: MakeJob) -> None:
    made = job(tmp_path / "a.pb", companion="x", pictures="y", alone=True)
    assert Job.from_json(made.to_json()) == made


def _without_times(report: Report, name: str) -> Report:
    evidence = replace(report.evidence, artifact=replace(report.evidence.artifact, path=name), runtime=None)
    return replace(
        report,
        evidence=evidence,
        created="",
        environment=replace(report.environment, cores=1),
        scores=None,
        checks=(),
    )


def test_two_phases_make_the_report_of_one_go(
    tmp_path: Path, job: MakeJob, good: bytes, contest: tuple[Path, Path]
) -> None:
    path = tmp_path / "a.pb"
    path.write_bytes(good)
    made = job(path, groups=GROUPS)
    checked, timed = perform(made, quiet), perform(replace(made, phase="runtime"), quiet)
    verdict = next_step(
        Work(_entry(), replace(made, phase="runtime", alone=True), checked=checked), timed, None
    )
    assert isinstance(verdict, Verdict) and verdict.report is not None
    options = Options(threads=1, max_runs=2)
    data = made.terms.data
    whole = judge(
        path, challenge_name=str(contest[0]), track_name="B", data=data, options=options, progress=quiet
    )
    assert verdict.outcome == "passed"
    assert _without_times(verdict.report, "a.pb") == _without_times(whole, "a.pb")
    assert [(c.id, c.expected) for c in verdict.report.checks] == [(c.id, c.expected) for c in whole.checks]
    assert verdict.report.evidence.runtime is not None
    assert verdict.started_at <= verdict.finished_at
    assert [file.name for file in verdict.files] == ["a.pb"]
    first, second = (Report.from_json(r.report, label="x") for r in (checked, timed))
    other = replace(
        second, evidence=replace(second.evidence, artifact=replace(second.evidence.artifact, sha256="0"))
    )
    with pytest.raises(ReportError, match="one artifact"):
        with_runtime(first, other, challenge_name=str(contest[0]), groups=GROUPS)
    _what_follows(made, first)


def _what_follows(made: Job, report: Report) -> None:
    """The steps after each end of a job."""
    assert wants_runtime(report) and not was_killed(report)
    work = Work(_entry(), made)
    following = next_step(work, _result(report), None)
    assert isinstance(following, Work)
    assert (following.job.phase, following.job.alone) == ("runtime", True)
    killed = replace(
        report, evidence=replace(report.evidence, fidelity_error="the worker ended with SIGKILL")
    )
    again = next_step(work, _result(killed), None)
    assert isinstance(again, Work)
    assert (again.job.phase, again.job.alone) == ("checks", True)
    judged = next_step(
        replace(again, job=replace(again.job, terms=_untimed(made.terms))), _result(killed), None
    )
    assert isinstance(judged, Verdict) and judged.outcome == "failed"
    unloaded = replace(report, evidence=replace(report.evidence, load_error="no graph"))
    assert isinstance(next_step(work, _result(unloaded), None), Verdict)
    fault = EnvironmentFault("The disk is full", found="nothing", remedy="Free some.")
    once = next_step(work, None, fault)
    assert isinstance(once, Work) and once.job.alone
    twice = next_step(once, None, fault)
    assert isinstance(twice, Verdict)
    assert (twice.outcome, twice.rule) == ("error", "The disk is full")


def test_a_clock_that_goes_back_leaves_the_end_behind_the_beginning(tmp_path: Path, job: MakeJob) -> None:
    late = Result(
        "refused", "2026-05-01T12:00:00+00:00", "2026-05-01T11:00:00+00:00", "h", rule="r", found="f"
    )
    verdict = next_step(Work(_entry(), job(tmp_path / "a.pb")), late, None)
    assert isinstance(verdict, Verdict)
    assert verdict.started_at == verdict.finished_at


def _untimed(terms: Terms) -> Terms:
    return replace(terms, groups=("contract", "fidelity"))


def _entry() -> Entry:
    ticket: Any = None
    return Entry(1, ticket, "running")


def _result(report: Report) -> Result:
    now = "2026-05-01T12:00:00+00:00"
    return Result("judged", now, now, "host", report=report.to_json())


def _perform(process: JobProcess, job: Job, on_begun: Callable[[], None] = lambda: None) -> Result:
    return process.perform(job, on_begun=on_begun, on_stage=lambda stage, done, total: None)


def test_a_process_that_is_killed_is_a_fault_and_the_next_job_has_another(
    tmp_path: Path, job: MakeJob, good: bytes, own_temporaries: Path
) -> None:
    path = tmp_path / "a.pb"
    path.write_bytes(good)
    process = JobProcess()

    def kill() -> None:
        child = next(c for c in psutil.Process().children() if "job_main" in " ".join(c.cmdline()))
        os.kill(child.pid, signal.SIGKILL)

    try:
        with pytest.raises(EnvironmentFault, match="SIGKILL"):
            _perform(process, job(path), kill)
        assert _perform(process, job(tmp_path / "none.zip")).kind == "error"
    finally:
        process.close()
        process.stop()
    _wait_until_empty(own_temporaries)


def test_a_process_that_takes_too_much_memory_is_ended(
    tmp_path: Path, job: MakeJob, good: bytes, own_temporaries: Path
) -> None:
    path = tmp_path / "a.pb"
    path.write_bytes(good)
    process = JobProcess(memory_limit_mib=16)
    try:
        with pytest.raises(EnvironmentFault, match="more than the 16 MiB"):
            _perform(process, job(path))
    finally:
        process.close()
        process.stop()
    _wait_until_empty(own_temporaries)


def test_a_job_is_ended_from_another_thread(
    tmp_path: Path, job: MakeJob, good: bytes, own_temporaries: Path
) -> None:
    path = tmp_path / "a.pb"
    path.write_bytes(good)
    process = JobProcess()
    begun = threading.Event()

    def close() -> None:
        begun.wait(60)
        process.close()

    closer = threading.Thread(target=close)
    closer.start()
    try:
        with pytest.raises(EnvironmentFault, match="it was stopped"):
            _perform(process, job(path), begun.set)
        with pytest.raises(EnvironmentFault, match="end of the call"):
            _perform(process, job(path))
    finally:
        closer.join()
        process.stop()
    _wait_until_empty(own_temporaries)


def _wait_until_empty(folder: Path) -> None:
    """What a killed process leaves goes a moment later."""
    deadline = time.monotonic() + 10
    while any(not p.name.endswith(".lock") for p in folder.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
