"""How many submissions a team may have a day, and which of them is ranked: pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from pixelproof.submit.ledger.records import Entry, team_key

Room = Literal["free", "wait", "full"]


def room(*, passed: int, running: int, per_day: int | None) -> Room:
    """Whether one more submission may be judged.

    Args:
        passed: the team's other submissions of that day and track that passed.
        running: those that are being judged and may pass yet.
    """
    if per_day is None or passed + running < per_day:
        return "free"
    return "full" if passed >= per_day else "wait"


def day_of(received_at: datetime) -> date:
    """The UTC day that a submission counts for."""
    return received_at.astimezone(UTC).date()


def day_bounds(received_at: datetime) -> tuple[datetime, datetime]:
    """First moment of that day and of the next, UTC."""
    start = datetime.combine(day_of(received_at), datetime.min.time(), tzinfo=UTC)
    return start, start + timedelta(days=1)


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """By when they were received, then by id; when they were judged, and by what clock, has no part in it."""
    return sorted(entries, key=lambda entry: (entry.ticket.received_at, entry.id))


def within_quota(entries: Iterable[Entry], *, per_day: int | None) -> tuple[Entry, ...]:
    """The passed entries that count: the first ``per_day`` contents of each team, track and UTC day, in order.

    A content that a team hands in twice a day counts once; where nobody knows the team nothing limits it.
    """
    kept: list[Entry] = []
    used: dict[tuple[object, ...], set[str]] = {}
    for entry in in_order(entry for entry in entries if entry.passed):
        ticket = entry.ticket
        team = team_key(ticket)
        if per_day is not None and team is not None:
            day = used.setdefault((team, ticket.challenge, ticket.track, day_of(ticket.received_at)), set())
            if ticket.sha256 not in day and len(day) >= per_day:
                continue
            day.add(ticket.sha256)
        kept.append(entry)
    return tuple(kept)


def counted(
    entries: Sequence[Entry], *, counts: Literal["last", "best"], better: Callable[[Sequence[Entry]], Entry]
) -> Entry | None:
    """The one of a team's passed entries that is ranked; None where there is none.

    Args:
        entries: of one team and track.
        better: the best of some entries.
    """
    passed = in_order(entry for entry in entries if entry.passed)
    if not passed:
        return None
    return passed[-1] if counts == "last" else better(passed)
