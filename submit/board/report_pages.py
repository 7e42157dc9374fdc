"""The report pages of a site: made once for each judgement, and taken over from the site that was there before."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelproof import __version__
from pixelproof.errors import InputError
from pixelproof.report import Report
from pixelproof.submit.ledger.records import Entry

FOLDER = "reports"
Advance = Callable[[int, str], None]


@dataclass(frozen=True)
class Page:
    """A page to make or to take over; ``key`` changes with whatever the page is made from."""

    name: str
    key: str


@dataclass(frozen=True)
class Made:
    """The pages of a site by judgement, and notes about those that could not be made as they should."""

    pages: Mapping[int, Page]
    notes: tuple[str, ...]


def page_of(entry: Entry, rules_sha256: str) -> Page:
    """The page of a judged entry."""
    judged = entry.judged_at.isoformat() if entry.judged_at is not None else ""
    parts = (entry.ticket.sha256, judged, rules_sha256, str(entry.pictures), __version__)
    return Page(f"{entry.judgement_id}.html", hashlib.sha256("\n".join(parts).encode()).hexdigest())


def make_pages(
    entries: Sequence[Entry],
    folder: Path,
    *,
    before: Path,
    keys_before: Mapping[str, str],
    report_texts: Callable[[Iterable[Entry]], Iterable[tuple[Entry, str]]],
    report_of: Callable[[Entry, str], Report],
    rules_sha256: Callable[[Entry], str],
    advance: Advance,
) -> Made:
    """Every report's page in ``folder``; one that stands unchanged in ``before`` is taken over.

    Args:
        entries: those that are shown; of a judgement that several share there is one page.
        keys_before: the keys of the pages in ``before``.
        report_texts, report_of: the reports' JSON, and the report in it.
    """
    wanted = {
        e.judgement_id: e for e in entries if e.judgement_id is not None and e.outcome in ("passed", "failed")
    }
    pages: dict[int, Page] = {}
    missing: list[Entry] = []
    folder.mkdir()
    for key, entry in wanted.items():
        page = page_of(entry, rules_sha256(entry))
        if keys_before.get(page.name) == page.key and _taken_over(before / page.name, folder / page.name):
            pages[key] = page
            advance(1, entry.ticket.name)
        else:
            missing.append(entry)
    notes: list[str] = []
    for entry, text in report_texts(missing):
        page = page_of(entry, rules_sha256(entry))
        try:
            told = _made(report_of(entry, text), entry, folder / page.name)
        except InputError as error:
            notes.append(f"{entry.ticket.name} has no page: {error}")
        else:
            assert entry.judgement_id is not None
            pages[entry.judgement_id] = page
            if told:
                notes.append(f"the page of {entry.ticket.name} has no pictures: {told}")
        advance(1, entry.ticket.name)
    return Made(pages, tuple(notes))


def _made(report: Report, entry: Entry, path: Path) -> str:
    """Write a page; why it has no pictures, where it should."""
    from pixelproof.validate.html_report import html_of

    told, html = "", None
    if entry.pictures is not None:
        try:
            html = html_of(report, pictures=Path(entry.pictures))
        except InputError as error:
            told = str(error)
    path.write_text(html or html_of(report), encoding="utf-8")
    return told


def _taken_over(old: Path, new: Path) -> bool:
    """Whether an old page could be linked, or copied, to its new place."""
    if old.is_symlink() or not old.is_file():
        return False
    try:
        os.link(old, new)
    except OSError:
        try:
            shutil.copyfile(old, new)
        except OSError:
            new.unlink(missing_ok=True)
            return False
    return True
