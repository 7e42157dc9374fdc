"""The leaderboard as a folder of files for any web server; whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelproof.errors import CallError
from pixelproof.files import replacing_folder
from pixelproof.report import Report
from pixelproof.submit.board.document import text_of
from pixelproof.submit.board.render import Rendered, render
from pixelproof.submit.board.report_pages import FOLDER, Advance, Made, Page, make_pages
from pixelproof.submit.board.standing import Board
from pixelproof.submit.ledger.records import Entry

MARK = "site.json"
MAKER = "pixelproof leaderboard"


@dataclass(frozen=True)
class Reports:
    """Where report pages come from: the reports' JSON of some entries, and the report in it."""

    texts: Callable[[Iterable[Entry]], Iterable[tuple[Entry, str]]]
    read: Callable[[Entry, str], Report]


def write_site(
    out: Path, boards: Sequence[Board], *, made_at: str, reports: Reports | None, advance: Advance
) -> tuple[str, ...]:
    """Write the site; what else to know about its pages.

    Args:
        out: the folder; one that is there must be empty or such a site, and is replaced.
        made_at: the time that the pages show.
        reports: None leaves the report pages out.
        advance: told of each report page.

    Raises:
        CallError: the folder holds something else.
        EnvironmentFault: it can't be written.
    """
    before = pages_before(out)
    with replacing_folder(out) as folder:
        made = Made({}, ())
        if reports is not None:
            made = _report_pages(boards, folder, out, before, reports, advance)
        rendered = render(boards, pages=made.pages, made_at=made_at)
        for file in rendered:
            (folder / file.name).write_text(file.text, encoding="utf-8")
        (folder / "leaderboard.json").write_text(text_of(boards), encoding="utf-8")
        (folder / MARK).write_text(_mark(rendered, made.pages), encoding="utf-8")
    return made.notes


def shown_entries(boards: Sequence[Board]) -> list[Entry]:
    """Every entry that a site shows."""
    return [e for board in boards for track in board.tracks for team in track.teams for e in team.entries]


def pages_before(out: Path) -> Mapping[str, str]:
    """Keys of the report pages in the site that stands there.

    Raises:
        CallError: something else stands there.
    """
    if not out.exists():
        return {}
    if not out.is_dir():
        raise CallError("--html must name a folder", found=f"a file: {out}")
    present = {path.name for path in out.iterdir()}
    if not present:
        return {}
    remedy = "It would be replaced: name a new folder, or an empty one."
    try:
        mark = json.loads((out / MARK).read_text(encoding="utf-8"))
        is_ours = mark["maker"] == MAKER
        own, pages = {str(name) for name in mark["files"]}, dict(mark["pages"])
    except (OSError, ValueError, KeyError, TypeError):
        is_ours, own, pages = False, set(), {}
    others = sorted(present - own - {MARK}) if is_ours else sorted(present)
    if others:
        found = f"{', '.join(others[:5])}{' and more' if len(others) > 5 else ''} in {out}"
        raise CallError("--html must name a folder of its own", found=found, remedy=remedy)
    return {str(name): str(key) for name, key in pages.items()}


def _report_pages(
    boards: Sequence[Board],
    folder: Path,
    out: Path,
    before: Mapping[str, str],
    reports: Reports,
    advance: Advance,
) -> Made:
    return make_pages(
        shown_entries(boards),
        folder / FOLDER,
        before=out / FOLDER,
        keys_before=before,
        report_texts=reports.texts,
        report_of=reports.read,
        rules_sha256=lambda entry: entry.ticket.rules_sha256,
        advance=advance,
    )


def _mark(rendered: Sequence[Rendered], pages: Mapping[int, Page]) -> str:
    mark: dict[str, Any] = {
        "maker": MAKER,
        "schema_version": 1,
        "files": sorted([*(file.name for file in rendered), "leaderboard.json", FOLDER]),
        "pages": {page.name: page.key for page in pages.values()},
    }
    return json.dumps(mark, indent=1) + "\n"
