"""What is drawn of an output: where to crop, how far it is off, what lies outside the range."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pixelproof.images import Rgb8
from pixelproof.measure.protocol import Array
from pixelproof.validate.pairs import Image
from pixelproof.validate.picture_records import Crop, Place

if TYPE_CHECKING:
    import PIL.Image

CROP_SIDE = 192
FACTORS = (64, 32, 16, 8, 4, 2, 1)
SHOWN_QUANTILE = 0.995
WHITE_LEVELS = 255.0
ERROR_STOPS = ((0, 0, 8), (62, 18, 110), (176, 44, 94), (245, 125, 44), (255, 238, 170))
"""Colours of no, a quarter, half, three quarters and full error; their lightness rises evenly."""
MARKS = {"below": (0, 136, 255), "above": (255, 0, 170), "non_finite": (255, 214, 0)}
"""Colours of pixels outside [0, 1]."""
_GREYS = 253
_DIMMED = 0.6
RAW_NOTE = "RAW planes shown as R, mean of both G, B, brightened by a power of 1/2.2"

Levels = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Outside:
    """Pixels with a value outside [0, 1], each bool (height, width); a pixel with both counts as below."""

    below: Pixels
    above: Pixels
    non_finite: Pixels

    @property
    def any(self) -> Pixels:
        """Pixels with any of these."""
        return self.below | self.above | self.non_finite


def outside_of(output: Array) -> Outside:
    """Which pixels of an output (height, width, 3) leave [0, 1]."""
    finite: Pixels = np.asarray(np.isfinite(output).all(axis=2))
    below: Pixels = np.asarray((output < 0).any(axis=2))
    above: Pixels = np.asarray((output > 1).any(axis=2))
    return Outside(below=below & finite, above=above & finite & ~below, non_finite=~finite)


def shown_8bit(output: Array) -> Rgb8:
    """An output clipped to [0, 1] and rounded to 8 bit; NaN becomes black, infinities the bounds."""
    levels = np.nan_to_num(output.astype(np.float64), nan=0.0, posinf=1.0, neginf=0.0) * WHITE_LEVELS
    rounded: Rgb8 = np.rint(np.clip(levels, 0, WHITE_LEVELS)).astype(np.uint8)
    return rounded


def error_levels(output: Array, target: Rgb8) -> Levels:
    """Mean absolute difference over the channels, in 8-bit levels; 255 where the output is not finite.

    Args:
        output: float, (height, width, 3), nominally in [0, 1]; clipped to it.
        target: uint8, same shape.
    """
    finite = np.isfinite(output).all(axis=2)
    levels = np.clip(np.nan_to_num(output.astype(np.float64)), 0, 1) * WHITE_LEVELS
    error: Levels = np.abs(levels - target).mean(axis=2)
    error[~finite] = WHITE_LEVELS
    return error


def crop_of(error: Levels, *, scale: int, worst: bool) -> Crop:
    """The part that is shown, on the grid of the input's pixels.

    Args:
        error: (height, width), of the output.
        scale: output size over input size.
        worst: where the error is largest; else the centre.
    """
    size = [min(CROP_SIDE, side) // scale * scale for side in error.shape]
    if size == [*error.shape]:
        return Crop(0, 0, size[0], size[1], "whole")
    place: Place = "centre"
    top, left = ((side - part) // 2 // scale * scale for side, part in zip(error.shape, size, strict=True))
    if worst:
        place = "largest_error"
        top, left = _largest(error, size[0], size[1], step=scale)
    return Crop(top, left, size[0], size[1], place)


def _largest(error: Levels, height: int, width: int, *, step: int) -> tuple[int, int]:
    """Corner of the window of this size with the largest sum, by a summed-area table."""
    table = np.pad(error.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    sums = (
        table[height:, width:] - table[:-height, width:] - table[height:, :-width] + table[:-height, :-width]
    )
    sums = sums[::step, ::step]
    top, left = np.unravel_index(int(np.argmax(sums)), sums.shape)
    return int(top) * step, int(left) * step


def factor_for(error: Levels) -> int:
    """By how much an error can be multiplied so that all but its largest few pixels stay within 255 levels."""
    most = float(np.quantile(error, SHOWN_QUANTILE))
    return next((factor for factor in FACTORS if most * factor <= WHITE_LEVELS), 1)


def error_picture(error: Levels, factor: int) -> PIL.Image.Image:
    """The error times a factor, in colours."""
    return _palette_picture(np.rint(np.minimum(error * factor, WHITE_LEVELS)), error_palette())


def outside_picture(output8: Rgb8, outside: Outside) -> PIL.Image.Image:
    """The output in dim grey, marked where it leaves [0, 1]."""
    grey = output8.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    places = np.rint(grey / WHITE_LEVELS * (_GREYS - 1))
    greys = [
        (level, level, level) for level in (round(255 * _DIMMED * i / (_GREYS - 1)) for i in range(_GREYS))
    ]
    for number, (name, _) in enumerate(MARKS.items()):
        places[getattr(outside, name)] = _GREYS + number
    return _palette_picture(places, [*greys, *MARKS.values()])


def input_picture(source: Image) -> tuple[Rgb8, str]:
    """(an input as an RGB image, how it was made visible where it is none)."""
    if source.dtype == np.uint8:
        return source.astype(np.uint8, copy=False), ""
    blue, green, red, other_green = np.moveaxis(source, -1, 0)  # as bayer.plane_offsets orders them
    rgb = np.stack([red, (green + other_green) / 2, blue], axis=-1)
    visible = np.power(np.clip(np.nan_to_num(rgb.astype(np.float64)), 0, 1), 1 / 2.2)
    return np.rint(visible * WHITE_LEVELS).astype(np.uint8), RAW_NOTE


def error_palette() -> list[tuple[int, int, int]]:
    """256 colours between the stops."""
    colours = []
    for place in np.linspace(0, len(ERROR_STOPS) - 1, 256):
        low = min(math.floor(place), len(ERROR_STOPS) - 2)
        pairs = zip(ERROR_STOPS[low], ERROR_STOPS[low + 1], strict=True)
        red, green, blue = (round(a + (b - a) * (place - low)) for a, b in pairs)
        colours.append((red, green, blue))
    return colours


def _palette_picture(places: npt.NDArray[np.float64], palette: list[tuple[int, int, int]]) -> PIL.Image.Image:
    import PIL.Image

    picture = PIL.Image.fromarray(places.astype(np.uint8))
    picture.putpalette([value for colour in palette for value in colour])
    return picture
