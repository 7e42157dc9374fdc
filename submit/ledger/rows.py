"""Records to rows and back."""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Row, Select, and_, select

from pixelproof.report import Report
from pixelproof.submit.ledger.records import FIGURES, Entry, Ticket, Verdict, failure_of, figures_of, team_key
from pixelproof.submit.ledger.tables import judgements, submissions

_TICKET = (
    "sha256", "name", "path", "team_id", "team_name", "received_at", "challenge", "track", "rules_sha256",
    "judged_as",
)  # fmt: skip
_JUDGEMENT = ("outcome", "finished_at", "rule", "found", "remedy", "pictures")
_SUBMISSION = ("id", "state", "owner", "judgement_id", "error_rule", "error_found", "error_remedy")
_T = len(_TICKET)
_S = _T + len(_SUBMISSION)
_J = _S + len(_JUDGEMENT)


def storable(text: str) -> str:
    """Text as every database takes it: undecodable bytes of file names and zeros become escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def _maybe(text: str | None) -> str | None:
    return None if text is None else storable(text)


def identity(ticket: Ticket) -> str:
    """Hash over all by which two tickets are one submission: content, name, team, track, rules."""
    parts = [getattr(ticket, name) for name in _TICKET if name not in ("path", "received_at")]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def row_of_ticket(ticket: Ticket) -> dict[str, Any]:
    """Columns of `submissions`."""
    values = {name: getattr(ticket, name) for name in _TICKET}
    row = {name: storable(value) if isinstance(value, str) else value for name, value in values.items()}
    return {**row, "identity": identity(ticket), "state": "queued"}


def row_of_verdict(ticket: Ticket, verdict: Verdict) -> dict[str, Any]:
    """Columns of `judgements`."""
    report = verdict.report
    measured = figures_of(report) if report is not None else {}
    rule, found = verdict.rule, verdict.found
    if report is not None and not rule:
        rule, found = failure_of(report)
    return {
        "sha256": ticket.sha256,
        "challenge": ticket.challenge,
        "track": ticket.track,
        "rules_sha256": ticket.rules_sha256,
        "judged_as": ticket.judged_as,
        "outcome": verdict.outcome,
        "started_at": verdict.started_at,
        "finished_at": verdict.finished_at,
        "host": storable(verdict.host),
        "rule": storable(rule),
        "found": storable(found),
        "remedy": storable(verdict.remedy),
        "pictures": _maybe(verdict.pictures),
        **{name: measured.get(name) for name in FIGURES},
        "report": None if report is None else json.dumps(report.to_json(), allow_nan=False),
    }


def rows_of_checks(report: Report) -> list[dict[str, Any]]:
    """Rows of `checks`, but for the judgement."""
    return [
        {
            "position": position,
            "check_id": check.id,
            "title": storable(check.title),
            "status": check.status,
            "expected": storable(check.expected),
            "found": storable(check.found),
            "remedy": storable(check.remedy),
        }
        for position, check in enumerate(report.checks)
    ]


def rows_of_scores(report: Report) -> list[dict[str, Any]]:
    """Rows of `scores`, but for the judgement; what is no number is no score."""
    given = report.scores or {}
    return [{"name": name, "value": float(value)} for name, value in given.items() if not math.isnan(value)]


def rows_of_files(verdict: Verdict) -> list[dict[str, Any]]:
    """Rows of `files`, but for the judgement."""
    return [
        {"position": n, "name": storable(file.name), "size_bytes": file.size_bytes, "sha256": file.sha256}
        for n, file in enumerate(verdict.files)
    ]


def entries_query() -> Select[Any]:
    """Submissions beside their judgements, without the reports; the columns stand as `entry_of_row` reads them."""
    return select(
        *(submissions.c[name] for name in _TICKET),
        *(submissions.c[name] for name in _SUBMISSION),
        *(judgements.c[name].label(f"judged_{name}") for name in _JUDGEMENT),
        *(judgements.c[name] for name in FIGURES),
    ).select_from(submissions.outerjoin(judgements, submissions.c.judgement_id == judgements.c.id))


def entry_of_row(row: Row[Any], scores: Mapping[int, Mapping[str, float]]) -> Entry:
    """An entry from a row of `entries_query`."""
    parts: tuple[Any, ...] = tuple(row)
    key, state, owner, judgement_id, *fault = list(parts[_T:_S])
    outcome, judged_at, rule, found, remedy, pictures = parts[_S:_J]
    if outcome is None:
        outcome = "error" if fault[0] else None
        rule, found, remedy = fault[0], fault[1], fault[2]
    return Entry(
        id=key,
        ticket=Ticket(*parts[:_T]),
        state=state,
        outcome=outcome,
        passed=outcome == "passed",
        figures={name: value for name, value in zip(FIGURES, parts[_J:], strict=True) if value is not None},
        scores=scores.get(judgement_id, {}),
        judged_at=judged_at,
        rule=rule,
        found=found,
        remedy=remedy,
        pictures=pictures,
        judgement_id=judgement_id,
        owner=owner,
    )


def grouped_scores(rows: Iterable[Any]) -> Mapping[int, Mapping[str, float]]:
    """(judgement, name, value) by judgement."""
    found: dict[int, dict[str, float]] = defaultdict(dict)
    for key, name, value in rows:
        found[key][name] = value
    return found


def same_team(ticket: Ticket) -> Any:
    """SQL: the submissions of this ticket's team; None where nobody knows the team."""
    team = team_key(ticket)
    if team is None:
        return None
    if team[0] == "id":
        return submissions.c.team_id == ticket.team_id
    return and_(submissions.c.team_id.is_(None), submissions.c.team_name == ticket.team_name)


def same_rules(ticket: Ticket) -> Any:
    """SQL: the submissions of this ticket's challenge and track under its rules."""
    return and_(
        submissions.c.challenge == ticket.challenge,
        submissions.c.track == ticket.track,
        submissions.c.rules_sha256 == ticket.rules_sha256,
    )


def same_content(ticket: Ticket) -> Any:
    """SQL: those of them that are judged to the same verdict."""
    return and_(
        same_rules(ticket),
        submissions.c.sha256 == ticket.sha256,
        submissions.c.judged_as == ticket.judged_as,
    )
