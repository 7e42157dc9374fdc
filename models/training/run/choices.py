"""What is chosen on the command line, laid over a recipe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pixelproof.errors import CallError, RecipeError
from pixelproof.models.training.recipe import Data, TrainingRecipe
from pixelproof.models.training.run.network import contract_of
from pixelproof.models.training.run.recipe_checks import check_recipe

_TRAIN, _VALIDATION = "train", ("validation", "val", "valid")
_USUAL_SCALE = 4
_USUAL_CROP = 32


@dataclass(frozen=True)
class Choices:
    """Options of ``train`` and ``resume``, as in `TrainingRecipe`; None where one isn't given."""

    model: str | None = None
    data: Path | None = None
    validation: Path | None = None
    scale: int | None = None
    num_epoch: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    save_freq: int | None = None
    validate_freq: int | None = None
    sample_freq: int | None = None
    seed: int | None = None
    deterministic: bool | None = None
    precision: Any = None
    ema: float | None = None
    crop: int | None = None
    start: str | None = None


def plain_recipe(choices: Choices) -> TrainingRecipe:
    """The recipe of a call without one: crops of photographs, made smaller bicubically; L1, Adam.

    Raises:
        CallError: model or data isn't named, or there is no such model.
    """
    if choices.model is None or choices.data is None:
        remedy = "train-model train RECIPE, or train-model train --model M --data DIR."
        raise CallError("A training needs a recipe, or --model and --data", remedy=remedy)
    train, validation = folders_of(choices.data)
    name = choices.model.rpartition(":")[2]
    bare = TrainingRecipe(name, choices.model, Data("photographs", str(train), str(validation or "")))
    own_scale = contract_of(bare).scale
    scale = choices.scale or (own_scale if own_scale > 1 else _USUAL_SCALE)
    data = replace(bare.data, options={"crop": _USUAL_CROP * scale})
    return replace(bare, id=f"{name}-x{scale}", data=data, scale=scale)


def folders_of(data: Path) -> tuple[Path, Path | None]:
    """Where to learn and where to measure: ``train`` and ``validation`` (or ``val``) in the folder, else itself."""
    if not (data / _TRAIN).is_dir():
        return data, None
    return data / _TRAIN, next((data / name for name in _VALIDATION if (data / name).is_dir()), None)


def with_choices(recipe: TrainingRecipe, choices: Choices) -> TrainingRecipe:
    """The recipe with what was chosen.

    Raises:
        RecipeError: a value that can't be.
        CallError: a scale that the model doesn't have.
    """
    data = recipe.data
    if choices.data is not None:
        train, validation = folders_of(choices.data)
        data = replace(data, train=str(train), validation=str(validation or data.validation))
    if choices.validation is not None:
        data = replace(data, validation=str(choices.validation))
    if choices.crop is not None:
        data = replace(data, options={**data.options, "crop": choices.crop})
    loop = _changed(
        recipe.training,
        epochs=choices.num_epoch,
        batch_size=choices.batch_size,
        save_every=choices.save_freq,
        validate_every=choices.validate_freq,
        sample_every=choices.sample_freq,
        deterministic=choices.deterministic,
        precision=choices.precision,
        ema=choices.ema,
    )
    optimizer = _changed(recipe.optimizer, learning_rate=choices.lr)
    recipe = replace(recipe, data=data, training=loop, optimizer=optimizer)
    recipe = _changed(
        recipe, model=choices.model, scale=choices.scale, seed=choices.seed, start=choices.start
    )
    check_recipe(recipe, _fail)
    own_scale = contract_of(recipe).scale
    if own_scale not in (1, recipe.scale):
        raise CallError(f"{recipe.model} enlarges by {own_scale}", found=f"--scale {recipe.scale}")
    return recipe


def contradictions(recipe: TrainingRecipe, choices: Choices) -> None:
    """Check that a resumed run isn't asked to be another one.

    Raises:
        CallError: it is.
    """
    wanted: dict[str, object] = {
        "--model": choices.model,
        "--scale": choices.scale,
        "--seed": choices.seed,
        "--start": choices.start,
    }
    there: dict[str, object] = {
        "--model": recipe.model,
        "--scale": recipe.scale,
        "--seed": recipe.seed,
        "--start": recipe.start,
    }
    wanted |= {"--crop": choices.crop, "--precision": choices.precision, "--ema": choices.ema}
    there |= {
        "--crop": recipe.data.options.get("crop"),
        "--precision": recipe.training.precision,
        "--ema": recipe.training.ema,
    }
    for option, value in wanted.items():
        if value is not None and value != there[option]:
            remedy = "Leave the option away, or begin a new run with train-model train."
            found = f"{option} {value} for a checkpoint of {there[option]}"
            raise CallError("A resumed run must stay what it was", found=found, remedy=remedy)


def _changed(old: Any, **new: Any) -> Any:
    return replace(old, **{name: value for name, value in new.items() if value is not None})


def _fail(path: str, rule: str, found: str, remedy: str) -> RecipeError:
    return RecipeError(f"{path} {rule}", found=found, remedy=remedy)
