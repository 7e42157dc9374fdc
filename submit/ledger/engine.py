"""Opening a database: the engine, SQLite's settings, and whether it is a ledger of this version."""

from __future__ import annotations

import os
import sqlite3
import time
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, inspect, select, text
from sqlalchemy.exc import NoSuchModuleError

from pixelproof.errors import EnvironmentFault, LedgerError
from pixelproof.submit.ledger import tables
from pixelproof.submit.ledger.address import Address
from pixelproof.submit.ledger.faults import NO_LEDGER

WRITES = "pixelproof_writes"
_EXTRAS = {"postgresql": "postgres"}
_CREATION_LOCK = 0x70697870


def make_engine(address: Address, *, wait_s: float) -> Engine:
    """An engine for this address; nothing is opened yet.

    Raises:
        LedgerError: no such kind of database.
        EnvironmentFault: its driver is not installed.
    """
    try:
        if address.file is not None:
            return _sqlite(address, wait_s=wait_s)
        engine = create_engine(address.url, pool_pre_ping=True, hide_parameters=True)
    except NoSuchModuleError as error:
        found = address.url.drivername
        hint = "It is postgresql://. " if found.startswith("postgres") else ""
        remedy = f"{hint}Give a file's path, or a URL such as postgresql://USER:PASSWORD@HOST/DATABASE."
        raise LedgerError(
            "A ledger's URL must begin with a known database", found=found, remedy=remedy
        ) from error
    except ImportError as error:
        kind = address.url.get_backend_name()
        extra = _EXTRAS.get(kind)
        way = f'pip install "pixelproof[{extra}]"' if extra else f"install {error.name}"
        rule = f"A ledger in {kind} needs its driver"
        found = f"no module {error.name}"
        raise EnvironmentFault(rule, found=found, remedy=f"Get it: {way}.") from error
    if engine.dialect.is_async:
        remedy = "Name a driver that waits, such as postgresql+psycopg."
        raise LedgerError(
            "A ledger's driver must not be an asynchronous one", found=engine.driver, remedy=remedy
        )
    return engine


def _sqlite(address: Address, *, wait_s: float) -> Engine:
    file = address.file
    assert file is not None
    url = address.url
    if file.is_file() and _is_frozen(address):
        query = {"uri": "true", "immutable": "1", "mode": "ro"}
        url = URL.create("sqlite", database=f"file:{quote(str(file))}", query=query)
    engine = create_engine(url, connect_args={"timeout": wait_s, "isolation_level": None})

    @event.listens_for(engine, "connect")
    def settings(connection: sqlite3.Connection, record: Any) -> None:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _is_frozen(address: Address) -> bool:
    """Whether a file can be read and nothing beside it be written, as on a read-only disk; SQLite must be told."""
    file = address.file
    assert file is not None
    log = file.with_name(f"{file.name}-wal")
    return not os.access(file.parent, os.W_OK) and not (log.exists() and log.stat().st_size)


def use_write_ahead_log(engine: Engine, *, wait_s: float) -> None:
    """Let readers and a writer work at once. The switch itself doesn't wait for a lock, so it is tried again."""
    until = time.monotonic() + wait_s
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        while True:
            try:
                cursor.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
                if not busy or time.monotonic() > until:
                    raise
                time.sleep(0.02)
    finally:
        raw.close()


def create_tables(connection: Connection) -> None:
    """All tables and the version, where there are none yet; inside the caller's transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CREATION_LOCK})
    present = inspect(connection).get_table_names()
    if tables.meta.name in present:
        return
    if set(present) & set(tables.metadata.tables):
        raise LedgerError(NO_LEDGER, found=f"other tables: {', '.join(sorted(present))}")
    tables.metadata.create_all(connection, checkfirst=False)
    rows = [{"key": "kind", "value": tables.KIND}, {"key": "version", "value": str(tables.VERSION)}]
    connection.execute(insert(tables.meta), rows)


def check_version(connection: Connection, address: Address) -> None:
    """Refuse what is no ledger, or one of another version.

    Raises:
        LedgerError: it is.
    """
    present = inspect(connection).get_table_names()
    found = f"{address.label} with {', '.join(sorted(present)[:8]) or 'no tables'}"
    remedy = "judge-submissions --ledger makes one."
    if tables.meta.name not in present:
        raise LedgerError(NO_LEDGER, found=found, remedy=remedy)
    if {column["name"] for column in inspect(connection).get_columns(tables.meta.name)} != {"key", "value"}:
        raise LedgerError(NO_LEDGER, found=found, remedy=remedy)
    rows = connection.execute(select(tables.meta.c.key, tables.meta.c.value)).all()
    values = {str(key): str(value) for key, value in rows}
    if values.get("kind") != tables.KIND:
        raise LedgerError(NO_LEDGER, found=found, remedy=remedy)
    if values.get("version") != str(tables.VERSION):
        version = values.get("version", "none")
        newer = version.isdecimal() and int(version) > tables.VERSION
        way = (
            "Update pixelproof."
            if newer
            else "Judge into a new ledger, or open this one with the pixelproof of its time."
        )
        rule = f"A ledger must have version {tables.VERSION}"
        raise LedgerError(rule, found=f"version {version} in {address.label}", remedy=way)
    if missing := sorted(set(tables.metadata.tables) - set(present)):
        raise LedgerError("A ledger must be whole", found=f"no table {', '.join(missing)} in {address.label}")


def check_file(address: Address, *, create: bool) -> None:
    """What SQLite would only call "unable to open"."""
    file = address.file
    if file is None:
        return
    if file.is_dir():
        raise LedgerError(
            "A ledger must be a file", found=f"a folder: {address.label}", remedy="Name a file in it."
        )
    if not file.parent.is_dir():
        remedy = "Make the folder first, or name another."
        raise LedgerError("A ledger's folder must exist", found=f"no folder {file.parent}", remedy=remedy)
    if not file.exists() and not create:
        remedy = "judge-submissions --ledger makes one."
        raise LedgerError("A ledger must be there", found=f"no file {address.label}", remedy=remedy)
    if file.exists() and not file.is_file():
        raise LedgerError("A ledger must be a file", found=f"a device or pipe: {address.label}")
    if file.exists() and not os.access(file, os.R_OK):
        raise EnvironmentFault("The ledger must be readable", found=f"no permission for {address.label}")
    if create and not os.access(file if file.exists() else file.parent, os.W_OK):
        remedy = "Make the file and its folder writable, or copy the ledger elsewhere."
        raise EnvironmentFault("The ledger must be writable", found=address.label, remedy=remedy)
