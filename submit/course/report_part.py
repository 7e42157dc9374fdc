"""The report of a hand-in: the scaffold, or the student's own file, with its pages counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pixelproof.errors import CallError, InputError, SubmissionRefused
from pixelproof.files import read_bytes
from pixelproof.submit.course.pdf import Pages, find_browser, printed, read_pages
from pixelproof.submit.course.report_page import MOST_PAGES, unfilled_boxes, unfilled_words

HTML, PDF = "report.html", "report.pdf"


@dataclass(frozen=True)
class ReportPart:
    """What goes into the zip's report folder.

    Attributes:
        files: name to bytes.
        pages: of A4; None where no browser could print the page.
        unfilled: boxes that still wait for the student's words.
        is_scaffold: whether no report was given.
    """

    files: dict[str, bytes]
    pages: int | None
    unfilled: int
    is_scaffold: bool


def report_part(given: Path | None, *, scaffold: Callable[[], str], with_pdf: bool) -> ReportPart:
    """The report's files.

    Args:
        given: the student's PDF or HTML.
        scaffold: makes the page where none is given.
        with_pdf: print HTML as PDF too, where a browser is installed.

    Raises:
        CallError: a file that is neither PDF nor HTML.
        InputError: an unreadable or damaged one.
        SubmissionRefused: too many pages, or larger ones than A4.
        EnvironmentFault: the browser doesn't print.
    """
    if given is not None and given.suffix.lower() == ".pdf":
        data = read_bytes(given, what="A report")
        pages = read_pages(data, label=str(given))
        _check(pages, label=str(given))
        return ReportPart({PDF: data}, len(pages.sizes_mm), unfilled_words(pages.text), is_scaffold=False)
    if given is not None and given.suffix.lower() not in (".html", ".htm"):
        remedy = "Save it as PDF."
        raise CallError("--report must be a PDF or an HTML file", found=str(given), remedy=remedy)
    page = scaffold().encode() if given is None else _page(given)
    label = "the scaffold" if given is None else str(given)
    files, count = {HTML: page}, None
    browser = find_browser() if with_pdf else None
    if browser is not None:
        files[PDF] = printed(page, browser=browser)
        pages = read_pages(files[PDF], label=f"{label}, printed")
        _check(pages, label=f"{label}, printed")
        count = len(pages.sizes_mm)
    return ReportPart(files, count, unfilled_boxes(page.decode()), is_scaffold=given is None)


def _page(path: Path) -> bytes:
    data = read_bytes(path, what="A report")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise InputError("A report in HTML must be UTF-8", found=f"{path}: {error.reason}") from error
    return data


def _check(pages: Pages, *, label: str) -> None:
    if len(pages.sizes_mm) > MOST_PAGES:
        found = f"{len(pages.sizes_mm)} in {label}"
        rule = f"The report must have at most {MOST_PAGES} pages"
        raise SubmissionRefused(rule, found=found, remedy="Shorten it.")
    if large := pages.larger_than_a4:
        width, height = pages.sizes_mm[large[0] - 1]
        found = f"page {large[0]} of {label}, {width:.0f} by {height:.0f} mm"
        raise SubmissionRefused(
            "The report's pages must be A4", found=found, remedy="Choose A4 where you print it."
        )
