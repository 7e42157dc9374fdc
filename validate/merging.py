"""Two reports of one artifact into one: all but runtime was measured here, runtime alone there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from pixelproof.challenge import load_challenge, rules_sha256
from pixelproof.errors import ReportError
from pixelproof.report import Report
from pixelproof.validate.checks.base import Group
from pixelproof.validate.judgement import NO_IMAGES, scores, verdicts, with_gate

KILLED = "SIGKILL"
_REMEDY = "Judge the model itself again, in one go."


def wants_runtime(checked: Report) -> bool:
    """Whether a report without runtime leaves anything to time: not where its model can't be run."""
    evidence = checked.evidence
    memory = evidence.memory
    too_large = memory is not None and memory.stopped is not None
    return evidence.load_error is None and evidence.stopped is None and not too_large


def was_killed(report: Report) -> bool:
    """Whether a worker was killed from outside, which says nothing of the model where others ran beside it."""
    evidence = report.evidence
    told = (
        evidence.load_error,
        evidence.stopped,
        evidence.fidelity_error,
        evidence.memory_error,
        evidence.runtime_error,
        evidence.complexity_error,
        evidence.companion.error if evidence.companion is not None else None,
        *(trial.error for trial in evidence.size_trials or ()),
    )
    return any(KILLED in text for text in told if text is not None)


def with_runtime(
    checked: Report, timed: Report | None, *, challenge_name: str, groups: Collection[Group]
) -> Report:
    """One report with every check, from one that lacks runtime and one that has runtime alone.

    Evidence is put together, and every check and score is made anew from it. Environment is that of the timing.

    Args:
        checked: of all groups but runtime.
        timed: of the same artifact; None where there was nothing to time.
        groups: all that were asked for.

    Raises:
        ReportError: the two are not of one artifact under the rules as they are.
    """
    if timed is not None:
        _check_same(checked, timed)
    if checked.rules_sha256 != rules_sha256(challenge_name):
        rule = "A report must be of the rules as they are"
        raise ReportError(rule, found=f"others for {checked.evidence.artifact.path}", remedy=_REMEDY)
    track = with_gate(load_challenge(challenge_name).track(checked.track), checked.psnr_gate)
    evidence, where = checked.evidence, checked.environment
    if timed is not None:
        measured = timed.evidence
        evidence = replace(
            evidence,
            runtime=measured.runtime,
            runtime_error=measured.runtime_error or measured.load_error or measured.stopped,
        )
        where = replace(timed.environment, worker={**where.worker, **timed.environment.worker})
    used = checked if checked.data != NO_IMAGES or timed is None else timed
    return replace(
        checked,
        data=used.data,
        official_data=used.official_data,
        created=checked.created if timed is None else timed.created,
        evidence=evidence,
        checks=verdicts(evidence, track, groups=groups),
        scores=scores(evidence, track, mos=checked.mos),
        environment=where,
    )


def _check_same(checked: Report, timed: Report) -> None:
    ours, theirs = (
        (r.challenge, r.track, r.rules_sha256, r.measured_as_sha256, r.evidence.artifact.sha256, r.psnr_gate)
        for r in (checked, timed)
    )
    if ours != theirs:
        found = f"two of {checked.evidence.artifact.path}"
        raise ReportError(
            "Reports that are put together must be of one artifact", found=found, remedy=_REMEDY
        )
