"""The command ``train-model``: train, resume, inspect."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

_EPILOG = (
    "Exit codes: 0 trained; 1 the loss was no longer finite; 2 the call is wrong, or no file could be used; 3 "
    "pixelproof or this machine failed. docs/training.md has the recipes' keys and what a run's folder holds."
)
_FOLDER = click.Path(path_type=Path)
_COUNT = click.IntRange(min=1)


class _Lazy(click.Group):
    """With ``isp``, which is imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), "isp"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "isp":
            from pixelproof.models.training.isp.command import train_isp

            isp: click.Command = train_isp
            return isp
        return super().get_command(ctx, cmd_name)


@click.group("train-model", cls=_Lazy, epilog=_EPILOG)
def train_model() -> None:
    """Train a model by a recipe, go on with a run, or look into one.

    \b
    Examples:
      train-model train srcnn-x3 --data 91-image --validation Set5 --out run
      train-model train --model resnet_6_16 --data photos --scale 4 --out run
      train-model resume run --num-epoch 200
      train-model inspect run
      train-model recipes
    """


def _choices(command: Callable[..., int]) -> Callable[..., int]:
    """The options that ``train`` and ``resume`` share."""
    options = [
        click.option("--model", help="A registered architecture: pixelproof models."),
        click.option(
            "--data", type=_FOLDER, help="Folder to learn from; train/ and validation/ in it are found."
        ),
        click.option("--validation", type=_FOLDER, help="Folder of pictures to measure on."),
        click.option("--scale", type=_COUNT, help="Of the task [the model's, or 4]."),
        click.option("--num-epoch", type=_COUNT, help="Epochs, those done before included."),
        click.option("--batch-size", type=_COUNT, help="Samples a step, over all processes."),
        click.option("--lr", type=float, help="Learning rate at the beginning."),
        click.option("--save-freq", type=_COUNT, help="Epochs between checkpoints."),
        click.option(
            "--validate-freq",
            type=click.IntRange(min=0),
            help="Epochs between validations; 0: the last only.",
        ),
        click.option(
            "--sample-freq", type=click.IntRange(min=0), help="Epochs between sample pictures; 0: none."
        ),
        click.option("--crop", type=_COUNT, help="Height and width of the targets' crops."),
        click.option("--seed", type=click.IntRange(min=0), help="Of all that is random."),
        click.option("--deterministic/--no-deterministic", default=None, help="Equal runs give equal bits."),
        click.option(
            "--precision",
            type=click.Choice(["float32", "mixed_float16", "mixed_bfloat16"]),
            help="What layers compute in.",
        ),
        click.option("--ema", type=float, help="Decay of the weights' moving average; 0 for none."),
        click.option("--start", help="Checkpoint to begin from, or near-identity."),
        click.option("--cuda", "device", flag_value="cuda", help="Fail where there is no GPU."),
        click.option("--cpu", "device", flag_value="cpu", help="Leave GPUs alone."),
        click.option("--threads", type=_COUNT, help="Of the processor [the backend's choice]."),
        click.option(
            "--distribute",
            type=click.Choice(["data-parallel"]),
            help="Share every batch out among all GPUs; on JAX among processes too.",
        ),
        click.option(
            "--coordinator",
            metavar="HOST:PORT",
            envvar="PIXELPROOF_COORDINATOR",
            help="Where several processes meet: rank 0's address.",
        ),
        click.option(
            "--processes",
            type=_COUNT,
            default=1,
            envvar="PIXELPROOF_PROCESSES",
            help="How many, on all machines [1].",
        ),
        click.option(
            "--rank",
            type=click.IntRange(min=0),
            default=0,
            envvar="PIXELPROOF_RANK",
            help="This process's number, from 0.",
        ),
        click.option("--jobs", type=_COUNT, help="Processes that make costly samples [one a core]."),
        click.option("--json", "json_to", metavar="FILE|-", help="Write history and figures as JSON."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@train_model.command("recipes")
@click.option("--json", "json_to", metavar="FILE|-", help="Write the list as JSON.")
def recipes_command(*, json_to: str | None) -> int:
    """List the recipes that come with pixelproof."""
    from pixelproof.console import Console
    from pixelproof.models.training.run.recipe_file import bundled_recipes, load_recipe

    _import({"device": "cpu", "threads": None})
    console = Console(json_to)
    recipes = [load_recipe(name) for name in bundled_recipes()]
    rows = [(one.id, one.model, f"x{one.scale}", one.data.kind, one.title) for one in recipes]
    console.table("Recipes", ("name", "model", "scale", "data", "title"), rows)
    console.next_step(f"train-model train {recipes[0].id} --data DIR --out run")
    console.json({"schema_version": 1, "recipes": recipes})
    return 0


@train_model.command("train", epilog=_EPILOG, short_help="Train by a recipe, or by --model and --data alone.")
@click.argument("name", required=False, metavar="[RECIPE]")
@click.option("--out", type=_FOLDER, help="The run's folder, new or empty [runs/ID].")
@_choices
def train_command(*, name: str | None, out: Path | None, **given: Any) -> int:
    """Train by a recipe (a name of pixelproof's, or a TOML file), or by --model and --data alone.

    \b
    Examples:
      train-model train srcnn-x3 --data 91-image --validation Set5 --out run
      train-model train mine.toml --num-epoch 10 --deterministic
    """
    from pixelproof.models.training.run.choices import plain_recipe, with_choices
    from pixelproof.models.training.run.recipe_file import load_recipe

    choices, rest = _split(given)
    _import(rest)
    recipe = with_choices(load_recipe(name) if name else plain_recipe(choices), choices)
    return _train(recipe, out or _free(Path("runs") / recipe.id), rest)


@train_model.command("resume", epilog=_EPILOG, short_help="Go on with a run as if it had never stopped.")
@click.argument("path", type=_FOLDER, metavar="RUN|CHECKPOINT")
@click.option("--out", type=_FOLDER, help="Go on in another folder, new or empty.")
@_choices
def resume_command(*, path: Path, out: Path | None, **given: Any) -> int:
    """Go on with a run as if it had never stopped, or with other options.

    \b
    Examples:
      train-model resume run
      train-model resume run --batch-size 16 --num-epoch 200
      train-model resume run/checkpoints/epoch-0010.keras --out other
    """
    from pixelproof.console import Console
    from pixelproof.errors import CallError
    from pixelproof.models.training.run.choices import contradictions, with_choices

    choices, rest = _split(given)
    _import(rest)
    from pixelproof.models.training.run.checkpoints import open_checkpoint
    from pixelproof.models.training.run.folder import run_of

    checkpoint, damaged = open_checkpoint(path)
    console = Console(rest["json_to"])
    for file, reason in damaged:
        console.line(f"Skipped, damaged: {file} ({reason})", style="yellow")
    console.line(f"Going on from {checkpoint.path}, epoch {checkpoint.arguments.epoch}")
    contradictions(checkpoint.arguments.recipe, choices)
    recipe = with_choices(checkpoint.arguments.recipe, choices)
    run = run_of(checkpoint.path)
    if out is None and run is None:
        raise CallError("A checkpoint outside a run's folder needs --out", found=str(checkpoint.path))
    if out is None and run is not None:
        newer = [
            at for epoch, at in run.saved() if epoch > checkpoint.arguments.epoch and at not in dict(damaged)
        ]
        if newer:
            remedy = "Name another folder with --out, or resume the run itself."
            raise CallError(
                "A run goes on from its newest checkpoint", found=f"{newer[0]} beside it", remedy=remedy
            )
    return _train(recipe, out or run.path, rest, start=checkpoint, new=out is not None)  # type: ignore[union-attr]


@train_model.command("inspect")
@click.argument("path", type=_FOLDER, metavar="RUN|CHECKPOINT")
@click.option("--json", "json_to", metavar="FILE|-", help="Write what is shown as JSON.")
def inspect_command(*, path: Path, json_to: str | None) -> int:
    """Show how a run is trained, and how far it is.

    \b
    Examples:
      train-model inspect run
      train-model inspect run/checkpoints/epoch-0010.keras --json -
    """
    from pixelproof.console import Console

    _import({"device": "cpu", "threads": None})
    from pixelproof.models.training.run.inspection import show

    show(path, Console(json_to))
    return 0


def _train(recipe: Any, out: Path, rest: dict[str, Any], *, start: Any = None, new: bool = True) -> int:
    from pixelproof.console import Console
    from pixelproof.models.training.run.flow import run_training
    from pixelproof.models.training.run.inspection import document

    console = Console(rest["json_to"])
    result = run_training(
        recipe, out, console=console, hardware=_hardware(rest), start=start, new=new, jobs=rest["jobs"]
    )
    if rest["rank"] == 0:
        console.json(document(result.run.final), what="Figures")
    return 0


def _free(path: Path) -> Path:
    """The path, or the first of path-2, path-3 ... that isn't there."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free


def _split(given: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    from dataclasses import fields

    from pixelproof.models.training.run.choices import Choices

    names = {field.name for field in fields(Choices)}
    chosen = {name: value for name, value in given.items() if name in names}
    return Choices(**chosen), {name: value for name, value in given.items() if name not in names}


def _hardware(rest: dict[str, Any]) -> Any:
    from pixelproof.models.training.run.backend import Hardware
    from pixelproof.models.training.run.distribution import Distribution

    shared = Distribution(
        rest.get("distribute") is not None,
        rest.get("coordinator"),
        rest.get("processes", 1),
        rest.get("rank", 0),
    )
    return Hardware(rest["device"] or "auto", rest["threads"], shared)


def _import(rest: dict[str, Any]) -> None:
    from pixelproof.models.training.run.backend import import_keras

    import_keras(_hardware(rest))
