"""Who handed something in: the organiser's list of teams, else what a submission says of itself."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from pixelproof.errors import InputError
from pixelproof.files import read_bytes
from pixelproof.submit.judging.finding import Found
from pixelproof.submit.manifest import Team

COLUMNS = ("id", "name", "file", "received_at")
UNKNOWN = "A submission must be of a team that is on the list"


@dataclass(frozen=True)
class Sender:
    """Who a submission is of, and when it came where a list says so; ``problem`` says why it is of nobody."""

    id: str | None
    name: str | None
    received_at: datetime | None = None
    problem: str = ""


@dataclass(frozen=True)
class Listed:
    """One line of the list about one file."""

    team: Team
    received_at: datetime | None = None


@dataclass(frozen=True)
class Teams:
    """The organiser's list.

    Attributes:
        by_id: every team.
        by_file: where the list says which file is whose, by the file's name; all others are of nobody then.
        names_files: whether it says so.
    """

    by_id: Mapping[str, Team]
    by_file: Mapping[str, Listed] = field(default_factory=dict)
    names_files: bool = False


def read_teams(path: Path) -> Teams:
    """The list of teams: CSV with the columns ``id`` and ``name``, and if wanted ``file`` and ``received_at``.

    ``file`` is a submission's name, relative to the folder that is judged, or its file name alone. ``received_at`` is
    ISO 8601; without an offset it is UTC.

    Raises:
        InputError: unreadable, other columns, a team with two names, a file with two teams, a time that is none.
    """
    try:
        text = read_bytes(path, what="The list of teams").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("The list of teams must be UTF-8", found=f"{path}: {error}") from error
    try:
        rows = list(csv.DictReader(io.StringIO(text), strict=True))
    except csv.Error as error:
        raise InputError("The list of teams must be CSV", found=f"{path}: {error}") from error
    _check_columns(path, list(rows[0]) if rows else text.splitlines()[:1])
    by_id: dict[str, Team] = {}
    by_file: dict[str, Listed] = {}
    for number, row in enumerate(rows, start=2):
        team = _team(row, f"{path}, line {number}")
        if by_id.setdefault(team.id, team) != team:
            found = f"{team.id} is {by_id[team.id].name!r} and {team.name!r} in {path}"
            raise InputError("A team must have one name", found=found)
        _note_file(by_file, row, team, f"{path}, line {number}")
    if not by_id:
        raise InputError("The list of teams must name a team", found=f"none in {path}")
    return Teams(by_id, by_file, "file" in rows[0])


def sender_of(found: Found, claimed: Team | None, *, teams: Teams | None, model_stem: str | None) -> Sender:
    """Who a submission is of.

    Args:
        claimed: what its manifest says, which is a stranger's claim.
        teams: the organiser's list, which decides where it is given.
        model_stem: name that the challenge asks every team to give its model, without suffix.
    """
    named = claimed or _named(found, model_stem)
    if teams is None:
        return Sender(named.id, named.name)
    if teams.names_files:
        listed = teams.by_file.get(found.name) or teams.by_file.get(found.path.name)
        if listed is not None:
            return Sender(listed.team.id, listed.team.name, listed.received_at)
        return Sender(None, named.name, problem=f"no line for the file {found.name}")
    team = teams.by_id.get(named.id)
    if team is not None:
        return Sender(team.id, team.name)
    return Sender(None, named.name, problem=f"team {named.id!r}")


def _named(found: Found, model_stem: str | None) -> Team:
    """The team as the file is called; the folder's name where all teams' files are called alike."""
    path = PurePosixPath(found.name)
    stem = (
        path.stem if found.path.suffix.lower() in (".zip", ".pb", ".tflite", ".lite", ".onnx") else path.name
    )
    if found.kind == "artifact" and stem == model_stem and len(path.parts) > 1:
        stem = path.parts[-2]
    return Team(stem, stem)


def _check_columns(path: Path, columns: Sequence[str | None]) -> None:
    if columns and isinstance(columns[0], str) and "," in columns[0]:
        columns = columns[0].split(",")  # a list without teams
    unknown = [column for column in columns if column not in COLUMNS]
    missing = [column for column in ("id", "name") if column not in columns]
    if unknown or missing or ("received_at" in columns and "file" not in columns):
        found = f"{', '.join(map(str, columns)) or 'nothing'} in {path}"
        remedy = "Its first line is id,name or id,name,file or id,name,file,received_at."
        raise InputError("The list of teams must have the columns id and name", found=found, remedy=remedy)


def _team(row: Mapping[str, str | None], where: str) -> Team:
    if None in row or None in row.values():
        raise InputError("A line of the list of teams must have as many fields as the first", found=where)
    team = Team((row["id"] or "").strip(), (row["name"] or "").strip())
    if not team.id or not team.name:
        raise InputError("A team must have an id and a name", found=f"none in {where}")
    return team


def _note_file(by_file: dict[str, Listed], row: Mapping[str, str | None], team: Team, where: str) -> None:
    name = (row.get("file") or "").strip()
    if not name:
        return
    told = (row.get("received_at") or "").strip()
    listed = Listed(team, _time(told, where) if told else None)
    if by_file.setdefault(name, listed) != listed:
        raise InputError("A file must be of one team", found=f"{name} twice, in {where}")


def _time(text: str, where: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        remedy = "For example 2026-05-01T12:00:00Z."
        raise InputError(
            "A time of receipt must be ISO 8601", found=f"{text!r} in {where}", remedy=remedy
        ) from error
