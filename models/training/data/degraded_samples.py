"""Samples that are degraded when they are wanted, as their numbers say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pixelproof.images import Rgb8, unit_from_8bit
from pixelproof.models.training.data.draws import Uniform, below, ordered, uniform
from pixelproof.models.training.data.fit import Fit, paired
from pixelproof.models.training.data.held import HeldPictures
from pixelproof.models.training.data.training_data import Sample, Skipped
from pixelproof.models.training.data.turning import Augment, flags_of, turned
from pixelproof.models.training.degradations.pipeline import degraded_pair
from pixelproof.models.training.degradations.recipe import Recipe

_CHANCES = 2


@dataclass(frozen=True)
class Making:
    """How a sample is made of a target.

    Attributes:
        recipe: of the degradation.
        fit: of input and target.
        crop: side of the target's crop in pixels; 0 for all of it.
        crop_when: before or after the degradation.
        augment: how targets are mirrored and turned, before anything else but such a crop.
        seed: of all that is random.
    """

    recipe: Recipe
    fit: Fit
    crop: int
    crop_when: Literal["after", "before"]
    augment: Augment
    seed: int


class Degraded:
    """Degraded targets as training data.

    Args:
        targets: to learn from.
        making: what becomes of them.
        measured: pairs to measure on.
        samples_per_epoch, skipped: see `TrainingData`.
    """

    costly = True

    def __init__(
        self,
        targets: HeldPictures,
        *,
        making: Making,
        measured: HeldPictures,
        samples_per_epoch: int,
        skipped: Sequence[Skipped],
    ) -> None:
        self.samples_per_epoch = samples_per_epoch
        self.skipped = tuple(skipped)
        self._targets = targets
        self._making = making
        self._measured = measured

    def sample(self, number: int) -> Sample:
        """See `TrainingData`. The target comes once a pass; the number is the degradation's index.

        Raises:
            ImageError: the file can't be read any more, or is another than at the start.
        """
        making, numbers = self._making, np.array([number], np.int64)
        which = int(ordered(numbers, seed=making.seed, count=len(self._targets.sources))[0])
        chance = uniform(numbers, seed=making.seed, columns=_CHANCES + 3)
        target8, _ = self._targets[which]
        if making.crop and making.crop_when == "before":
            target8, _ = _cropped(target8, target8, making.crop, chance[0])
        flags = flags_of(chance[:, _CHANCES:], making.augment)[0].tolist()
        target8 = np.ascontiguousarray(turned(target8, *flags))
        pair = degraded_pair(target8, making.recipe, seed=making.seed, index=number)
        input8, target8 = paired(pair.degraded8, pair.target8, making.fit)
        if making.crop and making.crop_when == "after":
            target8, input8 = _cropped(target8, input8, making.crop, chance[0])
        return Sample(unit_from_8bit(input8), unit_from_8bit(target8), self._targets.sources[which].name)

    def validation(self) -> Sequence[Sample]:
        """See `TrainingData`."""
        return self._measured.samples()


def _cropped(target8: Rgb8, input8: Rgb8, crop: int, chance: Uniform) -> tuple[Rgb8, Rgb8]:
    ratio = target8.shape[0] // input8.shape[0]
    side = crop // ratio
    limits = np.array(input8.shape[:2], np.int64) - side + 1
    top, left = below(chance[:_CHANCES], limits).tolist()
    corner = top * ratio, left * ratio
    return (
        target8[corner[0] : corner[0] + crop, corner[1] : corner[1] + crop],
        input8[top : top + side, left : left + side],
    )
