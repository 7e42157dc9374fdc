"""The ledger: every submission, its state and its judgement; each change is one transaction."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType

from sqlalchemy import Connection, Engine, insert, select, update

from pixelproof.errors import LedgerError, ReportError
from pixelproof.report import Report
from pixelproof.submit.ledger import tables
from pixelproof.submit.ledger.address import Address, address_of
from pixelproof.submit.ledger.content import copies, is_running_elsewhere, link_same
from pixelproof.submit.ledger.engine import (
    WRITES,
    check_file,
    check_version,
    create_tables,
    make_engine,
    use_write_ahead_log,
)
from pixelproof.submit.ledger.faults import database_faults
from pixelproof.submit.ledger.records import Entry, Ticket, Verdict
from pixelproof.submit.ledger.rows import (
    entries_query,
    entry_of_row,
    grouped_scores,
    row_of_ticket,
    row_of_verdict,
    storable,
)
from pixelproof.submit.ledger.steps import change, entry_at, entry_of_ticket, insert_parts, linked, room_for
from pixelproof.submit.ledger.tables import judgements, submissions

WAIT_S = 30.0
AT_A_TIME = 20
"""Reports that are read in one go."""


def open_ledger(where: str, *, create: bool = False, wait_s: float = WAIT_S) -> Ledger:
    """The ledger at a path (SQLite) or a database URL; also a context manager.

    Args:
        create: make one where there is none; otherwise only an existing one is opened, and read without a lock.
        wait_s: so long a lock of another program is waited for (SQLite).

    Raises:
        LedgerError: none there, damaged, of another version, no ledger, or an address that is none.
        EnvironmentFault: locked beyond the wait, not writable, unreachable, or the driver is not installed.
    """
    address = address_of(where)
    check_file(address, create=create)
    engine = make_engine(address, wait_s=wait_s)
    try:
        with database_faults(address):
            if create:
                with engine.connect() as connection, _begun(connection, writes=True):
                    create_tables(connection)
            with engine.connect() as connection:
                check_version(connection, address)
            if create and address.file is not None:
                use_write_ahead_log(engine, wait_s=wait_s)
    except BaseException:
        engine.dispose()
        raise
    return Ledger(engine, address)


class Ledger:
    """An open ledger. Several processes may have it open and write at once; made by `open_ledger`."""

    def __init__(self, engine: Engine, address: Address) -> None:
        self._engine = engine
        self._address = address
        self._process = os.getpid()

    @property
    def label(self) -> str:
        """Where it is, without a password."""
        return self._address.label

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def enter(self, ticket: Ticket) -> Entry:
        """Note a submission; the same one again gives the same entry.

        One is the same as another by its content, name, team, track, rules and ``judged_as``. A content that was
        judged already under the same rules, for anybody, comes back as ``judged``; a refusal only for the same team.
        """
        with self._writing() as connection:
            known = entry_of_ticket(connection, ticket)
            if known is None:
                row = row_of_ticket(ticket)
                key = connection.execute(insert(submissions).values(row)).inserted_primary_key
                assert key is not None
                known = entry_at(connection, int(key[0]))
            return linked(connection, known) or known

    def claim(self, entry_id: int, *, owner: str, per_day: int | None) -> Entry:
        """Ask for a submission in order to judge it.

        Returns:
            The entry, with ``state``:
            ``running``: this owner has it, and is the only one;
            ``judged``: there is a verdict already, perhaps of the same content under another name;
            ``over_quota``: the team has ``per_day`` other passed ones of that UTC day and track;
            ``queued``: not now; ask again after the next `finish`. Another owner has it, the same content is being
            judged, or as many of the team's are running as could use up its day.

        Raises:
            LedgerError: no such entry.
        """
        with self._writing() as connection:
            entry = entry_at(connection, entry_id)
            if entry.state == "judged" or (entry.state == "running" and entry.owner == storable(owner)):
                return entry
            if entry.state == "running":
                return replace(entry, state="queued")
            if done := linked(connection, entry):
                return done
            if is_running_elsewhere(connection, entry):
                return replace(entry, state="queued")
            match room_for(connection, entry, per_day):
                case "full":
                    change(connection, entry_id, state="over_quota")
                    return entry_at(connection, entry_id)
                case "wait":
                    return replace(entry, state="queued")
            mine = {"state": "running", "owner": storable(owner), "claimed_at": datetime.now(UTC)}
            change(connection, entry_id, **mine, error_rule="", error_found="", error_remedy="")
            return entry_at(connection, entry_id)

    def finish(self, entry_id: int, verdict: Verdict, *, owner: str) -> None:
        """Keep a verdict: all of it, or nothing where this is interrupted.

        With the outcome ``error`` the submission is queued again, the reason kept. All other queued submissions of
        the same content and rules get the same judgement.

        Raises:
            LedgerError: this owner does not have the submission, or finished it before.
        """
        with self._writing() as connection:
            entry = entry_at(connection, entry_id)
            if entry.state != "running" or entry.owner != storable(owner):
                found = f"submission {entry_id} is {entry.state}" + (
                    f" by {entry.owner}" if entry.owner else ""
                )
                remedy = "Two runs judged it: the first verdict stays."
                raise LedgerError(
                    "A submission is finished once, by who claimed it", found=found, remedy=remedy
                )
            if verdict.outcome == "error":
                reason = {
                    f"error_{part}": storable(getattr(verdict, part)) for part in ("rule", "found", "remedy")
                }
                reason["error_rule"] = reason["error_rule"] or "no reason given"
                change(connection, entry_id, state="queued", owner=None, claimed_at=None, **reason)
                return
            row = row_of_verdict(entry.ticket, verdict)
            key = connection.execute(insert(judgements).values(row)).inserted_primary_key
            assert key is not None
            insert_parts(connection, int(key[0]), verdict)
            change(connection, entry_id, state="judged", judgement_id=int(key[0]), owner=None)
            link_same(connection, entry, int(key[0]), outcome=verdict.outcome)

    def release(self, *, owner: str | None = None) -> int:
        """Queue again what this owner had claimed (None: anybody), after it was killed; how many these were."""
        held = submissions.c.state == "running"
        if owner is not None:
            held &= submissions.c.owner == owner
        with self._writing() as connection:
            done = connection.execute(
                update(submissions).where(held).values(state="queued", owner=None, claimed_at=None)
            )
            return done.rowcount

    def entries(self, *, challenge: str | None = None, track: str | None = None) -> tuple[Entry, ...]:
        """All entries by when they were received, then by id; no report is read."""
        query = entries_query().order_by(submissions.c.received_at, submissions.c.id)
        wanted = select(tables.scores.c.judgement_id, tables.scores.c.name, tables.scores.c.value)
        for column, value in (("challenge", challenge), ("track", track)):
            if value is not None:
                query = query.where(submissions.c[column] == value)
        with self._reading() as connection:
            scores = grouped_scores(connection.execute(wanted))
            return copies(entry_of_row(row, scores) for row in connection.execute(query))

    def report(self, entry_id: int) -> Report | None:
        """The report of a judged submission; None where it has none.

        Raises:
            LedgerError: no such entry.
            ReportError: it is of another schema.
        """
        with self._reading() as connection:
            entry = entry_at(connection, entry_id)
            wanted = select(judgements.c.report).where(judgements.c.id == entry.judgement_id)
            text = None if entry.judgement_id is None else connection.execute(wanted).scalar()
        return None if text is None else report_in(text, entry)

    def reports(
        self, *, challenge: str | None = None, track: str | None = None
    ) -> Iterator[tuple[Entry, Report]]:
        """Every entry that has a report, with it; few at a time are held.

        Raises:
            ReportError: a report is of another schema.
        """
        for entry, text in self.report_texts(self.entries(challenge=challenge, track=track)):
            yield entry, report_in(text, entry)

    def report_texts(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, str]]:
        """Those of some entries that have a report, with its JSON; `report_in` reads it."""
        judged = [entry for entry in entries if entry.outcome in ("passed", "failed")]
        for start in range(0, len(judged), AT_A_TIME):
            some = judged[start : start + AT_A_TIME]
            keys = {entry.judgement_id for entry in some}
            query = select(judgements.c.id, judgements.c.report).where(judgements.c.id.in_(keys))
            with self._reading() as connection:
                texts = {row.id: row.report for row in connection.execute(query)}
            for entry in some:
                if (text := texts.get(entry.judgement_id)) is not None:
                    yield entry, text

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with (
            database_faults(self._address),
            self._connected() as connection,
            _begun(connection, writes=False),
        ):
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """One transaction, and no other writer at the same time."""
        with database_faults(self._address), self._connected() as connection, _begun(connection, writes=True):
            connection.execute(select(tables.meta.c.key).with_for_update()).all()
            yield connection

    def _connected(self) -> Connection:
        if os.getpid() != self._process:  # a forked child must not use its parent's connections
            self._engine.dispose(close=False)
            self._process = os.getpid()
        return self._engine.connect()


@contextmanager
def _begun(connection: Connection, *, writes: bool) -> Iterator[None]:
    with connection.execution_options(**{WRITES: writes}).begin():
        yield


def report_in(text: str, entry: Entry) -> Report:
    """The report in what `Ledger.report_texts` gives.

    Raises:
        ReportError: it is of another schema, or no report.
    """
    label = f"submission {entry.id}, {entry.ticket.name}"
    try:
        return Report.from_json(json.loads(text), label=label)
    except (ValueError, RecursionError) as error:
        raise ReportError("A report must be JSON", found=f"{label}: {error}") from error
