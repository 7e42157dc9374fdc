"""Bicubic enlargement by a whole factor, as convolutions: TensorFlow's own has another coefficient than PyTorch's.

Weights by R. Keys, Cubic convolution interpolation for digital image processing (1981), with the coefficient that the
file states; pixels beyond the border repeat it, as ONNX's and PyTorch's do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from pixelproof.convert.from_onnx.node import refuse
from pixelproof.measure.protocol import Array

TAPS = 5
REACH = 2


def cubic_enlarged(x: Any, factors: tuple[int, int], coordinates: str, coefficient: float) -> Any:
    """An image (1, height, width, channels), enlarged.

    Raises:
        Untranslatable: other coordinates than those of half pixels.
    """
    refuse(coordinates not in ("half_pixel", "pytorch_half_pixel"), f"mode cubic with {coordinates}")
    channels = int(x.shape[3])
    for _ in range(REACH):
        x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="SYMMETRIC")
    rows, columns = (_phases(factor, coefficient) for factor in factors)
    kernel = np.einsum("ri,cj->ijrc", rows, columns).reshape(TAPS, TAPS, 1, -1)
    parts = []
    for part in tf.split(x, channels, axis=3):
        made = tf.nn.conv2d(part, kernel.astype(np.float32), strides=1, padding="VALID")
        parts.append(_interleaved(made, factors))
    return tf.concat(parts, axis=3) if channels > 1 else parts[0]


def _interleaved(made: Any, factors: tuple[int, int]) -> Any:
    """Phases in the channels to pixels."""
    refuse(factors[0] != factors[1], f"mode cubic by {factors[0]}x{factors[1]}")
    return tf.nn.depth_to_space(made, factors[0]) if factors[0] > 1 else made


def _phases(factor: int, coefficient: float) -> Array:
    """For each output pixel of a block, the weights of the five input pixels around."""
    weights = np.zeros((factor, TAPS))
    for phase in range(factor):
        place = (phase + 0.5) / factor - 0.5
        for tap in range(TAPS):
            weights[phase, tap] = _keys(abs(place - (tap - REACH)), coefficient)
    return weights


def _keys(distance: float, a: float) -> float:
    if distance <= 1:
        return ((a + 2) * distance - (a + 3)) * distance**2 + 1
    if distance < 2:
        return a * (((distance - 5) * distance + 8) * distance - 4)
    return 0.0
