"""Many images through one model: while one is computed, the next is decoded and those before are written."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from pixelproof.convert.restore.ahead import ReadAhead
from pixelproof.convert.restore.canvas import Canvas
from pixelproof.convert.restore.choice import Way
from pixelproof.convert.restore.items import Item
from pixelproof.convert.restore.reading import Picture, Size, read_target
from pixelproof.convert.restore.restorer import Restored, Restorer
from pixelproof.convert.restore.tiles import Tiling
from pixelproof.errors import CallError, InputError, PixelproofError, RuleBroken, WorkerStopped
from pixelproof.images import write_png

WRITERS = 2
UNFINISHED_BYTES = 64 * 1024 * 1024
MOST_STOPS = 3
_OF_ONE_IMAGE = (InputError, CallError, RuleBroken)

Advance = Callable[[int, str], None]


@dataclass(frozen=True)
class Done:
    """One image that was restored and written.

    Attributes:
        height, width: of the result.
        seconds: of inference, transfers included.
        psnr_db: clipped, unrounded output against the target; None without one.
        continued_to: height, width of the model's input where the image was continued by reflection.
        tiling: None where it went through whole.
        seam_levels: as in `Restored`.
    """

    item: Item
    height: int
    width: int
    seconds: float
    psnr_db: float | None
    continued_to: Size | None
    tiling: Tiling | None
    seam_levels: float | None


@dataclass(frozen=True)
class Failed:
    """One image that wasn't."""

    item: Item
    error: PixelproofError


@dataclass(frozen=True)
class Results:
    """What became of the images, in their order; ``seconds`` is the whole time."""

    done: tuple[Done, ...]
    failed: tuple[Failed, ...]
    seconds: float


def restore_all(
    items: Sequence[Item],
    restorer: Restorer,
    *,
    read: Callable[[Item], Picture],
    crops_targets: bool,
    stop_on_error: bool,
    advance: Advance,
) -> Results:
    """Restore and write.

    Args:
        read: gives an item's image, float32 (height, width, channels).
        crops_targets: whether targets may be larger than the results, of which they are then the top left.
        stop_on_error: whether the first image that can't be restored ends it all.
        advance: told the images done, and a note.

    Raises:
        PixelproofError: with ``stop_on_error``, what is wrong with the first such image.
        WorkerStopped: the model took its worker down on three images.
        EnvironmentFault: the disk is full, or something is not installed.
    """
    start = time.monotonic()
    work = _Work(restorer, crops_targets=crops_targets, stop_on_error=stop_on_error, advance=advance)
    try:
        with ReadAhead(items, read) as images:
            for item, image in images:
                if isinstance(image, Exception):
                    work.fail(item, image)
                else:
                    work.put(item, image)
        work.finish()
    finally:
        work.close()
    return work.results(items, time.monotonic() - start)


class _Work:
    """Images that are under way, in so many threads as keep all workers busy while pictures are written."""

    def __init__(
        self, restorer: Restorer, *, crops_targets: bool, stop_on_error: bool, advance: Advance
    ) -> None:
        self._restorer = restorer
        self._crops_targets = crops_targets
        self._stop_on_error = stop_on_error
        self._advance = advance
        self._threads = restorer.workers + WRITERS
        self._pool = ThreadPoolExecutor(self._threads)
        self._unfinished: deque[tuple[Item, int, Future[Done]]] = deque()
        self._done: dict[Item, Done] = {}
        self._failed: dict[Item, PixelproofError] = {}
        self._stops = 0

    def put(self, item: Item, image: Picture) -> None:
        """Begin an image; waits where too many are under way. A tiled one is computed here."""
        while self._is_full():
            self._take()
        try:
            way = self._restorer.way_for(image)
            if way.tiling is None:
                task = self._pool.submit(self._whole, item, image, way)
            else:
                restored = self._restorer.tiled(
                    image,
                    way,
                    lambda size: self._canvas(item, size),
                    progress=lambda text: self._advance(0, f"{item.name}, {text}"),
                )
                task = self._pool.submit(_written, item, image.shape, restored)
        except _OF_ONE_IMAGE as error:
            self.fail(item, error)
        else:
            self._unfinished.append((item, image.nbytes, task))
        while self._unfinished and self._unfinished[0][2].done():
            self._take()

    def fail(self, item: Item, error: Exception) -> None:
        """Note an image that came to nothing; raises what concerns more than this image."""
        self._stops += isinstance(error, WorkerStopped)
        if not isinstance(error, _OF_ONE_IMAGE) or self._stop_on_error or self._stops >= MOST_STOPS:
            raise error
        self._failed[item] = error
        self._advance(1, item.name)

    def finish(self) -> None:
        """Wait for all."""
        while self._unfinished:
            self._take()

    def close(self) -> None:
        """Let what is under way come to its end, and drop the rest."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def results(self, items: Sequence[Item], seconds: float) -> Results:
        """In the order of the items."""
        done = tuple(self._done[item] for item in items if item in self._done)
        failed = tuple(Failed(item, self._failed[item]) for item in items if item in self._failed)
        return Results(done, failed, seconds)

    def _is_full(self) -> bool:
        held = sum(size for _, size, _ in self._unfinished)
        return len(self._unfinished) >= 2 * self._threads or (
            len(self._unfinished) > 1 and held >= UNFINISHED_BYTES
        )

    def _take(self) -> None:
        item, _, task = self._unfinished.popleft()
        try:
            self._done[item] = task.result()
        except _OF_ONE_IMAGE as error:
            self.fail(item, error)
        else:
            self._advance(1, item.name)

    def _whole(self, item: Item, image: Picture, way: Way) -> Done:
        restored = self._restorer.whole(image, way, lambda size: self._canvas(item, size))
        return _written(item, image.shape, restored)

    def _canvas(self, item: Item, size: Size) -> Canvas:
        target = None
        if item.target is not None:
            target = read_target(item.target, size=size if self._crops_targets else None)
        return Canvas(size, target=target)


def _written(item: Item, shape: tuple[int, ...], restored: Restored) -> Done:
    canvas = restored.canvas
    if item.output is not None:
        write_png(item.output, canvas.image8)
    return Done(
        item=item,
        height=canvas.size[0],
        width=canvas.size[1],
        seconds=restored.seconds,
        psnr_db=canvas.psnr_db(),
        continued_to=restored.size if restored.size != shape[:2] else None,
        tiling=restored.tiling,
        seam_levels=restored.seam_levels,
    )
