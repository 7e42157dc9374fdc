"""Images: read, write, crop, resize, and move between 8 bit and the unit range.

Names say the range: ``rgb8`` and ``8bit`` are uint8 in [0, 255], ``unit`` is float in [0, 1]. Sizes are
height, width.
"""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pixelproof.errors import CallError, ImageError
from pixelproof.files import replacing_file

if TYPE_CHECKING:
    from PIL.Image import Image

Rgb8 = npt.NDArray[np.uint8]

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")

_TO_RGB = "Convert it first: Image.open(path).convert('RGB').save(path) with Pillow"
_REMEDIES = {
    "1": f"Black and white is not made into colour silently. {_TO_RGB}.",
    "L": f"Grey is not made into three equal channels silently. {_TO_RGB}.",
    "LA": f"Grey and transparency are not dropped silently. {_TO_RGB}.",
    "RGBA": f"Transparency is not dropped silently. {_TO_RGB}.",
    "CMYK": f"Print colours have no single RGB value. {_TO_RGB}.",
}


def read_rgb8(path: Path) -> Rgb8:
    """The pixels of an 8-bit RGB image.

    Pixels come as they are stored: EXIF orientation, gamma and colour profiles are ignored, as
    PIRM 2018's scripts did (``scipy.misc.imread``). A palette without transparency is looked up, which
    loses nothing.

    Args:
        path: a PNG, JPEG, BMP, TIFF or WebP file.

    Returns:
        uint8, (height, width, 3), in [0, 255].

    Raises:
        ImageError: missing, unreadable, truncated, no image, not RGB, or more than 8 bit a channel.
    """
    from PIL import Image

    try:
        with Image.open(path, formats=FORMATS) as image:
            _refuse_16_bit(image, path)
            if image.mode == "P" and "transparency" not in image.info:
                return np.array(image.convert("RGB"))
            if image.mode != "RGB":
                raise _not_rgb(image, path)
            return np.array(image)
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
        raise unreadable(path, error) from error
    except Image.DecompressionBombError as error:
        raise ImageError("An image must be of a usual size", found=f"{path}: {error}") from error


def write_png(path: Path, image8: Rgb8) -> None:
    """Write an RGB image as PNG, whole or not at all.

    The packing looks for runs alone: of PNG's filtered pixels that leaves files of the usual size (measured: 0 to 4 %
    larger) in a quarter of the usual time.

    Args:
        path: the file to write or replace.
        image8: uint8, (height, width, 3), in [0, 255].

    Raises:
        ImageError: another dtype or shape.
        EnvironmentFault: the folder can't be written, or the disk is full.
    """
    from PIL import Image

    image = Image.fromarray(_checked_rgb8(image8))
    with replacing_file(path) as temporary:
        image.save(temporary, format="PNG", compress_type=zlib.Z_RLE)


def unit_from_8bit(image8: Rgb8) -> npt.NDArray[np.float32]:
    """The image in [0, 1] as a model takes it.

    For all 256 values float32(x)/255 and float64(x)/255 rounded to float32 are the same number, so this is
    what both of PIRM 2018's scripts fed; x * (1/255) is not.

    Args:
        image8: uint8, any shape, in [0, 255].

    Returns:
        float32, same shape, in [0, 1].

    Raises:
        ImageError: another dtype.
    """
    if image8.dtype != np.uint8:
        raise ImageError("An 8-bit image must be uint8", found=str(image8.dtype))
    return np.divide(image8, 255, dtype=np.float32)


def rounded_8bit(image_unit: npt.NDArray[np.floating[Any]]) -> Rgb8:
    """The 8-bit image nearest to one in [0, 1]; what lies outside is clipped, halves go to the even level.

    Args:
        image_unit: float, any shape, nominally in [0, 1].

    Returns:
        uint8, same shape, in [0, 255].

    Raises:
        ImageError: it holds NaN or infinity, which no level stands for.
    """
    levels = np.multiply(image_unit, 255.0, dtype=np.float64)
    if not np.isfinite(levels).all():
        found = f"{np.count_nonzero(~np.isfinite(levels))} of {levels.size} values NaN or infinite"
        raise ImageError("An image must be finite to be rounded to 8 bit", found=found)
    rounded: Rgb8 = np.rint(np.clip(levels, 0.0, 255.0)).astype(np.uint8)
    return rounded


def crop_border(image: npt.NDArray[Any], pixels: int) -> npt.NDArray[Any]:
    """The image without its outermost pixels, as a view.

    Args:
        image: (height, width, channels) or (height, width).
        pixels: how many to drop on each of the four sides.

    Raises:
        CallError: ``pixels`` is negative.
        ImageError: nothing would be left.
    """
    if pixels < 0:
        raise CallError("A crop border must be 0 or more pixels", found=str(pixels))
    height, width = image.shape[:2]
    if min(height, width) <= 2 * pixels:
        rule = f"An image must be larger than {2 * pixels}x{2 * pixels} to drop {pixels} pixels a side"
        raise ImageError(
            rule, found=f"{height}x{width}", remedy="Use larger images, or a smaller crop border."
        )
    return image[pixels : height - pixels, pixels : width - pixels]


def bicubic_resize_8bit(image8: Rgb8, height: int, width: int) -> Rgb8:
    """Pillow's BICUBIC on 8-bit pixels: PIRM 2018's ``scipy.misc.imresize(interp="bicubic")``.

    It widens its kernel when shrinking (antialiasing) and rounds to 8 bit after each axis.

    Args:
        image8: uint8, (height, width, 3), in [0, 255].
        height, width: the new size.

    Returns:
        uint8, (height, width, 3).

    Raises:
        ImageError: another dtype or shape.
        CallError: the new size is less than one pixel.
    """
    from PIL import Image

    if min(height, width) < 1:
        raise CallError("A new size must be at least one pixel a side", found=f"{height}x{width}")
    image = Image.fromarray(_checked_rgb8(image8))
    return np.array(image.resize((width, height), Image.Resampling.BICUBIC))


def list_images(folder: Path, *, suffixes: tuple[str, ...] = SUFFIXES) -> tuple[Path, ...]:
    """The image files directly in a folder, in natural order (2.png before 10.png).

    Hidden files, folders and files with another suffix are left out; an empty result is possible.

    Args:
        suffixes: in lower case, with their dots.

    Raises:
        ImageError: the folder is missing or can't be listed.
    """
    try:
        members = list(folder.iterdir())
    except OSError as error:
        found = f"{folder}: {error.strerror}"
        raise ImageError("A folder of images must be a readable folder", found=found) from error
    images = [p for p in members if _is_image_name(p.name, suffixes) and p.is_file()]
    return tuple(sorted(images, key=lambda p: _natural_key(p.name)))


def _is_image_name(name: str, suffixes: tuple[str, ...]) -> bool:
    return not name.startswith(".") and name.lower().endswith(suffixes)


def _natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    # Letters before numbers at the same place would not compare; the leading flag keeps kinds apart.
    parts = re.findall(r"[0-9]+|[^0-9]+", name.lower())
    return [(0, int(part), "") if part[0].isdecimal() else (1, 0, part) for part in parts], name


def _checked_rgb8(image8: Rgb8) -> Rgb8:
    if image8.dtype != np.uint8 or image8.ndim != 3 or image8.shape[2] != 3 or 0 in image8.shape:
        found = f"{image8.dtype} of shape {image8.shape}"
        raise ImageError("An 8-bit RGB image must be uint8 (height, width, 3)", found=found)
    return np.ascontiguousarray(image8)


def _refuse_16_bit(image: Image, path: Path) -> None:
    # Pillow opens 16-bit RGB in mode "RGB" and drops the low byte; only the decoder's raw mode tells.
    arguments = [argument for tile in getattr(image, "tile", ()) for argument in _as_tuple(tile[3])]
    deep = any(isinstance(argument, str) and ";16" in argument for argument in arguments)
    if deep or image.mode in ("I", "F") or image.mode.startswith("I;16"):
        raise ImageError(
            "An image must have 8 bit a channel",
            found=f"more in {path} (mode {image.mode})",
            remedy="The challenges measure 8-bit images, and dropping the low bits would change the figures "
            "silently. Convert it to 8 bit first.",
        )


def _as_tuple(arguments: object) -> tuple[object, ...]:
    return arguments if isinstance(arguments, tuple) else (arguments,)


def _not_rgb(image: Image, path: Path) -> ImageError:
    mode = "palette with transparency" if image.mode == "P" else image.mode
    remedy = _REMEDIES["RGBA"] if image.mode == "P" else _REMEDIES.get(image.mode, f"{_TO_RGB}.")
    return ImageError("An image must be RGB", found=f"mode {mode} in {path}", remedy=remedy)


def unreadable(path: Path, error: Exception) -> ImageError:
    """What to say of an image that Pillow can't read."""
    from PIL import UnidentifiedImageError

    remedy = ""
    if isinstance(error, UnidentifiedImageError):
        empty = path.stat().st_size == 0
        reason = "an empty file" if empty else "none of these"
        remedy = "The file may be cut off, or its suffix may be wrong."
        return ImageError(
            "An image must be a PNG, JPEG, BMP, TIFF or WebP file", found=f"{reason}: {path}", remedy=remedy
        )
    if isinstance(error, OSError) and error.strerror:
        return ImageError("An image must be a readable file", found=f"{path}: {error.strerror}")
    remedy = "Copy or download the file again."
    return ImageError("An image must be a whole, undamaged file", found=f"{path}: {error}", remedy=remedy)
