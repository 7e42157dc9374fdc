"""``pixelproof rank-reports``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pixelproof.errors import CallError

if TYPE_CHECKING:
    from pixelproof.challenge import Track
    from pixelproof.console import Console
    from pixelproof.report import Report
    from pixelproof.validate.ranking import Entry, Ranked


@click.command("rank-reports")
@click.argument("reports", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--track", help="By whose rules.  [default: the reports']")
@click.option("--challenge", help="Id or TOML file.  [default: the reports']")
@click.option("--baseline", type=click.Path(path_type=Path), help="Report that a weighted score divides by.")
@click.option("--time", "again", is_flag=True, help="Time all candidates again, in turn, in this one run.")
@click.option("--size", default="256,256", show_default=True, help="height,width of the image for --time.")
@click.option(
    "--runs", type=click.IntRange(min=3), default=20, show_default=True, help="Calls of each, for --time."
)
@click.option("--threads", type=click.IntRange(min=1), help="For --time.  [default: all cores]")
@click.option("--csv", "csv_to", type=click.Path(path_type=Path), help="Write the table as CSV.")
@click.option("--md", "markdown_to", type=click.Path(path_type=Path), help="Write it as Markdown.")
@click.option("--html", "html_to", type=click.Path(path_type=Path), help="Write it as a web page.")
@click.option("--json", "json_to", metavar="FILE|-", help="Write the ranking as JSON.")
def rank_reports(
    *,
    reports: tuple[Path, ...],
    track: str | None,
    challenge: str | None,
    baseline: Path | None,
    again: bool,
    size: str,
    runs: int,
    threads: int | None,
    csv_to: Path | None,
    markdown_to: Path | None,
    html_to: Path | None,
    json_to: str | None,
) -> None:
    """Rank judged models among each other, as their challenge does.

    A report that failed a check is listed without a place. Ranks stand in brackets behind the figures; ties share
    the better one. Candidates are named by their files, or by the folders of these.

    \b
    Example:
      pixelproof rank-reports imdn.json rfdn.json rlfn.json --html ranking.html
    """
    from pixelproof.challenge import load_challenge
    from pixelproof.console import Console
    from pixelproof.files import write_text
    from pixelproof.report import read_report
    from pixelproof.validate.rank_table import as_csv, as_html, as_markdown, headings, rows
    from pixelproof.validate.ranking import entry_of, rank

    console = Console(json_to)
    read = [read_report(path) for path in reports]
    rules = load_challenge(challenge if challenge is not None else read[0].challenge)
    name = track if track is not None else read[0].track
    chosen = rules.track(name)
    if chosen.ranking is None:
        raise CallError("A track must say how it ranks", found=f"no [ranking] in track {name} of {rules.id}")
    _check_same(read, reports, rules.id, chosen)
    entries: Sequence[Entry] = [
        entry_of(report, name=label) for report, label in zip(read, _names(reports), strict=True)
    ]
    beside = None if baseline is None else entry_of(read_report(baseline), name=baseline.stem)
    if again:
        entries = _timed(console, entries, read, chosen, size=size, runs=runs, threads=threads)
    ranked = rank(entries, chosen.ranking, baseline=beside)
    title = f"{rules.title}: {chosen.title}"
    console.table(title, headings(), rows(ranked))
    pages: list[tuple[Path | None, Callable[[Sequence[Ranked]], str]]] = [
        (csv_to, as_csv),
        (markdown_to, as_markdown),
        (html_to, partial(as_html, title=title)),
    ]
    for path, page in pages:
        if path is not None:
            write_text(path, page(ranked))
            console.line(f"Written: {path}")
    console.json(_document(ranked, rules.id, name))


def _timed(
    console: Console,
    entries: Sequence[Entry],
    reports: Sequence[Report],
    track: Track,
    *,
    size: str,
    runs: int,
    threads: int | None,
) -> Sequence[Entry]:
    from pixelproof.validate.rank_timing import WARM_UP_RUNS, check_unchanged, timed_together

    check_unchanged(reports)
    on_gpu = _devices(reports) - {"cpu"}
    if on_gpu:
        remedy = "Leave --time out: the reports hold the times of that GPU."
        raise CallError("--time measures on the CPU", found=f"reports of {', '.join(on_gpu)}", remedy=remedy)
    with console.stages() as progress:
        return timed_together(
            entries,
            reports,
            track.contract,
            size=_size(size),
            runs=runs,
            threads=threads,
            advance=progress("timing all in turn", WARM_UP_RUNS + runs),
        )


def _size(text: str) -> tuple[int, int]:
    parts = text.replace("x", ",").split(",")
    if len(parts) != 2 or not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise CallError("--size must be height,width", found=repr(text), remedy="For example --size 256,256.")
    return int(parts[0]), int(parts[1])


def _check_same(reports: Sequence[Report], paths: Sequence[Path], challenge: str, track: Track) -> None:
    """Figures measured otherwise can't be ranked."""
    from pixelproof.validate.judgement import measured_as_sha256

    expected = measured_as_sha256(track)
    for report, path in zip(reports, paths, strict=True):
        if report.challenge != challenge or report.measured_as_sha256 != expected:
            found = f"{path} of {report.challenge}, track {report.track}, measured otherwise"
            remedy = "Judge that model again by these rules."
            raise CallError(f"Reports must be measured as {challenge} measures", found=found, remedy=remedy)
    devices = sorted(_devices(reports))
    if len(devices) > 1:
        remedy = "Judge all of them with the same --device and --device-memory-gb."
        raise CallError("Reports must be measured on one device", found=" and ".join(devices), remedy=remedy)


def _devices(reports: Sequence[Report]) -> set[str]:
    return {report.evidence.runtime.device for report in reports if report.evidence.runtime is not None}


def _names(paths: Sequence[Path]) -> list[str]:
    """Stems of the files; where they are not unique, their folders too."""
    stems = Counter(path.stem for path in paths)
    names = [path.stem if stems[path.stem] == 1 else path.absolute().parent.name for path in paths]
    twice = Counter(names)
    return [name if twice[name] == 1 else str(path) for name, path in zip(names, paths, strict=True)]


def _document(ranked: Sequence[Ranked], challenge: str, track: str) -> dict[str, object]:
    return {"schema_version": 1, "challenge": challenge, "track": track, "ranking": ranked}
