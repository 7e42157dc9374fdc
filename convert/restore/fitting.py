"""Which sizes a model takes, and how an image is brought to one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelproof.convert.restore.engine import Facts
from pixelproof.convert.restore.reading import Picture, Size
from pixelproof.errors import ModelFailed
from pixelproof.measure.parity import SIZE_MULTIPLES, probe_image

PROBE_PIXELS = 128

Run = Callable[[Picture], Picture]


@dataclass(frozen=True)
class Fit:
    """What trials told.

    Attributes:
        multiple: height and width of an input must be multiples of it; 0 where no trial size was taken.
        scale: output size over input size; 0 where it isn't the same whole number in height and width.
    """

    multiple: int
    scale: int


def find_fit(run: Run, facts: Facts) -> Fit:
    """Try small uneven sizes: odd ones, then multiples of 2, 4, 8, ... 64; where a size is fixed, that one.

    Raises:
        ModelFailed: a model of fixed size doesn't take its own.
    """
    for multiple in SIZE_MULTIPLES:
        height, width = (fixed or n for fixed, n in zip(facts.fixed, probe_size(multiple), strict=True))
        try:
            y = run(probe_image(height, width, facts.channels)[0])
        except ModelFailed:
            if None not in facts.fixed:
                raise
            continue
        is_fixed = None not in facts.fixed
        return Fit(multiple=1 if is_fixed else multiple, scale=scale_of((height, width), y.shape))
    return Fit(multiple=0, scale=0)


def probe_size(multiple: int) -> Size:
    """Two small sides, both odd multiples of a number, so that they are multiples of no larger one here."""
    least = -(-PROBE_PIXELS // multiple) | 1
    return least * multiple, (least + 2) * multiple


def scale_of(size: Size, output: tuple[int, ...]) -> int:
    """Output size over input size, 0 where it is no one whole number."""
    (rows, over), (columns, more) = (divmod(out, n) for out, n in zip(output[:2], size, strict=True))
    return rows if rows == columns and not (over or more) else 0


def padded_size(size: Size, fit: Fit) -> Size:
    """The next size upwards that the model takes."""
    multiple = fit.multiple or 1
    return -(-size[0] // multiple) * multiple, -(-size[1] // multiple) * multiple


def padded(image: npt.NDArray[Any], size: Size) -> npt.NDArray[Any]:
    """An image continued at the bottom and on the right by its reflection.

    Args:
        image: (height, width, channels).
        size: not smaller than the image.
    """
    below, beside = size[0] - image.shape[0], size[1] - image.shape[1]
    if not (below or beside):
        return image
    return np.pad(image, ((0, below), (0, beside), (0, 0)), mode="symmetric")
