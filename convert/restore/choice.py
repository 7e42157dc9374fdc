"""How an image of a size goes through a model: as it is, continued by reflection, or in tiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from pixelproof.convert.restore.crew import Crew
from pixelproof.convert.restore.engine import Facts
from pixelproof.convert.restore.fitting import Fit, padded_size
from pixelproof.convert.restore.locality import Locality, find_locality, shown_levels
from pixelproof.convert.restore.reading import Picture, Size, image_size
from pixelproof.convert.restore.sizing import (
    FALLBACK_PIXELS,
    FALLBACK_SIDE,
    SMALL_PIXELS,
    Appetite,
    budget_mib,
    measured_appetite,
)
from pixelproof.convert.restore.tiles import Tiling, tiling
from pixelproof.errors import CallError, ImageError, ModelFailed

GLOBAL_OVERLAP = 64
"""Where no overlap is enough: the tiles differ wherever they meet, by their statistics."""
Note = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What the user asked for; sizes in pixels of the model's input.

    Attributes:
        tile: side of a tile; 0 for none, None for as large as memory allows, where it doesn't allow the whole.
        overlap: least context of a kept pixel; None for what trials show to be enough.
        pad: whether an image may be continued to a size that the model takes; None where that changes nothing but
            what is near the border.
        allow_global: whether a model that sees the whole image may be given tiles.
    """

    tile: int | None = None
    overlap: int | None = None
    pad: bool | None = None
    allow_global: bool = False


@dataclass(frozen=True)
class Way:
    """How images of one size are restored.

    Attributes:
        size: height, width to which the image is continued.
        tiling: None where it goes through whole.
    """

    size: Size
    tiling: Tiling | None = None


class Planner:
    """Chooses for each size once; makes trials when a choice first depends on them.

    Args:
        note: told a line for what a user should know.
    """

    def __init__(self, crew: Crew, facts: Facts, fit: Fit, options: Options, *, note: Note) -> None:
        self._crew = crew
        self._facts = facts
        self._fit = fit
        self._options = options
        self._note = note
        self._ways: dict[Size, Way] = {}
        self._locality: Locality | None = None
        self._has_padded = False

    @property
    def locality(self) -> Locality | None:
        """What trials told of how far the model sees, where any were made."""
        return self._locality

    @property
    def may_widen(self) -> bool:
        """Whether the overlap is ours to choose."""
        return self._options.overlap is None and not (self._locality and not self._locality.is_local)

    def way_for(self, size: Size, image: Picture) -> Way:
        """The way for a size.

        Args:
            image: the first one of this size, on which trials may be made.

        Raises:
            ImageError: the model doesn't take this size, and the image may not be continued.
            CallError: it would need tiles, and may not be tiled.
            ModelFailed, WorkerStopped: a trial failed.
        """
        if size not in self._ways:
            self._ways[size] = self._chosen(size, image)
        return self._ways[size]

    def widened(self, size: Size, image: Picture, seam_levels: float) -> Way:
        """A way with twice the overlap, after neighbouring tiles differed.

        Raises:
            CallError: the tiles would have to be too large.
        """
        before = self._ways[size].tiling
        assert before is not None and self._locality is not None
        overlap = max(2 * before.overlap, before.grid)
        if 2 * overlap >= min(max(size), 4096):
            overlap_shown = self._shown_length(before.overlap)
            found = f"a difference of {shown_levels(seam_levels)} with an overlap of {overlap_shown}"
            remedy = "Use --tile off where memory allows, or --overlap with a number that will do."
            raise CallError("Two tiles must agree where they meet", found=found, remedy=remedy)
        now = self._shown_length(overlap)
        self._note(f"tiles differed by {shown_levels(seam_levels)} where they meet: the overlap is now {now}")
        self._locality = replace(self._locality, overlap=overlap)
        self._ways.clear()
        return self.way_for(size, image)

    def _chosen(self, size: Size, image: Picture) -> Way:
        if size[0] * size[1] > SMALL_PIXELS:
            self._crew.alone()
        self._check_fixed(size)
        whole = padded_size(size, self._fit)
        tile = self._tile_for(whole, image)
        if tile is None:
            self._check_padding(size, whole, image)
            return Way(whole)
        overlap, grid = self._context(image)
        fixed = self._facts.fixed[0] is not None, self._facts.fixed[1] is not None
        if self._options.tile is None and not any(fixed):
            least = 2 * overlap + 4 * grid
            tile = max(tile[0], least), max(tile[1], least)
        self._check_tile(tile, whole, overlap, grid)
        whole = _on_grid(whole, tile, grid, fixed)
        self._check_padding(size, whole, image)
        tiles = tiling(whole, tile=tile, overlap=overlap, grid=grid, fixed=fixed)
        if len(tiles) == 1:
            return Way(whole)
        self._note(
            f"{self._shown(size)} in {len(tiles)} tiles of {self._shown((tiles.height, tiles.width))} "
            f"with an overlap of {self._shown_length(tiles.overlap)}"
        )
        return Way(whole, tiles)

    def _check_fixed(self, size: Size) -> None:
        fixed = self._facts.fixed
        if any(f is not None and n < f for n, f in zip(size, fixed, strict=True)):
            wanted = "x".join("any" if f is None else str(self._shown_length(f)) for f in fixed)
            remedy = "Use a model that takes any size: convert-model writes one."
            rule = f"The model takes images of {wanted} only, and larger ones in tiles"
            raise ImageError(rule, found=self._shown(size), remedy=remedy)

    def _check_tile(self, tile: Size, whole: Size, overlap: int, grid: int) -> None:
        """In the image's pixels, as `tiling` would refuse it in the model's."""
        least = 2 * overlap + 2 * grid
        cut = [side for side, length in zip(tile, whole, strict=True) if side < length]
        if cut and min(cut) < least:
            least, context = self._shown_length(least), self._shown_length(overlap)
            is_fixed = self._facts.fixed != (None, None)
            way = "Use a model that takes any size" if is_fixed else f"Use --tile {least} or more"
            remedy = f"{way}, or a smaller --overlap, at which tiles may differ where they meet."
            rule = f"A tile must have {least} pixels a side for an overlap of {context}"
            raise CallError(rule, found=str(self._shown_length(min(cut))), remedy=remedy)

    def _tile_for(self, size: Size, image: Picture) -> Size | None:
        """Largest height, width of a tile, or None for the whole."""
        fixed = self._facts.fixed
        if fixed != (None, None):
            wanted = fixed[0] or size[0], fixed[1] or size[1]
            if wanted == size:
                return None
            if self._options.tile == 0:
                rule = "A model of fixed size takes larger images in tiles only"
                raise ImageError(rule, found=f"--tile off and {self._shown(size)}", remedy="Use --size.")
            return wanted
        if self._options.tile is not None:
            side = self._options.tile
            return (side, side) if side and max(size) > side else None
        pixels = size[0] * size[1]
        if pixels <= SMALL_PIXELS or not self._fit.multiple:
            return None
        if self._appetite is None:
            return None if pixels <= FALLBACK_PIXELS else (FALLBACK_SIDE, FALLBACK_SIDE)
        predicted = self._appetite.predicted_mib(size)
        if predicted <= budget_mib():
            return None
        self._check_local(image, why=f"the whole would take about {predicted:.0f} MiB")
        side = self._appetite.largest_side()
        return side, side

    @cached_property
    def _appetite(self) -> Appetite | None:
        return measured_appetite(self._crew.alone(), self._facts, self._fit)

    def _context(self, image: Picture) -> tuple[int, int]:
        """Overlap and grid."""
        self._check_local(image, why="it was to be tiled")
        found = self._locality
        assert found is not None
        grid = found.grid or self._fit.multiple or 1
        if self._options.overlap is not None:
            return self._options.overlap, grid
        if found.overlap is not None:
            return max(grid, found.overlap), grid
        side = self._options.tile or GLOBAL_OVERLAP * 8
        return max(1, min(GLOBAL_OVERLAP, side // 8) // grid) * grid, grid

    def _check_local(self, image: Picture, *, why: str) -> None:
        found = self._tried(image)
        if found.is_local or self._options.allow_global:
            return
        if found.overlap is None:
            far = self._shown_length(found.reach)
            reason = f"a change {far} pixels away changes the picture by {shown_levels(found.far_levels)}"
        else:
            reason = "a shifted image gives another picture, not a shifted one"
        rule = "A model must see the whole image where far pixels change the result"
        if self._facts.says_global:
            rule = "A model with global statistics, such as instance normalisation, must see the whole image"
        remedy = (
            "--size restores a part, --tile off runs the whole all the same, and "
            "--allow-global-statistics lets every tile have statistics of its own."
        )
        raise CallError(rule, found=f"{why}, and {reason}", remedy=remedy)

    def _tried(self, image: Picture) -> Locality:
        self._check_scale()
        if self._locality is None:
            self._locality = find_locality(self._crew.run, self._facts, self._fit, content=image)
        return self._locality

    def _check_scale(self) -> None:
        if self._fit.scale < 1:
            rule = "A tiled or continued image needs an output of a whole multiple of the input's size"
            raise ModelFailed(rule, found="none at the sizes that were tried")

    def _check_padding(self, size: Size, whole: Size, image: Picture) -> None:
        if whole == size:
            return
        multiple = self._shown_length(self._fit.multiple)
        step = f"multiples of {multiple}" if self._fit.multiple > 1 else "whole steps of its tiles"
        smaller = tuple(n // multiple * multiple for n in image_size(size, channels=self._facts.channels))
        crop = f"--size {smaller[0]},{smaller[1]} crops it" if min(smaller) else "Use larger images"
        if self._options.pad is False:
            rule = f"Height and width must be {step}"
            raise ImageError(rule, found=self._shown(size), remedy=f"{crop}; --pad continues it.")
        if self._options.pad is None and not self._tried(image).is_local:
            rule = f"Height and width must be {step} for a model with global statistics"
            remedy = f"{crop}; --pad continues it by reflection, which changes the whole picture a little."
            raise ImageError(rule, found=self._shown(size), remedy=remedy)
        self._check_scale()
        if not self._has_padded:
            self._has_padded = True
            self._note(
                f"the model takes {step}: {self._shown(size)} is continued by reflection to {self._shown(whole)}, "
                "and the result cropped"
            )

    def _shown(self, size: Size) -> str:
        height, width = image_size(size, channels=self._facts.channels)
        return f"{height}x{width}"

    def _shown_length(self, length: int) -> int:
        return image_size((length, length), channels=self._facts.channels)[0]


def _on_grid(size: Size, tile: Size, grid: int, fixed: tuple[bool, bool]) -> Size:
    """The next size upwards that tiles of fixed size cover in whole steps; where they are not fixed, as it is."""
    height, width = (
        extent + -(-(length - extent) // grid) * grid if is_fixed else length
        for length, extent, is_fixed in zip(size, tile, fixed, strict=True)
    )
    return height, width
