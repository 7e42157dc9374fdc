"""From what was found to tickets: hash, team, time of receipt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pixelproof.errors import InputError, SubmissionRefused
from pixelproof.files import sha256_of
from pixelproof.submit.archive import MANIFEST
from pixelproof.submit.judging.finding import Found
from pixelproof.submit.judging.teams import Teams, sender_of
from pixelproof.submit.ledger.records import Ticket
from pixelproof.submit.manifest import Manifest
from pixelproof.submit.zip_layout import read_layout
from pixelproof.submit.zip_members import checked_blocks
from pixelproof.submit.zip_rules import Limits

MOST_MANIFEST_BYTES = 4 << 20
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Receipt:
    """A submission on its way into the ledger.

    Attributes:
        companion: path of the second file of an artifact that was handed in as it is.
        problem: why it is of no team on the list; it is refused then, unjudged.
    """

    found: Found
    ticket: Ticket
    companion: str | None = None
    problem: str = ""


@dataclass(frozen=True)
class Contest:
    """What all tickets of a call have in common.

    Attributes:
        challenge: its id.
        judged_as: of `Terms`.
        companion: name of the second file that the track takes.
        model_stem: of the name that the challenge asks for.
    """

    challenge: str
    track: str
    rules_sha256: str
    judged_as: str
    companion: str | None = None
    model_stem: str | None = None


def receive(found: Found, contest: Contest, *, teams: Teams | None) -> Receipt:
    """The ticket of a submission; of a zip its manifest is read, and nothing else unpacked.

    Raises:
        OSError: it is gone, or can't be read.
    """
    path = found.path
    claimed = manifest_of(found) if found.kind == "zip" else None
    sender = sender_of(
        found, claimed.team if claimed is not None else None, teams=teams, model_stem=contest.model_stem
    )
    companion = path.parent / contest.companion if contest.companion and found.kind == "artifact" else None
    judged_as = contest.judged_as
    if companion is not None:
        second = sha256_of(companion) if companion.is_file() else "none"
        judged_as = combined({"judged_as": judged_as, "companion": second})
    if sender.problem:
        judged_as = combined({"judged_as": judged_as, "problem": sender.problem})
    ticket = Ticket(
        sha256=sha256_of(path),
        name=found.name,
        path=str(path),
        team_id=sender.id,
        team_name=sender.name,
        received_at=sender.received_at or _modified(path.stat().st_mtime),
        challenge=contest.challenge,
        track=contest.track,
        rules_sha256=contest.rules_sha256,
        judged_as=judged_as,
    )
    return Receipt(found, ticket, None if companion is None else str(companion), sender.problem)


def manifest_of(found: Found) -> Manifest | None:
    """What a zip says of itself; None where it has no manifest, or none that can be read without doubt.

    Nothing is refused here: judging it says why.

    Raises:
        OSError: it is gone, or can't be read.
    """
    try:
        with found.path.open("rb") as stream:
            listed = [entry for entry in read_layout(stream, limits=Limits()) if entry.name == MANIFEST]
            if not listed or listed[0].is_folder or listed[0].size_bytes > MOST_MANIFEST_BYTES:
                return None
            return parsed_manifest(b"".join(checked_blocks(stream, listed[0])), label=found.name)
    except (InputError, SubmissionRefused):
        return None


def parsed_manifest(data: bytes, *, label: str) -> Manifest:
    """A manifest from its bytes.

    Raises:
        InputError: it is none.
    """
    try:
        document = json.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InputError("A manifest must be JSON", found=f"{label}: {error}") from error
    return Manifest.from_json(document, label=label)


def combined(parts: Mapping[str, Any]) -> str:
    """One hash over some parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _modified(seconds: float) -> datetime:
    """A file's time of change; what no calendar has becomes 1970."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return _EARLIEST
