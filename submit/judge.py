"""Judge many submissions into a ledger; what ``pixelproof judge-submissions`` does, as a function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from pixelproof.environment import memory_mib, sandbox_layers
from pixelproof.errors import CallError, EnvironmentFault
from pixelproof.files import make_folder
from pixelproof.safety import missing_walls
from pixelproof.submit.judging.crew import Crew, Hands, Stage, Tell, usual_jobs
from pixelproof.submit.judging.entering import Receipt, receive
from pixelproof.submit.judging.events import OnEvent, event
from pixelproof.submit.judging.finding import Search, find_submissions
from pixelproof.submit.judging.owners import gone_owners, this_owner
from pixelproof.submit.judging.paper import Paper
from pixelproof.submit.judging.run import Counts, Run
from pixelproof.submit.judging.teams import Teams, read_teams
from pixelproof.submit.judging.terms import Court, Wishes, hold_court
from pixelproof.submit.ledger.records import Entry
from pixelproof.submit.ledger.store import Ledger, open_ledger
from pixelproof.validate.session import safe_mib

__all__ = ["Counts", "Where", "Wishes", "judge_submissions"]


@dataclass(frozen=True)
class Where:
    """Where judging is done.

    Attributes:
        jobs: submissions at once on this machine; None for as many as cores and memory have room for.
        scheduler: address of a dask scheduler, or ``local`` for one of our own; None for a pool of processes.
        memory_limit_mib: of each judging process, without the models that it judges.
        tls_ca_file, tls_cert, tls_key: for a ``tls://`` scheduler.
        take_over: claims of other machines too are given up; only where no other call is judging.
    """

    jobs: int | None = None
    scheduler: str | None = None
    memory_limit_mib: float | None = None
    tls_ca_file: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    take_over: bool = False


@dataclass(frozen=True)
class Watch:
    """Who is told what: every event, how far each job is, and now and then that time passes."""

    on_event: OnEvent = field(default=lambda happened: None)
    on_stage: Callable[[Stage], None] = field(default=lambda stage: None)
    on_idle: Callable[[], None] = field(default=lambda: None)


def judge_submissions(
    paths: Sequence[Path],
    *,
    challenge: str,
    ledger: str,
    track: str | None = None,
    data: Path | None = None,
    teams: Path | None = None,
    wishes: Wishes | None = None,
    where: Where | None = None,
    reports: Path | None = None,
    pages: bool = False,
    watch: Watch | None = None,
) -> Counts:
    """Judge every submission at and below some paths that the ledger has no verdict of.

    A submission that is damaged, hostile, endless or crashing gets its verdict like any other. May be interrupted at
    any moment and called again.

    Args:
        challenge: an id, or the path of a TOML file.
        ledger: path of a SQLite file, or a database URL; made where there is none.
        track: may be None where the challenge has one only.
        data: folder that the challenge's paths start from; as `find_data` finds it where None.
        teams: CSV list of the teams; what submissions say of themselves where None.
        wishes: how to judge.
        where: by whom.
        reports: folder for each submission's report.json.
        pages: HTML pages too, with pictures.

    Raises:
        CallError, InputError: the call, the rules, the data, the list of teams or the ledger is not what it should
            be, or there is nothing to judge.
        EnvironmentFault: no sandbox, no scheduler, a locked ledger, a full disk.
    """
    wishes, where, watch = wishes or Wishes(), where or Where(), watch or Watch()
    _check_where(where)
    court = hold_court(challenge, track, data=data, wishes=wishes)
    listed = None if teams is None else read_teams(teams)
    search = find_submissions(
        paths, companion=court.contest.companion, passed_over=[] if reports is None else [reports]
    )
    _tell_of(search, watch)
    if wishes.require_sandbox and where.scheduler in (None, "local"):
        _check_sandbox()
    if reports is not None:
        make_folder(reports)
    court, jobs = _settled(court, where)
    with ExitStack() as stack:
        hire = stack.enter_context(_hired(court, where, jobs=jobs, search=search))
        book = stack.enter_context(open_ledger(ledger, create=True))
        owner = this_owner()
        _give_up_claims(book, take_over=where.take_over)
        receipts, entries = _enter(book, search, court, listed, watch)
        run = Run(
            book,
            entries,
            receipts,
            terms=court.terms,
            per_day=court.per_day,
            owner=owner,
            hire=hire,
            paper=None if reports is None else Paper(reports, pages),
            on_event=watch.on_event,
            on_stage=watch.on_stage,
            on_idle=watch.on_idle,
        )
        counts = run.run()
    watch.on_event(event("finished", **vars(counts), total=counts.total))
    return counts


def _settled(court: Court, where: Where) -> tuple[Court, int]:
    """The terms with the threads that jobs get, and how many jobs are done at once here."""
    jobs = where.jobs or usual_jobs(_model_mib(court), memory_mib())
    several = jobs > 1 or where.scheduler not in (None, "local")
    threads = court.terms.threads or (1 if several else None)
    return replace(court, terms=replace(court.terms, threads=threads)), jobs


@contextmanager
def _hired(court: Court, where: Where, *, jobs: int, search: Search) -> Iterator[Callable[[Tell], Hands]]:
    """Who does the jobs: what `Run` takes."""
    limit, threads = where.memory_limit_mib, court.terms.threads
    if where.scheduler is None:
        yield lambda tell: Crew(jobs, cores=threads, tell=tell, memory_limit_mib=limit)
        return
    from pixelproof.submit.judging.cluster import cluster

    seen = [*court.images, *(item.path for item in search.found if item.path.is_file())]
    tls = where.tls_ca_file, where.tls_cert, where.tls_key
    with cluster(
        where.scheduler, jobs=jobs, terms=court.terms, seen=seen, memory_limit_mib=limit, tls=tls
    ) as hire:
        yield hire


def _model_mib(court: Court) -> float:
    """What a model of this track may be expected to take, MiB."""
    cap = court.track.limits.peak_memory
    return min(cap.total_rss_mib, safe_mib(court.track)) if cap is not None else 1024.0


def _check_where(where: Where) -> None:
    """Refuse what would have no effect."""
    tls = where.tls_ca_file, where.tls_cert, where.tls_key
    if where.scheduler is None and any(path is not None for path in tls):
        raise CallError("TLS files must go with --scheduler", found="none", remedy="Name a tls:// address.")
    if where.scheduler not in (None, "local") and where.jobs is not None:
        remedy = "Each worker does as many jobs as it has threads: dask worker --nthreads N."
        raise CallError(
            "--jobs is for this machine alone", found=f"--scheduler {where.scheduler}", remedy=remedy
        )


def _check_sandbox() -> None:
    missing = missing_walls(sandbox_layers())
    if missing:
        remedy = "Use Linux 5.13 or newer, install bubblewrap, or pass --no-require-sandbox."
        raise EnvironmentFault(
            "Strangers' models must run behind Landlock or bubblewrap", found=missing, remedy=remedy
        )


def _give_up_claims(book: Ledger, *, take_over: bool) -> None:
    """What a call had claimed that was killed is free again."""
    if take_over:
        book.release()
        return
    for owner in gone_owners(book.entries()):
        book.release(owner=owner)


def _tell_of(search: Search, watch: Watch) -> None:
    for item in search.found:
        watch.on_event(event("found", name=item.name, path=str(item.path), kind=item.kind))
    for passed_over in search.skipped:
        watch.on_event(event("skipped", path=str(passed_over.path), why=passed_over.why))


def _enter(
    book: Ledger, search: Search, court: Court, teams: Teams | None, watch: Watch
) -> tuple[dict[int, Receipt], dict[int, Entry]]:
    """All into the ledger, before the first is judged."""
    receipts: dict[int, Receipt] = {}
    entries: dict[int, Entry] = {}
    for item in search.found:
        try:
            receipt = receive(item, court.contest, teams=teams)
        except OSError as error:
            watch.on_event(event("skipped", path=str(item.path), why=error.strerror or str(error)))
            continue
        entry = book.enter(receipt.ticket)
        receipts[entry.id], entries[entry.id] = receipt, entry
        ticket = entry.ticket
        watch.on_event(
            event(
                "entered",
                id=entry.id,
                name=ticket.name,
                team=ticket.team_id,
                state=entry.state,
                sha256=ticket.sha256,
            )
        )
    return receipts, entries
