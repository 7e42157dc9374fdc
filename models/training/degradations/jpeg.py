"""JPEG compression, by Pillow: 4:2:0, the standard's tables, as they are or transposed.

BasicSR's ``diffjpeg.py`` has the tables of ITU-T T.81, annex K, with rows and columns exchanged. Its
pictures are nearer to a JPEG of such tables (1.0 to 1.3 levels on average) than to a usual one (1.6 to 2.8).
"""

from __future__ import annotations

import io
from typing import Literal

import numpy as np
import numpy.typing as npt

from pixelproof.errors import CallError
from pixelproof.images import Rgb8
from pixelproof.models.training.degradations.bands import Planes
from pixelproof.models.training.degradations.noise import levels8

Tables = Literal["transposed", "standard"]

_LUMA = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
_COLOUR = np.full((8, 8), 99)
_COLOUR[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]


def compressed(planes: Planes, quality: float, *, tables: Tables = "transposed") -> Planes:
    """A picture that was saved as JPEG and read again.

    Args:
        planes: float32, (3, height, width); clipped to [0, 1] and rounded to 8 bit.
        quality: from 1 to 100, as libjpeg counts; it may lie between two whole ones.
        tables: BasicSR's, or the standard's.

    Returns:
        float32, of the same shape, in [0, 1], on the levels of 8 bit.

    Raises:
        CallError: no such quality.
    """
    from PIL import Image

    if not 1 <= quality <= 100:
        raise CallError("A JPEG must have a quality from 1 to 100", found=f"{quality:g}")
    packed = io.BytesIO()
    image = Image.fromarray(rgb8_of(planes))
    image.save(packed, "JPEG", qtables=quantisation(quality, tables=tables), subsampling="4:2:0")
    with Image.open(packed, formats=("JPEG",)) as again:
        return planes_of(np.asarray(again))


def quantisation(quality: float, *, tables: Tables) -> list[list[int]]:
    """Steps for luma and colour, 64 each, row by row: the standard's, scaled as libjpeg scales them.

    Args:
        quality: from 1 to 100.
        tables: with rows and columns exchanged, or as they are.
    """
    percent = 5000 / quality if quality < 50 else 200 - 2 * quality
    scaled: list[npt.NDArray[np.float64]] = [
        np.clip(np.floor((one.T if tables == "transposed" else one) * (percent / 100) + 0.5), 1, 255)
        for one in (_LUMA, _COLOUR)
    ]
    return [one.astype(int).ravel().tolist() for one in scaled]


def rgb8_of(planes: Planes) -> Rgb8:
    """Planes in [0, 1], what lies outside clipped, as the nearest 8-bit picture (height, width, 3)."""
    return np.stack([levels8(plane) for plane in planes], axis=-1)


def planes_of(image8: Rgb8) -> Planes:
    """An 8-bit picture (height, width, 3) as planes in [0, 1]."""
    return np.divide(image8.transpose(2, 0, 1), 255, dtype=np.float32, order="C")
