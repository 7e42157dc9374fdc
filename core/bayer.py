"""Bayer mosaics: one channel of the sensor's pixels to four colour planes of half the size, and back."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pixelproof.errors import CallError, ImageError, did_you_mean
from pixelproof.rules import MAI2021_WHITE_LEVEL

__all__ = ["CFA_ORDERS", "MAI2021_WHITE_LEVEL", "check_mosaic", "mosaic_of", "plane_offsets", "unpack_bayer"]

CFA_ORDERS: Final = ("RGGB", "BGGR", "GRBG", "GBRG")

Planes = npt.NDArray[np.float32]
Mosaic = npt.NDArray[Any]


def plane_offsets(cfa: str) -> tuple[tuple[int, int], ...]:
    """Where in each 2x2 cell the four planes lie: (row, column) of B, G beside R, R, G beside B.

    The order of MAI 2021's learned smartphone ISP, whose sensor is ``RGGB``: B=[1::2, 1::2], G=[0::2, 1::2],
    R=[0::2, 0::2], G=[1::2, 0::2] (``load_dataset.py`` of the public repository
    MediaTek-NeuroPilot/mai21-learned-smartphone-isp, which calls them B, Gb, R, Gr). "Beside" is in one row.

    Args:
        cfa: colours of the top left 2x2 cell, row by row.

    Raises:
        CallError: no such order.
    """
    order = cfa.upper()
    if order not in CFA_ORDERS:
        remedy = did_you_mean(order, list(CFA_ORDERS))
        raise CallError("A colour filter order must be one of four", found=repr(cfa), remedy=remedy)
    red, blue = divmod(order.index("R"), 2), divmod(order.index("B"), 2)
    return blue, (red[0], 1 - red[1]), red, (blue[0], 1 - blue[1])


def unpack_bayer(
    mosaic: Mosaic, *, cfa: str = "RGGB", white_level: float = MAI2021_WHITE_LEVEL, black_level: float = 0.0
) -> Planes:
    """The four colour planes of a mosaic as a model takes them.

    ``(value - black) / (white - black)`` in float32; with the defaults the very numbers of MAI 2021's script.

    Args:
        mosaic: (height, width), whole numbers of the sensor; both sides even.
        cfa: colours of the top left 2x2 cell, row by row.
        white_level: the value that becomes 1; above it values are kept, not clipped, as that script did.
        black_level: the value that becomes 0.

    Returns:
        float32, (height/2, width/2, 4), nominally in [0, 1]; channels as in `plane_offsets`.

    Raises:
        ImageError: not one channel, or an odd side.
        CallError: no such order, or a white level that isn't above the black one.
    """
    if not white_level > black_level:
        rule = "The white level must be above the black level"
        raise CallError(rule, found=f"{white_level:g} and {black_level:g}")
    check_mosaic(mosaic.shape)
    offsets = plane_offsets(cfa)
    planes = np.stack([mosaic[row::2, column::2] for row, column in offsets], axis=-1).astype(np.float32)
    if black_level:
        planes -= np.float32(black_level)
    return np.divide(planes, np.float32(white_level - black_level), dtype=np.float32)


def mosaic_of(planes: npt.NDArray[Any], *, cfa: str = "RGGB") -> Mosaic:
    """The mosaic that `unpack_bayer` takes apart into these planes, its values unchanged.

    Args:
        planes: (height, width, 4), channels as in `plane_offsets`.

    Returns:
        Same dtype, (2 * height, 2 * width).

    Raises:
        ImageError: not four channels.
    """
    if planes.ndim != 3 or planes.shape[2] != 4:
        raise ImageError("Bayer planes must be (height, width, 4)", found=f"shape {planes.shape}")
    height, width = planes.shape[:2]
    mosaic = np.empty((2 * height, 2 * width), planes.dtype)
    for channel, (row, column) in enumerate(plane_offsets(cfa)):
        mosaic[row::2, column::2] = planes[..., channel]
    return mosaic


def check_mosaic(shape: tuple[int, ...], *, label: str = "") -> None:
    """Refuse what is no mosaic.

    Args:
        shape: of the array.
        label: names the file in the message.

    Raises:
        ImageError: not one channel, an odd side, or nothing at all.
    """
    where = f" in {label}" if label else ""
    if len(shape) != 2:
        remedy = "A RAW image has one number a pixel; a picture in colours has been through an ISP already."
        found = f"{'x'.join(map(str, shape))}{where}"
        raise ImageError("A Bayer mosaic must have one channel", found=found, remedy=remedy)
    height, width = shape
    if height % 2 or width % 2 or not height or not width:
        remedy = "Crop it by whole 2x2 cells, so that the colours keep their places."
        raise ImageError(
            "A Bayer mosaic must have even sides", found=f"{height}x{width}{where}", remedy=remedy
        )
