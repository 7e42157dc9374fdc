"""How pictures are made to fit a model: enlarged or not, cut to whole multiples, large enough."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pixelproof.errors import ImageError, RecipeError, ShapeMismatch
from pixelproof.images import Rgb8, bicubic_resize_8bit
from pixelproof.models.training.data.training_data import Setting


@dataclass(frozen=True)
class Fit:
    """What becomes of a small picture and its target.

    Attributes:
        scale: the target's size over the small picture's.
        enlarge: whether the small picture is enlarged to the target's size again, as the model takes it.
        multiple: the target's sides are cut to multiples of this, a multiple of the scale.
        least: the least side of a target.
    """

    scale: int
    enlarge: bool
    multiple: int
    least: int

    @property
    def ratio(self) -> int:
        """The target's size over the model's input's."""
        return 1 if self.enlarge else self.scale


def fit_for_crops(setting: Setting, *, crop: int) -> Fit:
    """How pictures are made to fit from which crops are taken.

    Args:
        setting: scale and model.
        crop: side of the targets' crops; 0 for whole pictures.

    Raises:
        RecipeError: the model is of another scale, takes other channels than RGB, or doesn't take such crops.
    """
    whole = fit_for_whole_pictures(setting)
    contract, ratio = setting.contract, whole.ratio
    if crop == 0:
        return whole
    if crop < 0 or crop % ratio:
        remedy = f"The model enlarges by {ratio}, and a crop is a whole number of its input's pixels."
        raise RecipeError(
            f"data.crop must be a multiple of {ratio}", found=str(crop), remedy=remedy if ratio > 1 else ""
        )
    side = crop // ratio
    if not contract.allows(side, side):
        least, multiple = contract.minimum_size, contract.size_multiple
        multiples = f" and multiples of {multiple}" if multiple > 1 else ""
        rule = f"data.crop must make inputs that the model takes: at least {least}x{least} pixels{multiples}"
        raise RecipeError(rule, found=f"{crop}, inputs of {side}x{side}")
    return Fit(whole.scale, whole.enlarge, whole.scale, crop)


def fit_for_whole_pictures(setting: Setting) -> Fit:
    """How pictures are made to fit that go through the model whole.

    Raises:
        RecipeError: the model is of another scale, or takes other channels than RGB.
    """
    scale, contract = setting.scale, setting.contract
    if contract.channels != (3, 3):
        found = f"a model of {contract.channels[0]} and {contract.channels[1]} channels"
        remedy = "Raw pictures and their RGB are data of the kind isp."
        raise RecipeError("This kind of data is RGB, in and out", found=found, remedy=remedy)
    if scale < 1 or contract.scale not in (1, scale):
        remedy = "The scale is the target's size over the small picture's."
        found = f"scale {scale}, and a model that enlarges by {contract.scale}"
        raise RecipeError("scale must be that of the model", found=found, remedy=remedy)
    if setting.seed < 0:
        raise RecipeError("seed must be 0 or more", found=str(setting.seed))
    enlarge = contract.scale == 1 and scale > 1
    of_model = contract.size_multiple
    multiple = math.lcm(scale, of_model) if enlarge else scale * of_model
    least = contract.minimum_size * (1 if enlarge else scale)
    return Fit(scale, enlarge, multiple, -(-least // multiple) * multiple)


def reduced(photograph8: Rgb8, fit: Fit) -> tuple[Rgb8, Rgb8]:
    """A photograph's input and target: reduced bicubically on 8 bit, as a whole, and enlarged again where that fits.

    Args:
        photograph8: uint8, (height, width, 3).

    Returns:
        Input and target, uint8.

    Raises:
        ImageError: it is too small.
    """
    target = cut(photograph8, fit)
    height, width = target.shape[0] // fit.scale, target.shape[1] // fit.scale
    return _fitted(bicubic_resize_8bit(target, height, width), target, fit)


def paired(small8: Rgb8, target8: Rgb8, fit: Fit) -> tuple[Rgb8, Rgb8]:
    """A small picture and its target as the model takes them.

    Args:
        small8, target8: uint8, (height, width, 3).

    Returns:
        Input and target, uint8.

    Raises:
        ShapeMismatch: the target hasn't the scale's times the size.
        ImageError: they are too small.
    """
    expected = small8.shape[0] * fit.scale, small8.shape[1] * fit.scale
    if target8.shape[:2] != expected:
        times = "the size" if fit.scale == 1 else f"{fit.scale} times the size"
        found = f"{_size(small8)} and {_size(target8)}"
        raise ShapeMismatch(f"A target must have {times} of its input", found=found)
    return _fitted(cut(small8, fit, smaller=fit.scale), cut(target8, fit), fit)


def cut(image8: Rgb8, fit: Fit, *, smaller: int = 1) -> Rgb8:
    """A target without the rows and columns, at its bottom and right, beyond whole multiples.

    Args:
        image8: uint8, (height, width, 3).
        smaller: by how much it is smaller than a target.

    Raises:
        ImageError: it is too small.
    """
    multiple, least = fit.multiple // smaller, fit.least // smaller
    height, width = (side - side % multiple for side in image8.shape[:2])
    needed = max(least, multiple)
    if min(height, width) < needed:
        raise ImageError(f"A picture must be at least {needed}x{needed} here", found=_size(image8))
    return image8[:height, :width]


def _fitted(small8: Rgb8, target8: Rgb8, fit: Fit) -> tuple[Rgb8, Rgb8]:
    height, width = target8.shape[:2]
    return (bicubic_resize_8bit(small8, height, width) if fit.enlarge else small8), target8


def _size(image8: Rgb8) -> str:
    return f"{image8.shape[0]}x{image8.shape[1]}"
