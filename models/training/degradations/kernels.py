"""Blur kernels: Gaussians, their flatter and sharper relatives, and the low-pass of a circular sinc.

Formulas: X. Wang et al., "Real-ESRGAN" (2021), section 3, with the arithmetic of BasicSR's ``data/degradations.py``;
generalised Gaussian and plateau kernels: Y. Liu et al., "Estimating Generalized Gaussian Blur Kernels" (2020).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from pixelproof.errors import CallError

Kernel = npt.NDArray[np.float64]
"""(size, size), odd, its sum is 1."""

Shape = Literal["gaussian", "generalized", "plateau"]


@dataclass(frozen=True)
class Bell:
    """A kernel that falls off from its middle.

    Attributes:
        size: pixels a side, odd.
        shape: how it falls off.
        sigma: standard deviations in pixels along its own two axes.
        angle: in radians, from the picture's width to the first axis.
        beta: exponent of the squared distance; a Gaussian has 1.
    """

    size: int
    shape: Shape
    sigma: tuple[float, float]
    angle: float = 0.0
    beta: float = 1.0


@dataclass(frozen=True)
class Sinc:
    """A circular low-pass, which rings as over-sharpened and compressed pictures do.

    Attributes:
        size: pixels a side, odd.
        cutoff: in radians a pixel, up to pi.
    """

    size: int
    cutoff: float


def kernel_of(drawn: Bell | Sinc) -> Kernel:
    """The weights of a described kernel."""
    if isinstance(drawn, Sinc):
        return sinc_kernel(drawn.size, drawn.cutoff)
    return bell_kernel(drawn.size, drawn.shape, drawn.sigma, angle=drawn.angle, beta=drawn.beta)


def bell_kernel(
    size: int, shape: Shape, sigma: tuple[float, float], *, angle: float = 0.0, beta: float = 1.0
) -> Kernel:
    """A Gaussian, generalised Gaussian or plateau kernel.

    With q the squared distance from the middle in units of sigma: ``exp(-q / 2)``, ``exp(-q^beta / 2)`` or
    ``1 / (1 + q^beta)``.

    Args:
        size, shape, sigma, angle, beta: see :class:`Bell`.

    Returns:
        float64, (size, size), in [0, 1], its sum is 1.

    Raises:
        CallError: an even size, or a sigma that isn't above 0.
    """
    _check_size(size)
    if not min(sigma) > 0:
        raise CallError("A blur must have sigmas above 0", found=f"{sigma[0]:g}, {sigma[1]:g}")
    steps = np.arange(size, dtype=np.float64) - size // 2
    x, y = steps[None, :], steps[:, None]
    cosine, sine = math.cos(angle), math.sin(angle)
    along, across = (cosine * x + sine * y) / sigma[0], (cosine * y - sine * x) / sigma[1]
    squared = along**2 + across**2
    if shape == "plateau":
        weights = 1 / (squared**beta + 1)
    else:
        weights = np.exp(-0.5 * (squared if shape == "gaussian" else squared**beta))
    return np.asarray(weights / weights.sum())


def sinc_kernel(size: int, cutoff: float) -> Kernel:
    """The circularly symmetric ideal low-pass, cut off at its size: ``c J1(c r) / (2 pi r)``.

    Args:
        size: odd.
        cutoff: c, in radians a pixel.

    Returns:
        float64, (size, size); some of it is negative, its sum is 1.

    Raises:
        CallError: an even size, or a cutoff outside (0, pi].
    """
    from scipy.special import j1

    _check_size(size)
    if not 0 < cutoff <= math.pi:
        raise CallError("A low-pass must have its cutoff above 0, up to pi", found=f"{cutoff:g}")
    steps = np.arange(size, dtype=np.float64) - size // 2
    radius = np.hypot(steps[None, :], steps[:, None])
    middle = size // 2, size // 2
    radius[middle] = 1.0
    weights = cutoff * j1(cutoff * radius) / (2 * math.pi * radius)
    weights[middle] = cutoff**2 / (4 * math.pi)
    return np.asarray(weights / weights.sum())


def gaussian_taps(size: int, sigma: float) -> npt.NDArray[np.float64]:
    """A Gaussian in one dimension; (size,), odd, its sum is 1."""
    _check_size(size)
    steps = np.arange(size, dtype=np.float64) - size // 2
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    return np.asarray(weights / weights.sum())


def _check_size(size: int) -> None:
    if size < 1 or size % 2 == 0:
        raise CallError("A kernel must have an odd number of pixels a side", found=str(size))
