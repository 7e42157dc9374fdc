"""RAW images: one number a pixel, as the sensor gave it, from PNG, TIFF or a camera's file."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelproof.bayer import check_mosaic
from pixelproof.errors import EnvironmentFault, ImageError
from pixelproof.images import unreadable

CAMERA_SUFFIXES = (".dng", ".arw", ".cr2", ".cr3", ".nef", ".orf", ".raf", ".rw2")
PIXEL_SUFFIXES = (".png", ".tif", ".tiff")
RAW_SUFFIXES = (*PIXEL_SUFFIXES, *CAMERA_SUFFIXES)

_FORMATS = ("PNG", "TIFF")
_DEPTHS = {"L": np.uint8, "I;16": np.uint16, "I;16B": np.uint16, "I;16L": np.uint16, "I": np.int32}


@dataclass(frozen=True)
class RawImage:
    """A mosaic, and what its file says of it; None where the file says nothing.

    Attributes:
        mosaic: uint8 or uint16, (height, width), both even.
        cfa: colours of the top left 2x2 cell, row by row.
        black_level, white_level: the sensor's, in its own numbers.
    """

    mosaic: npt.NDArray[Any]
    cfa: str | None = None
    black_level: float | None = None
    white_level: float | None = None


def read_raw(path: Path) -> RawImage:
    """The mosaic of a RAW image.

    A PNG or TIFF holds 8 or 16 bit of grey; 10 and 12 bit lie in the low bits of 16. A camera's file (DNG and
    others) needs the extra ``raw``; its visible area is taken, as it is stored.

    Args:
        path: the file.

    Raises:
        ImageError: missing, unreadable, truncated, in colours, or with an odd side.
        EnvironmentFault: a camera's file, and rawpy is not installed.
    """
    image = _of_camera(path) if path.suffix.lower() in CAMERA_SUFFIXES else RawImage(_of_pixels(path))
    check_mosaic(image.mosaic.shape, label=str(path))
    return image


def _of_pixels(path: Path) -> npt.NDArray[Any]:
    from PIL import Image

    try:
        with Image.open(path, formats=_FORMATS) as image:
            if image.mode not in _DEPTHS:
                raise ImageError(
                    "A RAW image must have one channel of 8 or 16 bit",
                    found=f"mode {image.mode} in {path}",
                    remedy="A picture in colours is not RAW: a Bayer model takes the sensor's own pixels.",
                )
            pixels = np.array(image)
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
        raise unreadable(path, error) from error
    except Image.DecompressionBombError as error:
        raise ImageError("An image must be of a usual size", found=f"{path}: {error}") from error
    if pixels.dtype == np.int32:
        if pixels.min() < 0 or pixels.max() > 65535:
            raise ImageError("A RAW image must have at most 16 bit", found=f"more in {path}")
        pixels = pixels.astype(np.uint16)
    return pixels


def _of_camera(path: Path) -> RawImage:
    try:
        import rawpy
    except ImportError as error:
        remedy = "Install it: pip install pixelproof[raw]. Or convert the file to a 16-bit PNG."
        raise EnvironmentFault("A camera's RAW file needs rawpy", found=str(path), remedy=remedy) from error
    if not path.is_file():
        raise ImageError("An image must be a readable file", found=f"{path}: none there")
    try:
        with rawpy.imread(str(path)) as camera:
            if camera.raw_pattern is None or camera.raw_pattern.shape != (2, 2):
                remedy = (
                    "Sensors with other colour filters, or files that are developed already, can't be used."
                )
                raise ImageError(
                    "A RAW file must hold a Bayer mosaic", found=f"none in {path}", remedy=remedy
                )
            letters = camera.color_desc.decode("ascii")
            order = "".join(letters[index] for index in camera.raw_pattern.ravel())
            levels = camera.black_level_per_channel
            return RawImage(
                mosaic=np.array(camera.raw_image_visible),
                cfa=order,
                black_level=float(sum(levels) / len(levels)),
                white_level=float(camera.white_level),
            )
    except rawpy.LibRawError as error:
        said = error.args[0] if error.args else error
        text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise ImageError("A RAW file must be whole and of a known kind", found=f"{path}: {text}") from error
