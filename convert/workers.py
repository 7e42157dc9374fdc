"""Workers that start before they are needed. Light: TensorFlow must not be imported yet when they start."""

from __future__ import annotations

from pixelproof.measure.formats import Kind
from pixelproof.measure.worker import Worker


class WarmWorkers:
    """Workers whose imports run while the parent is busy with other things; one use each."""

    def __init__(self) -> None:
        self._ready: dict[str, Worker] = {}

    def __enter__(self) -> WarmWorkers:
        return self

    def __exit__(self, *reason: object) -> None:
        while self._ready:
            self._ready.popitem()[1].close()

    def warm(self, kind: Kind) -> None:
        """Start a worker for a format now."""
        worker = Worker()
        worker.prepare(kind)
        self._ready[kind] = worker

    def take(self, kind: Kind) -> Worker:
        """The worker of this format; the caller ends it."""
        return self._ready.pop(kind, None) or Worker()
