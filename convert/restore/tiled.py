"""One image through a model, tile by tile; where two tiles meet, both are compared."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from pixelproof.convert.restore.canvas import Canvas
from pixelproof.convert.restore.fitting import Run
from pixelproof.convert.restore.reading import Picture
from pixelproof.convert.restore.tiles import Tile, Tiling
from pixelproof.errors import ModelFailed


def run_tiled(
    run: Run,
    image: Picture,
    tiles: Tiling,
    *,
    canvas: Canvas,
    scale: int,
    note: Callable[[str], None],
) -> float | None:
    """Fill a canvas from tiles; while one is computed, the one before is rounded and put in place.

    Args:
        image: float32, (height, width, channels).
        scale: output size over input size.
        note: told which tile is done.

    Returns:
        The largest difference between two neighbours where they meet, in 8-bit levels: there the context is least
        on both sides, and so the difference from the whole image's picture largest. None without an overlap.

    Raises:
        ModelFailed, WorkerStopped: the model can't be run, or its output isn't ``scale`` times the tile.
    """
    seams = _Seams(image.shape[1] * scale, scale) if tiles.overlap else None
    waiting: Future[None] | None = None
    with ThreadPoolExecutor(1) as helper:
        for number, tile in enumerate(tiles):
            y = run(_cut(image, tile))
            if y.shape[:2] != (tiles.height * scale, tiles.width * scale):
                found = f"{y.shape[0]}x{y.shape[1]} for a tile of {tiles.height}x{tiles.width}"
                raise ModelFailed(f"The output must be {scale} times the input", found=found)
            if waiting is not None:
                waiting.result()
            waiting = helper.submit(_keep, canvas, seams, tile, y, scale)
            note(f"tile {number + 1} of {len(tiles)}")
        if waiting is not None:
            waiting.result()
    return None if seams is None else seams.largest_levels


def _cut(image: Picture, tile: Tile) -> Picture:
    rows, columns = tile.rows, tile.columns
    return np.ascontiguousarray(image[rows.start : rows.stop, columns.start : columns.stop])


def _keep(canvas: Canvas, seams: _Seams | None, tile: Tile, y: Picture, scale: int) -> None:
    rows, columns = tile.rows, tile.columns
    if seams is not None:
        seams.compare(tile, y)
    top, left = (rows.keep_start - rows.start) * scale, (columns.keep_start - columns.start) * scale
    bottom, right = (rows.keep_stop - rows.start) * scale, (columns.keep_stop - columns.start) * scale
    canvas.place(rows.keep_start * scale, columns.keep_start * scale, y[top:bottom, left:right])


class _Seams:
    """The pixels on both sides of each seam, as the tile above or on the left has them."""

    def __init__(self, width: int, scale: int) -> None:
        self.largest_levels = 0.0
        self._scale = scale
        self._left: Picture | None = None
        self._above = np.zeros((2 * scale, width, 3), np.float32)

    def compare(self, tile: Tile, y: Picture) -> None:
        """Compare a tile with its neighbours that came before, and remember what those to come will need."""
        scale, rows, columns = self._scale, tile.rows, tile.columns
        kept_rows = slice((rows.keep_start - rows.start) * scale, (rows.keep_stop - rows.start) * scale)
        kept_columns = slice(
            (columns.keep_start - columns.start) * scale, (columns.keep_stop - columns.start) * scale
        )
        if columns.start:
            assert self._left is not None
            self._note(self._left, y[kept_rows, _around(kept_columns.start, scale)])
        if columns.keep_stop < columns.stop:
            self._left = y[kept_rows, _around(kept_columns.stop, scale)].copy()
        here = slice(columns.keep_start * scale, columns.keep_stop * scale)
        if rows.start:
            self._note(self._above[:, here], y[_around(kept_rows.start, scale), kept_columns])
        if rows.keep_stop < rows.stop:
            self._above[:, here] = y[_around(kept_rows.stop, scale), kept_columns]

    def _note(self, before: Picture, now: Picture) -> None:
        apart = np.abs(np.clip(before, 0.0, 1.0) - np.clip(now, 0.0, 1.0))
        levels = float(apart.max()) * 255.0 if apart.size else 0.0
        self.largest_levels = max(self.largest_levels, levels if np.isfinite(levels) else np.inf)


def _around(place: int, scale: int) -> slice:
    """One input pixel's worth of output on each side of a seam."""
    return slice(place - scale, place + scale)
