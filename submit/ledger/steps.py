"""Single steps inside a transaction: find an entry, take it over, count a team's day, keep a judgement's parts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, insert, select, update

from pixelproof.errors import LedgerError
from pixelproof.submit.ledger import tables
from pixelproof.submit.ledger.content import copy_of, judgement_of
from pixelproof.submit.ledger.quota import Room, day_bounds, room
from pixelproof.submit.ledger.records import Entry, Ticket, Verdict
from pixelproof.submit.ledger.rows import (
    entries_query,
    entry_of_row,
    grouped_scores,
    identity,
    rows_of_checks,
    rows_of_files,
    rows_of_scores,
    same_rules,
    same_team,
)
from pixelproof.submit.ledger.tables import judgements, submissions


def entry_at(connection: Connection, entry_id: int) -> Entry:
    """One entry.

    Raises:
        LedgerError: there is none.
    """
    row = connection.execute(entries_query().where(submissions.c.id == entry_id)).one_or_none()
    if row is None:
        raise LedgerError("A submission must be in the ledger", found=f"no number {entry_id}")
    wanted = select(tables.scores.c.judgement_id, tables.scores.c.name, tables.scores.c.value)
    judged = wanted.where(tables.scores.c.judgement_id == row.judgement_id)
    entry = entry_of_row(row, grouped_scores(connection.execute(judged)))
    return replace(entry, copy_of=copy_of(connection, entry))


def entry_of_ticket(connection: Connection, ticket: Ticket) -> Entry | None:
    """The entry that this ticket has already."""
    query = select(submissions.c.id).where(submissions.c.identity == identity(ticket))
    found = connection.execute(query).scalar()
    return None if found is None else entry_at(connection, found)


def change(connection: Connection, entry_id: int, **values: Any) -> None:
    """Set columns of a submission."""
    connection.execute(update(submissions).where(submissions.c.id == entry_id).values(**values))


def linked(connection: Connection, entry: Entry) -> Entry | None:
    """The entry with the judgement that its content has already; None where it has none."""
    if entry.state not in ("queued", "over_quota"):
        return None
    key = judgement_of(connection, entry)
    if key is None:
        return None
    change(connection, entry.id, state="judged", judgement_id=key)
    return entry_at(connection, entry.id)


def room_for(connection: Connection, entry: Entry, per_day: int | None) -> Room:
    """Whether the team may have this one judged too; without a known team nothing limits it.

    Of a content that was judged more than once, on other data for instance, the latest verdict tells.
    """
    team = same_team(entry.ticket)
    if per_day is None or team is None:
        return "free"
    first, behind = day_bounds(entry.ticket.received_at)
    joined = submissions.outerjoin(judgements, submissions.c.judgement_id == judgements.c.id)
    query = (
        select(submissions.c.sha256, submissions.c.state, judgements.c.outcome)
        .select_from(joined)
        .where(same_rules(entry.ticket), team, submissions.c.sha256 != entry.ticket.sha256)
        .where(submissions.c.received_at >= first, submissions.c.received_at < behind)
        .order_by(submissions.c.id)
    )
    latest = {sha256: (state, outcome) for sha256, state, outcome in connection.execute(query)}
    passed = sum(outcome == "passed" for _, outcome in latest.values())
    running = sum(state == "running" for state, _ in latest.values())
    return room(passed=passed, running=running, per_day=per_day)


def insert_parts(connection: Connection, judgement_id: int, verdict: Verdict) -> None:
    """A judgement's checks, scores and files."""
    report = verdict.report
    parts = [
        (tables.checks, rows_of_checks(report) if report else []),
        (tables.scores, rows_of_scores(report) if report else []),
        (tables.files, rows_of_files(verdict)),
    ]
    for table, rows in parts:
        if rows:
            connection.execute(insert(table), [{**row, "judgement_id": judgement_id} for row in rows])
