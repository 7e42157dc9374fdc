"""A report as people read it: the table, the remedies, the scores, the verdict, what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from pixelproof.challenge import Challenge, Scores
from pixelproof.console import Console
from pixelproof.report import CheckResult, Report
from pixelproof.safety import missing_walls
from pixelproof.validate.judgement import LEFT_OUT

STYLES = {"failed": "bold red", "warning": "yellow"}


def show(console: Console, report: Report, challenge: Challenge) -> None:
    """Print a report."""
    judged = [check for check in report.checks if check.found != LEFT_OUT]
    rows = [[check.title, check.status, check.found, check.expected] for check in judged]
    console.table("", ["check", "verdict", "found", "the rule"], rows, status_column=1)
    for check in judged:
        if check.remedy:
            console.line(f"{check.title}: {check.remedy}", style=STYLES.get(check.status))
    if len(judged) < len(report.checks):
        left = ", ".join(check.title for check in report.checks if check.found == LEFT_OUT)
        console.line(f"Left out by --only or --skip: {left}")
    for line in _scores(report, challenge):
        console.line(line)
    measured = report.evidence.fidelity is not None or report.evidence.runtime is not None
    if measured and not report.official_data:
        console.line(
            "These figures are of the bundled samples, a demonstration; not the challenge's figures.",
            style="yellow",
        )
    if missing := missing_walls(report.environment.sandbox):
        told = f"The model ran without walls ({missing}): judge strangers' files elsewhere."
        console.line(told, style="yellow")
    text, style = verdict_of(report)
    console.line(text, style=style)


def verdict_of(report: Report) -> tuple[str, str]:
    """(one line, its style)."""
    failed, warned, unjudged = (
        _titles(check for check in report.checks if check.status == status and check.found != LEFT_OUT)
        for status in ("failed", "warning", "not_run")
    )
    rest = f"; not judged: {unjudged}" if unjudged else ""
    if failed:
        return f"FAILED: {failed}{rest}", "bold red"
    if warned:
        return f"PASSED, with a warning: {warned}{rest}", "yellow"
    return f"PASSED{rest}", "green"


def next_step(
    report: Report, challenge: Challenge, *, challenge_name: str, json_to: str | None, how: Sequence[str] = ()
) -> str:
    """What a participant does next.

    Args:
        how: options under which the report was made, to be repeated.
    """
    again = ["validate-pb"]
    if "--recheck" not in how:
        again.append(report.evidence.artifact.path)
    again += ["--track", report.track, *how]
    if challenge_name != "pirm2018":
        again += ["--challenge", challenge_name]
    kept = "rechecked.json" if "--recheck" in how else "report.json"
    again += ["--json", kept if json_to in (None, "-") else str(json_to)]
    if not report.passed:
        return f"mend what failed, then {shlex.join(again)}"
    submission = challenge.submission
    if submission is None:
        return f"{challenge.id} says nothing of submissions: hand the model in as its page asks"
    if report.evidence.artifact.format not in submission.formats:
        return f"{challenge.id} takes {' or '.join(submission.formats)}: judge that artifact too"
    ran = {check.id for check in report.checks if check.status != "not_run"}
    missing = [name for name in submission.required_checks if name not in ran]
    if missing:
        what = ", ".join(missing) if len(missing) < 4 else f"the other {len(missing)} checks"
        return f"judge {what} too, which a submission needs: {shlex.join(again)}"
    if json_to in (None, "-"):
        return f"keep the report: {shlex.join(again)}"
    pack = ["package-submission", "--model", report.evidence.artifact.path, "--report", str(Path(json_to))]
    if challenge_name != "pirm2018":
        pack += ["--challenge", challenge_name]
    return f"{shlex.join(pack)} --team-id ID --team-name NAME"


def _scores(report: Report, challenge: Challenge) -> list[str]:
    rules = challenge.track(report.track).scores
    if rules is None or report.scores is None:
        return []
    listed = ", ".join(f"{name} {value:.3f}" for name, value in report.scores.items())
    notes = []
    if report.mos is not None:
        notes.append(f"the mean opinion score {report.mos:g} in place of MS-SSIM")
    runtime = report.evidence.runtime
    if isinstance(rules, Scores):
        if runtime is not None and runtime.speedup is not None and runtime.speedup > rules.speedup_cap:
            notes.append(f"the speed-up counts as {rules.speedup_cap:g}")
    elif rules.device:
        notes.append(f"by this machine's runtime; the challenge times on a {rules.device}")
    return [f"Scores: {listed}" + (f" ({'; '.join(notes)})" if notes else "")]


def _titles(checks: Iterable[CheckResult]) -> str:
    return ", ".join(check.title for check in checks)
