"""The tile planner: pure arithmetic, tried on many sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelproof.convert.restore.tiles import spans, tiling
from pixelproof.errors import CallError

GRIDS = st.sampled_from((1, 2, 4, 8, 16, 64))


@dataclass(frozen=True)
class Axis:
    """What is asked of one axis."""

    length: int
    tile: int
    overlap: int
    grid: int


@st.composite
def axes(draw: st.DrawFn) -> Axis:
    """Any length, with a tile that is large enough for its overlap."""
    grid, overlap = draw(GRIDS), draw(st.integers(0, 100))
    tile = draw(st.integers(2 * overlap + 2 * grid, 2 * overlap + 2 * grid + 500))
    return Axis(draw(st.integers(1, 4000)), tile, overlap, grid)


@given(axes())
def test_kept_parts_cover_every_pixel_once(axis: Axis) -> None:
    covered = np.zeros(axis.length, int)
    for span in spans(axis.length, tile=axis.tile, overlap=axis.overlap, grid=axis.grid):
        assert 0 <= span.start <= span.keep_start < span.keep_stop <= span.stop <= axis.length
        covered[span.keep_start : span.keep_stop] += 1
    assert (covered == 1).all()


@given(axes())
def test_tiles_lie_on_the_grid_and_end_as_the_image_ends(axis: Axis) -> None:
    found = spans(axis.length, tile=axis.tile, overlap=axis.overlap, grid=axis.grid)
    assert len({span.stop - span.start for span in found}) == 1
    for span in found:
        assert span.stop - span.start <= axis.tile
        assert span.start % axis.grid == 0
        assert (span.stop - span.start - axis.length) % axis.grid == 0


@given(axes())
def test_kept_pixels_have_their_context(axis: Axis) -> None:
    for span in spans(axis.length, tile=axis.tile, overlap=axis.overlap, grid=axis.grid):
        assert span.start == 0 or span.keep_start - span.start >= axis.overlap
        assert span.stop == axis.length or span.stop - span.keep_stop >= axis.overlap


@given(axes())
def test_no_tile_is_larger_than_it_must_be(axis: Axis) -> None:
    found = spans(axis.length, tile=axis.tile, overlap=axis.overlap, grid=axis.grid)
    extent = found[0].stop - found[0].start
    if len(found) > 1 and extent > 2 * axis.overlap + 2 * axis.grid:
        smaller = spans(axis.length, tile=extent - 1, overlap=axis.overlap, grid=axis.grid)
        assert len(smaller) > len(found)


@given(axes(), st.integers(1, 40))
def test_fixed_tiles_keep_their_size(axis: Axis, steps: int) -> None:
    length = axis.tile + steps * axis.grid
    found = spans(length, tile=axis.tile, overlap=axis.overlap, grid=axis.grid, fixed=True)
    assert {span.stop - span.start for span in found} == {axis.tile}
    assert found[-1].stop == length
    assert all(span.start % axis.grid == 0 for span in found)


@pytest.mark.parametrize(("length", "tile"), [(512, 512), (100, 512), (1, 2)])
def test_what_fits_is_not_cut(length: int, tile: int) -> None:
    (span,) = spans(length, tile=tile, overlap=16, grid=16)
    assert (span.start, span.stop, span.keep_start, span.keep_stop) == (0, length, 0, length)


@pytest.mark.parametrize(
    ("tile", "overlap", "grid"), [(352, 176, 16), (100, 60, 1), (15, 0, 16), (40, 16, 16)]
)
def test_a_tile_too_small_for_its_overlap_is_refused(tile: int, overlap: int, grid: int) -> None:
    with pytest.raises(CallError, match="larger than its overlap on both sides"):
        spans(1000, tile=tile, overlap=overlap, grid=grid)


def test_a_fixed_tile_off_the_grid_is_refused() -> None:
    with pytest.raises(CallError, match="whole steps of 16"):
        spans(130, tile=64, overlap=8, grid=16, fixed=True)


def test_an_image_is_covered_in_both_directions() -> None:
    tiles = tiling((75, 310), tile=(64, 64), overlap=9, grid=4)
    covered = np.zeros((75, 310), int)
    for tile in tiles:
        rows, columns = tile.rows, tile.columns
        covered[rows.keep_start : rows.keep_stop, columns.keep_start : columns.keep_stop] += 1
        assert (rows.stop - rows.start, columns.stop - columns.start) == (tiles.height, tiles.width)
    assert (covered == 1).all()
    assert len(tiles) == len(list(tiles)) == len(tiles.rows) * len(tiles.columns)
