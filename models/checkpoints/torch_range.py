"""For which range of values a network was trained: told by what it makes of a plain colour."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import numpy as np

from pixelproof.models import registry

if TYPE_CHECKING:
    import keras

RANGES = (1.0, 255.0)
_COLOUR = np.array([0.3, 0.5, 0.7], np.float32)
_SIDE = 24
_SAME = 0.01
_CLEARLY = 5.0


def has_data_range(name: str) -> bool:
    """Whether an architecture has the option ``data_range``."""
    return "data_range" in inspect.signature(registry.spec(name).build).parameters


def trained_range(model: keras.Model) -> float | None:
    """The range of a super-resolution network's training images: 1 for [0, 1], 255 for 0..255.

    A trained one keeps a plain colour: the official ones of NTIRE 2022 within 0.0002 in the right range, and off by
    0.02 to 0.14 in the wrong one.

    Args:
        model: with its weights, built for [0, 1]: image in and out float32 (batch, height, width, 3).

    Returns:
        None where it can't be told: neither range keeps the colour, or both do.
    """
    errors = {high: _change(model, high) for high in RANGES}
    best, other = sorted(RANGES, key=lambda high: errors[high])
    clear = errors[best] <= _SAME and errors[other] >= _CLEARLY * max(errors[best], 1e-4)
    return best if clear else None


def _change(model: keras.Model, high: float) -> float:
    """How far a plain colour comes out changed, root mean square of [0, 1], away from the border."""
    plain = np.broadcast_to(_COLOUR * np.float32(high), (1, _SIDE, _SIDE, 3))
    output = np.asarray(model(plain, training=False)) / high
    third = output.shape[1] // 3
    return float(np.sqrt(np.mean((output[:, third:-third, third:-third] - _COLOUR) ** 2)))
