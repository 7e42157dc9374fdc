"""Mirrored and turned crops."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pixelproof.images import Rgb8

Augment = Literal["none", "flip", "flips-and-turns"]
Flags = npt.NDArray[np.bool_]
Picture = npt.NDArray[Any]


def flags_of(chance: npt.NDArray[np.float64], augment: Augment) -> Flags:
    """Which samples are mirrored left to right, mirrored top to bottom, transposed: each of the eight equally often.

    Args:
        chance: float64, (samples, 3), in [0, 1).

    Returns:
        bool, (samples, 3).
    """
    allowed = {
        "none": (False, False, False),
        "flip": (True, False, False),
        "flips-and-turns": (True, True, True),
    }
    flags: Flags = (chance < 0.5) & np.array(allowed[augment])
    return flags


def turned(image: Picture, across: bool, down: bool, transposed: bool) -> Picture:
    """A picture mirrored left to right, then top to bottom, then transposed, as a view.

    Args:
        image: (height, width) or (height, width, channels).
    """
    if across:
        image = image[:, ::-1]
    if down:
        image = image[::-1]
    return image.swapaxes(0, 1) if transposed else image


def pixels_of(image8: Rgb8) -> Picture:
    """The same picture with one element a pixel, which are copied faster than three.

    Args:
        image8: uint8, (..., height, width, 3), each pixel's channels side by side.

    Returns:
        Three bytes an element, (..., height, width), a view.
    """
    pixels: Picture = image8.view("V3")[..., 0]
    return pixels
