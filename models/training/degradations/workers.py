"""Processes that share out work, each with one thread, gone when we are gone.

This module imports nothing that loads NumPy: a worker sets the number of its threads before that happens.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TypeVar

from pixelproof.errors import EnvironmentFault

T = TypeVar("T")
R = TypeVar("R")

_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_WAITING = 4


def shared_out(work: Callable[[T], R], tasks: Iterable[T], *, processes: int) -> Iterator[R]:
    """The results of tasks as they become ready, in no certain order.

    On an error or an interrupt, tasks that have begun are finished, and the others left out.

    Args:
        work: a function that can be pickled.
        tasks: its arguments.
        processes: how many, 1 or more.

    Raises:
        EnvironmentFault: a process was killed.
    """
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=begin_worker)
    left = iter(tasks)
    try:
        running: set[Future[R]] = {pool.submit(work, task) for task in islice(left, processes * _WAITING)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            running |= {pool.submit(work, task) for task in islice(left, len(done))}
            for future in done:
                yield future.result()
    except BrokenProcessPool as error:
        raise EnvironmentFault(
            "The processes that share the work must live to its end",
            found="one that was killed",
            remedy="There may be too little memory for so many at once: try --jobs 1.",
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def begin_worker() -> None:
    """Set a new process up: one thread, deaf to Ctrl-C (its parent hears it), gone when its parent is gone."""
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent has it too, and ends us in good order
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
