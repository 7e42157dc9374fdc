"""What a database answers, as errors that say the way out."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from pixelproof.errors import EnvironmentFault, LedgerError, PixelproofError
from pixelproof.submit.ledger.address import Address

NO_LEDGER = "A ledger must be pixelproof's database"
DAMAGED = "Put a backup in its place, or try the recovery that docs/ledger.md describes."
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
_FULL = (sqlite3.SQLITE_FULL,)
_READ_ONLY = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_SCHEMA)


@contextmanager
def database_faults(address: Address) -> Iterator[None]:
    """Turns what a driver raises into an error of ours.

    Raises:
        LedgerError: damaged, or no ledger.
        EnvironmentFault: locked beyond the wait, not writable, full, unreachable.
    """
    try:
        yield
    except DBAPIError as error:
        raise _told(error, address) from error
    except SQLAlchemyError as error:
        found = f"{address.label}: {_first_line(address.cleaned(str(error)))}"
        raise LedgerError("A ledger must be readable", found=found, remedy=DAMAGED) from error


def _told(error: DBAPIError, address: Address) -> PixelproofError:
    original = error.orig
    if isinstance(original, sqlite3.Error):
        return _of_sqlite(original, address)
    text = _first_line(address.cleaned(str(original)))
    if type(original).__name__ in ("OperationalError", "InterfaceError"):
        remedy = "See that the server runs, and that user, password and database are right."
        return EnvironmentFault(
            "The ledger's server must answer", found=f"{address.label}: {text}", remedy=remedy
        )
    if type(original).__name__ == "InsufficientPrivilege":
        remedy = "Let the user of the URL create and change tables there."
        return EnvironmentFault(
            "The ledger must be writable", found=f"{address.label}: {text}", remedy=remedy
        )
    return LedgerError("A ledger must take what is written", found=f"{address.label}: {text}")


def _of_sqlite(error: sqlite3.Error, address: Address) -> PixelproofError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    found = f"{address.label}: {error}"
    if code in _LOCKED:
        remedy = "Another program holds it: wait for it, or end it. A ledger on a network drive can't be locked well."
        return EnvironmentFault("The ledger must be free", found=found, remedy=remedy)
    if code in _FULL:
        remedy = "Free some space; nothing that was finished is lost."
        return EnvironmentFault("The disk is full", found=found, remedy=remedy)
    if code in _READ_ONLY:
        remedy = "Make the file and its folder writable, or copy the ledger elsewhere."
        return EnvironmentFault("The ledger must be writable", found=found, remedy=remedy)
    if code == sqlite3.SQLITE_IOERR:
        return EnvironmentFault("The ledger's disk must work", found=found, remedy="Look at the disk.")
    if code in _DAMAGED:
        return LedgerError("A ledger must be whole", found=found, remedy=DAMAGED)
    return LedgerError(NO_LEDGER, found=found, remedy=DAMAGED)


def _first_line(text: str) -> str:
    return " ".join(text.split())[:300]
