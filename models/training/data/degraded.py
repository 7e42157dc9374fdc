"""Targets that are degraded anew whenever they are learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pixelproof.errors import RecipeError
from pixelproof.files import MIB
from pixelproof.models.training.data.crops import one_size
from pixelproof.models.training.data.degraded_samples import Degraded, Making
from pixelproof.models.training.data.degraded_sources import DegradedOnce, Target
from pixelproof.models.training.data.fit import Fit, fit_for_crops, fit_for_whole_pictures
from pixelproof.models.training.data.held import NOTHING, Usable, usable
from pixelproof.models.training.data.sources import Source, listed, matched
from pixelproof.models.training.data.training_data import DataKind, Setting, Skipped
from pixelproof.models.training.data.turning import Augment
from pixelproof.models.training.degradations.recipe import Recipe, smallest_side
from pixelproof.models.training.degradations.recipe_file import changed, load_recipe


@dataclass(frozen=True)
class Options:
    """Keys of ``[data]`` for targets that are degraded.

    Attributes:
        recipe: of the degradation: a name, or a TOML file. The scale is the training's.
        sharpen: whether targets are sharpened first; ``recipe`` for as that says.
        crop: side of the targets' crops in pixels; 0 for whole pictures, which then have one size.
        crop_when: ``after`` degrading the whole picture, or ``before``, which takes less time, and in which filters
            see a border where the picture went on.
        augment: nothing, mirrored left to right, or all eight ways to mirror and turn; before the degradation.
        samples_per_epoch: 0 for as many as there are targets.
        inputs, targets: names of two folders; where the folder to measure on has them, it holds pairs, else targets
            that are degraded once. The folder to learn from may have ``targets`` too.
        validation_seed: of those degradations: the pairs are those of ``degrade-images --no-sharpen --seed``.
        memory_mib: how much of the pictures to measure on may be kept in memory.
    """

    recipe: str = "ai6126"
    sharpen: Literal["recipe", "yes", "no"] = "recipe"
    crop: int = 0
    crop_when: Literal["after", "before"] = "after"
    augment: Augment = "flip"
    samples_per_epoch: int = 0
    inputs: str = "LQ"
    targets: str = "GT"
    validation_seed: int = 0
    memory_mib: int = 1024


def open_degraded(options: Options, setting: Setting) -> Degraded:
    """Degraded targets of a folder, and pairs to measure on.

    Raises:
        ImageError: a folder is missing, nothing in it can be used, or pictures that are taken whole differ in size.
        CallError: no such recipe.
        RecipeError: a recipe that is none, options that can't be, or that don't go with the model.
    """
    for name in ("samples_per_epoch", "validation_seed", "memory_mib"):
        if getattr(options, name) < 0:
            raise RecipeError(f"data.{name} must be 0 or more", found=str(getattr(options, name)))
    fit = fit_for_crops(setting, crop=options.crop)
    sharpen = None if options.sharpen == "recipe" else options.sharpen == "yes"
    recipe = changed(load_recipe(options.recipe), scale=setting.scale, gt_usm=sharpen)
    _check_crop(options, recipe)
    large = replace(fit, least=max(fit.least, smallest_side(recipe)))
    inside = setting.train / options.targets
    folder = inside if inside.is_dir() else setting.train
    learnt = usable([Target(path, large) for path in listed(folder)], folder, keep_bytes=0)
    if not options.crop:
        one_size(learnt, options.augment)
    measured, alone = _measured(options, setting, recipe)
    return Degraded(
        learnt.held(limit_bytes=0),
        making=Making(recipe, fit, options.crop, options.crop_when, options.augment, setting.seed),
        measured=measured.held(limit_bytes=options.memory_mib * MIB),
        samples_per_epoch=options.samples_per_epoch or len(learnt.sources),
        skipped=(*learnt.skipped, *alone, *measured.skipped),
    )


def _check_crop(options: Options, recipe: Recipe) -> None:
    if not options.crop:
        return
    if options.crop % recipe.scale:
        raise RecipeError(f"data.crop must be a multiple of {recipe.scale}", found=str(options.crop))
    least = smallest_side(recipe)
    if options.crop_when == "before" and options.crop < least:
        remedy = 'A larger crop, or crop_when = "after".'
        rule = f"data.crop must be at least {least} to be degraded by the recipe {recipe.id}"
        raise RecipeError(rule, found=str(options.crop), remedy=remedy)


def _measured(options: Options, setting: Setting, recipe: Recipe) -> tuple[Usable, tuple[Skipped, ...]]:
    folder = setting.validation
    if folder is None:
        return NOTHING, ()
    fit = fit_for_whole_pictures(setting)
    sources: Sequence[Source]
    alone: tuple[Skipped, ...] = ()
    inputs, targets = folder / options.inputs, folder / options.targets
    if inputs.is_dir() or targets.is_dir():
        sources, alone = matched(inputs, targets, fit)
    else:
        sources = _degraded_once(folder, fit, replace(recipe, gt_usm=False), options.validation_seed)
    return usable(sources, folder, keep_bytes=options.memory_mib * MIB), alone


def _degraded_once(folder: Path, fit: Fit, recipe: Recipe, seed: int) -> list[DegradedOnce]:
    return [DegradedOnce(path, fit, recipe, seed, index) for index, path in enumerate(listed(folder))]


KIND = DataKind("degraded", Options, open_degraded)
