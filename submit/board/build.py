"""From the ledger's entries to a board, by the rules of one challenge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pixelproof.challenge import Challenge, load_challenge, rules_sha256
from pixelproof.errors import CallError
from pixelproof.submit.board.rankings import Counts, rankings_of
from pixelproof.submit.board.standing import Board, TrackBoard
from pixelproof.submit.board.teams import current, outcomes, teams_of
from pixelproof.submit.ledger.records import Entry
from pixelproof.validate.ranking import Entry as RankEntry


@dataclass(frozen=True)
class Rules:
    """A challenge and the hash of its text; ``name`` is its id or its file."""

    name: str
    challenge: Challenge
    sha256: str

    @property
    def counts(self) -> Counts:
        """Which of a team's submissions is ranked."""
        submission = self.challenge.submission
        return "last" if submission is None else submission.counts

    @property
    def per_day(self) -> int | None:
        """How many submissions a day count."""
        submission = self.challenge.submission
        return None if submission is None else submission.per_day


def rules_named(name: str) -> Rules:
    """The rules of a challenge's id or file.

    Raises:
        CallError: unknown id.
        ChallengeError: the file breaks the schema.
    """
    return Rules(name, load_challenge(name), rules_sha256(name))


def by_these_rules(entries: Sequence[Entry], rules: Rules) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """The entries that were judged by these rules, and notes about others.

    Raises:
        CallError: all were judged by other rules.
    """
    same = tuple(entry for entry in entries if entry.ticket.rules_sha256 == rules.sha256)
    others = len(entries) - len(same)
    if others and not same:
        found = f"{others} by other rules, none by {rules.name} as it is now"
        remedy = (
            "Name the file that they were judged by, judge again, or re-rank the saved reports: --recheck."
        )
        raise CallError(
            f"Submissions of {rules.challenge.id} must be judged by its rules", found=found, remedy=remedy
        )
    told = f"{others} submissions were judged by other rules of {rules.challenge.id} and are left out"
    return same, (told,) if others else ()


def board_of(
    entries: Sequence[Entry],
    rules: Rules,
    *,
    track: str | None = None,
    baseline: RankEntry | None = None,
    rechecked: bool = False,
    notes: Sequence[str] = (),
) -> Board:
    """The board of one challenge.

    Args:
        entries: of this challenge, by these rules.
        track: only this one; None for all.

    Raises:
        CallError: no such track, or a weighted ranking without a baseline.
    """
    challenge = rules.challenge
    names = list(challenge.tracks) if track is None else [track]
    return Board(
        challenge=challenge.id,
        title=challenge.title,
        url=challenge.url,
        rules_sha256=rules.sha256,
        counts=rules.counts,
        per_day=rules.per_day,
        rechecked=rechecked,
        tracks=tuple(_track(entries, rules, name, baseline=baseline) for name in names),
        notes=tuple(notes),
    )


def _track(entries: Sequence[Entry], rules: Rules, name: str, *, baseline: RankEntry | None) -> TrackBoard:
    track = rules.challenge.track(name)
    own = current(entry for entry in entries if entry.ticket.track == name)
    teams = teams_of(own, per_day=rules.per_day)
    ranked = rankings_of(track, teams, counts=rules.counts, baseline=baseline)
    return TrackBoard(name, track.title, ranked, teams, outcomes(own))
