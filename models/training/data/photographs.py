"""Photographs that are their own targets: the input is made of each by bicubic reduction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pixelproof.errors import RecipeError
from pixelproof.models.training.data.crops import CropOptions, Crops, crops_of
from pixelproof.models.training.data.fit import Fit, fit_for_crops, fit_for_whole_pictures
from pixelproof.models.training.data.sources import Photograph, listed
from pixelproof.models.training.data.training_data import DataKind, Setting
from pixelproof.models.training.data.turning import Augment


@dataclass(frozen=True)
class Options(CropOptions):
    """Keys of ``[data]`` for photographs, beside those of all crops.

    Attributes:
        crop: side of the targets' crops in pixels.
        augment: see `CropOptions`.
        shrink: whole numbers; each photograph is learnt from once for each, reduced by it first, which gives finer
            detail. 1 is as it is.
        input: whether the model's input is the small picture or that one enlarged again; ``by-model`` takes what the
            model needs, the others are an error where the model needs the other one.
    """

    crop: int = 96
    augment: Augment = "flips-and-turns"
    shrink: tuple[int, ...] = (1,)
    input: Literal["by-model", "enlarged", "small"] = "by-model"


def open_photographs(options: Options, setting: Setting) -> Crops:
    """Crops of a folder's photographs, and of another's to measure on.

    The whole photograph is reduced once, as PIRM 2018's track A does, not each crop by itself.

    Raises:
        ImageError: a folder is missing, or nothing in it can be used.
        RecipeError: options that can't be, or that don't go with the model.
    """
    if options.crop < 1:
        raise RecipeError("data.crop must be 1 or more for photographs", found=str(options.crop))
    fit = fit_for_crops(setting, crop=options.crop)
    _check(options, fit)
    sources = [Photograph(path, fit, factor) for path in listed(setting.train) for factor in options.shrink]
    validation = None
    if setting.validation is not None:
        whole = fit_for_whole_pictures(setting)
        validation = [Photograph(path, whole) for path in listed(setting.validation)], setting.validation
    return crops_of(sources, setting.train, validation, options, fit=fit, seed=setting.seed)


def _check(options: Options, fit: Fit) -> None:
    if fit.scale == 1:
        remedy = "Say scale, or learn from pairs (kind pairs)."
        raise RecipeError("scale must be 2 or more for photographs alone", found="1", remedy=remedy)
    needed = "enlarged" if fit.enlarge else "small"
    if options.input not in ("by-model", needed):
        rule = f'data.input must be "{needed}" for this model, or left out'
        raise RecipeError(rule, found=options.input)
    if not options.shrink or min(options.shrink) < 1 or len(set(options.shrink)) < len(options.shrink):
        rule = "data.shrink must be different whole numbers from 1"
        raise RecipeError(rule, found=str(list(options.shrink)))


KIND = DataKind("photographs", Options, open_photographs)
