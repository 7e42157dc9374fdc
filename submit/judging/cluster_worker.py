"""What runs on the workers of a cluster: a desk with warm processes, and the task that does one job there."""

from __future__ import annotations

import os
import queue
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from distributed import WorkerPlugin, get_worker

from pixelproof import __version__
from pixelproof.schema import to_jsonable
from pixelproof.submit.judging.crew import News, Stage, Started, all_cores, done_by, shares_of
from pixelproof.submit.judging.job import Job
from pixelproof.submit.judging.job_process import JobProcess


class Desk(WorkerPlugin):
    """The judging processes of one call on one dask worker, one for each of its threads.

    Args:
        name: of the call.
        cores: that each job keeps to; None for all.
        memory_limit_mib: of each process; the dask worker's own limit, shared among its threads, where None.
    """

    def __init__(self, name: str, *, cores: int | None, memory_limit_mib: float | None) -> None:
        self.name = name
        self._cores = cores
        self._memory_limit_mib = memory_limit_mib

    def setup(self, worker: Any) -> None:
        """Called on the worker."""
        threads = int(worker.state.nthreads)
        limit = self._memory_limit_mib
        of_worker = getattr(worker.memory_manager, "memory_limit", None)
        if limit is None and of_worker:
            limit = of_worker / threads / 2**20
        self._all = [
            JobProcess(cores=share, memory_limit_mib=limit)
            for share in shares_of(all_cores(), threads, each=self._cores)
        ]
        self._free: queue.LifoQueue[JobProcess] = queue.LifoQueue()
        for process in reversed(self._all):
            self._free.put(process)

    def teardown(self, worker: Any) -> None:
        """Called on the worker when the call has ended, or the worker is closed."""
        for process in self._all:
            process.close()

    def take(self) -> JobProcess:
        """A process that nobody has; wait for it where there is none."""
        return self._free.get()

    def give_back(self, process: JobProcess) -> None:
        """The process is free again."""
        self._free.put(process)


def do(text: str, run: str) -> dict[str, Any]:
    """Do a job on this worker; its beginning and stages go out as events under the run's name."""
    job = Job.from_json(text)
    worker = get_worker()
    desk: Desk = worker.plugins[run]

    def tell(news: News) -> None:
        if isinstance(news, Started | Stage):
            kind = "started" if isinstance(news, Started) else "stage"
            with suppress(Exception):
                worker.log_event(run, {"kind": kind, "news": to_jsonable(news)})

    process = desk.take()
    try:
        done = done_by(process, job, tell)
    finally:
        desk.give_back(process)
    fault = done.fault
    return {
        "result": None if done.result is None else to_jsonable(done.result),
        "fault": None if fault is None else [fault.rule, fault.found, fault.remedy],
    }


def look(challenge: str, rules_sha256: str, sizes: Sequence[tuple[str, int]]) -> dict[str, Any]:
    """What this worker has: its version, and what it doesn't see of the shared files.

    Args:
        sizes: some files with their bytes.
    """
    from pixelproof.challenge import rules_sha256 as sha256_here
    from pixelproof.errors import PixelproofError

    problem = ""
    try:
        if sha256_here(challenge) != rules_sha256:
            problem = f"other rules in {challenge}"
    except PixelproofError as error:
        problem = str(error)
    for name, size in sizes:
        with suppress(OSError):
            if Path(name).stat().st_size == size:
                continue
        problem = problem or f"no such file as here: {name}"
    return {"version": __version__, "problem": problem, "pid": os.getpid()}
