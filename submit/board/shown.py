"""A board on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from pixelproof.console import Console
from pixelproof.submit.board.columns import moment, number, table
from pixelproof.submit.board.standing import Board, Ranking, Team, TrackBoard
from pixelproof.submit.board.teams import outcome_of

_LEFT_OUT = ("Trend", "Last", "Peak memory [MiB]")
"""Columns that a terminal has no room for."""


def show(console: Console, boards: Sequence[Board], *, with_history: bool) -> None:
    """Print the rankings, and with ``with_history`` every submission of the teams."""
    if not boards:
        console.line("The ledger holds no submission yet.")
    for board in boards:
        console.line(board.title, style="bold")
        rule = f"The {board.counts} passed submission of a team counts."
        console.line(
            f"{rule} Judged again by the rules {board.rules_sha256[:12]}." if board.rechecked else rule
        )
        for note in board.notes:
            console.line(note, style="yellow")
        for track in board.tracks:
            console.line()
            _show_track(console, track, with_history=with_history)


def _show_track(console: Console, track: TrackBoard, *, with_history: bool) -> None:
    told = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in track.outcomes.items())
    console.line(f"Track {track.name}: {track.title} ({told or 'no submissions'})", style="bold")
    if not track.teams:
        return
    for ranking in track.rankings:
        titles, rows = _narrow(ranking)
        console.table(f"{ranking.title}, {ranking.by}", titles, rows)
    if with_history:
        for team in track.teams:
            _show_team(console, track, team)


def _narrow(ranking: Ranking) -> tuple[list[str], list[list[str]]]:
    titles, rows = table(ranking)
    kept = [position for position, title in enumerate(titles) if title not in _LEFT_OUT]
    return [titles[n] for n in kept], [[row[n] for n in kept] for row in rows]


def _show_team(console: Console, track: TrackBoard, team: Team) -> None:
    measures = [ranking.measure for ranking in track.rankings if ranking.measure is not None]
    columns = ["Received (UTC)", "Submission", "Verdict", *(measure.title for measure in measures), "Remark"]
    rows = [
        [
            moment(entry.ticket.received_at),
            entry.ticket.name,
            outcome_of(entry).replace("_", " "),
            *(number(measure.of(entry), measure) for measure in measures),
            entry.found or entry.rule,
        ]
        for entry in team.entries
    ]
    console.table(f"Submissions of {team.label}", columns, rows)
