"""One submission under way: its job, what it came to so far, and the verdict in the end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from pixelproof.challenge import load_challenge
from pixelproof.errors import EnvironmentFault
from pixelproof.report import Report
from pixelproof.submit.judging.finding import FoundKind
from pixelproof.submit.judging.job import Job, Result, Terms
from pixelproof.submit.ledger.records import Entry, Verdict
from pixelproof.validate.merging import wants_runtime, was_killed, with_runtime

MOST_ATTEMPTS = 2


@dataclass(frozen=True)
class Work:
    """A claimed submission.

    Attributes:
        checked: what everything but runtime came to.
        attempts: how often this phase was begun.
        begun: value of `time.monotonic` when it was claimed.
    """

    entry: Entry
    job: Job
    checked: Result | None = None
    attempts: int = 1
    begun: float = field(default_factory=time.monotonic)


def next_step(work: Work, result: Result | None, fault: EnvironmentFault | None) -> Work | Verdict:
    """What follows from a job's end: another job, or the verdict.

    Whatever failed on our side is tried once more, alone on the machine. So is a model whose worker was killed from
    outside while others ran beside it: the system does that where memory runs out, and it may be another's fault.
    """
    if result is None or result.kind == "error":
        if work.attempts < MOST_ATTEMPTS:
            return replace(work, job=replace(work.job, alone=True), attempts=work.attempts + 1)
        return _error(work, result, fault)
    if result.kind == "refused":
        return _refused(result) if work.checked is None else _error(work, result, None)
    report = _report(result)
    if was_killed(report) and not work.job.alone:
        return replace(work, job=replace(work.job, alone=True), attempts=work.attempts + 1)
    if work.job.phase == "checks" and _is_timed(work.job.terms) and wants_runtime(report):
        job = replace(work.job, phase="runtime", alone=True, pictures=None)
        return replace(work, job=job, checked=result, attempts=1)
    return _judged(work, result, report)


def first_job(
    entry: Entry,
    terms: Terms,
    *,
    path: Path,
    kind: FoundKind,
    companion: str | None,
    pictures: Path | None,
) -> Job:
    """Where judging begins: with all but runtime, unless nothing else was asked for."""
    only_runtime = terms.groups == ("runtime",)
    return Job(
        number=entry.id,
        name=entry.ticket.name,
        path=str(path),
        kind=kind,
        sha256=entry.ticket.sha256,
        terms=terms,
        phase="runtime" if only_runtime else "checks",
        companion=companion,
        alone=only_runtime,
        pictures=None if pictures is None else str(pictures),
    )


def _judged(work: Work, result: Result, report: Report) -> Verdict:
    terms = work.job.terms
    checked = result if work.checked is None else work.checked
    timed = None if work.checked is None else report
    merged = with_runtime(
        _report(checked), timed, challenge_name=terms.challenge, groups=frozenset(terms.groups)
    )
    started, finished = _times(checked, result)
    return Verdict(
        outcome="passed" if merged.passed else "failed",
        started_at=started,
        finished_at=finished,
        report=merged,
        files=checked.files,
        host=result.host,
        pictures=work.job.pictures,
    )


def _refused(result: Result) -> Verdict:
    started, finished = _times(result, result)
    return Verdict(
        outcome="refused",
        started_at=started,
        finished_at=finished,
        rule=result.rule,
        found=result.found,
        remedy=result.remedy,
        files=result.files,
        host=result.host,
    )


def _error(work: Work, result: Result | None, fault: EnvironmentFault | None) -> Verdict:
    why = fault if result is None else EnvironmentFault(result.rule, found=result.found, remedy=result.remedy)
    assert why is not None
    now = datetime.now(UTC)
    started, finished = _times(result, result) if result is not None else (now, now)
    return Verdict(
        outcome="error",
        started_at=started,
        finished_at=finished,
        rule=why.rule,
        found=why.found,
        remedy=why.remedy,
        host="" if result is None else result.host,
    )


def _is_timed(terms: Terms) -> bool:
    return (
        "runtime" in terms.groups and load_challenge(terms.challenge).track(terms.track).runtime is not None
    )


def _report(result: Result) -> Report:
    return Report.from_json(result.report, label="a judging process")


def _times(first: Result, last: Result) -> tuple[datetime, datetime]:
    """Begin and end; by a clock that went back in between, the end is the beginning."""
    started = datetime.fromisoformat(first.started_at)
    return started, max(started, datetime.fromisoformat(last.finished_at))
