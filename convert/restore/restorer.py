"""Images of any size through one model: whole, continued to a size that it takes, or tile by tile."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from pixelproof.convert.restore.canvas import Canvas
from pixelproof.convert.restore.choice import Options, Planner, Way
from pixelproof.convert.restore.crew import Crew
from pixelproof.convert.restore.engine import Facts
from pixelproof.convert.restore.fitting import Fit, padded, scale_of
from pixelproof.convert.restore.reading import Picture, Size
from pixelproof.convert.restore.tiled import run_tiled
from pixelproof.convert.restore.tiles import Tiling
from pixelproof.errors import ModelFailed

SEAM_LEVELS = 0.5
"""Two tiles that differ by less where they meet are each within a level of the whole image's picture."""

NewCanvas = Callable[[Size], Canvas]


@dataclass(frozen=True)
class Restored:
    """An image that went through the model.

    Attributes:
        seconds: of inference, transfers included.
        size: height, width that went in, the continuation included.
        tiling: None where the image went through whole.
        seam_levels: largest difference between neighbouring tiles where they meet, in 8-bit levels.
    """

    canvas: Canvas
    seconds: float
    size: Size
    tiling: Tiling | None = None
    seam_levels: float | None = None


class Restorer:
    """One model, many images; what trials told is remembered.

    Args:
        note: told a line for what a user should know.
    """

    def __init__(
        self, crew: Crew, facts: Facts, fit: Fit, options: Options, *, note: Callable[[str], None]
    ) -> None:
        self._crew = crew
        self._fit = fit
        self.planner = Planner(crew, facts, fit, options, note=note)

    @property
    def workers(self) -> int:
        """How many images may go through at once."""
        return len(self._crew)

    def way_for(self, image: Picture) -> Way:
        """How an image goes through; not for several threads at once.

        Raises:
            ImageError: a size that the model doesn't take, and that may not be changed.
            CallError: it would need tiles, and may not be tiled.
            ModelFailed, WorkerStopped: a trial failed.
        """
        return self.planner.way_for((image.shape[0], image.shape[1]), image)

    def whole(self, image: Picture, way: Way, new_canvas: NewCanvas) -> Restored:
        """Run the model over an image at once; for any thread.

        Args:
            image: float32, (height, width, channels).
            new_canvas: makes the canvas for a result of a size.

        Raises:
            ImageError: the target doesn't fit.
            ModelFailed, WorkerStopped: the model can't run.
        """
        size = image.shape[0], image.shape[1]
        y, seconds = self._crew.timed_run(padded(image, way.size))
        result = y.shape[0], y.shape[1]
        if way.size != size:
            scale = scale_of(way.size, y.shape)
            if not scale:
                found = f"{y.shape[0]}x{y.shape[1]} for {way.size[0]}x{way.size[1]}"
                raise ModelFailed("The output must be a whole multiple of the input", found=found)
            result = size[0] * scale, size[1] * scale
        canvas = new_canvas(result)
        canvas.place(0, 0, y)
        return Restored(canvas, seconds, way.size)

    def tiled(
        self, image: Picture, way: Way, new_canvas: NewCanvas, *, progress: Callable[[str], None]
    ) -> Restored:
        """Run the model over an image tile by tile, with wider overlaps until the tiles agree.

        Args:
            progress: told which tile is done.

        Raises:
            CallError: no overlap will do.
            ImageError, ModelFailed, WorkerStopped: as `whole`.
        """
        size, scale = (image.shape[0], image.shape[1]), self._fit.scale
        start = time.monotonic()
        continued = padded(image, way.size)
        while way.tiling is not None:
            tiles = way.tiling
            canvas = new_canvas((size[0] * scale, size[1] * scale))
            seam = run_tiled(self._crew.run, continued, tiles, canvas=canvas, scale=scale, note=progress)
            if seam is None or seam <= SEAM_LEVELS or not self.planner.may_widen:
                return Restored(canvas, time.monotonic() - start, way.size, tiles, seam)
            way = self.planner.widened(size, image, seam)
        return self.whole(image, way, new_canvas)
