"""Where crops are taken from: anywhere at random, or every place of a grid once a pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pixelproof.models.training.data.draws import Numbers, Uniform, below, ordered

CHANCES = 3


class Places(Protocol):
    """Places of crops in the inputs of numbered pictures; sizes and places are in the input's pixels."""

    @property
    def samples_per_pass(self) -> int:
        """Samples that go once over the pictures."""

    def of(self, numbers: Numbers, chance: Uniform) -> tuple[Numbers, Numbers, Numbers]:
        """Picture, top row and left column of each sample.

        Args:
            numbers: int64, (samples,).
            chance: float64, (samples, `CHANCES`), in [0, 1).
        """


@dataclass(frozen=True, eq=False)
class AnyPlace:
    """Crops anywhere; a picture comes the oftener, the larger it is.

    Attributes:
        free: int64, (pictures, 2): how many rows and columns a crop may begin at.
        share: float64, (pictures,): what the pictures up to this one have of all pixels.
        samples_per_pass: crops that fit side by side into all pictures.
    """

    free: Numbers
    share: Uniform
    samples_per_pass: int

    def of(self, numbers: Numbers, chance: Uniform) -> tuple[Numbers, Numbers, Numbers]:
        """See `Places`."""
        picture = np.minimum(
            np.searchsorted(self.share, chance[:, 0], side="right"), len(self.share) - 1
        ).astype(np.int64)
        top, left = below(chance[:, 1:3], self.free[picture]).T
        return picture, top, left


@dataclass(frozen=True, eq=False)
class EveryPlace:
    """Crops on a grid, shuffled anew for each pass, in which each comes exactly once.

    Attributes:
        ends: int64, (pictures,): how many crops the pictures up to this one have.
        columns: int64, (pictures,): how many lie side by side.
        stride: from one to the next, down and across.
        seed: of the order.
    """

    ends: Numbers
    columns: Numbers
    stride: int
    seed: int

    @property
    def samples_per_pass(self) -> int:
        """All crops."""
        return int(self.ends[-1])

    def of(self, numbers: Numbers, chance: Uniform) -> tuple[Numbers, Numbers, Numbers]:
        """See `Places`."""
        which = ordered(numbers, seed=self.seed, count=self.samples_per_pass)
        picture = np.searchsorted(self.ends, which, side="right").astype(np.int64)
        before = np.where(picture > 0, self.ends[picture - 1], 0)
        row, column = np.divmod(which - before, self.columns[picture])
        return picture, row * self.stride, column * self.stride


def any_place(sizes: Sequence[tuple[int, int]], crop: tuple[int, int]) -> AnyPlace:
    """Places in pictures, each of which is as large as a crop at least.

    Args:
        sizes: height and width of the pictures.
        crop: height and width.
    """
    sides = np.array(sizes, np.int64)
    areas = sides.prod(axis=1)
    return AnyPlace(
        free=sides - np.array(crop) + 1,
        share=np.cumsum(areas) / areas.sum(),
        samples_per_pass=int((sides // np.array(crop)).prod(axis=1).sum()),
    )


def every_place(
    sizes: Sequence[tuple[int, int]], crop: tuple[int, int], *, stride: int, seed: int
) -> EveryPlace:
    """A grid in pictures, each of which is as large as a crop at least; it begins at the top left corner."""
    counts = (np.array(sizes, np.int64) - np.array(crop)) // stride + 1
    return EveryPlace(
        ends=np.cumsum(counts.prod(axis=1)), columns=counts[:, 1].copy(), stride=stride, seed=seed
    )
