"""Where tiles lie: pure arithmetic on heights and widths, in pixels of the model's input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from pixelproof.errors import CallError


@dataclass(frozen=True)
class Span:
    """A tile along one axis: ``start`` to ``stop`` goes into the model, ``keep_start`` to ``keep_stop`` is kept."""

    start: int
    stop: int
    keep_start: int
    keep_stop: int


@dataclass(frozen=True)
class Tile:
    """A tile of an image."""

    rows: Span
    columns: Span


@dataclass(frozen=True)
class Tiling:
    """How an image is cut.

    Attributes:
        height, width: of the tiles, which are all of one size.
        overlap: pixels of context that each kept pixel has at least on every side, or all up to the image's border.
        grid: tiles begin at multiples of it.
    """

    rows: tuple[Span, ...]
    columns: tuple[Span, ...]
    height: int
    width: int
    overlap: int
    grid: int

    def __iter__(self) -> Iterator[Tile]:
        """Tiles, row by row."""
        return (Tile(rows, columns) for rows in self.rows for columns in self.columns)

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)


def tiling(
    size: tuple[int, int],
    *,
    tile: tuple[int, int],
    overlap: int,
    grid: int,
    fixed: tuple[bool, bool] = (False, False),
) -> Tiling:
    """Tiles of one size that cover an image, of which the kept parts cover every pixel once.

    Pooling and strides look at an image in cells that are counted from its top left. So tiles begin at multiples of
    ``grid``, and their sides leave the same remainder by it as the image's.

    Args:
        size: height, width of the image.
        tile: most height, width of a tile; the exact ones where ``fixed`` says so.
        overlap: least context of a kept pixel.
        grid: of the model; 1 where any place will do.

    Raises:
        CallError: a tile that is too small for its overlap, or of fixed size and doesn't fit the grid.
    """
    rows, columns = (
        spans(length, tile=most, overlap=overlap, grid=grid, fixed=is_fixed)
        for length, most, is_fixed in zip(size, tile, fixed, strict=True)
    )
    height, width = rows[0].stop - rows[0].start, columns[0].stop - columns[0].start
    return Tiling(rows, columns, height, width, overlap, grid)


def spans(length: int, *, tile: int, overlap: int, grid: int, fixed: bool = False) -> tuple[Span, ...]:
    """One axis of `tiling`."""
    if length < 1 or tile < 1 or overlap < 0 or grid < 1:
        found = f"length {length}, tile {tile}, overlap {overlap}, grid {grid}"
        raise CallError("Tiles must have positive sizes", found=found)
    if length <= tile:
        return (Span(0, length, 0, length),)
    extent = tile if fixed else tile - (tile - length) % grid
    if fixed and (length - tile) % grid:
        rule = f"An image must be whole steps of {grid} larger than the tile"
        raise CallError(rule, found=f"{length} and {tile}")
    if _step(extent, overlap, grid) < grid:
        rule = f"A tile must be larger than its overlap on both sides and a step of {grid}"
        remedy = f"Use --tile {2 * overlap + 2 * grid} or more, or a smaller --overlap."
        raise CallError(rule, found=f"{tile} with an overlap of {overlap}", remedy=remedy)
    count = _count(length, extent, overlap, grid)
    while not fixed and _fits(length, extent - grid, overlap, grid, count):
        extent -= grid
    return _cut(length, extent, count, grid)


def _cut(length: int, extent: int, count: int, grid: int) -> tuple[Span, ...]:
    """Tiles at even distances; two neighbours part in the middle of what both have."""
    cells = (length - extent) // grid
    starts = [cells * number // (count - 1) * grid for number in range(count)]
    parts = [(after + before + extent) // 2 for before, after in pairwise(starts)]
    kept = [0, *parts, length]
    return tuple(
        Span(start, start + extent, kept[number], kept[number + 1]) for number, start in enumerate(starts)
    )


def _step(extent: int, overlap: int, grid: int) -> int:
    """How far apart two tiles may begin."""
    return (extent - 2 * overlap) // grid * grid


def _count(length: int, extent: int, overlap: int, grid: int) -> int:
    return -(-(length - extent) // _step(extent, overlap, grid)) + 1


def _fits(length: int, extent: int, overlap: int, grid: int, count: int) -> bool:
    return (
        extent > 0 and _step(extent, overlap, grid) >= grid and _count(length, extent, overlap, grid) == count
    )
