"""Submissions of the same content: judged once, and noted where teams share one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy import ColumnElement, Connection, and_, exists, or_, select, update

from pixelproof.submit.ledger.records import Entry, Outcome, Ticket, team_key
from pixelproof.submit.ledger.rows import same_content
from pixelproof.submit.ledger.tables import judgements, submissions


def judgement_of(connection: Connection, entry: Entry) -> int | None:
    """The judgement that this content has under the same rules; a refusal only where it was this team's."""
    ticket = entry.ticket
    refused_here = exists().where(
        submissions.c.judgement_id == judgements.c.id,
        judgements.c.outcome == "refused",
        _exactly_team(ticket),
    )
    query = (
        select(judgements.c.id)
        .where(
            judgements.c.sha256 == ticket.sha256,
            judgements.c.challenge == ticket.challenge,
            judgements.c.track == ticket.track,
            judgements.c.rules_sha256 == ticket.rules_sha256,
            judgements.c.judged_as == ticket.judged_as,
        )
        .where(or_(judgements.c.outcome.in_(("passed", "failed")), refused_here))
        .order_by(judgements.c.id)
        .limit(1)
    )
    return connection.execute(query).scalar()


def link_same(connection: Connection, entry: Entry, judgement_id: int, *, outcome: Outcome) -> None:
    """Give a new judgement to all other submissions of this content that wait for one."""
    ticket = entry.ticket
    waiting = and_(same_content(ticket), submissions.c.state.in_(("queued", "over_quota")))
    if outcome == "refused":
        waiting = and_(waiting, _exactly_team(ticket))
    connection.execute(update(submissions).where(waiting).values(state="judged", judgement_id=judgement_id))


def is_running_elsewhere(connection: Connection, entry: Entry) -> bool:
    """Whether the same content is being judged under another name."""
    ticket = entry.ticket
    query = select(submissions.c.id).where(
        same_content(ticket),
        submissions.c.state == "running",
        submissions.c.id != entry.id,
    )
    return connection.execute(query.limit(1)).scalar() is not None


def copies(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Entries in the order in which they were received, those marked whose content another team had before."""
    first: dict[tuple[str, str, str], Entry] = {}
    marked = []
    for entry in entries:
        ticket = entry.ticket
        earliest = first.setdefault((ticket.challenge, ticket.track, ticket.sha256), entry)
        mine, theirs = team_key(ticket), team_key(earliest.ticket)
        is_copy = earliest is not entry and mine is not None and theirs is not None and mine != theirs
        marked.append(replace(entry, copy_of=earliest.id) if is_copy else entry)
    return tuple(marked)


def copy_of(connection: Connection, entry: Entry) -> int | None:
    """The same for one entry: the id of the earliest submission of its content, where that is another team's."""
    ticket = entry.ticket
    query = (
        select(submissions.c.id, submissions.c.team_id, submissions.c.team_name)
        .where(
            submissions.c.sha256 == ticket.sha256,
            submissions.c.challenge == ticket.challenge,
            submissions.c.track == ticket.track,
        )
        .order_by(submissions.c.received_at, submissions.c.id)
        .limit(1)
    )
    key, team_id, team_name = connection.execute(query).one()
    mine = team_key(ticket)
    theirs = team_key(replace(ticket, team_id=team_id, team_name=team_name))
    return key if key != entry.id and mine is not None and theirs is not None and mine != theirs else None


def _exactly_team(ticket: Ticket) -> ColumnElement[bool]:
    return and_(
        submissions.c.team_id == ticket.team_id
        if ticket.team_id is not None
        else submissions.c.team_id.is_(None),
        submissions.c.team_name == ticket.team_name
        if ticket.team_name is not None
        else submissions.c.team_name.is_(None),
    )
