"""Resizing as PyTorch's ``interpolate``: area, bilinear and bicubic, half-pixel centres, nothing smoothed before.

The formulas are those of PyTorch's documentation: ``area`` is adaptive average pooling, ``bicubic`` has a = -0.75.
Pillow's filters widen when they shrink, and its bicubic has a = -0.5.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt

from pixelproof.errors import CallError
from pixelproof.models.training.degradations.bands import Band, Planes, band, mapped

Method = Literal["area", "bilinear", "bicubic"]

_A = -0.75


def scaled(planes: Planes, factor: float, method: Method) -> Planes:
    """A picture whose sides are multiplied by a factor and rounded down.

    The factor itself, and not the ratio of the sides, is the step between pixels.

    Args:
        planes: float32, (channels, height, width).
        factor: above 0.
        method: how.

    Returns:
        float32; bicubic may leave the range of the input.

    Raises:
        CallError: no pixel would be left.
    """
    height, width = planes.shape[1:]
    sizes = math.floor(height * factor), math.floor(width * factor)
    return mapped(planes, *resizing((height, width), sizes, method, factor=factor))


def resized(planes: Planes, height: int, width: int, method: Method) -> Planes:
    """A picture of another size.

    Args:
        planes: float32, (channels, height, width).
        height, width: of the result.
        method: how.

    Raises:
        CallError: no pixel would be left.
    """
    return mapped(planes, *resizing((planes.shape[1], planes.shape[2]), (height, width), method))


def resizing(
    old: tuple[int, int], new: tuple[int, int], method: Method, *, factor: float | None = None
) -> tuple[Band, Band]:
    """The maps of height and width that resize a picture.

    Args:
        old, new: (height, width).
        method: how.
        factor: what the step between pixels is the inverse of; the ratio of the sides where it is None.

    Raises:
        CallError: no pixel would be left.
    """
    if min(new) < 1:
        raise CallError("A new size must be at least one pixel a side", found=f"{new[0]}x{new[1]}")
    height, width = (
        _axis(before, after, method, before / after if factor is None else 1 / factor)
        for before, after in zip(old, new, strict=True)
    )
    return height, width


def _axis(old: int, new: int, method: Method, step: float) -> Band:
    if method == "area":
        return _area(old, new)
    middle = (np.arange(new) + 0.5) * step - 0.5
    if method == "bilinear":
        middle = np.maximum(middle, 0.0)
    first = np.floor(middle)
    share = middle - first
    if method == "bilinear":
        weights = np.stack([1 - share, share], axis=1)
        places = first[:, None] + np.arange(2)
    else:
        weights = np.stack([_outer(share + 1), _inner(share), _inner(1 - share), _outer(2 - share)], axis=1)
        places = first[:, None] + np.arange(-1, 3)
    return band(np.clip(places, 0, old - 1).astype(np.intp), weights)


def _area(old: int, new: int) -> Band:
    """The mean of all pixels that an output pixel touches."""
    outputs = np.arange(new)
    first = outputs * old // new
    count = -(-(outputs + 1) * old // new) - first
    taps = np.arange(count.max())
    weights = np.where(taps < count[:, None], 1 / count[:, None], 0.0)
    return band(np.minimum(first[:, None] + taps, old - 1), weights)


def _inner(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return ((_A + 2) * x - (_A + 3)) * x * x + 1


def _outer(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return ((_A * x - 5 * _A) * x + 8 * _A) * x - 4 * _A
