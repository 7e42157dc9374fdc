"""``tf.image.ssim`` and ``tf.image.ssim_multiscale`` without TensorFlow: its float32, step by step.

In exact arithmetic these are the sums of ``ssim``; but challenges publish TensorFlow's figures, and those carry
its rounding. On a 2040x1356 image of DIV2K, exact sums give an MS-SSIM 1e-3 lower. What makes the
difference, found by comparing TensorFlow 2.21 on x86-64 (session, oneDNN on) tensor by tensor:

* The mean over an image adds pixel after pixel in float32. A running sum of a million holds only multiples
  of 1/16, so that every pixel is rounded to one: up to 6e-3 in a scale's mean.
* The graph optimizer turns ``a - b + c2`` into ``a + (c2 - b)``, where c2 loses its low digits in flat, bright
  areas: up to 5e-5.
* The window is a float32 softmax, off by up to 5 units in the last place, and is applied as 121 taps in row
  order. oneDNN fuses each multiplication and addition and this file rounds between: that remains, at most
  5e-7 on photographs and 1e-5 on synthetic flat pictures. (Emulating the fused steps leaves 1e-7, and takes
  three times as long.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

WINDOW_SIZE = 11
K1, K2 = np.float32(0.01), np.float32(0.03)
MS_SSIM_WEIGHTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333], dtype=np.float32)

# The 11x11 Gaussian of sigma 1.5 as TensorFlow's softmax rounds it: row = larger, column = smaller offset.
_TAPS = (
    (7.076224e-02,),
    (5.6661975e-02, 4.537136e-02),
    (2.9091226e-02, 2.3294432e-02, 1.1959761e-02),
    (9.576628e-03, 7.668363e-03, 3.9370693e-03, 1.2960556e-03),
    (2.0213588e-03, 1.6185773e-03, 8.310052e-04, 2.7356122e-04, 5.7741127e-05),
    (2.735611e-04, 2.1905059e-04, 1.1246434e-04, 3.7022466e-05, 7.814408e-06, 1.0575651e-06),
)
_STRIP_VALUES = 1 << 15  # outputs of one filter pass: operands stay in a core's cache


def ssim_per_channel(output: npt.NDArray[Any], target: npt.NDArray[Any], *, data_range: float) -> Float32:
    """``tf.image.ssim`` before its mean over channels.

    Args:
        output, target: (height, width, channels), in [0, data_range], at least 11x11, 1 to 7 channels.
        data_range: the largest value of the range.

    Returns:
        float32, (channels,).
    """
    pairs = _channel_pairs(output, target)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        means = [_mean(x, y, data_range, with_luminance=True, exactly=len(pairs) == 1) for x, y in pairs]
    return np.array(means, dtype=np.float32)


def ms_ssim_per_channel(output: npt.NDArray[Any], target: npt.NDArray[Any], *, data_range: float) -> Float32:
    """``tf.image.ssim_multiscale`` before its mean over channels.

    Args:
        output, target: (height, width, channels), in [0, data_range], at least 161x161, 1 to 7 channels.
        data_range: the largest value of the range.

    Returns:
        float32, (channels,).
    """
    pairs = _channel_pairs(output, target)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        scores = [_channel_ms_ssim(x, y, data_range, exactly=len(pairs) == 1) for x, y in pairs]
    return np.array(scores, dtype=np.float32)


def _channel_pairs(output: npt.NDArray[Any], target: npt.NDArray[Any]) -> list[tuple[Float32, Float32]]:
    return [
        (
            np.ascontiguousarray(output[..., channel], dtype=np.float32),
            np.ascontiguousarray(target[..., channel], dtype=np.float32),
        )
        for channel in range(output.shape[-1])
    ]


def _channel_ms_ssim(x: Float32, y: Float32, data_range: float, *, exactly: bool) -> float:
    last = len(MS_SSIM_WEIGHTS) - 1
    factors = np.empty_like(MS_SSIM_WEIGHTS)
    for scale in range(last + 1):
        if scale:
            x, y = _halved(x), _halved(y)
        factors[scale] = _mean(x, y, data_range, with_luminance=scale == last, exactly=exactly)
    return float(np.prod(np.maximum(factors, 0) ** MS_SSIM_WEIGHTS))


def _halved(plane: Float32) -> Float32:
    height, width = plane.shape
    if height % 2 or width % 2:
        plane = np.pad(plane, ((0, height % 2), (0, width % 2)), mode="edge")
    total = plane[0::2, 0::2] + plane[0::2, 1::2]
    total += plane[1::2, 0::2]
    total += plane[1::2, 1::2]
    total *= np.float32(0.25)
    return total


def _mean(x: Float32, y: Float32, data_range: float, *, with_luminance: bool, exactly: bool) -> float:
    border = WINDOW_SIZE - 1
    height, width = x.shape[0] - border, x.shape[1] - border
    window = _window()
    strip = max(1, _STRIP_VALUES // x.shape[1])
    total = 0.0
    for top in range(0, height, strip):
        rows = slice(top, min(top + strip, height) + border)
        structure = _structure(x[rows], y[rows], window, data_range, with_luminance)
        total = total + float(structure.sum(dtype=np.float64)) if exactly else _added(total, structure)
    return float(np.float32(total) / np.float32(height * width))


def _added(total: float, values: Float32) -> float:
    running = np.empty(values.size + 1, dtype=np.float32)
    running[0] = total
    running[1:] = values.ravel()
    return float(np.add.accumulate(running, out=running)[-1])


def _structure(x: Float32, y: Float32, window: Float32, data_range: float, with_luminance: bool) -> Float32:
    two, peak = np.float32(2), np.float32(data_range)
    c1, c2 = np.float32((K1 * peak) ** 2), np.float32((K2 * peak) ** 2)
    mean_x, mean_y = _filtered(x, window), _filtered(y, window)
    two_xy = _filtered(x * y, window) * two
    squares = _filtered(x * x + y * y, window)
    two_means = mean_x * (mean_y * two)
    contrast: Float32 = np.add(two_xy, c2 - two_means)
    if not with_luminance:
        contrast /= squares + ((c2 - mean_y * mean_y) - mean_x * mean_x)
        return contrast
    means_squared = mean_x * mean_x + mean_y * mean_y
    contrast /= squares + (c2 - means_squared)
    contrast *= (two_means + c1) / (means_squared + c1)
    return contrast


def _window() -> Float32:
    offsets = np.abs(np.arange(WINDOW_SIZE) - WINDOW_SIZE // 2)
    taps = [[_TAPS[max(down, right)][min(down, right)] for right in offsets] for down in offsets]
    return np.array(taps, dtype=np.float32)


def _filtered(plane: Float32, window: Float32) -> Float32:
    # Rows lie end to end, so that a tap is one shift of one long vector; what wraps round is cut off at the end.
    height, width = plane.shape[0] - WINDOW_SIZE + 1, plane.shape[1]
    line = np.concatenate([plane.ravel(), np.zeros(WINDOW_SIZE - 1, dtype=np.float32)])
    total = np.zeros(height * width, dtype=np.float32)
    term = np.empty_like(total)
    for down in range(WINDOW_SIZE):
        for right in range(WINDOW_SIZE):
            start = down * width + right
            np.multiply(line[start : start + total.size], window[down, right], out=term)
            np.add(total, term, out=total)
    return total.reshape(height, width)[:, : width - WINDOW_SIZE + 1]
