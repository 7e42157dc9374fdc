"""Who does the jobs on this machine: some processes, each behind a thread that waits for it."""

from __future__ import annotations

import os
import queue
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pixelproof.environment import usable_cores
from pixelproof.errors import EnvironmentFault
from pixelproof.submit.judging.job import Job, Result
from pixelproof.submit.judging.job_process import JobProcess


@dataclass(frozen=True)
class Started:
    """A job has begun."""

    number: int
    host: str


@dataclass(frozen=True)
class Stage:
    """How far a job is."""

    number: int
    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class Done:
    """A job has a result, or failed in a way that is not the submission's."""

    number: int
    result: Result | None
    fault: EnvironmentFault | None = None


News = Started | Stage | Done
Tell = Callable[[News], None]


class Hands(Protocol):
    """Who does jobs, here or elsewhere."""

    @property
    def slots(self) -> int:
        """How many jobs are done at once."""

    @property
    def waits_itself(self) -> bool:
        """Whether a job that must be alone may be handed over at any time, since it waits until it is."""

    def start(self, job: Job) -> None:
        """Do a job; `Tell` hears of it."""

    def close(self) -> None:
        """End what is being done."""


class Crew:
    """Jobs on this machine.

    Args:
        count: of jobs at once.
        cores: so many that each job keeps to, where the machine has enough; None for all.
        tell: called from other threads.
        memory_limit_mib: as of `JobProcess`.
    """

    waits_itself = False

    def __init__(
        self, count: int, *, cores: int | None, tell: Tell, memory_limit_mib: float | None = None
    ) -> None:
        self.slots = count
        self._tell = tell
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        shares = shares_of(all_cores(), count, each=cores)
        self._processes = [JobProcess(cores=share, memory_limit_mib=memory_limit_mib) for share in shares]
        self._threads = [threading.Thread(target=self._work, args=(p,), daemon=True) for p in self._processes]
        for thread in self._threads:
            thread.start()

    def start(self, job: Job) -> None:
        """Do a job as soon as a process is free."""
        self._jobs.put(job)

    def close(self) -> None:
        """End what is being done, and wait for the end."""
        for process in self._processes:
            process.close()
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(30)

    def _work(self, process: JobProcess) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                self._tell(done_by(process, job, self._tell))
        finally:
            process.stop()


def done_by(process: JobProcess, job: Job, tell: Tell) -> Done:
    """A job done by a process, its beginning and its stages told; nothing raises."""
    number, host = job.number, socket.gethostname()
    try:
        result = process.perform(
            job,
            on_begun=lambda: tell(Started(number, host)),
            on_stage=lambda stage, done, total: tell(Stage(number, stage, done, total)),
        )
        return Done(number, result)
    except EnvironmentFault as error:
        return Done(number, None, error)
    except Exception as error:  # noqa: BLE001 - whoever waits for the result must hear of it
        found = f"{type(error).__name__}: {error}"
        return Done(number, None, EnvironmentFault("Judging must come to its end", found=found))


def all_cores() -> list[int]:
    """The cores that this process may use; empty where the system doesn't say."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def shares_of(cores: Sequence[int], count: int, *, each: int | None) -> list[list[int] | None]:
    """Cores for each of ``count`` jobs, none of them twice; None for all, where there are too few."""
    if each is None or each * count > len(cores):
        return [None] * count
    return [list(cores[i * each : (i + 1) * each]) for i in range(count)]


def usual_jobs(cap_mib: float, memory_mib: float) -> int:
    """How many jobs at once: one a core, as long as memory has room for their models.

    Args:
        cap_mib: what a model may take.
        memory_mib: of the machine.
    """
    judge_mib = 700.0
    return max(1, min(usable_cores(), int(memory_mib * 0.9 / (cap_mib + judge_mib))))
