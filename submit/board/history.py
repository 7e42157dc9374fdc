"""All submissions of a track, team by team, as a page shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from pixelproof.submit.board.columns import FIGURE_COLUMNS, moment, number
from pixelproof.submit.board.curve import sparkline
from pixelproof.submit.board.report_pages import FOLDER, Page
from pixelproof.submit.board.standing import Measure, Team, TrackBoard
from pixelproof.submit.board.teams import outcome_of
from pixelproof.submit.ledger.records import Entry

_NOT_COUNTED = "over the daily limit: not ranked"


def history_of(
    track: TrackBoard, anchors: Mapping[tuple[str, str], str], pages: Mapping[int, Page]
) -> list[dict[str, Any]]:
    """One view for each team.

    Args:
        anchors: the ids of the teams' sections.
        pages: report pages by judgement.
    """
    measures = [ranking.measure for ranking in track.rankings if ranking.measure is not None]
    scores = [measure for measure in measures if measure.is_score]
    present = {name for team in track.teams for entry in team.entries for name in entry.figures}
    figures = {name: shown for name, shown in FIGURE_COLUMNS.items() if name in present}
    labels = {entry.id: team.label for team in track.teams for entry in team.entries}
    titles = [measure.title for measure in scores] + [title for title, _ in figures.values()]
    views = []
    for team in track.teams:
        eligible = {entry.id for entry in team.eligible}
        views.append(
            {
                "anchor": anchors[team.key],
                "label": team.label,
                "team_id": team.id if team.id != team.label else "",
                "passed": team.passed,
                "count": len(team.entries),
                "curves": [curve for measure in measures for curve in _curves(team, measure)],
                "titles": titles,
                "rows": [_row(e, scores, figures, eligible, labels, pages) for e in reversed(team.entries)],
            }
        )
    return views


def number_cell(text: str, value: float | None, *, kind: str = "num", exact: bool = False) -> str:
    """A table's cell, as HTML; ``text`` comes from a number, so nothing in it needs escaping.

    Args:
        exact: sort by the value itself and not by the digits that are shown; so does text that is no number.
    """
    is_plain = text.replace(".", "", 1).replace("-", "", 1).isdecimal()
    if value is None or (is_plain and not exact):
        return f'<td class="{kind}">{text}</td>'
    return f'<td class="{kind}" data-sort="{value!r}">{text}</td>'


def _curves(team: Team, measure: Measure) -> list[dict[str, Any]]:
    """The line of one measure; none where there are not two values."""
    values = [value for value in map(measure.of, team.eligible) if value is not None]
    if len(values) < 2:
        return []
    drawn = sparkline(
        values, higher_is_better=measure.higher_is_better, label=measure.title, width=110, height=30
    )
    return [{"title": measure.title, "svg": drawn}]


def _row(
    entry: Entry,
    scores: list[Measure],
    figures: Mapping[str, tuple[str, int]],
    eligible: set[int],
    labels: Mapping[int, str],
    pages: Mapping[int, Page],
) -> dict[str, Any]:
    values = [entry.scores.get(measure.name) for measure in scores]
    cells = [number_cell(number(v, m), v) for v, m in zip(values, scores, strict=True)]
    for name, (_, digits) in figures.items():
        value = entry.figures.get(name)
        cells.append(number_cell("–" if value is None else f"{value:.{digits}f}", value))
    page = pages.get(entry.judgement_id) if entry.judgement_id is not None else None
    return {
        "received": moment(entry.ticket.received_at),
        "received_at": entry.ticket.received_at.timestamp(),
        "name": entry.ticket.name,
        "outcome": outcome_of(entry),
        "cells": Markup("".join(cells)),
        "note": _note(entry, eligible, labels),
        "report": "" if page is None else f"{FOLDER}/{page.name}",
    }


def _note(entry: Entry, eligible: set[int], labels: Mapping[int, str]) -> str:
    parts = []
    if entry.rule and entry.outcome != "passed":
        said = f"{entry.rule}: {entry.found}" if entry.found else entry.rule
        parts.append(entry.found if entry.outcome == "failed" and entry.found else said)
    if entry.passed and entry.id not in eligible:
        parts.append(_NOT_COUNTED)
    if entry.copy_of is not None:
        whose = labels.get(entry.copy_of)
        parts.append(f"same content as submission {entry.copy_of}" + (f" of {whose}" if whose else ""))
    return "; ".join(parts)
