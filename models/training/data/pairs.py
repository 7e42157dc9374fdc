"""Pairs of pictures in two folders, of the same names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pixelproof.errors import RecipeError
from pixelproof.models.training.data.crops import CropOptions, Crops, crops_of
from pixelproof.models.training.data.fit import Fit, fit_for_crops, fit_for_whole_pictures
from pixelproof.models.training.data.sources import TwoFiles, matched
from pixelproof.models.training.data.training_data import DataKind, Setting, Skipped


@dataclass(frozen=True)
class Options(CropOptions):
    """Keys of ``[data]`` for pairs, beside those of all crops.

    Attributes:
        inputs, targets: the two folders' names, in the folder to learn from and in that to measure on alike.
    """

    inputs: str = "LQ"
    targets: str = "GT"


def open_pairs(options: Options, setting: Setting) -> Crops:
    """Crops of pairs, and other pairs to measure on.

    Raises:
        ImageError: a folder is missing, or nothing in it can be used.
        ShapeMismatch: a target hasn't the scale's times the size of its input.
        RecipeError: options that can't be, or that don't go with the model.
    """
    if options.inputs == options.targets:
        raise RecipeError("data.inputs and data.targets must be two folders", found=options.inputs)
    fit = fit_for_crops(setting, crop=options.crop)
    sources, alone = pairs_in(setting.train, options.inputs, options.targets, fit)
    validation = None
    if setting.validation is not None:
        whole = fit_for_whole_pictures(setting)
        others, more = pairs_in(setting.validation, options.inputs, options.targets, whole)
        validation, alone = (others, setting.validation), alone + more
    return crops_of(sources, setting.train, validation, options, fit=fit, seed=setting.seed, skipped=alone)


def pairs_in(
    folder: Path, inputs: str, targets: str, fit: Fit
) -> tuple[tuple[TwoFiles, ...], tuple[Skipped, ...]]:
    """See `matched`, for two folders in one."""
    return matched(folder / inputs, folder / targets, fit)


KIND = DataKind("pairs", Options, open_pairs)
