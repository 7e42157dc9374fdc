"""``pixelproof judge-submissions``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pixelproof.errors import CallError

if TYPE_CHECKING:
    from pixelproof.console import Console
    from pixelproof.submit.judging.run import Counts

_EPILOG = (
    "Exit codes: 0 every submission has its verdict, whatever it is; 2 the call is wrong, or a file is not what it "
    "should be; 3 pixelproof or a machine failed, or submissions are left: start it again. docs/judge-submissions.md "
    "explains everything."
)


@click.command("judge-submissions", epilog=_EPILOG)
@click.argument("paths", nargs=-1, metavar="PATH...", type=click.Path(path_type=Path))
@click.option("--challenge", default="pirm2018", show_default=True, help="Id, or a TOML file of your own.")
@click.option("--track", help="Track of the challenge, for example A or B.  [default: the only one]")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder that the challenge's paths start from.  [default: in PIXELPROOF_DATA, else the samples]",
)
@click.option(
    "--ledger", required=True, metavar="FILE|URL", help="SQLite file, or database URL; made if missing."
)
@click.option(
    "--teams", type=click.Path(path_type=Path), help="CSV of the teams: id,name[,file[,received_at]]."
)
@click.option("--reports", type=click.Path(path_type=Path), help="Folder for each submission's report.json.")
@click.option("--pages", is_flag=True, help="HTML pages with pictures in --reports too.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Submissions at once, but for runtime.  [default: by cores and memory]",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Cores of each job, but for runtime.  [default: 1, or all where --jobs is 1]",
)
@click.option(
    "--runtime-threads",
    type=click.IntRange(min=1),
    help="Threads while runtime is measured.  [default: all cores]",
)
@click.option("--scheduler", metavar="ADDRESS|local", help="Judge on the workers of a dask scheduler.")
@click.option("--tls-ca-file", type=click.Path(path_type=Path), help="For a tls:// scheduler.")
@click.option("--tls-cert", type=click.Path(path_type=Path), help="For a tls:// scheduler.")
@click.option("--tls-key", type=click.Path(path_type=Path), help="For a tls:// scheduler.")
@click.option(
    "--memory-limit", type=click.FloatRange(min=64), help="MiB of a judging process, without its model."
)
@click.option("--images", type=click.IntRange(min=1), help="Fidelity on only so many pairs.")
@click.option(
    "--max-runs", type=click.IntRange(min=2), default=60, show_default=True, help="Most timed pairs."
)
@click.option(
    "--baseline", type=click.Path(path_type=Path), help="Graph to time against.  [default: the shipped]"
)
@click.option(
    "--only",
    help="Groups to judge, commas between: contract range resolution size fidelity runtime memory complexity.",
)
@click.option("--skip", help="Groups to leave out.")
@click.option("--psnr-gate", type=float, help="Gate in dB, in place of the challenge's; for other images.")
@click.option(
    "--time-limit", type=click.FloatRange(min=1), default=600.0, show_default=True, help="Seconds a call."
)
@click.option(
    "--total-time-limit",
    type=click.FloatRange(min=1),
    default=21600.0,
    show_default=True,
    help="Seconds after which no further call of a model is begun.",
)
@click.option(
    "--require-sandbox/--no-require-sandbox",
    default=True,
    show_default=True,
    help="Judge only where Landlock or bubblewrap locks the models in.",
)
@click.option(
    "--take-over", is_flag=True, help="Free what calls on other machines had claimed and won't finish."
)
@click.option("--json", "json_to", metavar="FILE|-", help="One JSON line per event.")
@click.pass_context
def judge_submissions(
    ctx: click.Context,
    *,
    paths: tuple[Path, ...],
    challenge: str,
    track: str | None,
    data: Path | None,
    ledger: str,
    teams: Path | None,
    reports: Path | None,
    pages: bool,
    jobs: int | None,
    threads: int | None,
    runtime_threads: int | None,
    scheduler: str | None,
    tls_ca_file: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    memory_limit: float | None,
    images: int | None,
    max_runs: int,
    baseline: Path | None,
    only: str | None,
    skip: str | None,
    psnr_gate: float | None,
    time_limit: float,
    total_time_limit: float,
    require_sandbox: bool,
    take_over: bool,
    json_to: str | None,
) -> None:
    """Judge zips, models and folders of them by a challenge's rules, into a ledger.

    A damaged, hostile or endless submission gets its verdict and stops no other. What the ledger has a verdict of is
    not judged again, so the command can be stopped at any moment and started again.

    \b
    Examples:
      pixelproof judge-submissions inbox --track B --data ai-challenge --ledger ledger.sqlite
      pixelproof leaderboard --ledger ledger.sqlite --html site
    """
    from contextlib import ExitStack

    from pixelproof.console import Console
    from pixelproof.submit import judge
    from pixelproof.submit.judging.events import Event, EventLog
    from pixelproof.submit.judging.live import view
    from pixelproof.validate.selection import parse_groups

    if not paths:
        remedy = "For example: pixelproof judge-submissions inbox --track B --ledger ledger.sqlite"
        raise CallError("judge-submissions needs something to judge", found="no PATH", remedy=remedy)
    if pages and reports is None:
        raise CallError(
            "--pages must go with --reports", found="none", remedy="Name a folder: --reports DIR."
        )
    wishes = judge.Wishes(
        groups=parse_groups(only, skip),
        images=images,
        max_runs=max_runs,
        baseline=baseline,
        threads=threads,
        runtime_threads=runtime_threads,
        time_limit_s=time_limit,
        total_time_limit_s=total_time_limit,
        require_sandbox=require_sandbox,
        psnr_gate=psnr_gate,
    )
    where = judge.Where(
        jobs=jobs,
        scheduler=scheduler,
        memory_limit_mib=memory_limit,
        tls_ca_file=tls_ca_file,
        tls_cert=tls_cert,
        tls_key=tls_key,
        take_over=take_over,
    )
    console = Console("-" if json_to == "-" else None)
    with ExitStack() as stack:
        log = None if json_to is None else stack.enter_context(EventLog(json_to))
        shown = stack.enter_context(view(console, plain=json_to == "-"))

        def on_event(happened: Event) -> None:
            if log is not None:
                log.write(happened)
            shown.event(happened)

        counts = judge.judge_submissions(
            paths,
            challenge=challenge,
            ledger=ledger,
            track=track,
            data=data,
            teams=teams,
            wishes=wishes,
            where=where,
            reports=reports,
            pages=pages,
            watch=judge.Watch(on_event, shown.stage, shown.redraw),
        )
    _sum_up(console, counts, ledger)
    ctx.exit(3 if counts.error or counts.held else 0)


def _sum_up(console: Console, counts: Counts, ledger: str) -> None:
    import shlex

    parts = [f"{number} {name.replace('_', ' ')}" for name, number in vars(counts).items() if number]
    console.line(f"{counts.total} submissions: {', '.join(parts) or 'none'}", style="bold")
    if counts.error or counts.held:
        console.line("Not all have their verdict: start the same command again.", style="yellow")
    console.next_step(f"pixelproof leaderboard --ledger {shlex.quote(ledger)}")
