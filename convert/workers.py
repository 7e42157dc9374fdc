"""Workers that start before they are needed. Light: TensorFlow must not be imported yet when they start."""

from __future__ import annotations

import threading

from pixelproof.errors import WorkerStopped
from pixelproof.measure.formats import Kind
from pixelproof.measure.interrupts import interrupts_deferred
from pixelproof.measure.worker import Worker


class WarmWorkers:
    """Workers whose imports run while the parent is busy with other things; one use each."""

    def __init__(self) -> None:
        self._ready: dict[Kind, Worker] = {}
        self._taken: list[Worker] = []
        self._aborted = False
        self._guard = threading.Lock()

    def __enter__(self) -> WarmWorkers:
        return self

    def __exit__(self, *reason: object) -> None:
        with self._guard:
            while self._ready:
                self._ready.popitem()[1].close()

    def warm(self, kind: Kind) -> None:
        """Start a worker for a format now, if none is waiting."""
        with interrupts_deferred(), self._guard:
            if kind not in self._ready:
                self._ready[kind] = Worker()
                self._ready[kind].prepare(kind)

    def take(self, kind: Kind) -> Worker:
        """The worker of this format; the caller ends it.

        Raises:
            WorkerStopped: after `abort`.
        """
        with self._guard:
            if self._aborted:
                raise WorkerStopped(
                    "A proof must not be interrupted", reason="refused", found="an interruption"
                )
            worker = self._ready.pop(kind, None) or Worker()
            self._taken.append(worker)
            return worker

    def abort(self) -> None:
        """End every worker that was taken, so that those who wait for an answer stop waiting."""
        with self._guard:
            self._aborted = True
            for worker in self._taken:
                worker.abort()
