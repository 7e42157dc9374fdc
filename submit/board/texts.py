"""A board as CSV and as Markdown; what a stranger wrote stays text in both."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence

from pixelproof.printable import printable
from pixelproof.submit.board.columns import Column, columns_of
from pixelproof.submit.board.standing import Board, Line, Ranking, TrackBoard
from pixelproof.submit.ledger.records import FIGURES

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]#!|<>&~^$:.@])")

CSV_COLUMNS = (
    "challenge", "track", "ranking", "rank", "team_id", "team_name", "value", "submission", "sha256",
    "received_at", "judged_at", *FIGURES, "entries", "passed", "last", "best", "remark",
)  # fmt: skip


def as_csv(boards: Sequence[Board]) -> str:
    """One line for each team in each ranking; text that a spreadsheet would take for a formula gets an apostrophe."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for board in boards:
        for track in board.tracks:
            for ranking in track.rankings:
                writer.writerows(_csv_row(board, track, ranking, line) for line in ranking.lines)
    return stream.getvalue()


def harmless(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def as_markdown(boards: Sequence[Board]) -> str:
    """A heading for each track and ranking, and its table."""
    return (
        "\n".join(line for board in boards for line in _markdown(board)) + "\n"
        if boards
        else "No submissions.\n"
    )


def markdown_text(text: str) -> str:
    """Text that Markdown shows as it is."""
    return _MARKDOWN.sub(r"\\\1", " ".join(printable(text).split()))


def _csv_row(board: Board, track: TrackBoard, ranking: Ranking, line: Line) -> list[str]:
    entry, team = line.entry, line.team
    ticket = entry.ticket if entry is not None else None
    texts: list[object] = [
        board.challenge,
        track.name,
        ranking.id,
        line.place,
        team.id,
        team.name,
        line.value,
        ticket.name if ticket else None,
        ticket.sha256 if ticket else None,
        ticket.received_at.isoformat() if ticket else None,
        entry.judged_at.isoformat() if entry is not None and entry.judged_at is not None else None,
        *(entry.figures.get(name) if entry is not None else None for name in FIGURES),
        len(team.entries),
        team.passed,
        line.last,
        line.best,
        line.remark,
    ]
    return [_cell(value) for value in texts]


def _cell(value: object) -> str:
    if value is None:
        return ""
    return harmless(printable(value)) if isinstance(value, str) else repr(value)


def _markdown(board: Board) -> Iterator[str]:
    yield f"# {markdown_text(board.title)}"
    yield ""
    for note in board.notes:
        yield f"{markdown_text(note)}\n"
    for track in board.tracks:
        yield f"## {markdown_text(track.name)}: {markdown_text(track.title)}"
        yield ""
        if not track.teams:
            yield "No submissions.\n"
            continue
        for ranking in track.rankings:
            yield f"### {markdown_text(ranking.title)}"
            yield ""
            columns = [column for column in columns_of(ranking) if column.kind != "trend"]
            yield f"| {' | '.join(column.title.replace('|', '/') for column in columns)} |"
            yield f"| {' | '.join('---:' if column.is_number else '---' for column in columns)} |"
            for line in ranking.lines:
                yield f"| {' | '.join(_markdown_cell(column, line) for column in columns)} |"
            yield ""


def _markdown_cell(column: Column, line: Line) -> str:
    text = column.cell(line).text
    return text if column.is_number else markdown_text(text)
