"""A board as a JSON document."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pixelproof.schema import to_jsonable
from pixelproof.submit.board.standing import Board, Line, Ranking, Team, TrackBoard
from pixelproof.submit.board.teams import outcome_of
from pixelproof.submit.ledger.records import Entry

SCHEMA_VERSION = 1


def document_of(boards: Sequence[Board]) -> dict[str, Any]:
    """Everything: rules, rankings, teams with their histories. docs/leaderboard.md names the keys."""
    return {"schema_version": SCHEMA_VERSION, "challenges": [_board(board) for board in boards]}


def text_of(boards: Sequence[Board]) -> str:
    """The document as strict JSON; without indentation, which takes three times as long for thousands."""
    return json.dumps(document_of(boards), allow_nan=False) + "\n"


def _board(board: Board) -> dict[str, Any]:
    return {
        "challenge": board.challenge,
        "title": board.title,
        "url": board.url,
        "rules_sha256": board.rules_sha256,
        "rechecked": board.rechecked,
        "counts": board.counts,
        "per_day": board.per_day,
        "notes": list(board.notes),
        "tracks": [_track(track) for track in board.tracks],
    }


def _track(track: TrackBoard) -> dict[str, Any]:
    return {
        "track": track.name,
        "title": track.title,
        "outcomes": track.outcomes,
        "rankings": [_ranking(ranking) for ranking in track.rankings],
        "teams": [_team(team) for team in track.teams],
    }


def _ranking(ranking: Ranking) -> dict[str, Any]:
    measure = ranking.measure
    return {
        "id": ranking.id,
        "by": ranking.by,
        "measure": None if measure is None else measure.name,
        "higher_is_better": None if measure is None else measure.higher_is_better,
        "places": [_line(line) for line in ranking.lines],
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "rank": line.place,
        "team_id": line.team.id,
        "team_name": line.team.name,
        "submission": None if line.entry is None else line.entry.id,
        "value": _number(line.value),
        "ranks": None if line.ranked is None else dict(line.ranked.ranks),
        "entries": len(line.team.entries),
        "passed": line.team.passed,
        "last": _number(line.last),
        "best": _number(line.best),
        "remark": line.remark,
    }


def _team(team: Team) -> dict[str, Any]:
    eligible = {entry.id for entry in team.eligible}
    return {
        "team_id": team.id,
        "team_name": team.name,
        "history": [_entry(entry, counts=entry.id in eligible) for entry in team.entries],
    }


def _entry(entry: Entry, *, counts: bool) -> dict[str, Any]:
    ticket = entry.ticket
    return {
        "submission": entry.id,
        "name": ticket.name,
        "sha256": ticket.sha256,
        "received_at": ticket.received_at.isoformat(),
        "judged_at": None if entry.judged_at is None else entry.judged_at.isoformat(),
        "outcome": outcome_of(entry),
        "counts": counts,
        "scores": _numbers(entry.scores),
        "figures": _numbers(entry.figures),
        "rule": entry.rule,
        "found": entry.found,
        "remedy": entry.remedy,
        "copy_of": entry.copy_of,
    }


def _numbers(values: Mapping[str, float]) -> dict[str, Any]:
    return {name: _number(value) for name, value in values.items()}


def _number(value: float | None) -> Any:
    """As every document has it: infinity is a word."""
    return value if value is None or math.isfinite(value) else to_jsonable(value)
