"""The arithmetic of SSIM: local statistics under a Gaussian window, at one scale and down a pyramid.

The named variants (which window, which reduction) are in ``metrics``; here is what they share. The
formulas are those of Wang, Bovik, Sheikh, Simoncelli (2004) and Wang, Simoncelli, Bovik (2003).

Both passes of the separable window are matrix products with a small banded matrix, block by block, which BLAS
does three times as fast as a correlation; a strip of rows goes through all steps while it is in cache. Every
product is too small for BLAS to spread over threads: callers have both cores for themselves, image by image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
AnyFloat = npt.NDArray[Any]

K1, K2 = 0.01, 0.03
WINDOW_SIZE, WINDOW_SIGMA = 11, 1.5
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)

_BLOCK = 16  # outputs of one banded product: smaller is call overhead, larger multiplies more zeros
_LONGEST = 512  # and how long, so that OpenBLAS keeps it on one thread (below 2**18 multiplications)
_STRIP_VALUES = 1 << 17  # of the four filtered quantities together: 1 MiB, about one core's cache
_CHUNK_VALUES = 1 << 17  # of one picture stack: four 100x100 patches


@dataclass(frozen=True)
class Window:
    """A Gaussian window: how many taps, and its standard deviation in pixels."""

    size: int = WINDOW_SIZE
    sigma: float = WINDOW_SIGMA


def full_window(height: int, width: int) -> Window:
    """The 11-tap window of sigma 1.5, whatever the image's size."""
    del height, width
    return Window()


def shrinking_window(height: int, width: int) -> Window:
    """The 11-tap window, scaled down with its sigma to an image that is smaller."""
    size = min(WINDOW_SIZE, height, width)
    return Window(size, WINDOW_SIGMA * size / WINDOW_SIZE)


def structure_factors(
    outputs: AnyFloat,
    targets: AnyFloat,
    *,
    levels: int,
    window_at: Callable[[int, int], Window],
    data_range: float,
) -> Float64:
    """The factors of (multi-scale) SSIM: at each scale but the coarsest the contrast-structure term, at the
    coarsest the whole SSIM, each the mean over the valid pixels of a channel.

    Between scales each 2x2 pixels become their mean; an odd last row or column counts twice. That is both
    TensorFlow's average pooling after symmetric padding, and ``scipy.ndimage.convolve`` with a 2x2 box and
    "reflect" borders, every second pixel kept.

    Args:
        outputs, targets: any number type, (images, height, width, channels), in [0, data_range].
        levels: how many scales; with one, the factor is plain SSIM.
        window_at: (height, width) of a scale to its window, no larger than either.
        data_range: the largest value of the range.

    Returns:
        float64, (levels, images, channels), finest scale first. NaN where a picture is not finite.
    """
    parts, planes_of = [], _as_planes if levels > 1 else _plane_views
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for part in _chunks(len(outputs), outputs[:1].size):
            x, y = planes_of(outputs[part]), planes_of(targets[part])
            means = []
            for level in range(levels):
                if level:
                    x, y = _halved(x), _halved(y)
                window = window_at(x.shape[1], x.shape[2])
                means.append(_plane_means(x, y, window, data_range, level == levels - 1))
            parts.append(np.stack(means))
    factors: Float64 = np.concatenate(parts, axis=1).reshape(levels, len(outputs), outputs.shape[-1])
    return factors


def _chunks(images: int, values_of_one: int) -> Iterator[slice]:
    step = max(1, _CHUNK_VALUES // max(1, values_of_one))
    return (slice(start, start + step) for start in range(0, images, step))


def _as_planes(pictures: AnyFloat) -> Float64:
    images, height, width, channels = pictures.shape
    planes = np.empty((images, channels, height, width))
    planes[...] = pictures.transpose(0, 3, 1, 2)
    return planes.reshape(images * channels, height, width)


def _plane_views(pictures: AnyFloat) -> AnyFloat:
    return pictures.transpose(0, 3, 1, 2).reshape(-1, *pictures.shape[1:3])


def _halved(planes: Float64) -> Float64:
    _, height, width = planes.shape
    if height % 2 or width % 2:
        planes = np.pad(planes, ((0, 0), (0, height % 2), (0, width % 2)), mode="edge")
    rows = planes[:, 0::2] + planes[:, 1::2]
    halved: Float64 = rows[..., 0::2] + rows[..., 1::2]
    halved *= 0.25
    return halved


def _plane_means(
    x: AnyFloat, y: AnyFloat, window: Window, data_range: float, with_luminance: bool
) -> Float64:
    planes, height, width = x.shape
    border = window.size - 1
    rows_out, columns_out = height - border, width - border
    band = _band(window)
    strip = min(rows_out, max(_BLOCK, _STRIP_VALUES // (4 * width) // _BLOCK * _BLOCK))
    group = max(1, _STRIP_VALUES // (4 * width * (strip + border)))
    totals = np.zeros(planes)
    for first in range(0, planes, group):
        chosen = slice(first, first + group)
        for top in range(0, rows_out, strip):
            rows = slice(top, min(top + strip, rows_out) + border)
            maps = _filtered(_quantities(x[chosen, rows], y[chosen, rows]), band)
            totals[chosen] += _structure_map(maps, data_range, with_luminance).sum(axis=(1, 2))
    totals /= rows_out * columns_out
    return totals


def _quantities(x: AnyFloat, y: AnyFloat) -> Float64:
    stack = np.empty((4, *x.shape))
    stack[0] = x
    stack[1] = y
    np.multiply(stack[0], stack[1], out=stack[2])
    np.multiply(stack[0], stack[0], out=stack[3])
    stack[3] += stack[1] * stack[1]
    return stack


def _structure_map(maps: Float64, data_range: float, with_luminance: bool) -> Float64:
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    mean_x, mean_y, mean_xy, mean_squares = maps
    product = mean_x * mean_y
    product *= 2.0
    squares = mean_x * mean_x
    squares += mean_y * mean_y
    structure: Float64 = 2.0 * mean_xy
    structure -= product
    structure += c2
    spread = mean_squares - squares
    spread += c2
    structure /= spread
    if with_luminance:
        product += c1
        squares += c1
        structure *= product
        structure /= squares
    return structure


def _band(window: Window) -> Float64:
    offsets = np.arange(window.size) - (window.size - 1) / 2
    taps = np.exp(-0.5 * np.square(offsets / window.sigma))
    taps /= taps.sum()
    band = np.zeros((_BLOCK, _BLOCK + window.size - 1))
    for row in range(_BLOCK):
        band[row, row : row + window.size] = taps
    return band


def _filtered(stack: Float64, band: Float64) -> Float64:
    quantities, planes, height, width = stack.shape
    border = band.shape[1] - _BLOCK
    rows_out, columns_out = height - border, width - border
    down = np.empty((quantities, planes, rows_out, width))
    for top in range(0, rows_out, _BLOCK):
        block = min(_BLOCK, rows_out - top)
        part = band[:block, : block + border]
        for left in range(0, width, _LONGEST):
            columns = slice(left, left + _LONGEST)
            source = stack[..., top : top + block + border, columns]
            np.matmul(part, source, out=down[..., top : top + block, columns])
    lines, across = down.reshape(-1, width), np.empty((quantities * planes * rows_out, columns_out))
    upright = np.ascontiguousarray(band.T)  # twice as fast as the transposed view
    for top in range(0, len(lines), _LONGEST):
        rows = slice(top, top + _LONGEST)
        for left in range(0, columns_out, _BLOCK):
            block = min(_BLOCK, columns_out - left)
            part = upright[: block + border, :block]
            np.matmul(lines[rows, left : left + block + border], part, out=across[rows, left : left + block])
    return across.reshape(quantities, planes, rows_out, columns_out)
