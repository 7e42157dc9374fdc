"""From a ledger and what was asked for to the boards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pixelproof.challenge import known_challenges
from pixelproof.console import Console
from pixelproof.errors import CallError, did_you_mean
from pixelproof.report import Report, read_report
from pixelproof.submit.board.build import Rules, board_of, by_these_rules, rules_named
from pixelproof.submit.board.standing import Board
from pixelproof.submit.board.teams import team_named
from pixelproof.submit.ledger.records import Entry
from pixelproof.submit.ledger.store import Ledger, report_in
from pixelproof.validate.ranking import entry_of


@dataclass(frozen=True)
class Request:
    """What was asked for; None for all.

    Attributes:
        challenge: id or file.
        recheck: judge saved reports by today's rules.
        baseline: report that a weighted ranking divides by.
    """

    challenge: str | None = None
    track: str | None = None
    team: str | None = None
    recheck: bool = False
    baseline: Path | None = None


def make_boards(ledger: Ledger, request: Request, console: Console) -> list[Board]:
    """One board for each challenge.

    Raises:
        CallError: an unknown challenge, track or team, rules that nobody knows, or other rules than were judged by.
        LedgerError: the ledger is damaged.
    """
    entries = ledger.entries()
    all_rules = _rules(entries, request)
    if request.track is not None and len(all_rules) > 1:
        found = ", ".join(rules.challenge.id for rules in all_rules)
        raise CallError("--track needs --challenge", found=f"a ledger of {found}")
    baseline = None
    if request.baseline is not None:
        baseline = entry_of(read_report(request.baseline), name=request.baseline.stem)
    boards = []
    for rules in all_rules:
        own = [entry for entry in entries if entry.ticket.challenge == rules.challenge.id]
        if request.track is not None:
            rules.challenge.track(request.track)
            own = [entry for entry in own if entry.ticket.track == request.track]
        chosen, notes = (
            _rechecked(ledger, own, rules, console) if request.recheck else by_these_rules(own, rules)
        )
        boards.append(
            board_of(
                chosen,
                rules,
                track=request.track,
                baseline=baseline,
                rechecked=request.recheck,
                notes=notes,
            )
        )
    return boards if request.team is None else only_team(boards, request.team)


def report_reader(request: Request) -> Callable[[Entry, str], Report]:
    """How a stored report is read for its page: as it is, or judged again."""
    if not request.recheck:
        return lambda entry, text: report_in(text, entry)
    from pixelproof.submit.board.recheck import report_again

    known: dict[str, Rules] = {}

    def read(entry: Entry, text: str) -> Report:
        name = request.challenge or entry.ticket.challenge
        if name not in known:
            known[name] = rules_named(name)
        return report_again(entry, text, known[name])

    return read


def only_team(boards: Sequence[Board], name: str) -> list[Board]:
    """The boards with the lines of one team; its places stay those among all.

    Raises:
        CallError: nobody is called so.
    """
    everyone = [team for board in boards for track in board.tracks for team in track.teams]
    keys = {team.key for team in team_named(everyone, name)}
    chosen = []
    for board in boards:
        tracks = []
        for track in board.tracks:
            rankings = tuple(
                replace(ranking, lines=tuple(line for line in ranking.lines if line.team.key in keys))
                for ranking in track.rankings
            )
            teams = tuple(team for team in track.teams if team.key in keys)
            if teams:
                tracks.append(replace(track, rankings=rankings, teams=teams))
        if tracks:
            chosen.append(replace(board, tracks=tuple(tracks)))
    return chosen


def _rules(entries: Sequence[Entry], request: Request) -> list[Rules]:
    present = sorted({entry.ticket.challenge for entry in entries})
    if request.challenge is not None:
        rules = rules_named(request.challenge)
        if present and rules.challenge.id not in present:
            remedy = did_you_mean(rules.challenge.id, present)
            raise CallError("The ledger must hold the challenge", found=rules.challenge.id, remedy=remedy)
        return [rules]
    shipped = known_challenges()
    if unknown := [name for name in present if name not in shipped]:
        remedy = "Name the file that it was judged by: --challenge FILE."
        raise CallError("A challenge's rules must be known", found=", ".join(unknown), remedy=remedy)
    return [rules_named(name) for name in present]


def _rechecked(
    ledger: Ledger, entries: Sequence[Entry], rules: Rules, console: Console
) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    from pixelproof.submit.board.recheck import (
        recheck,  # with NumPy and SciPy; an ordinary board needs neither
    )

    total = len({entry.judgement_id for entry in entries if entry.outcome in ("passed", "failed")})
    with console.progress("Judging reports again", total=total) as advance:
        done = recheck(entries, ledger.report_texts(entries), rules, advance=advance)
    return done.entries, done.notes
