"""Crops of pairs of pictures: what `photographs` and `pairs` have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelproof.errors import ImageError, RecipeError
from pixelproof.files import MIB
from pixelproof.images import Rgb8, unit_from_8bit
from pixelproof.models.training.data.draws import uniform
from pixelproof.models.training.data.fit import Fit
from pixelproof.models.training.data.held import NOTHING, HeldPictures, Size, Usable, usable
from pixelproof.models.training.data.places import CHANCES, Places, any_place, every_place
from pixelproof.models.training.data.sources import Source
from pixelproof.models.training.data.training_data import Image, Sample, Skipped
from pixelproof.models.training.data.turning import Augment, Picture, flags_of, pixels_of, turned


@dataclass(frozen=True)
class CropOptions:
    """What kinds of data have in common whose samples are crops.

    Attributes:
        crop: side of the targets' crops in pixels; 0 for whole pictures, which then have one size.
        samples_per_epoch: 0 for as many as go once over the pictures.
        sub_images: 0 for crops anywhere; else all crops on a grid of this stride, in the target's pixels, each
            exactly once a pass.
        augment: nothing, mirrored left to right, or all eight ways to mirror and turn.
        memory_mib: how much may be kept in memory; beyond it, files are read again.
    """

    crop: int = 0
    samples_per_epoch: int = 0
    sub_images: int = 0
    augment: Augment = "flip"
    memory_mib: int = 4096


class Crops:
    """Crops as training data.

    Args:
        pictures: to learn from.
        measured: to measure on, whole.
        places: of crops in them.
        crop: height and width in the input's pixels.
        ratio: the target's size over the input's.
        samples_per_epoch, skipped, costly: see `TrainingData`.
        augment: how crops are mirrored and turned.
        seed: of all that is random.
    """

    def __init__(
        self,
        pictures: HeldPictures,
        *,
        measured: HeldPictures,
        places: Places,
        crop: Size,
        ratio: int,
        samples_per_epoch: int,
        skipped: tuple[Skipped, ...],
        costly: bool,
        augment: Augment,
        seed: int,
    ) -> None:
        self.samples_per_epoch = samples_per_epoch
        self.skipped = skipped
        self.costly = costly
        self._pictures = pictures
        self._measured = measured
        self._places = places
        self._crop = crop
        self._ratio = ratio
        self._augment: Augment = augment
        self._seed = seed

    def sample(self, number: int) -> Sample:
        """See `TrainingData`."""
        inputs, targets, names = self.batch([number])
        return Sample(inputs[0], targets[0], names[0])

    def batch(self, numbers: Sequence[int]) -> tuple[Image, Image, tuple[str, ...]]:
        """Many samples at once, the same as one by one.

        Args:
            numbers: of the samples, 0 or more each.

        Returns:
            Inputs and targets, float32, (samples, height, width, 3), in [0, 1], and their files' names.

        Raises:
            ImageError: a file can't be read any more, or is another than at the start.
        """
        wanted = np.asarray(numbers, np.int64)
        chance = uniform(wanted, seed=self._seed, columns=CHANCES + 3)
        places = [column.tolist() for column in self._places.of(wanted, chance[:, :CHANCES])]
        (height, width), ratio = self._crop, self._ratio
        inputs8 = np.empty((len(wanted), height, width, 3), np.uint8)
        targets8 = np.empty((len(wanted), height * ratio, width * ratio, 3), np.uint8)
        flags = flags_of(chance[:, CHANCES:], self._augment).tolist()
        inputs, targets = pixels_of(inputs8), pixels_of(targets8)
        for row, (picture, top, left) in enumerate(zip(*places, strict=True)):
            input8, target8 = self._pictures[picture]
            inputs[row] = turned(_window(input8, top, left, height, width), *flags[row])
            targets[row] = turned(
                _window(target8, top * ratio, left * ratio, height * ratio, width * ratio), *flags[row]
            )
        names = tuple(self._pictures.sources[picture].name for picture in places[0])
        return unit_from_8bit(inputs8), unit_from_8bit(targets8), names

    def validation(self) -> Sequence[Sample]:
        """See `TrainingData`."""
        return self._measured.samples()


def crops_of(
    sources: Sequence[Source],
    folder: Path,
    validation: tuple[Sequence[Source], Path] | None,
    options: CropOptions,
    *,
    fit: Fit,
    seed: int,
    skipped: Sequence[Skipped] = (),
) -> Crops:
    """Crops of what can be used of some sources.

    Args:
        sources, folder: to learn from.
        validation: the same, to measure on.
        fit: of the sources to learn from.
        seed: of all that is random.
        skipped: what is known already not to be usable.

    Raises:
        ImageError: none is left, or pictures that are taken whole differ in size.
        RecipeError: options that can't be.
    """
    check_options(options, fit)
    limit = options.memory_mib * MIB
    learnt = usable(sources, folder, keep_bytes=limit)
    crop = (options.crop // fit.ratio,) * 2 if options.crop else one_size(learnt, options.augment)
    places: Places
    if options.sub_images or not options.crop:
        stride = max(1, options.sub_images // fit.ratio)
        places = every_place(learnt.sizes, crop, stride=stride, seed=seed)
    else:
        places = any_place(learnt.sizes, crop)
    left = limit - learnt.kept_bytes
    measured = NOTHING if validation is None else usable(*validation, keep_bytes=left)
    return Crops(
        learnt.held(limit_bytes=limit),
        measured=measured.held(limit_bytes=left),
        places=places,
        crop=crop,
        ratio=fit.ratio,
        samples_per_epoch=options.samples_per_epoch or places.samples_per_pass,
        skipped=(*skipped, *learnt.skipped, *measured.skipped),
        costly=learnt.total_bytes > limit,
        augment=options.augment,
        seed=seed,
    )


def check_options(options: CropOptions, fit: Fit) -> None:
    """Refuse what no pictures could satisfy.

    Raises:
        RecipeError: options that can't be.
    """
    for name in ("samples_per_epoch", "sub_images", "memory_mib"):
        if getattr(options, name) < 0:
            raise RecipeError(f"data.{name} must be 0 or more", found=str(getattr(options, name)))
    if options.sub_images % fit.ratio:
        rule = f"data.sub_images must be a multiple of {fit.ratio}, as the model enlarges by that"
        raise RecipeError(rule, found=str(options.sub_images))
    if options.sub_images and not options.crop:
        raise RecipeError("data.sub_images needs data.crop, the size of a sub-image", found="no crop")


def one_size(learnt: Usable, augment: Augment) -> Size:
    """The size that all inputs have.

    Raises:
        ImageError: they differ, or are to be turned and aren't square.
    """
    size = learnt.sizes[0]
    for source, other in zip(learnt.sources, learnt.sizes, strict=True):
        if other != size:
            found = f"{size[0]}x{size[1]} for {learnt.sources[0].name} and {other[0]}x{other[1]} for {source.name}"
            remedy = "Say data.crop to learn from crops of them."
            raise ImageError(
                "Pictures that are learnt from whole must have one size", found=found, remedy=remedy
            )
    if augment == "flips-and-turns" and size[0] != size[1]:
        remedy = 'Say augment = "flip", or data.crop for square crops.'
        raise ImageError(
            "Pictures that are turned must be square", found=f"{size[0]}x{size[1]}", remedy=remedy
        )
    return size


def _window(image8: Rgb8, top: int, left: int, height: int, width: int) -> Picture:
    return pixels_of(image8)[top : top + height, left : left + width]
