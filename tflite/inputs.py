"""Image files as a model takes them: RGB pictures for three channels, RAW mosaics for four."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelproof.bayer import MAI2021_WHITE_LEVEL, check_mosaic, plane_offsets, unpack_bayer
from pixelproof.errors import CallError, ImageError
from pixelproof.images import FORMATS, list_images, read_rgb8, unit_from_8bit, unreadable
from pixelproof.raw import CAMERA_SUFFIXES, RAW_SUFFIXES, read_raw
from pixelproof.tflite.quantize import Image

Size = tuple[int, int]
BAYER, RGB = 4, 3
LARGEST_PLAUSIBLE = 2.0
"""A RAW value above this many white levels means that the white level is another."""


@dataclass(frozen=True)
class RawOptions:
    """How a mosaic is read; None for what its file says, else MAI 2021's.

    Attributes:
        cfa: colours of the top left 2x2 cell, row by row.
        white_level, black_level: the values that become 1 and 0.

    Raises:
        CallError: no such order.
    """

    cfa: str | None = None
    white_level: float | None = None
    black_level: float | None = None

    def __post_init__(self) -> None:
        if self.cfa is not None:
            plane_offsets(self.cfa)

    @property
    def given(self) -> bool:
        """Whether anything is set."""
        return (self.cfa, self.white_level, self.black_level) != (None, None, None)


@dataclass(frozen=True)
class Cut:
    """A part of an image, as a model takes it.

    Attributes:
        image: float32, (1, height, width, channels), nominally in [0, 1].
        top, left: where it begins in the whole.
        whole: height and width of the whole.
    """

    image: Image
    top: int
    left: int
    whole: Size


def check_channels(channels: int) -> None:
    """Refuse a model for which no image files are read.

    Raises:
        CallError: neither RGB nor Bayer.
    """
    if channels not in (RGB, BAYER):
        rule = "Images are read for models of 3 channels (RGB) or 4 (RAW, a Bayer mosaic unpacked)"
        raise CallError(rule, found=f"{channels} channels", remedy="Use --quantize fp16 or dynamic.")


def list_inputs(folder: Path, *, channels: int, role: str) -> tuple[Path, ...]:
    """The files of a folder that may be a model's inputs, in the order of their names.

    Args:
        role: what the folder is for, as messages name it.

    Raises:
        ImageError: the folder can't be read, or holds none.
    """
    files = list_images(folder) if channels == RGB else _raw_files(folder)
    if files:
        return files
    kind, endings = ("RGB images", "PNG, JPEG, BMP, TIFF, WebP") if channels == RGB else ("RAW images", "")
    endings = endings or f"16- or 8-bit grey PNG or TIFF, {', '.join(CAMERA_SUFFIXES)}"
    others = sum(1 for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    found = f"none among {others} files in {folder}" if others else f"none in {folder}, which is empty"
    remedy = f"A model of {channels} channels takes {kind} ({endings})."
    raise ImageError(f"{role} must hold {kind}", found=found, remedy=remedy)


def _raw_files(folder: Path) -> tuple[Path, ...]:
    try:
        members = sorted(folder.iterdir())
    except OSError as error:
        found = f"{folder}: {error.strerror}"
        raise ImageError("A folder of images must be a readable folder", found=found) from error
    suffixes = (*RAW_SUFFIXES, *(suffix.upper() for suffix in RAW_SUFFIXES))
    return tuple(p for p in members if p.suffix in suffixes and p.is_file() and not p.name.startswith("."))


def size_of(path: Path, *, channels: int) -> Size:
    """Height and width that an image file gives a model, from its header where it has one.

    Raises:
        ImageError: unreadable, or a mosaic with an odd side.
    """
    if channels == BAYER and path.suffix.lower() in CAMERA_SUFFIXES:
        height, width = read_raw(path).mosaic.shape
        return height // 2, width // 2
    from PIL import Image as Pillow

    try:
        with Pillow.open(path, formats=FORMATS) as image:
            width, height = image.size
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise unreadable(path, error) from error
    except Pillow.DecompressionBombError as error:
        raise ImageError("An image must be of a usual size", found=f"{path}: {error}") from error
    if channels == RGB:
        return height, width
    check_mosaic((height, width), label=str(path))
    return height // 2, width // 2


def check_size(path: Path, size: Size, *, least: Size, channels: int) -> None:
    """Refuse an image that is smaller than what is cut from it.

    Raises:
        ImageError: it is.
    """
    if size[0] >= least[0] and size[1] >= least[1]:
        return
    times = 2 if channels == BAYER else 1
    kind = "mosaic" if channels == BAYER else "image"
    asked = f"{least[0] * times}x{least[1] * times}"
    found = f"{size[0] * times}x{size[1] * times} in {path}"
    remedy = "Use images of that size or larger; with --variable smaller ones do. Larger ones are cut in the middle."
    raise ImageError(f"Each {kind} must be at least {asked} for this file", found=found, remedy=remedy)


def read_input(path: Path, size: Size, *, channels: int, raw: RawOptions) -> Cut:
    """The middle of an image file, as a model takes it.

    Args:
        size: height and width of the part; of the unpacked planes where the file is RAW.

    Raises:
        ImageError: unreadable, of another kind, or smaller.
        EnvironmentFault: a camera's file, and rawpy is not installed.
    """
    if channels == RGB:
        image = unit_from_8bit(read_rgb8(path))
    else:
        image = _planes(path, raw)
    check_size(path, (image.shape[0], image.shape[1]), least=size, channels=channels)
    top, left = (image.shape[0] - size[0]) // 2, (image.shape[1] - size[1]) // 2
    part = np.ascontiguousarray(image[top : top + size[0], left : left + size[1]])[None]
    return Cut(image=part, top=top, left=left, whole=(image.shape[0], image.shape[1]))


def _planes(path: Path, raw: RawOptions) -> npt.NDArray[np.float32]:
    image = read_raw(path)
    white = _first(raw.white_level, image.white_level, MAI2021_WHITE_LEVEL)
    planes = unpack_bayer(
        image.mosaic,
        cfa=_first(raw.cfa, image.cfa, "RGGB"),
        white_level=white,
        black_level=_first(raw.black_level, image.black_level, 0.0),
    )
    if float(planes.max()) > LARGEST_PLAUSIBLE:
        rule = f"A RAW image must not be far brighter than its white level, {white:g}"
        found = f"values up to {image.mosaic.max()} in {path}"
        raise ImageError(rule, found=found, remedy="Give the sensor's own with --white-level, such as 4095.")
    return planes


def _first(*choices: Any) -> Any:
    return next(choice for choice in choices if choice is not None)


def evenly(files: Sequence[Path], count: int) -> tuple[Path, ...]:
    """At most so many of the files, spread over all of them."""
    if count >= len(files):
        return tuple(files)
    return tuple(files[index * len(files) // count] for index in range(count))
