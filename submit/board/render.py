"""The pages of a site from their templates: index, one page a track, one of all its submissions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pixelproof.submit.board.columns import Column, columns_of
from pixelproof.submit.board.curve import sparkline
from pixelproof.submit.board.history import history_of, number_cell
from pixelproof.submit.board.report_pages import FOLDER, Page
from pixelproof.submit.board.standing import Board, Line, Ranking, TrackBoard

_PACKAGE = "pixelproof.submit.board"
_STATIC = ("style.css", "tables.js")
_TOLD = {
    "passed": "passed",
    "failed": "failed",
    "refused": "refused",
    "over_quota": "over the daily limit",
    "running": "being judged",
    "error": "to be judged again",
    "queued": "waiting",
}


@dataclass(frozen=True)
class Rendered:
    """One file of the site."""

    name: str
    text: str


@dataclass(frozen=True)
class Context:
    """What all pages need: the report pages, the tracks' file names, and the time that is shown."""

    pages: Mapping[int, Page]
    names: Mapping[tuple[str, str], str]
    made_at: str


def render(boards: Sequence[Board], *, pages: Mapping[int, Page], made_at: str) -> tuple[Rendered, ...]:
    """Every file of the site but the report pages.

    Args:
        pages: the report pages by judgement.
        made_at: the time that the pages show.
    """
    environment = Environment(
        loader=PackageLoader(_PACKAGE, "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    context = Context(pages, file_names(boards), made_at)
    index = environment.get_template("index.html")
    views = [_board(board, context) for board in boards]
    files = [
        Rendered(name, resources.files(_PACKAGE).joinpath("templates", name).read_text(encoding="utf-8"))
        for name in _STATIC
    ]
    files.append(Rendered("index.html", index.render(boards=views, made_at=made_at)))
    for board in boards:
        for track in board.tracks:
            files += _track_pages(environment, board, track, context)
    return tuple(files)


def file_names(boards: Sequence[Board]) -> dict[tuple[str, str], str]:
    """A file name without its ending for each (challenge, track), of plain characters and all different."""
    names: dict[tuple[str, str], str] = {}
    taken = {"index"}
    for board in boards:
        for track in board.tracks:
            text = f"{board.challenge}-{track.name}"
            plain = re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:80] or "track"
            unique, number = plain, 2
            while {unique.casefold(), f"{unique}-submissions".casefold()} & taken:
                unique, number = f"{plain}-{number}", number + 1
            taken |= {unique.casefold(), f"{unique}-submissions".casefold()}
            names[board.challenge, track.name] = unique
    return names


def _track_pages(
    environment: Environment, board: Board, track: TrackBoard, context: Context
) -> Iterator[Rendered]:
    name = context.names[board.challenge, track.name]
    anchors = {team.key: f"team-{number}" for number, team in enumerate(track.teams, start=1)}
    common = {
        "board": _facts(board),
        "track": _summary(track, name),
        "made_at": context.made_at,
    }
    rankings = [_ranking(ranking, anchors, f"{name}-submissions.html", context) for ranking in track.rankings]
    page = environment.get_template("track.html").render(**common, rankings=rankings)
    yield Rendered(f"{name}.html", page)
    teams = history_of(track, anchors, context.pages)
    page = environment.get_template("submissions.html").render(**common, teams=teams)
    yield Rendered(f"{name}-submissions.html", page)


def _board(board: Board, context: Context) -> dict[str, Any]:
    tracks = []
    for track in board.tracks:
        name = context.names[board.challenge, track.name]
        podiums = [
            {"title": ranking.title, "id": ranking.id, "lines": list(_podium(ranking))}
            for ranking in track.rankings
        ]
        tracks.append({**_summary(track, name), "podiums": podiums})
    return {**_facts(board), "tracks": tracks}


def _facts(board: Board) -> dict[str, Any]:
    facts = [f"The {board.counts} passed submission of a team counts."]
    if board.per_day is not None:
        facts.append(
            f"At most {board.per_day} passed submissions of a team a day (UTC) and track are ranked."
        )
    if board.rechecked:
        facts.append("Judged again by these rules from the saved reports.")
    return {
        "id": board.challenge,
        "title": board.title,
        "url": board.url if board.url.startswith(("https://", "http://")) else "",
        "rules": board.rules_sha256[:12],
        "facts": facts,
        "notes": board.notes,
    }


def _summary(track: TrackBoard, name: str) -> dict[str, Any]:
    return {
        "name": track.name,
        "title": track.title,
        "page": f"{name}.html",
        "submissions_page": f"{name}-submissions.html",
        "team_count": len(track.teams),
        "entry_count": sum(track.outcomes.values()),
        "outcomes": [{"id": key, "told": _TOLD[key], "count": n} for key, n in track.outcomes.items()],
    }


def _podium(ranking: Ranking) -> Iterator[dict[str, Any]]:
    columns = {column.kind: column for column in columns_of(ranking)}
    for line in ranking.lines[:3]:
        if line.place is not None:
            value = columns["value"].cell(line).text if "value" in columns else ""
            yield {"place": line.place, "team": line.team.label, "value": value}


def _ranking(
    ranking: Ranking, anchors: Mapping[tuple[str, str], str], history_page: str, context: Context
) -> dict[str, Any]:
    columns = [column for column in columns_of(ranking) if column.kind != "text"]
    shares = _shares(ranking)
    rows = [
        {
            "place": line.place,
            "team": line.team.label,
            "team_id": line.team.id if line.team.id != line.team.label else None,
            "history": f"{history_page}#{anchors[line.team.key]}",
            "remark": line.remark,
            "cells": _cells(line, columns[2:], ranking, shares.get(line.team.key, "")),
            "report": _report(line, context),
        }
        for line in ranking.lines
    ]
    titles = [(column.title, column.kind, column.is_number) for column in columns]
    with_reports = any(row["report"] for row in rows)
    return {
        "id": f"by-{re.sub(r'[^A-Za-z0-9_-]+', '-', ranking.id)}",
        "title": ranking.title,
        "by": ranking.by,
        "titles": titles,
        "rows": rows,
        "with_reports": with_reports,
    }


def _cells(line: Line, columns: Sequence[Column], ranking: Ranking, share: str) -> Markup:
    """All cells behind the team's; in Python, because a template takes three times as long for thousands of lines."""
    cells = []
    for column in columns:
        cell = column.cell(line)
        if column.kind == "trend" and ranking.measure is not None:
            measure = ranking.measure
            drawn = sparkline(line.trend, higher_is_better=measure.higher_is_better, label=measure.title)
            cells.append(f'<td class="trend">{drawn}</td>')
        elif column.kind == "value":
            bar = f'<i class="share" style="--w:{share}%"></i>' if share else ""
            cells.append(number_cell(bar + cell.text, cell.number, kind="num value", exact=True))
        else:
            cells.append(number_cell(cell.text, cell.number))
    return Markup("".join(cells))


def _report(line: Line, context: Context) -> str:
    key = None if line.entry is None else line.entry.judgement_id
    page = None if key is None else context.pages.get(key)
    return "" if page is None else f"{FOLDER}/{page.name}"


def _shares(ranking: Ranking) -> dict[tuple[str, str], str]:
    """How far each value lies between the last and the first, in percent; none where figures place the lines."""
    values = {line.team.key: line.value for line in ranking.lines if line.value is not None}
    finite = [value for value in values.values() if abs(value) < float("inf")]
    if ranking.by_figures or len(finite) < 2 or min(finite) == max(finite):
        return {}
    low, span = min(finite), max(finite) - min(finite)
    return {key: f"{6 + 94 * min(max((v - low) / span, 0), 1):.0f}" for key, v in values.items()}
