"""Unsharp masking of the target, as Real-ESRGAN's ``USMSharp``: only where something is to be sharpened."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pixelproof.errors import ImageError
from pixelproof.models.training.degradations.bands import Band, Planes, mapped
from pixelproof.models.training.degradations.blur import reflecting
from pixelproof.models.training.degradations.kernels import gaussian_taps

TAPS = 51
SMALLEST = TAPS // 2 + 1
"""The least height and width."""

_SIGMA = 0.3 * ((TAPS - 1) * 0.5 - 1) + 0.8
"""What OpenCV's ``getGaussianKernel`` takes for 51 taps where it is told none: 8 pixels."""


def sharpened(planes: Planes, *, weight: float = 0.5, threshold: float = 10.0) -> Planes:
    """A picture with its details raised where they are stronger than a threshold, softly blended.

    Args:
        planes: float32, (channels, height, width), in [0, 1], both sides at least `SMALLEST`.
        weight: of the detail that is added.
        threshold: of a detail's size, in levels of 255.

    Returns:
        float32, of the same shape, in [0, 1].

    Raises:
        ImageError: the picture is too small.
    """
    height, width = planes.shape[1:]
    if min(height, width) < SMALLEST:
        rule = f"A picture must be at least {SMALLEST}x{SMALLEST} to be sharpened"
        raise ImageError(rule, found=f"{height}x{width}")
    out = np.empty_like(planes)
    for channel in range(len(planes)):  # one at a time stays in the processor's cache
        out[channel] = _sharpened(planes[channel : channel + 1], np.float32(weight), threshold)[0]
    return out


def _sharpened(plane: Planes, weight: np.float32, threshold: float) -> Planes:
    detail = np.subtract(plane, _smooth(plane))
    strong = (np.abs(detail) * np.float32(255) > threshold).astype(np.float32)
    raised = detail
    raised *= weight
    raised += plane
    np.clip(raised, 0, 1, out=raised)
    raised -= plane
    raised *= _smooth(strong)
    raised += plane
    return raised


def _smooth(planes: Planes) -> Planes:
    height, width = planes.shape[1:]
    return mapped(planes, _gaussian(height), _gaussian(width))


@lru_cache(maxsize=8)
def _gaussian(size: int) -> Band:
    return reflecting(size, gaussian_taps(TAPS, _SIGMA))
