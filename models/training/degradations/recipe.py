"""A recipe: what is drawn at random, from which ranges, how often.

Keys are those of BasicSR's and Real-ESRGAN's option files, so that their numbers can be copied; what ends in a 2
there (``noise_range2``) is in the table ``second`` here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from pixelproof.models.training.degradations.jpeg import Tables
from pixelproof.models.training.degradations.resize import Method

Range = tuple[float, float]
KernelName = Literal[
    "iso", "aniso", "generalized_iso", "generalized_aniso", "plateau_iso", "plateau_aniso"
]  # fmt: skip

_ALL: tuple[Method, ...] = ("area", "bilinear", "bicubic")
_SIZES = tuple(range(7, 22, 2))


@dataclass(frozen=True)
class Round:
    """Blur, resize, noise, JPEG: once through.

    Attributes:
        kernel_list, kernel_prob: kinds of bells, and how often each comes.
        blur_sigma: standard deviation of the blur in pixels.
        noise_range: standard deviation of Gaussian noise in levels of 255.
        kernel_sizes: pixels a side.
        blur_prob: how often there is a blur.
        sinc_prob: how often the blur is a low-pass and no bell.
        betag_range, betap_range: exponent of generalised Gaussians and of plateaus; half are below 1.
        resize_prob: how often the picture is enlarged, reduced, kept.
        resize_range: smallest and largest factor; in the second round of the final size.
        downsample_range: what the sides are divided by, in the place of the two before.
        resize_methods: equally often.
        gaussian_noise_prob: how often the noise is Gaussian; else Poisson's.
        poisson_scale_range: strength of Poisson's noise.
        gray_noise_prob: how often the noise is grey.
        jpeg_range: quality.
    """

    kernel_list: tuple[KernelName, ...]
    kernel_prob: tuple[float, ...]
    blur_sigma: Range
    noise_range: Range
    kernel_sizes: tuple[int, ...] = _SIZES
    blur_prob: float = 1.0
    sinc_prob: float = 0.0
    betag_range: Range = (1.0, 1.0)
    betap_range: Range = (1.0, 1.0)
    resize_prob: tuple[float, float, float] = (0.0, 0.0, 1.0)
    resize_range: Range = (1.0, 1.0)
    downsample_range: Range | None = None
    resize_methods: tuple[Method, ...] = _ALL
    gaussian_noise_prob: float = 1.0
    poisson_scale_range: Range | None = None
    gray_noise_prob: float = 0.0
    jpeg_range: Range | None = None


@dataclass(frozen=True)
class Final:
    """The way to the final size: resize, low-pass, and the second round's JPEG before or after them.

    Attributes:
        sinc_prob: how often there is a low-pass.
        sinc_first_prob: how often resize and low-pass come before the JPEG.
        kernel_sizes: of the low-pass, pixels a side.
        resize_methods: equally often.
    """

    sinc_prob: float = 0.0
    sinc_first_prob: float = 0.5
    kernel_sizes: tuple[int, ...] = _SIZES
    resize_methods: tuple[Method, ...] = _ALL


@dataclass(frozen=True)
class Colour:
    """Changes of colour in the degraded picture alone.

    Attributes:
        color_jitter_prob, color_jitter_shift: how often channels are shifted, and by how many levels of 255.
        gray_prob: how often it becomes grey.
        color_jitter_pt_prob: how often brightness, contrast, saturation and hue change, in any order.
        brightness, contrast, saturation: factors.
        hue: in turns.
    """

    color_jitter_prob: float = 0.0
    color_jitter_shift: float = 0.0
    gray_prob: float = 0.0
    color_jitter_pt_prob: float = 0.0
    brightness: Range = (1.0, 1.0)
    contrast: Range = (1.0, 1.0)
    saturation: Range = (1.0, 1.0)
    hue: Range = (0.0, 0.0)


@dataclass(frozen=True)
class Recipe:
    """How degraded pictures are made.

    Attributes:
        id: its name.
        title: one line for people.
        scale: target's size over the degraded picture's.
        gt_usm: whether the target is sharpened first.
        first: what happens to the target.
        second: what happens to that, if anything.
        final: the way to the final size.
        color: changes of colour, if any.
        jpeg_tables: BasicSR's transposed ones, or the standard's.
    """

    id: str
    title: str
    scale: int
    first: Round
    final: Final
    second: Round | None = None
    color: Colour | None = None
    gt_usm: bool = False
    jpeg_tables: Tables = "transposed"


def smallest_side(recipe: Recipe) -> int:
    """The least height and width that a target must have, so that no filter reaches beyond a picture."""
    from pixelproof.models.training.degradations.sharpen import SMALLEST

    needed = max(max(recipe.first.kernel_sizes) // 2 + 1, recipe.scale)
    if recipe.gt_usm:
        needed = max(needed, SMALLEST)
    reduced = recipe.first.resize_range[0]
    if recipe.first.downsample_range is not None:
        reduced = min(1.0, 1 / recipe.first.downsample_range[1])
    after = 1
    if recipe.second is not None:
        after = max(recipe.second.kernel_sizes) // 2 + 1
        least = 1 / recipe.second.resize_range[0]
        needed = max(needed, math.ceil(recipe.scale * least))
    needed = max(needed, math.ceil(after / reduced))
    if recipe.final.sinc_prob > 0:
        needed = max(needed, recipe.scale * (max(recipe.final.kernel_sizes) // 2 + 1))
    while math.floor(needed * reduced) < after:  # where the product falls just short of a whole number
        needed += 1
    return -(-needed // recipe.scale) * recipe.scale
