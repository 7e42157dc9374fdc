"""What a recipe's numbers must be."""

from __future__ import annotations

from pixelproof.errors import PixelproofError, did_you_mean
from pixelproof.models.training.recipe import TrainingRecipe
from pixelproof.schema import Fail

_AT_LEAST = {
    "scale": 1,
    "seed": 0,
    "training.batch_size": 1,
    "training.epochs": 1,
    "training.steps_per_epoch": 0,
    "training.save_every": 1,
    "training.validate_every": 0,
    "training.sample_every": 0,
    "training.keep": 0,
    "optimizer.first_period": 0,
    "validation.crop_border": 0,
}


def check_recipe(recipe: TrainingRecipe, fail: Fail) -> None:
    """Check what types alone don't say.

    Args:
        fail: makes the error: (key, rule, found, remedy).
    """
    for path, least in _AT_LEAST.items():
        value = _at(recipe, path)
        if value < least:
            raise fail(path, f"must be {least} or more", str(value), "")
    _check_model(recipe, fail)
    _check_rates(recipe, fail)
    if not recipe.loss:
        raise fail("loss", "must name at least one loss", "none", 'For example: [loss] with "l1 = 1.0".')


def _check_model(recipe: TrainingRecipe, fail: Fail) -> None:
    from pixelproof.models.registry import names
    from pixelproof.models.training.run.network import is_own

    if is_own(recipe.model):
        return
    if recipe.model not in names():
        raise fail(
            "model", "must be a registered architecture", recipe.model, did_you_mean(recipe.model, names())
        )


def _check_rates(recipe: TrainingRecipe, fail: Fail) -> None:
    optimizer = recipe.optimizer
    if not 0 < optimizer.learning_rate < float("inf"):
        raise fail("optimizer.learning_rate", "must be above 0", str(optimizer.learning_rate), "")
    if not 0 <= recipe.training.ema < 1:
        raise fail("training.ema", "must be 0 or more, and below 1", str(recipe.training.ema), "")
    for name in ("beta_1", "beta_2"):
        if not 0 <= getattr(optimizer, name) < 1:
            found = str(getattr(optimizer, name))
            raise fail(f"optimizer.{name}", "must be 0 or more, and below 1", found, "")
    if optimizer.clip_norm < 0:
        raise fail("optimizer.clip_norm", "must be 0 or more", str(optimizer.clip_norm), "")
    if optimizer.schedule == "cosine-restarts" and not optimizer.first_period:
        remedy = "It is the number of steps to the first restart."
        raise fail("optimizer.first_period", "is required with cosine-restarts", "nothing", remedy)
    if optimizer.schedule == "steps" and list(optimizer.milestones) != sorted(set(optimizer.milestones)):
        raise fail("optimizer.milestones", "must be rising steps", str(list(optimizer.milestones)), "")
    if optimizer.schedule == "steps" and not optimizer.milestones:
        raise fail("optimizer.milestones", "is required with steps", "nothing", "")


def _at(recipe: TrainingRecipe, path: str) -> int:
    value: object = recipe
    for name in path.split("."):
        value = getattr(value, name)
    if not isinstance(value, int):
        raise PixelproofError("A checked key must be a whole number", found=path)
    return value
