"""One image file as a model takes it: four planes of a mosaic, or RGB."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelproof.bayer import MAI2021_WHITE_LEVEL, unpack_bayer
from pixelproof.errors import CallError, ImageError
from pixelproof.images import read_rgb8, unit_from_8bit
from pixelproof.raw import CAMERA_SUFFIXES, RAW_SUFFIXES, read_raw

BAYER_CHANNELS, RGB_CHANNELS = 4, 3

Size = tuple[int, int]
Picture = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Sensor:
    """What the user says of RAW images; None for what the file says, else MAI 2021's values.

    Attributes:
        cfa: colours of the top left 2x2 cell, row by row.
        white_level, black_level: the values that become 1 and 0.
    """

    cfa: str | None = None
    white_level: float | None = None
    black_level: float | None = None


def read_input(path: Path, *, channels: int, sensor: Sensor, size: Size | None) -> Picture:
    """An image as a model of so many input channels takes it.

    Args:
        channels: 4 for the planes of a mosaic, 3 for RGB.
        size: height, width to crop to, from the top left; of the mosaic, or of the RGB image.

    Returns:
        float32, (height, width, channels), nominally in [0, 1]; planes are half the mosaic's size.

    Raises:
        ImageError: unreadable, another kind of image than the model takes, odd sides, or smaller than ``size``.
        EnvironmentFault: a camera's file, and rawpy is not installed.
    """
    if channels == BAYER_CHANNELS:
        return _planes(path, sensor, size)
    if path.suffix.lower() in CAMERA_SUFFIXES:
        remedy = "RAW images are for models of four input channels."
        raise ImageError("An RGB model takes pictures in colours", found=f"a RAW file, {path}", remedy=remedy)
    return unit_from_8bit(cropped(read_rgb8(path), size, label=str(path)))


def read_target(path: Path, *, size: Size | None) -> npt.NDArray[np.uint8]:
    """A target, uint8 (height, width, 3), cropped to ``size`` from the top left.

    Raises:
        ImageError: unreadable, not RGB, or smaller.
    """
    return cropped(read_rgb8(path), size, label=str(path))


def cropped(image: npt.NDArray[Any], size: Size | None, *, label: str) -> npt.NDArray[Any]:
    """The top left part of an image, as a view; all of it where ``size`` is None.

    Raises:
        ImageError: it is smaller.
    """
    if size is None:
        return image
    height, width = size
    if image.shape[0] < height or image.shape[1] < width:
        found = f"{image.shape[0]}x{image.shape[1]} in {label}"
        raise ImageError(f"An image must be at least {height}x{width} for this --size", found=found)
    return image[:height, :width]


def check_size(size: Size | None, *, channels: int) -> None:
    """Refuse an odd ``--size`` of a mosaic.

    Raises:
        CallError: an odd side.
    """
    if size is not None and channels == BAYER_CHANNELS and (size[0] % 2 or size[1] % 2):
        remedy = "It is the mosaic's size: whole 2x2 cells."
        raise CallError("--size must be even for RAW images", found=f"{size[0]}x{size[1]}", remedy=remedy)


def image_size(size: Size, *, channels: int) -> Size:
    """The image's size, as people know it, for a size of the model's input: a mosaic is twice its planes."""
    factor = 2 if channels == BAYER_CHANNELS else 1
    return size[0] * factor, size[1] * factor


def input_size(size: Size, *, channels: int) -> Size:
    """The size of the model's input for an image's size."""
    factor = 2 if channels == BAYER_CHANNELS else 1
    return size[0] // factor, size[1] // factor


def _planes(path: Path, sensor: Sensor, size: Size | None) -> Picture:
    if path.suffix.lower() not in RAW_SUFFIXES:
        remedy = "RAW is a PNG or TIFF of one channel (8 or 16 bit), or a camera's file such as .dng."
        raise ImageError("A Bayer model takes RAW images", found=str(path), remedy=remedy)
    raw = read_raw(path)
    white = _first(sensor.white_level, raw.white_level, MAI2021_WHITE_LEVEL)
    black = _first(sensor.black_level, raw.black_level, 0.0)
    mosaic = cropped(raw.mosaic, size, label=str(path))
    return unpack_bayer(mosaic, cfa=sensor.cfa or raw.cfa or "RGGB", white_level=white, black_level=black)


def _first(*values: float | None) -> float:
    return next(value for value in values if value is not None)
