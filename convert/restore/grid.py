"""In what cells a model looks at an image: pooling and strides count them from its top left."""

from __future__ import annotations

import numpy as np

from pixelproof.convert.restore.engine import Facts
from pixelproof.convert.restore.fitting import Fit, Run
from pixelproof.convert.restore.reading import Picture, Size
from pixelproof.measure.parity import SIZE_MULTIPLES, probe_image

LEAST_SIDE = 256
LARGEST_GRID = SIZE_MULTIPLES[-1]
TOLERANCE_LEVELS = 0.2


def find_grid(run: Run, facts: Facts, fit: Fit, *, overlap: int) -> int | None:
    """The smallest shift of the input, among 1, 2, 4, ... 64, that shifts the output and changes nothing.

    Args:
        overlap: how far from a border the output may be another.

    Returns:
        None where there is none, or where a fixed size leaves no pixel that is far enough from both borders.

    Raises:
        ModelFailed, WorkerStopped: the model can't be run.
    """
    side = max(LEAST_SIDE, -(-2 * overlap // LARGEST_GRID) * LARGEST_GRID + 2 * LARGEST_GRID)
    size = facts.fixed[0] or side, facts.fixed[1] or side
    probe = probe_image(size[0] + LARGEST_GRID, size[1] + LARGEST_GRID, facts.channels)[0]
    still = run(_part(probe, size, (0, 0)))
    for shift in SIZE_MULTIPLES:
        if shift % (fit.multiple or 1):
            continue
        answers = []
        for down, right in ((shift, 0), (0, shift)):
            moved = run(_part(probe, size, (down, right)))
            step, border = (down * fit.scale, right * fit.scale), overlap * fit.scale
            answers.append(follows(still, moved, step=step, border=border))
        if False not in answers and True in answers:
            return shift
    return None


def follows(still: Picture, moved: Picture, *, step: Size, border: int) -> bool | None:
    """Whether ``moved`` is ``still``, moved up or to the left; None where no pixel is left to tell.

    Args:
        still, moved: outputs for two parts of one image.
        step: by how much their places differ, in pixels of the output; one of the two is 0.
        border: pixels that don't count, on both sides along the step.
    """
    parts = []
    for picture, leads in ((still, True), (moved, False)):
        kept = []
        for length, move in zip(picture.shape[:2], step, strict=True):
            start, stop = (border, length - border) if move else (0, length)
            kept.append(slice(start + move, stop) if leads else slice(start, max(stop - move, 0)))
        parts.append(picture[kept[0], kept[1]])
    a, b = parts
    if a.size == 0 or b.size == 0:
        return None
    return bool(np.abs(a.astype(np.float64) - b).max() * 255.0 <= TOLERANCE_LEVELS)


def _part(image: Picture, size: Size, place: tuple[int, int]) -> Picture:
    top, left = place
    return np.ascontiguousarray(image[top : top + size[0], left : left + size[1]])
