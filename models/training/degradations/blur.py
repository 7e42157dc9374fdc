"""Filtering with a border that is reflected without its outermost pixel, as PyTorch's ``reflect`` padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pixelproof.errors import ImageError
from pixelproof.models.training.degradations.bands import (
    Band,
    Block,
    Planes,
    block,
    composed,
    mapped,
    spans_of,
)

Taps = npt.NDArray[np.float64]

_SMALL = 4e-5
"""What a kernel's parts that are left out may change of a picture in [0, 1]."""
_FOURIER = 5.0
"""Time of a Fourier transform and back, in that of one pass along an axis."""
_MAKING = 0.3
"""Time of making a map, in the same."""


def filtered(
    planes: Planes, kernel: npt.NDArray[np.floating[Any]], *, onto: tuple[Band, Band] | None = None
) -> Planes:
    """A picture correlated with a kernel, each channel alone, and then resized if so wished.

    A kernel is a sum of outer products. Where few of them are enough, each is applied along one axis after the
    other, and the resize in the same pass; otherwise it is a product of Fourier transforms. Both are within 1e-4 of
    the sum that is meant.

    Args:
        planes: float32, (channels, height, width), both sides larger than half the kernel.
        kernel: (size, size), odd.
        onto: maps of height and width to follow.

    Returns:
        float32, of the same shape or the maps' sizes.

    Raises:
        ImageError: the picture is too small to be reflected so far.
    """
    reach = len(kernel) // 2
    _check_room(planes, reach)
    parts = _outer_products(kernel)
    if len(parts) * _pass_time(planes, onto) > _FOURIER:
        picture = _by_fourier(planes, kernel, reach)
        return picture if onto is None else mapped(picture, *onto)
    total: Planes | None = None
    for taps in parts:
        bands = [reflecting(size, axis) for size, axis in zip(planes.shape[1:], taps, strict=True)]
        if onto is not None:
            bands = [composed(first, then) for first, then in zip(bands, onto, strict=True)]
        part = mapped(planes, *bands)
        total = part if total is None else np.add(total, part, out=total)
    assert total is not None
    return total


def reflecting(size: int, taps: npt.NDArray[np.floating[Any]]) -> Band:
    """The correlation of one axis with some taps, its ends reflected.

    Args:
        size: of the axis, more than half the taps.
        taps: (odd number,).
    """
    reach = len(taps) // 2
    inner: Block | None = None
    blocks = []
    for span in spans_of(size):
        count = span.stop - span.start
        inputs = slice(span.start - reach, span.stop + reach)
        if inner is None or inputs.start < 0 or inputs.stop > size:
            places = np.arange(span.start, span.stop)[:, None] + np.arange(-reach, reach + 1)
            places = np.abs(places)
            places = np.where(places >= size, 2 * (size - 1) - places, places)
            made = block(span, places, np.broadcast_to(taps, places.shape))
            if inputs.start >= 0 and inputs.stop <= size:
                inner = made  # away from the ends all are the same
        else:
            made = Block(span, inputs, inner.matrix[:count, : count + 2 * reach])
        blocks.append(made)
    return Band(size, tuple(blocks))


def _outer_products(kernel: npt.NDArray[np.floating[Any]]) -> list[tuple[Taps, Taps]]:
    """Vertical and horizontal taps whose outer products sum to a kernel, without those that don't show."""
    rest = np.array(kernel, np.float64)
    left, sizes, right = np.linalg.svd(rest)
    parts = []
    for taps, size, other in zip(left.T, sizes, right, strict=True):
        parts.append((taps * size, other))
        rest -= np.outer(*parts[-1])
        if np.abs(rest).sum() <= _SMALL:
            break
    return parts


def _pass_time(planes: Planes, onto: tuple[Band, Band] | None) -> float:
    """Of one outer product, in passes over the whole picture."""
    if onto is None:
        return 2.0 + _MAKING
    rows, columns = (then.size / size for then, size in zip(onto, planes.shape[1:], strict=True))
    return float(min(rows, columns) + rows * columns + _MAKING)


def _by_fourier(planes: Planes, kernel: npt.NDArray[np.floating[Any]], reach: int) -> Planes:
    from scipy import fft

    height, width = planes.shape[1:]
    size = tuple(fft.next_fast_len(side + 2 * reach, real=True) for side in (height, width))
    factor = fft.rfft2(kernel[::-1, ::-1].astype(np.float32), s=size)
    rows, columns = slice(2 * reach, 2 * reach + height), slice(2 * reach, 2 * reach + width)
    padded = np.pad(planes, ((0, 0), (reach, reach), (reach, reach)), mode="reflect")
    out = np.empty_like(planes)
    for plane, result in zip(padded, out, strict=True):  # one at a time stays in the processor's cache
        spectrum = fft.rfft2(plane, s=size)
        spectrum *= factor
        result[...] = fft.irfft2(spectrum, s=size, overwrite_x=True)[rows, columns]
    return out


def _check_room(planes: Planes, reach: int) -> None:
    height, width = planes.shape[1:]
    if min(height, width) <= reach:
        rule = (
            f"A picture must be larger than {reach}x{reach} for a kernel of {2 * reach + 1}x{2 * reach + 1}"
        )
        raise ImageError(rule, found=f"{height}x{width}")
