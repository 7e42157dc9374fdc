"""The command ``report``."""

from __future__ import annotations

from pathlib import Path

import click

from pixelproof.errors import CallError


@click.command("report")
@click.argument("report_file", metavar="REPORT", type=click.Path(path_type=Path))
@click.option(
    "--html",
    "--out",
    "html_to",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The page to write.  [default: the report's name with .html]",
)
@click.option(
    "--pictures",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Pictures that validate-pb --pictures saved when it made this report.",
)
def report(*, report_file: Path, html_to: Path | None, pictures: Path | None) -> None:
    """A saved report as one HTML page, which needs nothing from outside.

    The verdict, every check, the figures as plots, and the pictures where they were saved. A report of an older
    pixelproof has fewer of them. Nothing is judged again: a page is written whatever the verdict.

    \b
    Examples:
      pixelproof report report.json
      pixelproof report report.json --pictures pictures --html page.html
    """
    from pixelproof.console import Console
    from pixelproof.report import read_report
    from pixelproof.validate.html_report import write_html
    from pixelproof.validate.outputs import check_file

    saved = read_report(report_file)
    out = report_file.with_suffix(".html") if html_to is None else html_to
    if out.exists() and out.samefile(report_file):
        raise CallError("The page must be another file than the report", found=str(out))
    check_file(out, option="--html")
    write_html(saved, out, pictures=pictures)
    Console().line(f"Page: {out}")
