"""Where a ledger is: a file's path or a database URL, and how it is told to people without its password."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from pixelproof.errors import LedgerError

_SECRET = re.compile(r"pass|pwd|secret|token|key", re.IGNORECASE)


@dataclass(frozen=True)
class Address:
    """A place to open.

    Attributes:
        label: for messages, without passwords.
        file: of SQLite; None for a server.
        secrets: what no message may hold.
    """

    url: URL
    label: str
    file: Path | None
    secrets: tuple[str, ...] = ()

    def cleaned(self, text: str) -> str:
        """A driver's message without the password."""
        for secret in self.secrets:
            text = text.replace(secret, "***").replace(quote(secret, safe=""), "***")
        return text


def address_of(where: str) -> Address:
    """The address in a path or a URL.

    Raises:
        LedgerError: it is neither.
    """
    if not where.strip():
        raise LedgerError("A ledger must be named", found="nothing", remedy="For example ledger.sqlite.")
    if "://" not in where:
        file = Path(where).absolute()
        return Address(URL.create("sqlite", database=str(file)), where, file)
    try:
        url = make_url(where)
    except (ArgumentError, ValueError) as error:
        found = f"{where.split(':', 1)[0]}://..., which can't be read"
        remedy = "Write SCHEME://USER:PASSWORD@HOST:PORT/DATABASE, special characters of the password as %40."
        raise LedgerError("A ledger's URL must be one", found=found, remedy=remedy) from error
    if url.get_backend_name() == "sqlite":
        return _sqlite(url)
    values = {key: value for key, value in url.query.items() if _SECRET.search(key)}
    secrets = [
        url.password or "",
        *(v for value in values.values() for v in ([value] if isinstance(value, str) else value)),
    ]
    shown = url.update_query_dict(dict.fromkeys(values, "***")) if values else url
    label = shown.render_as_string(hide_password=True)
    return Address(url, label, None, tuple(secret for secret in secrets if secret))


def _sqlite(url: URL) -> Address:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        found = f"{url.database or 'no path'} in an sqlite URL"
        remedy = "Give the file's path; in a URL sqlite:///relative.sqlite or sqlite:////absolute.sqlite."
        raise LedgerError("A ledger must be a file or on a server", found=found, remedy=remedy)
    file = Path(url.database).absolute()
    return Address(url.set(database=str(file)), url.database, file)
