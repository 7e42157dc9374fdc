"""One result picture: its header first, then its pixels, then its figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pixelproof import images
from pixelproof.challenge import Fidelity
from pixelproof.errors import ImageError
from pixelproof.files import MIB
from pixelproof.report import ImageFidelity
from pixelproof.validate.figures import figures_of
from pixelproof.validate.image_results.png_header import read_header

MOST_PIXELS = 64_000_000
"""Decoded where no rule says the size."""

Size = tuple[int, int]


@dataclass(frozen=True)
class Look:
    """What is to be said of one picture.

    Attributes:
        format_problem: why it is no usable PNG; empty where it is.
        size_problem: why its size is wrong; empty where it isn't, or isn't known.
        figures: None where there is a problem, or nothing to compare with.
    """

    name: str
    format_problem: str = ""
    size_problem: str = ""
    figures: ImageFidelity | None = None


def look_at(path: Path, *, size: Size | None, target: Path | None, rules: Fidelity) -> Look:
    """Read a stranger's picture, and measure it where there is a target.

    Nothing is decoded before the header has the right size: what claims more is never given room.

    Args:
        size: (height, width) that it must have; None where that isn't known.
        target: to compare with.

    Raises:
        ImageError: the target can't be used.
    """
    header = read_header(path)
    if isinstance(header, str):
        return Look(path.name, format_problem=header)
    shape = header.height, header.width
    if header.problem:
        return Look(path.name, format_problem=header.problem, size_problem=_size_problem(shape, size))
    if wrong := _size_problem(shape, size):
        return Look(path.name, size_problem=wrong)
    if size is None and shape[0] * shape[1] > MOST_PIXELS:
        return Look(path.name, size_problem=f"{shape[0]}x{shape[1]}, too large to be looked at")
    if path.stat().st_size > 2 * 3 * shape[0] * shape[1] + MIB:
        return Look(path.name, format_problem="a file far larger than its pixels")
    try:
        pixels = images.read_rgb8(path)
    except ImageError as error:
        return Look(path.name, format_problem=_in_short(error))
    if target is None:
        return Look(path.name)
    reference = images.read_rgb8(target)
    if reference.shape != pixels.shape:
        found = f"{reference.shape[0]}x{reference.shape[1]} for {path.name}"
        rule = f"A target must be of the results' size, {shape[0]}x{shape[1]}"
        raise ImageError(rule, found=found, remedy="Name the folder with the challenge's own targets.")
    ((psnr_db, ms_ssim),) = figures_of(pixels[None] / 255.0, reference[None], rules)
    return Look(path.name, figures=ImageFidelity(path.name, psnr_db, ms_ssim))


def _size_problem(shape: Size, wanted: Size | None) -> str:
    if wanted is None or shape == wanted:
        return ""
    return f"{shape[0]}x{shape[1]} instead of {wanted[0]}x{wanted[1]}"


def _in_short(error: ImageError) -> str:
    """Without the path, which is no participant's business."""
    return "transparency in a palette" if "RGB" in error.rule else "damaged"
