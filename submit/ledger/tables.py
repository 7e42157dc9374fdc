"""The ledger's tables, for any database that SQLAlchemy knows. docs/ledger.md describes them to people."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

from pixelproof.submit.ledger.records import FIGURES

VERSION = 1
KIND = "pixelproof ledger"


class UtcTime(TypeDecorator[datetime]):
    """An aware time in and out; stored as UTC without its zone, which SQLite doesn't keep."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC, zone dropped."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without its zone: {value}")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware again."""
        return None if value is None else value.replace(tzinfo=UTC)


metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", String(32), primary_key=True),
    Column("value", String(64), nullable=False),
)

judgements = Table(
    "judgements",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("challenge", String(255), nullable=False),
    Column("track", String(255), nullable=False),
    Column("rules_sha256", String(64), nullable=False),
    Column("judged_as", String(255), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime, nullable=False),
    Column("host", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("found", Text, nullable=False),
    Column("remedy", Text, nullable=False),
    Column("pictures", Text),
    *(Column(name, Double) for name in FIGURES),
    Column("report", Text),
    Index("judgements_by_content", "sha256", "rules_sha256", "judged_as"),
)

submissions = Table(
    "submissions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("identity", String(64), nullable=False, unique=True),
    Column("sha256", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("team_id", Text),
    Column("team_name", Text),
    Column("received_at", UtcTime, nullable=False),
    Column("challenge", String(255), nullable=False),
    Column("track", String(255), nullable=False),
    Column("rules_sha256", String(64), nullable=False),
    Column("judged_as", String(255), nullable=False),
    Column("state", String(16), nullable=False),
    Column("owner", String(255)),
    Column("claimed_at", UtcTime),
    Column("judgement_id", ForeignKey("judgements.id")),
    Column("error_rule", Text, nullable=False, default=""),
    Column("error_found", Text, nullable=False, default=""),
    Column("error_remedy", Text, nullable=False, default=""),
    Index("submissions_by_content", "sha256", "rules_sha256"),
    Index("submissions_by_judgement", "judgement_id"),
    Index("submissions_by_day", "challenge", "track", "received_at"),
    Index("submissions_by_state", "state"),
)

checks = Table(
    "checks",
    metadata,
    Column("judgement_id", ForeignKey("judgements.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("check_id", String(64), nullable=False),
    Column("title", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("expected", Text, nullable=False),
    Column("found", Text, nullable=False),
    Column("remedy", Text, nullable=False),
)

scores = Table(
    "scores",
    metadata,
    Column("judgement_id", ForeignKey("judgements.id"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("value", Double, nullable=False),
)

files = Table(
    "files",
    metadata,
    Column("judgement_id", ForeignKey("judgements.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
)
