"""Changes of colour as GFPGAN's data set makes them (``ffhq_degradation_dataset.py``), by torchvision's formulas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixelproof.models.training.degradations.bands import Planes
from pixelproof.models.training.degradations.noise import grey_of
from pixelproof.models.training.degradations.recipe import Colour, Range


@dataclass(frozen=True)
class ColourChange:
    """Changes as drawn.

    Attributes:
        shift: of each channel, in [-1, 1]; None for none.
        grey: whether all channels become the luma.
        adjustments: (brightness, contrast, saturation or hue, its number), in their order.
    """

    shift: tuple[float, float, float] | None
    grey: bool
    adjustments: tuple[tuple[str, float], ...]


def draw_colour(rng: np.random.Generator, given: Colour) -> ColourChange:
    """What happens to the colours of a picture."""
    shift = None
    if rng.random() < given.color_jitter_prob:
        most = given.color_jitter_shift / 255
        red, green, blue = (float(rng.uniform(-most, most)) for _ in range(3))
        shift = red, green, blue
    grey = bool(rng.random() < given.gray_prob)
    adjustments: tuple[tuple[str, float], ...] = ()
    if rng.random() < given.color_jitter_pt_prob:
        ranges: dict[str, Range] = {
            "brightness": given.brightness,
            "contrast": given.contrast,
            "saturation": given.saturation,
            "hue": given.hue,
        }
        order = [list(ranges)[i] for i in rng.permutation(4)]
        adjustments = tuple((name, float(rng.uniform(*ranges[name]))) for name in order)
    return ColourChange(shift, grey, adjustments)


def with_colours(planes: Planes, change: ColourChange) -> Planes:
    """A picture with its colours changed.

    Args:
        planes: float32, (3, height, width), in [0, 1].
        change: what happens.

    Returns:
        float32, of the same shape, in [0, 1].
    """
    if change.shift is not None:
        planes = np.clip(planes + np.array(change.shift, np.float32)[:, None, None], 0, 1)
    if change.grey:
        planes = np.repeat(grey_of(planes), 3, axis=0)
    for name, number in change.adjustments:
        planes = adjusted(planes, name, number)
    return planes


def adjusted(planes: Planes, name: str, number: float) -> Planes:
    """One of torchvision's adjustments.

    Args:
        planes: float32, (3, height, width), in [0, 1].
        name: ``brightness``, ``contrast``, ``saturation`` (``number`` is a factor), or ``hue`` (in turns).

    Returns:
        float32, of the same shape, in [0, 1].
    """
    if name == "hue":
        return _turned(planes, number)
    if name == "brightness":
        other: Planes = np.zeros((1, 1, 1), np.float32)
    elif name == "contrast":
        other = np.mean(grey_of(planes), keepdims=True, dtype=np.float32)
    else:
        other = grey_of(planes)
    return np.clip(np.float32(number) * planes + np.float32(1 - number) * other, 0, 1)


def _turned(planes: Planes, turns: float) -> Planes:
    """The hue of HSV, turned."""
    red, green, blue = planes
    value, least = planes.max(axis=0), planes.min(axis=0)
    chroma = value - least
    divisor = np.where(chroma == 0, 1, chroma)
    from_green = np.where(value == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor)
    sixths = np.where(value == red, (green - blue) / divisor, from_green) + 6 * turns
    # Red falls from the value to the least between one and two sixths, and rises again; green and blue are later.
    places = (sixths[None] + np.array([5, 3, 1], np.float32)[:, None, None]) % 6
    turned: Planes = (value - chroma * np.clip(np.minimum(places, 4 - places), 0, 1)).astype(np.float32)
    return turned
