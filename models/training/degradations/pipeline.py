"""A plan carried out: from a target to its degraded picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixelproof.errors import ImageError
from pixelproof.images import Rgb8
from pixelproof.models.training.degradations.bands import Band, Planes, mapped
from pixelproof.models.training.degradations.blur import filtered
from pixelproof.models.training.degradations.colour import with_colours
from pixelproof.models.training.degradations.jpeg import compressed, planes_of, rgb8_of
from pixelproof.models.training.degradations.kernels import kernel_of
from pixelproof.models.training.degradations.noise import with_gaussian, with_poisson
from pixelproof.models.training.degradations.plan import Ending, Noise, Plan, Resize, Step, draw_plan
from pixelproof.models.training.degradations.recipe import Recipe, smallest_side
from pixelproof.models.training.degradations.resize import resizing
from pixelproof.models.training.degradations.sharpen import sharpened


@dataclass(frozen=True)
class Pair:
    """A target and its degraded picture.

    Attributes:
        target8: uint8, (height, width, 3); sharpened where the plan says so.
        degraded8: uint8, (height / scale, width / scale, 3).
        plan: what was done.
    """

    target8: Rgb8
    degraded8: Rgb8
    plan: Plan


def degraded_pair(image8: Rgb8, recipe: Recipe, *, seed: int, index: int) -> Pair:
    """A target and its degraded picture; the same for the same arguments.

    The target loses rows and columns at its bottom and right that are no whole pixel of the degraded picture.

    Args:
        image8: uint8, (height, width, 3).
        recipe: how.
        seed: of the whole set.
        index: of the picture in it.

    Raises:
        ImageError: the picture is smaller than `smallest_side` says.
    """
    image8 = _cropped(image8, recipe)
    plan = draw_plan(recipe, height=image8.shape[0], width=image8.shape[1], seed=seed, index=index)
    target = planes_of(image8)
    if plan.sharpen:
        target = sharpened(target)
    return Pair(rgb8_of(target) if plan.sharpen else image8, rgb8_of(degraded(target, plan)), plan)


def degraded(target: Planes, plan: Plan) -> Planes:
    """What becomes of a target; it isn't sharpened here.

    Args:
        target: float32, (3, height, width), in [0, 1], of the size that the plan was drawn for.
        plan: what to do.

    Returns:
        float32, (3, height / scale, width / scale), in [0, 1].
    """
    picture = _blurred_resized_noisy(target, plan.first)
    if plan.first.jpeg_quality is not None:
        picture = compressed(picture, plan.first.jpeg_quality, tables=plan.jpeg_tables)
    quality = None
    if plan.second is not None:
        picture = _blurred_resized_noisy(picture, plan.second)
        quality = plan.second.jpeg_quality
    if plan.ending.sinc_first:
        picture = _ended(picture, plan.ending)
    if quality is not None:
        picture = compressed(picture, quality, tables=plan.jpeg_tables)
    if not plan.ending.sinc_first:
        picture = _ended(picture, plan.ending)
    picture = np.clip(picture, 0, 1)
    return picture if plan.colour is None else with_colours(picture, plan.colour)


def _blurred_resized_noisy(picture: Planes, step: Step) -> Planes:
    onto = None if step.resize is None else _maps(picture, step.resize)
    if step.blur is not None:
        picture = filtered(picture, kernel_of(step.blur), onto=onto)
    elif onto is not None:
        picture = mapped(picture, *onto)
    return _noisy(picture, step.noise)


def _noisy(picture: Planes, noise: Noise) -> Planes:
    rng = np.random.Generator(np.random.SFC64(noise.seed))
    if noise.kind == "gaussian":
        return with_gaussian(picture, rng, sigma=noise.strength, grey=noise.grey)
    return with_poisson(picture, rng, strength=noise.strength, grey=noise.grey)


def _ended(picture: Planes, ending: Ending) -> Planes:
    onto = _maps(picture, ending.resize)
    if onto is not None:
        picture = mapped(picture, *onto)
    return picture if ending.low_pass is None else filtered(picture, kernel_of(ending.low_pass))


def _maps(picture: Planes, resize: Resize) -> tuple[Band, Band] | None:
    old, new = (picture.shape[1], picture.shape[2]), (resize.height, resize.width)
    return None if old == new else resizing(old, new, resize.method, factor=resize.factor)


def _cropped(image8: Rgb8, recipe: Recipe) -> Rgb8:
    height, width = (side - side % recipe.scale for side in image8.shape[:2])
    least = smallest_side(recipe)
    if min(height, width) < least:
        rule = f"A picture must be at least {least}x{least} for the recipe {recipe.id}"
        raise ImageError(rule, found=f"{image8.shape[0]}x{image8.shape[1]}")
    return image8[:height, :width]
