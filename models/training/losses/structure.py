"""The arithmetic of SSIM on `keras.ops`: `pixelproof.measure.metrics` with gradients, in float32.

The window is separable. TensorFlow convolves depthwise. On the other backends both passes are products with a small
banded matrix, block by block: there depthwise convolutions and their gradients take many times as long on a CPU, as
they do in TensorFlow under XLA (`jit_compile=True`).
"""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from pixelproof.models.training.losses.loss_kinds import Tensor

WINDOW_SIZE, WINDOW_SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2

_BORDER = WINDOW_SIZE - 1
_BLOCK = 64  # outputs of one product: smaller is call overhead, larger multiplies more zeros


def structure_maps(target: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
    """SSIM's two factors at each place where the window fits: 11 taps of a Gaussian of sigma 1.5.

    Variances don't change when a number is taken off all pixels. The target's mean is taken off first, since float32
    would lose the small variance of a bright, flat area beside the square of its mean.

    Args:
        target, output: float32, (batch, height, width, channels), nominally in [0, 1], at least 11x11.

    Returns:
        Luminance, and contrast times structure; both float32, (batch, channels, height - 10, width - 10).

    Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural
    similarity", 2004.
    """
    target, output = (ops.transpose(images, (0, 3, 1, 2)) for images in (target, output))
    level = ops.stop_gradient(ops.mean(target, axis=(2, 3), keepdims=True))
    x, y = target - level, output - level
    maps = _filtered(ops.concatenate([x, y, x * y, x * x + y * y], axis=1))
    mean_x, mean_y, mean_xy, mean_squares = ops.split(maps, 4, axis=1)
    covariance = mean_xy - mean_x * mean_y
    variances = mean_squares - mean_x * mean_x - mean_y * mean_y
    bright_x, bright_y = mean_x + level, mean_y + level
    luminance = (2.0 * bright_x * bright_y + C1) / (bright_x * bright_x + bright_y * bright_y + C1)
    return luminance, (2.0 * covariance + C2) / (variances + C2)


def halved(images: Tensor) -> Tensor:
    """Each 2x2 pixels become their mean; an odd last row or column counts twice, as it is the mean of what is there.

    Args:
        images: float32, (batch, height, width, channels).
    """
    return ops.average_pool(images, 2, strides=2, padding="same", data_format="channels_last")


def _filtered(maps: Tensor) -> Tensor:
    return _convolved(maps) if keras.config.backend() == "tensorflow" else _multiplied(maps)


def _convolved(maps: Tensor) -> Tensor:
    maps, taps = ops.transpose(maps, (0, 2, 3, 1)), _taps()
    for kernel in (taps.reshape(-1, 1, 1, 1), taps.reshape(1, -1, 1, 1)):
        each = ops.convert_to_tensor(np.tile(kernel, (1, 1, maps.shape[-1], 1)))
        maps = ops.depthwise_conv(maps, each, strides=1, padding="valid", data_format="channels_last")
    return ops.transpose(maps, (0, 3, 1, 2))


def _multiplied(maps: Tensor) -> Tensor:
    height, width = maps.shape[2:]
    rows = [
        ops.matmul(_band(count), maps[:, :, top : top + count + _BORDER]) for top, count in _blocks(height)
    ]
    maps = ops.concatenate(rows, axis=2)
    columns = [
        ops.matmul(maps[..., left : left + count + _BORDER], ops.transpose(_band(count)))
        for left, count in _blocks(width)
    ]
    return ops.concatenate(columns, axis=3)


def _blocks(side: int) -> list[tuple[int, int]]:
    """Where each block of outputs begins, and how many it has."""
    outputs = side - _BORDER
    return [(start, min(_BLOCK, outputs - start)) for start in range(0, outputs, _BLOCK)]


def _band(outputs: int) -> Tensor:
    band, taps = np.zeros((outputs, outputs + _BORDER), dtype=np.float32), _taps()
    for row in range(outputs):
        band[row, row : row + WINDOW_SIZE] = taps
    return ops.convert_to_tensor(band)


def _taps() -> npt.NDArray[np.float32]:
    offsets = np.arange(WINDOW_SIZE) - WINDOW_SIZE // 2
    taps = np.exp(-0.5 * np.square(offsets / WINDOW_SIGMA))
    return np.asarray(taps / taps.sum(), dtype=np.float32)
