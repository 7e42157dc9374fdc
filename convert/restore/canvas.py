"""The picture as it comes together from tiles, or at once: 8-bit levels, and how far they are from a target."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelproof.convert.restore.reading import Size
from pixelproof.errors import ImageError, ModelFailed
from pixelproof.images import Rgb8, rounded_8bit, unit_from_8bit
from pixelproof.measure.metrics import psnr_db

BAND_VALUES = 32_768
"""Values that are rounded at a time: larger pieces of fresh memory cost more than the arithmetic on them."""


class Canvas:
    """A picture of known size.

    Args:
        size: height, width.
        target: uint8, (height, width, 3), to measure against, or None.

    Raises:
        ImageError: the target has another size.
    """

    def __init__(self, size: Size, *, target: Rgb8 | None = None) -> None:
        if target is not None and target.shape[:2] != size:
            found = f"{target.shape[0]}x{target.shape[1]} for a result of {size[0]}x{size[1]}"
            remedy = "--size crops both; otherwise the target must have the result's size."
            raise ImageError("A target must have the size of its result", found=found, remedy=remedy)
        self.size = size
        self.image8: Rgb8 = np.zeros((*size, 3), np.uint8)
        self._target = target
        self._squared_error = 0.0
        self._pixels = 0

    def place(self, row: int, column: int, part: npt.NDArray[np.floating[Any]]) -> None:
        """Put a part, float (height, width, 3) nominally in [0, 1]; what lies outside the picture is dropped.

        Raises:
            ModelFailed: it holds NaN or infinity.
        """
        part = part[: max(self.size[0] - row, 0), : max(self.size[1] - column, 0)]
        rows = max(1, BAND_VALUES // max(part[:1].size, 1))
        for start in range(0, len(part), rows):
            self._place(row + start, column, part[start : start + rows])

    def _place(self, row: int, column: int, part: npt.NDArray[np.floating[Any]]) -> None:
        height, width = part.shape[:2]
        try:
            self.image8[row : row + height, column : column + width] = rounded_8bit(part)
        except ImageError as error:
            raise ModelFailed("The output must be finite", found=error.found) from error
        self._pixels += height * width
        if self._target is not None:
            wanted = unit_from_8bit(self._target[row : row + height, column : column + width])
            decibels = psnr_db(np.clip(part, 0.0, 1.0), wanted)
            self._squared_error += 10.0 ** (-decibels / 10.0) * height * width

    def psnr_db(self) -> float | None:
        """PSNR of the clipped, unrounded output against the target; None without one, `inf` where they are equal."""
        if self._target is None:
            return None
        return 10.0 * math.log10(self._pixels / self._squared_error) if self._squared_error else math.inf
