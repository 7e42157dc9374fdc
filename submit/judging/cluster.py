"""Judging on the workers of a dask scheduler: any number of machines, runtime alone on each of its own.

Each worker is one host and has the resource ``timing`` once. Runtime takes all of it, any other job a share, so that
a host that measures does nothing else. The share is a power of two, which sums up without rounding.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from pixelproof.errors import EnvironmentFault
from pixelproof.submit.judging.cluster_door import TIMING, Tls, check_workers, connected, import_distributed
from pixelproof.submit.judging.crew import Done, Hands, Stage, Started, Tell
from pixelproof.submit.judging.job import Job, Result, Terms

REFRESH_S = 10.0
RETRIES = 2


@contextmanager
def cluster(
    address: str,
    *,
    jobs: int,
    terms: Terms,
    seen: Sequence[Path],
    memory_limit_mib: float | None = None,
    tls: Tls = (None, None, None),
) -> Iterator[Callable[[Tell], Hands]]:
    """A connection to a scheduler; gives what `Run` takes as ``hire``.

    Args:
        address: of the scheduler, or ``local`` for one inside this process.
        jobs: at once, where it is ``local``.
        seen: files that every worker must have at the same place, in the same size.
        tls: certificate of the authority, our certificate, our key.

    Raises:
        CallError: TLS files without a tls:// address, or such that are not there.
        EnvironmentFault: not installed, not reachable, no usable worker, or workers that don't see the files.
    """
    distributed = import_distributed()
    with ExitStack() as stack:
        client = stack.enter_context(connected(distributed, address, jobs, tls))
        check_workers(client, terms, seen)
        yield lambda tell: Cluster(client, tell, cores=terms.threads, memory_limit_mib=memory_limit_mib)


class Cluster:
    """Jobs on a cluster.

    Args:
        client: connected.
        tell: called from other threads.
        cores: that each job keeps to; None for all.
        memory_limit_mib: of each process; what dask gives a worker, shared among its threads, where None.
    """

    waits_itself = True

    def __init__(self, client: Any, tell: Tell, *, cores: int | None, memory_limit_mib: float | None) -> None:
        from pixelproof.submit.judging.cluster_worker import Desk

        self._client = client
        self._tell = tell
        self._run = f"pixelproof-{os.urandom(8).hex()}"
        self._futures: dict[int, Any] = {}
        self._made = 0
        self._threads: list[int] = []
        self._asked = -math.inf
        client.register_plugin(Desk(self._run, cores=cores, memory_limit_mib=memory_limit_mib))
        client.subscribe_topic(self._run, self._heard)

    @property
    def slots(self) -> int:
        """How many jobs may be done at once on all hosts."""
        return max(1, sum(self._nthreads()))

    def start(self, job: Job) -> None:
        """Hand a job to the scheduler.

        Raises:
            EnvironmentFault: it is gone.
        """
        from pixelproof.submit.judging.cluster_worker import do

        share = 1.0 if job.alone else 2.0 ** -math.ceil(math.log2(max(self._nthreads(), default=1)))
        self._made += 1
        try:
            future = self._client.submit(
                do,
                job.to_json(),
                self._run,
                key=f"{self._run}-{self._made}",
                pure=False,
                retries=RETRIES,
                resources={TIMING: share},
                priority=10 if job.alone else 0,
            )
        except Exception as error:
            raise _gone(error) from error
        self._futures[job.number] = future
        future.add_done_callback(lambda ended: self._ended(job.number, ended))

    def close(self) -> None:
        """End what is being done."""
        left = list(self._futures.values())
        self._futures.clear()
        with suppress(Exception):
            if left:
                self._client.cancel(left, force=True)
        with suppress(Exception):
            self._client.unregister_worker_plugin(self._run)
        with suppress(Exception):
            self._client.unsubscribe_topic(self._run)

    def _nthreads(self) -> list[int]:
        if time.monotonic() - self._asked > REFRESH_S:
            self._asked = time.monotonic()
            with suppress(Exception):
                self._threads = [int(n) for n in self._client.nthreads().values()]
        return self._threads

    def _heard(self, happened: tuple[float, Any]) -> None:
        told = happened[1]
        news = {"started": Started, "stage": Stage}.get(told["kind"])
        if news is not None:
            self._tell(news(**told["news"]))

    def _ended(self, number: int, future: Any) -> None:
        if self._futures.pop(number, None) is None:
            return
        try:
            answer = future.result()
        except Exception as error:  # noqa: BLE001 - whoever waits for the result must hear of it
            self._tell(Done(number, None, _gone(error)))
            return
        result, fault = answer["result"], answer["fault"]
        self._tell(
            Done(
                number,
                None if result is None else Result.from_document(result),
                None if fault is None else EnvironmentFault(fault[0], found=fault[1], remedy=fault[2]),
            )
        )


def _gone(error: Exception) -> EnvironmentFault:
    found = f"{type(error).__name__}: {error}"
    remedy = "Start the command again when scheduler and workers are there: it goes on where it was."
    return EnvironmentFault("The cluster must do the job", found=found, remedy=remedy)
