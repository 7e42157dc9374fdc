"""What is going to happen to one picture: everything random, drawn before a pixel is touched."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from pixelproof.errors import CallError
from pixelproof.models.training.degradations.colour import ColourChange, draw_colour
from pixelproof.models.training.degradations.jpeg import Tables
from pixelproof.models.training.degradations.kernels import Bell, Shape, Sinc
from pixelproof.models.training.degradations.recipe import Final, KernelName, Range, Recipe, Round
from pixelproof.models.training.degradations.resize import Method

T = TypeVar("T")

_SHAPES: dict[str, Shape] = {"": "gaussian", "generalized": "generalized", "plateau": "plateau"}


@dataclass(frozen=True)
class Resize:
    """A new size.

    Attributes:
        height, width: in pixels.
        factor: that was drawn, where it and not the sizes gives the step between pixels.
    """

    method: Method
    height: int
    width: int
    factor: float | None = None


@dataclass(frozen=True)
class Noise:
    """Noise.

    Attributes:
        strength: of ``gaussian`` its standard deviation in levels of 255, of ``poisson`` its factor.
        grey: the same in all channels.
        seed: of its own generator.
    """

    kind: Literal["gaussian", "poisson"]
    strength: float
    grey: bool
    seed: int


@dataclass(frozen=True)
class Step:
    """A round as drawn; None where something doesn't happen."""

    blur: Bell | Sinc | None
    resize: Resize | None
    noise: Noise
    jpeg_quality: float | None


@dataclass(frozen=True)
class Ending:
    """The way to the final size as drawn.

    Attributes:
        resize: to the final size.
        low_pass: after it.
        sinc_first: whether both come before the second round's JPEG.
    """

    resize: Resize
    low_pass: Sinc | None
    sinc_first: bool


@dataclass(frozen=True)
class Plan:
    """All that happens to one picture.

    Attributes:
        sharpen: whether the target is sharpened first.
        first, second, ending, colour: in this order; the second round's JPEG is part of the ending.
        jpeg_tables: see `jpeg`.
    """

    sharpen: bool
    first: Step
    second: Step | None
    ending: Ending
    colour: ColourChange | None
    jpeg_tables: Tables


def draw_plan(recipe: Recipe, *, height: int, width: int, seed: int, index: int) -> Plan:
    """What happens to a picture; the same for the same arguments, whatever was drawn before.

    Args:
        recipe: what it is drawn from.
        height, width: of the target, multiples of the recipe's scale.
        seed: of the whole set, 0 or more.
        index: of the picture in it, 0 or more.

    Raises:
        CallError: a seed or index below 0.
    """
    if min(seed, index) < 0:
        raise CallError("A seed and an index must be 0 or more", found=f"{seed}, {index}")
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, index))))
    small = height // recipe.scale, width // recipe.scale
    return Plan(
        sharpen=recipe.gt_usm,
        first=_first(rng, recipe.first, height, width),
        second=None if recipe.second is None else _second(rng, recipe.second, *small),
        ending=_ending(rng, recipe.final, *small),
        colour=None if recipe.color is None else draw_colour(rng, recipe.color),
        jpeg_tables=recipe.jpeg_tables,
    )


def _first(rng: np.random.Generator, given: Round, height: int, width: int) -> Step:
    blur = _blur(rng, given)
    if given.downsample_range is not None:
        by = _between(rng, given.downsample_range)
        sides = max(1, int(height // by)), max(1, int(width // by))
        return _step(rng, given, blur, Resize(_one(rng, given.resize_methods), *sides))
    factor = _factor(rng, given)
    method = _one(rng, given.resize_methods)
    sides = math.floor(height * factor), math.floor(width * factor)
    return _step(rng, given, blur, None if factor == 1 else Resize(method, *sides, factor))


def _second(rng: np.random.Generator, given: Round, height: int, width: int) -> Step:
    blur = _blur(rng, given)
    factor = _factor(rng, given)
    sides = max(1, int(height * factor)), max(1, int(width * factor))
    return _step(rng, given, blur, Resize(_one(rng, given.resize_methods), *sides))


def _step(rng: np.random.Generator, given: Round, blur: Bell | Sinc | None, resize: Resize | None) -> Step:
    gaussian = given.poisson_scale_range is None or rng.random() < given.gaussian_noise_prob
    noise = Noise(
        kind="gaussian" if gaussian else "poisson",
        strength=_between(rng, given.noise_range if gaussian else given.poisson_scale_range or (0.0, 0.0)),
        grey=bool(rng.random() < given.gray_noise_prob),
        seed=int(rng.integers(2**63)),
    )
    quality = None if given.jpeg_range is None else _between(rng, given.jpeg_range)
    return Step(blur, resize, noise, quality)


def _ending(rng: np.random.Generator, final: Final, height: int, width: int) -> Ending:
    low_pass = None
    if rng.random() < final.sinc_prob:
        low_pass = Sinc(_one(rng, final.kernel_sizes), _between(rng, (math.pi / 3, math.pi)))
    resize = Resize(_one(rng, final.resize_methods), height, width)
    return Ending(resize, low_pass, bool(rng.random() < final.sinc_first_prob))


def _blur(rng: np.random.Generator, given: Round) -> Bell | Sinc | None:
    if rng.random() >= given.blur_prob:
        return None
    size = _one(rng, given.kernel_sizes)
    if rng.random() < given.sinc_prob:
        return Sinc(size, _between(rng, (math.pi / 3 if size < 13 else math.pi / 5, math.pi)))
    name = given.kernel_list[int(rng.choice(len(given.kernel_list), p=given.kernel_prob))]
    return _bell(rng, given, name, size)


def _bell(rng: np.random.Generator, given: Round, name: KernelName, size: int) -> Bell:
    *kind, symmetry = name.split("_")
    shape = _SHAPES["".join(kind)]
    sigma = _between(rng, given.blur_sigma)
    other, angle, beta = sigma, 0.0, 1.0
    if symmetry == "aniso":
        other, angle = _between(rng, given.blur_sigma), _between(rng, (-math.pi, math.pi))
    if shape != "gaussian":
        low, high = given.betag_range if shape == "generalized" else given.betap_range
        beta = _between(rng, (low, 1.0) if rng.random() < 0.5 else (1.0, high))
    return Bell(size, shape, (sigma, other), angle, beta)


def _factor(rng: np.random.Generator, given: Round) -> float:
    kind = int(rng.choice(3, p=given.resize_prob))
    low, high = given.resize_range
    return (_between(rng, (1.0, high)), _between(rng, (low, 1.0)), 1.0)[kind]


def _between(rng: np.random.Generator, given: Range) -> float:
    return float(rng.uniform(*given))


def _one(rng: np.random.Generator, choices: Sequence[T]) -> T:
    return choices[int(rng.integers(len(choices)))]
