"""May several images go through a model at once? Only where that doesn't change any of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pixelproof.challenge import Fidelity
from pixelproof.errors import ModelFailed, WorkerStopped
from pixelproof.measure.formats import Kind
from pixelproof.measure.protocol import Array
from pixelproof.validate.pairs import Pair, model_input, read_pair

BATCH = 16
LARGEST_PIXELS = 65_536
TOLERANCE = 2e-6


def usable_batch(
    run: Callable[[Array], Array], kind: Kind, pairs: Sequence[Pair], rules: Fidelity, *, scale: int
) -> int:
    """How many images of one size may go through the model at a time.

    Only frozen graphs, whose placeholder can be opened, and only where two different images come out of a
    batch as they do alone; a graph that refuses, or mixes its batch, is run image by image.

    Raises:
        ModelFailed, WorkerStopped: the model can't run a single image.
    """
    if kind != "pb" or len(pairs) < 2 * BATCH:
        return 1
    first, second = (read_pair(pair, rules, scale=scale)[0] for pair in (pairs[0], pairs[len(pairs) // 2]))
    if first.shape != second.shape or first.shape[0] * first.shape[1] > LARGEST_PIXELS:
        return 1
    x = model_input(np.stack([first, second]))
    alone = [run(x[:1]), run(x[1:])]
    try:
        together = run(x)
    except (ModelFailed, WorkerStopped):
        return 1
    if together.shape != (2, *alone[0].shape[1:]) or alone[0].shape != alone[1].shape or len(alone[0]) != 1:
        return 1
    same = all(same_image(one[0], both) for one, both in zip(alone, together, strict=True))
    return BATCH if same else 1


def same_image(a: Array, b: Array) -> bool:
    """Whether two outputs of one input differ by no more than summation order explains."""
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=0, atol=TOLERANCE, equal_nan=True))
