"""Poisson's distribution for the 256 levels of an 8-bit picture, drawn from tables.

An 8-bit picture has few different brightnesses, so the cumulative distribution of each fits into a table. A uniform
32-bit number is looked up in it; its first byte tells where to begin (the "guide table" of Chen and Asau, 1974). That
is several times as fast as `numpy.random.Generator.poisson` and exact up to the 32 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pixelproof.images import Rgb8

_LEVELS = 256
_GUIDES = 256
_WHOLE = 2.0**32


@dataclass(frozen=True)
class Counts:
    """Tables for one number of quanta.

    Attributes:
        width: outcomes 0 to width - 1 are possible.
        begin: uint16, (256 * 256,), by level and first byte: the least outcome that it leaves possible.
        bound: uint32, (256 * width,), by level and outcome: below this the number means it, or a smaller one.
        noise: float32, (256 * width,), by level and outcome: what it is away from the level, white being 1.
    """

    width: int
    begin: npt.NDArray[np.uint16]
    bound: npt.NDArray[np.uint32]
    noise: npt.NDArray[np.float32]


def poisson_noise(levels: Rgb8, quanta: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """The error of counting: outcome / quanta - level / 255 with outcomes of mean quanta * level / 255.

    Args:
        levels: uint8, any shape.
        quanta: that white has on average, from 1 to 256.
        rng: where the outcomes come from.

    Returns:
        float32, of the same shape.
    """
    tables = _tables(quanta)
    drawn = rng.integers(2**32, size=levels.size, dtype=np.uint32)
    level = levels.ravel().astype(np.int32)
    first = (drawn >> 24).astype(np.int32)
    first += level << 8
    place = level
    place *= tables.width
    place += tables.begin.take(first)
    later = np.flatnonzero(drawn >= tables.bound.take(place))
    while later.size:
        place[later] += 1
        later = later[drawn[later] >= tables.bound[place[later]]]
    return tables.noise.take(place).reshape(levels.shape)


@lru_cache(maxsize=9)
def _tables(quanta: int) -> Counts:
    means = np.arange(_LEVELS) * (quanta / 255)
    width = int(quanta + 8 * quanta**0.5 + 16)
    outcomes = np.arange(width)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, width)))])
    with np.errstate(divide="ignore"):
        exponents = np.log(means)[1:, None] * outcomes - means[1:, None] - log_factorial
    cumulated = np.ones((_LEVELS, width))
    cumulated[1:] = np.cumsum(np.exp(exponents), axis=1)
    cumulated[:, -1] = 1.0
    bound = np.minimum(np.rint(np.minimum(cumulated, 1.0) * _WHOLE), _WHOLE - 1).astype(np.uint32)
    starts = (np.arange(_GUIDES, dtype=np.uint64) << 24).astype(np.uint32)
    begin = np.stack([np.searchsorted(row, starts, side="right") for row in bound])
    noise = outcomes[None] / quanta - np.arange(_LEVELS)[:, None] / 255
    return Counts(
        width,
        np.minimum(begin, width - 1).astype(np.uint16).ravel(),
        bound.ravel(),
        noise.astype(np.float32).ravel(),
    )
