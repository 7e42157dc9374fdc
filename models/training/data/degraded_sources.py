"""Targets: alone, and degraded once for all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pixelproof.images import read_rgb8
from pixelproof.models.training.data.fit import Fit, cut, paired
from pixelproof.models.training.data.sources import Pair8
from pixelproof.models.training.degradations.pipeline import degraded_pair
from pixelproof.models.training.degradations.recipe import Recipe


@dataclass(frozen=True)
class Target:
    """A target that isn't degraded yet.

    Attributes:
        path: the file.
        fit: what it must fit.
    """

    path: Path
    fit: Fit

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    def read(self) -> Pair8:
        """The target, twice: its input is made later.

        Raises:
            ImageError: it can't be used.
        """
        target8 = cut(read_rgb8(self.path), self.fit)
        return target8, target8


@dataclass(frozen=True)
class DegradedOnce:
    """A target and its degraded picture, the same whenever they are wanted.

    Attributes:
        path: the target's file.
        fit: of the two.
        recipe, seed, index: see `degraded_pair`.
    """

    path: Path
    fit: Fit
    recipe: Recipe
    seed: int
    index: int

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    def read(self) -> Pair8:
        """Input and target.

        Raises:
            ImageError: it can't be used.
        """
        pair = degraded_pair(read_rgb8(self.path), self.recipe, seed=self.seed, index=self.index)
        return paired(pair.degraded8, pair.target8, self.fit)
