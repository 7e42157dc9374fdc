"""A report as one HTML page: nothing from outside, for the screen, for print, with and without pictures."""

from __future__ import annotations

from pathlib import Path

from pixelproof.files import write_text
from pixelproof.report import Report
from pixelproof.validate.page.render import page_of
from pixelproof.validate.page.stored_pictures import gallery_of
from pixelproof.validate.page.view import view_of


def html_of(report: Report, *, pictures: Path | None = None) -> str:
    """The page.

    Args:
        pictures: folder that was saved with `Options.pictures` in the judgement of this report; None for no pictures.

    Raises:
        InputError: the folder is missing, damaged, or of another judgement.
    """
    return page_of(view_of(report, () if pictures is None else gallery_of(pictures, report)))


def write_html(report: Report, out: Path, *, pictures: Path | None = None) -> None:
    """Write the page, whole or not at all.

    Args:
        pictures: as in `html_of`.

    Raises:
        InputError: as `html_of`.
        EnvironmentFault: the folder can't be written, or the disk is full.
    """
    write_text(out, html_of(report, pictures=pictures))
