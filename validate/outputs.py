"""What ``validate-pb`` writes besides what it prints: the report's JSON, its page, and the pictures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pixelproof.errors import CallError, EnvironmentFault, ReportError

if TYPE_CHECKING:
    from pixelproof.console import Console
    from pixelproof.report import Report


def check_outputs(json_to: str | None, html_to: Path | None, pictures: Path | None) -> None:
    """Minutes of measuring must not end at a folder that can't be written.

    Raises:
        CallError: a name that is no file's or no folder's, or one for two things.
        EnvironmentFault: a folder that can't be written.
    """
    json_file = Path(json_to) if json_to not in (None, "-") else None
    check_file(json_file, option="--json")
    check_file(html_to, option="--html")
    if json_file is not None and html_to is not None and json_file.absolute() == html_to.absolute():
        raise CallError("--json and --html must be two files", found=f"{html_to} for both")
    if pictures is not None:
        from pixelproof.validate.pictures import check_pictures_folder

        check_pictures_folder(pictures)


def check_file(path: Path | None, *, option: str) -> None:
    """Refuse what can't be written as a file.

    Raises:
        CallError: a folder stands there.
        EnvironmentFault: its folder can't be written.
    """
    from pixelproof.files import is_special, make_folder

    if path is None:
        return
    if path.is_dir():
        raise CallError(f"{option} must be a file's name", found=f"the folder {path}")
    if is_special(path):
        return
    make_folder(path.parent)
    if not os.access(path.parent, os.W_OK):
        remedy = "Choose another folder, or make this one writable."
        raise EnvironmentFault("Output must be writable", found=str(path.parent), remedy=remedy)


@contextmanager
def pictures_folder(html_to: Path | None, pictures: Path | None) -> Iterator[Path | None]:
    """Where the judge saves pictures: as asked, else for the page alone, else nowhere."""
    if pictures is not None or html_to is None:
        yield pictures
        return
    from pixelproof.temporary import temporary_folder

    with temporary_folder("pixelproof-pictures-") as folder:
        yield folder / "pictures"


def write_page(
    console: Console, report: Report, html_to: Path | None, *, pictures: Path | None, asked: bool
) -> None:
    """The page, where one was wanted; says why there are no pictures where there are none.

    Args:
        pictures: where the judge was to save them in this run; None where none were wanted.
        asked: pictures were wanted for themselves, and not for the page alone.
    """
    made = pictures if pictures is not None and _are_of(pictures, report) else None
    if html_to is not None:
        from pixelproof.validate.html_report import write_html

        write_html(report, html_to, pictures=made)
        console.line(f"Page: {html_to}")
    measured = report.evidence.fidelity is not None
    if made is not None and asked:
        console.line(f"Pictures: {made}")
    elif pictures is not None and made is None and (asked or measured):
        why = "the model did not run once more" if measured else "fidelity was not measured"
        console.line(f"No pictures: {why}.", style="yellow")


def _are_of(folder: Path, report: Report) -> bool:
    """Whether they are of this judgement, and not left there by another one."""
    from pixelproof.validate.page.stored_pictures import are_of
    from pixelproof.validate.picture_records import read_pictures

    try:
        return are_of(read_pictures(folder), report)
    except ReportError:
        return False
