"""Chance by number: what is drawn for a sample or a pass, whichever process asks, in whatever order.

A generator for every sample would cost more than the sample. So one generator draws for a block of samples, and a
sample's numbers are its row of that block.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pixelproof.models.training.data.training_data import rng_of

Numbers = npt.NDArray[np.int64]
Uniform = npt.NDArray[np.float64]

_BLOCK = 1024
_OF_PASSES, _OF_SAMPLES = (
    0x70617373,
    0x73616D70,
)  # streams apart from each other and from the degradations' (seed, index)


@lru_cache(maxsize=4)
def order(seed: int, which: int, count: int) -> Numbers:
    """The order of one pass: the numbers from 0 to ``count - 1``, shuffled.

    Args:
        seed: of the whole training.
        which: of the passes, from 0.
        count: how many there are to order, 1 or more.

    Returns:
        int64, (count,), not to be written to.
    """
    shuffled = rng_of(seed, _OF_PASSES, which).permutation(count)
    shuffled.setflags(write=False)
    return shuffled


def ordered(numbers: Numbers, *, seed: int, count: int) -> Numbers:
    """What the samples of these numbers are, each of ``count`` things coming once a pass.

    Args:
        numbers: int64, (samples,), 0 or more, counted through all passes.

    Returns:
        int64, (samples,), from 0 to ``count - 1``.
    """
    passes, places = np.divmod(numbers, count)
    found = np.empty_like(numbers)
    for one in np.unique(passes).tolist():
        mine = passes == one
        found[mine] = order(seed, one, count)[places[mine]]
    return found


def uniform(numbers: Numbers, *, seed: int, columns: int) -> Uniform:
    """Independent uniform numbers for samples.

    Args:
        numbers: int64, (samples,), 0 or more.
        seed: of the whole training.
        columns: how many each sample needs.

    Returns:
        float64, (samples, columns), in [0, 1).
    """
    blocks, rows = np.divmod(numbers, _BLOCK)
    found = np.empty((len(numbers), columns))
    for block in np.unique(blocks).tolist():
        mine = blocks == block
        found[mine] = _block(seed, block, columns)[rows[mine]]
    return found


def below(chance: Uniform, limits: Numbers) -> Numbers:
    """Whole numbers from 0 to each limit less one, all equally likely.

    Args:
        chance: float64, in [0, 1).
        limits: int64, 1 or more, of the same shape.
    """
    return np.minimum((chance * limits).astype(np.int64), limits - 1)


@lru_cache(maxsize=64)
def _block(seed: int, block: int, columns: int) -> Uniform:
    drawn = rng_of(seed, _OF_SAMPLES, block).random((_BLOCK, columns))
    drawn.setflags(write=False)
    return drawn
