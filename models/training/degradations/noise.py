"""Noise of sensors: Gaussian, and Poisson's, which grows with the light; grey or of each colour by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pixelproof.models.training.degradations.bands import Planes
from pixelproof.models.training.degradations.counts import poisson_noise

_GREY = np.array([0.2989, 0.587, 0.114], np.float32)[:, None, None]
"""ITU-R BT.601, rounded as torchvision's ``rgb_to_grayscale``."""


def grey_of(planes: Planes) -> Planes:
    """Luma; float32, (3, height, width) to (1, height, width)."""
    grey: Planes = np.sum(planes * _GREY, axis=0, keepdims=True, dtype=np.float32)
    return grey


def with_gaussian(planes: Planes, rng: np.random.Generator, *, sigma: float, grey: bool) -> Planes:
    """A picture with Gaussian noise.

    Args:
        planes: float32, (3, height, width).
        rng: where the noise comes from.
        sigma: its standard deviation in levels of 255.
        grey: the same noise in all channels.

    Returns:
        float32, of the same shape, clipped to [0, 1].
    """
    shape = (1, *planes.shape[1:]) if grey else planes.shape
    noise = rng.standard_normal(shape, dtype=np.float32)
    noise *= np.float32(sigma / 255)
    noisy = np.add(planes, noise, out=None if grey else noise)
    return np.clip(noisy, 0, 1, out=noisy)


def with_poisson(planes: Planes, rng: np.random.Generator, *, strength: float, grey: bool) -> Planes:
    """A picture with the noise of counting light.

    The picture is rounded to 8 bit; the count of its different levels, rounded up to a power of two, is how many
    quanta white has (BasicSR's ``generate_poisson_noise_pt``).

    Args:
        planes: float32, (3, height, width).
        rng: where the noise comes from.
        strength: factor of the noise.
        grey: that of the luma in all channels.

    Returns:
        float32, of the same shape, clipped to [0, 1].
    """
    levels = [levels8(plane) for plane in (grey_of(planes) if grey else planes)]
    quanta = 2 ** math.ceil(math.log2(_different(levels)))
    noisy = np.empty_like(planes)
    for place, plane in enumerate(planes):  # one at a time stays in the processor's cache
        if place < len(levels):
            noise = poisson_noise(levels[place], quanta, rng)
            noise *= np.float32(strength)
        np.add(plane, noise, out=noisy[place])
        np.clip(noisy[place], 0, 1, out=noisy[place])
    return noisy


def levels8(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """The nearest of 256 levels; float of any shape, what lies outside [0, 1] is clipped, to uint8."""
    levels = plane * np.float32(255)
    np.clip(levels, 0, 255, out=levels)
    np.rint(levels, out=levels)
    return levels.astype(np.uint8)


def _different(levels: Sequence[npt.NDArray[np.uint8]]) -> int:
    seen = np.zeros(256, np.bool_)
    for plane in levels:
        seen[plane.ravel()] = True
    return int(np.count_nonzero(seen))
