"""How close a picture comes to its target: PSNR in colour and on luma, SSIM; as papers on Set5 measure it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelproof import images
from pixelproof.errors import ImageError, ShapeMismatch
from pixelproof.measure.metrics import mean_of_image_psnr_db, psnr_db, ssim_gaussian
from pixelproof.models.training.data.training_data import Image
from pixelproof.models.training.recipe import Validation

Unit = npt.NDArray[np.floating[Any]]
Float64 = npt.NDArray[np.float64]

RGB = 3
_SSIM_WINDOW = 11
_Y_OF_RGB = (65.481, 128.553, 24.966)
_Y_OFFSET = 16.0


@dataclass(frozen=True)
class Figures:
    """How close one picture comes to its target, or the mean over several.

    Attributes:
        psnr_db: over all channels; `inf` for equal pictures.
        psnr_y_db: on Y alone; NaN where it isn't asked for, or the picture isn't RGB.
        ssim: 11-tap Gaussian, mean over the channels; NaN where less than 11x11 is left inside the border.
    """

    psnr_db: float
    psnr_y_db: float
    ssim: float


def evaluate(output_unit: Unit, target_unit: Unit, rules: Validation) -> Figures:
    """Compare an output with its target.

    Both are clipped to [0, 1]. With ``round_to_8_bit`` they are the 8-bit pictures that would be saved; Y is then
    computed from those, and not rounded again as MATLAB's ``rgb2ycbcr`` rounds it for a uint8 picture.

    Args:
        output_unit, target_unit: float, (height, width, channels), nominally in [0, 1].
        rules: border, luma and rounding.

    Returns:
        NaN throughout where a picture isn't finite.

    Raises:
        ShapeMismatch: the two shapes differ, or are not an image's.
        ImageError: nothing is left inside the border.
    """
    if output_unit.shape != target_unit.shape or output_unit.ndim != 3:
        rule = "A picture and its target must have one shape, (height, width, channels)"
        raise ShapeMismatch(rule, found=f"{output_unit.shape} and {target_unit.shape}")
    output, target = (images.crop_border(one, rules.crop_border) for one in (output_unit, target_unit))
    if not (np.isfinite(output).all() and np.isfinite(target).all()):
        return Figures(math.nan, math.nan, math.nan)
    kept, wanted = (_levels(one, rounded=rules.round_to_8_bit) for one in (output, target))
    luma = rules.luma and output.shape[2] == RGB
    large = min(output.shape[:2]) >= _SSIM_WINDOW
    return Figures(
        psnr_db=psnr_db(kept, wanted, data_range=255.0),
        psnr_y_db=psnr_db(luma_levels(kept), luma_levels(wanted), data_range=255.0) if luma else math.nan,
        ssim=ssim_gaussian(kept, wanted, data_range=255.0) if large else math.nan,
    )


def mean_figures(figures: Sequence[Figures]) -> Figures:
    """Means over pictures of each one's figures; NaN where one of them is.

    Raises:
        CallError: no pictures.
    """
    return Figures(
        psnr_db=mean_of_image_psnr_db([one.psnr_db for one in figures]),
        psnr_y_db=mean_of_image_psnr_db([one.psnr_y_db for one in figures]),
        ssim=float(np.mean([one.ssim for one in figures])),
    )


def luma_levels(rgb_levels: npt.NDArray[Any]) -> Float64:
    """Y of ITU-R BT.601 with its foot- and headroom, as MATLAB's ``rgb2ycbcr`` has it.

    Args:
        rgb_levels: any number type, (height, width, 3), in [0, 255].

    Returns:
        float64, (height, width, 1), in [16, 235], not rounded.
    """
    weighted: Float64 = np.asarray(rgb_levels, dtype=np.float64) @ np.array(_Y_OF_RGB)[:, None]
    return weighted / 255.0 + _Y_OFFSET


def bicubic(image_unit: Unit, height: int, width: int) -> Image:
    """An RGB picture at another size, by Pillow's BICUBIC on its 8-bit pixels.

    The picture is 56 dB from that of MATLAB's ``imresize``, which papers use. OpenCV's bicubic doesn't widen its
    kernel when it shrinks, and is 29 dB from it.

    Args:
        image_unit: float, (height, width, 3), nominally in [0, 1].
        height, width: the new size.

    Returns:
        float32, (height, width, 3), in [0, 1].

    Raises:
        ImageError: not RGB, or not finite.
    """
    if image_unit.ndim != 3 or image_unit.shape[2] != RGB:
        raise ImageError("Bicubic enlargement is for RGB pictures", found=f"shape {image_unit.shape}")
    resized = images.bicubic_resize_8bit(images.rounded_8bit(image_unit), height, width)
    return images.unit_from_8bit(resized)


def _levels(image_unit: Unit, *, rounded: bool) -> npt.NDArray[Any]:
    if rounded:
        return images.rounded_8bit(image_unit)
    return np.clip(np.multiply(image_unit, 255.0, dtype=np.float64), 0.0, 255.0)
