"""May several images go through a model at once? Only where that doesn't change any of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pixelproof.challenge import Fidelity
from pixelproof.errors import ModelFailed
from pixelproof.measure.formats import Kind
from pixelproof.validate.pairs import Pair, read_pair
from pixelproof.validate.session import ModelSession

BATCH = 8
LARGEST_PIXELS = 65_536
TOLERANCE = 2e-6


def usable_batch(
    session: ModelSession, kind: Kind, pairs: Sequence[Pair], rules: Fidelity, *, scale: int
) -> int:
    """How many images of one size may go through the model at a time.

    Only frozen graphs, whose placeholder can be opened, and only where two different images come out of a
    batch as they do alone; a graph that refuses, or mixes its batch, is run image by image.
    """
    if kind != "pb" or len(pairs) < 2 * BATCH:
        return 1
    first, second = (read_pair(pair, rules, scale=scale)[0] for pair in (pairs[0], pairs[len(pairs) // 2]))
    if first.shape != second.shape or first.shape[0] * first.shape[1] > LARGEST_PIXELS:
        return 1
    try:
        together = session.run(np.stack([first, second]))
    except ModelFailed:
        return 1
    alone = [session.run(image[None]) for image in (first, second)]
    if any(one.shape != (1, *together.shape[1:]) for one in alone) or len(together) != 2:
        return 1
    apart = max(float(np.max(np.abs(one[0] - both))) for one, both in zip(alone, together, strict=True))
    return BATCH if apart <= TOLERANCE else 1
