"""One model in several workers: small images go through side by side, a large one through all cores at once.

An image of 256x256 keeps no two cores busy: its layers are too short to be shared out. Two workers of one thread
each restore a third more of them in the same time than one worker of two threads (measured: punet, base 16).
"""

from __future__ import annotations

import queue
import struct
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from pixelproof.convert.restore.engine import Engine, Facts
from pixelproof.convert.restore.items import Item
from pixelproof.convert.restore.reading import Picture, Size

Start = Callable[[int], Engine]
"""Starts an engine with so many threads."""


MANY_IMAGES = 32
SMALL_PIXELS = 512 * 512
MOST_WORKERS = 4


def workers_for(items: Sequence[Item], size: Size | None, *, threads: int) -> int:
    """How many workers to start: several where there are many images and the first is small.

    Args:
        size: to which images are cropped.
    """
    if len(items) < MANY_IMAGES:
        return 1
    height, width = size or _stored_size(items[0].source) or (SMALL_PIXELS, SMALL_PIXELS)
    return min(threads, MOST_WORKERS) if height * width <= SMALL_PIXELS else 1


def _stored_size(path: Path) -> Size | None:
    """What an image file's header says; None where Pillow can't read it."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.height, image.width
    except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError):
        return None


class Crew:
    """A context manager: leaving it ends the workers.

    Args:
        start: starts an engine.
        threads: of all workers together.
        workers: how many share them.
    """

    def __init__(self, start: Start, *, threads: int, workers: int) -> None:
        self._start = start
        self.threads = threads
        self._engines: list[Engine] = []
        self._idle: queue.SimpleQueue[Engine] = queue.SimpleQueue()
        self._alone = threading.Lock()
        self._closing = ExitStack()
        self._peak_mib = 0.0
        try:
            self._engage(workers)
        except BaseException:
            self._closing.close()
            raise

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    def __len__(self) -> int:
        """How many workers there are now."""
        return len(self._engines)

    def load(self) -> Facts:
        """Let every worker load the model.

        Raises:
            ArtifactError, ModelFailed, WorkerStopped: as `Engine.load`.
        """
        facts = self._engines[0].load()
        for engine in self._engines[1:]:
            engine.load()
        return facts

    def run(self, x: Picture) -> Picture:
        """The picture that comes out, from the worker that is free first; for any thread.

        Raises:
            ModelFailed, WorkerStopped: as `Engine.run`.
        """
        return self.timed_run(x)[0]

    def timed_run(self, x: Picture) -> tuple[Picture, float]:
        """As `run`, with the seconds that it took, transfers included and waiting not."""
        engine = self._idle.get()
        try:
            return engine.timed_run(x)
        finally:
            self._idle.put(engine)

    def alone(self) -> Engine:
        """From now on one worker with all threads, for a large image or for measuring; waits for those at work."""
        with self._alone:
            if len(self._engines) > 1:
                for _ in self._engines:
                    self._idle.get()
                self._peak_mib = self.peak_mib()
                self._closing.close()
                self._engines = []
                self._engage(1)
                self._engines[0].load()
        return self._engines[0]

    def peak_mib(self) -> float:
        """Largest resident size of all workers together, the sum of their peaks."""
        return max(self._peak_mib, sum(engine.peak_mib() for engine in self._engines))

    def _engage(self, workers: int) -> None:
        for number in range(workers):
            threads = (self.threads + number) // workers
            engine = self._closing.enter_context(self._start(threads))
            self._engines.append(engine)
            self._idle.put(engine)
