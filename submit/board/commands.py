"""``pixelproof leaderboard``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pixelproof.console import Console
    from pixelproof.submit.board.make import Request
    from pixelproof.submit.board.standing import Board
    from pixelproof.submit.ledger.store import Ledger


@click.command("leaderboard")
@click.option("--ledger", "where", required=True, metavar="FILE|URL", help="Of judge-submissions.")
@click.option(
    "--challenge", metavar="ID|FILE", help="Only this one, by these rules.  [default: the ledger's]"
)
@click.option("--track", help="Only this one; with --challenge, or where the ledger has one challenge.")
@click.option("--team", metavar="ID|NAME", help="Only this team's places, and its submissions.")
@click.option("--html", "html_to", type=click.Path(path_type=Path), metavar="DIR", help="Write a site.")
@click.option("--no-pages", is_flag=True, help="Of --html: leave the report pages out.")
@click.option("--json", "json_to", metavar="FILE|-", help="Write all of it as JSON.")
@click.option("--csv", "csv_to", metavar="FILE|-", help="Write the places as CSV.")
@click.option("--md", "markdown_to", metavar="FILE|-", help="Write them as Markdown.")
@click.option(
    "--recheck", is_flag=True, help="Judge the saved reports again by today's rules, or --challenge."
)
@click.option(
    "--baseline", type=click.Path(path_type=Path), help="Report that a weighted ranking divides by."
)
def leaderboard(
    *,
    where: str,
    challenge: str | None,
    track: str | None,
    team: str | None,
    html_to: Path | None,
    no_pages: bool,
    json_to: str | None,
    csv_to: str | None,
    markdown_to: str | None,
    recheck: bool,
    baseline: Path | None,
) -> int:
    """Rank what a ledger holds: per track and score, ties sharing a rank.

    Which of a team's passed submissions counts, the last or the best, is the challenge's rule. Without a target the
    tables are printed. The site in DIR is replaced as a whole; it needs no network and no server.

    \b
    Examples:
      pixelproof leaderboard --ledger ledger.sqlite
      pixelproof leaderboard --ledger ledger.sqlite --html site
      pixelproof leaderboard --ledger ledger.sqlite --recheck --challenge ./stricter.toml --json -
    """
    from pixelproof.console import Console
    from pixelproof.errors import CallError
    from pixelproof.submit.board.make import Request, make_boards
    from pixelproof.submit.ledger.store import open_ledger

    targets = (json_to, csv_to, markdown_to)
    if targets.count("-") > 1:
        raise CallError("Standard output takes one document", found=f"{targets.count('-')} times -")
    if team is not None and html_to is not None:
        remedy = "Leave --team out: each team has its part of the site."
        raise CallError("--html shows all teams", found="--team", remedy=remedy)
    if no_pages and html_to is None:
        raise CallError("--no-pages goes with --html", found="no --html")
    console = Console("-" if "-" in targets else None)
    request = Request(challenge, track, team, recheck, baseline)
    with open_ledger(where) as ledger:
        boards = make_boards(ledger, request, console)
        _deliver(console, boards, json_to=json_to, csv_to=csv_to, markdown_to=markdown_to)
        if html_to is not None:
            _write_site(console, ledger, boards, request, html_to, no_pages=no_pages)
        if html_to is None and targets == (None, None, None):
            from pixelproof.submit.board.shown import show

            show(console, boards, with_history=team is not None)
        else:
            for board in boards:
                for note in board.notes:
                    console.line(note, style="yellow")
    return 0


def _deliver(
    console: Console,
    boards: list[Board],
    *,
    json_to: str | None,
    csv_to: str | None,
    markdown_to: str | None,
) -> None:
    from pixelproof.files import write_text
    from pixelproof.submit.board.document import text_of
    from pixelproof.submit.board.texts import as_csv, as_markdown

    for target, made, what in (
        (json_to, text_of, "JSON"),
        (csv_to, as_csv, "CSV"),
        (markdown_to, as_markdown, "Markdown"),
    ):
        if target == "-":
            click.echo(made(boards), nl=False)
        elif target is not None:
            write_text(Path(target), made(boards))
            console.line(f"{what}: {target}")


def _write_site(
    console: Console, ledger: Ledger, boards: list[Board], request: Request, out: Path, *, no_pages: bool
) -> None:
    from datetime import UTC, datetime

    from pixelproof.submit.board.columns import moment
    from pixelproof.submit.board.make import report_reader
    from pixelproof.submit.board.site import Reports, shown_entries, write_site

    reports = None if no_pages else Reports(ledger.report_texts, report_reader(request))
    total = len({e.judgement_id for e in shown_entries(boards) if e.outcome in ("passed", "failed")})
    with console.progress("Report pages", total=total) as advance:
        notes = write_site(
            out, boards, made_at=f"{moment(datetime.now(UTC))} UTC", reports=reports, advance=advance
        )
    for note in notes:
        console.line(note, style="yellow")
    console.line(f"Site: {out / 'index.html'}")
