"""Which submissions a board is made of, and whose they are: pure functions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from pixelproof.errors import CallError, did_you_mean
from pixelproof.submit.board.standing import Team
from pixelproof.submit.ledger.quota import in_order, within_quota
from pixelproof.submit.ledger.records import Entry, team_key


def current(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The latest verdict on each submission: one that was judged again, on other data perhaps, appears once.

    One that waits to be judged again keeps its earlier verdict.
    """
    found: dict[tuple[str, str, str | None, str | None], Entry] = {}
    for entry in sorted(entries, key=lambda entry: entry.id):
        ticket = entry.ticket
        key = ticket.sha256, ticket.name, ticket.team_id, ticket.team_name
        if key not in found or entry.state == "judged" or found[key].state != "judged":
            found[key] = entry
    return tuple(in_order(found.values()))


def teams_of(entries: Sequence[Entry], *, per_day: int | None) -> tuple[Team, ...]:
    """The teams of one track's submissions, by label; a submission of nobody known is a team of its own."""
    within = {entry.id for entry in within_quota(entries, per_day=per_day)}
    by_team: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        by_team[team_key(entry.ticket) or ("file", entry.ticket.name)].append(entry)
    teams = [
        Team(
            key=key,
            id=key[1] if key[0] == "id" else None,
            name=next((e.ticket.team_name for e in reversed(own) if e.ticket.team_name), None),
            entries=tuple(own),
            eligible=tuple(entry for entry in own if entry.id in within),
        )
        for key, own in by_team.items()
    ]
    return tuple(sorted(teams, key=lambda team: (team.label.casefold(), team.key)))


def outcomes(entries: Iterable[Entry]) -> dict[str, int]:
    """How many submissions passed, failed, were refused, wait, are over the daily limit."""
    found = Counter(outcome_of(entry) for entry in entries)
    order = ("passed", "failed", "refused", "over_quota", "running", "error", "queued")
    return {name: found[name] for name in order if found[name]}


def outcome_of(entry: Entry) -> str:
    """Where a submission is, in one word."""
    return entry.state if entry.state in ("over_quota", "running") else entry.outcome or entry.state


def team_named(teams: Iterable[Team], name: str) -> tuple[Team, ...]:
    """The teams of this id, else of this name.

    Raises:
        CallError: there is none.
    """
    known = list(teams)
    for attribute in ("id", "name", "label"):
        if found := tuple(team for team in known if getattr(team, attribute) == name):
            return found
    choices = sorted({team.label for team in known} | {team.id for team in known if team.id})
    remedy = did_you_mean(name, choices) if len(choices) <= 30 else _nearest(name, choices)
    raise CallError("--team must name a team of the ledger", found=repr(name), remedy=remedy)


def _nearest(name: str, choices: list[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, choices, n=5, cutoff=0.5)
    return f"Did you mean {', '.join(near)}?" if near else f"There are {len(choices)}; --csv - lists them."
