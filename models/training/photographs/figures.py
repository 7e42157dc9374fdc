"""``python -m pixelproof.models.training.photographs.figures``: what weights are worth, and their manifest entry."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pixelproof.cli import run as run_command
from pixelproof.console import Console
from pixelproof.errors import CallError

if TYPE_CHECKING:
    from pixelproof.models.training.photographs.measuring import Row
    from pixelproof.models.training.recipe import TrainingRecipe

_EPILOG = (
    "Pictures are reduced bicubically by the recipe's scale, and compared by its [validation]. Exit codes: 0 "
    "measured; 2 the call is wrong, or a file can't be used; 3 pixelproof or this machine failed."
)


@click.command("figures", epilog=_EPILOG)
@click.argument("source", type=click.Path(path_type=Path), metavar="RUN|CHECKPOINT|WEIGHTS")
@click.option("--recipe", "name", help="Where it isn't a run: a training recipe's name or file.")
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="Picture or folder; repeatable.",
)
@click.option("--official", type=click.Path(path_type=Path), help="Other weights of the same network.")
@click.option(
    "--photographs", type=click.Path(path_type=Path), help="What was learnt from [the run's folder]."
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Write ID.weights.h5 and its manifest entry there."
)
@click.option("--json", "json_to", metavar="FILE|-", help="Write the figures as JSON.")
def main(
    *,
    source: Path,
    name: str | None,
    images: tuple[Path, ...],
    official: Path | None,
    photographs: Path | None,
    out: Path | None,
    json_to: str | None,
) -> int:
    """Measure weights on pictures, beside bicubic and beside other weights; with --out, ship them.

    \b
    Examples:
      ... figures run --images div2k/original/0.png --official models_pretrained/div2k_srcnn
      ... figures run --images pictures --out models_pretrained
    """
    from pixelproof.quiet import import_tensorflow

    import_tensorflow()
    from pixelproof.models.training.photographs.measuring import (
        figures_of,
        measure,
        network_with,
        pictures_of,
    )

    console = Console(json_to)
    weights, recipe = _resolved(source, name)
    model = network_with(weights, recipe)
    other = network_with(official, recipe) if official else None
    rows = measure(model, pictures_of(images), recipe, official=other)
    _tell(console, rows, recipe)
    figures = figures_of(rows)
    if out is not None:
        _ship(console, out, model, recipe, figures=figures, source=source, photographs=photographs)
    console.json({"schema_version": 1, "task": task_of(recipe), **figures}, what="Figures")
    return 0


def task_of(recipe: TrainingRecipe) -> str:
    """What the figures are of, in a line."""
    if recipe.scale == 4 and recipe.validation.crop_border == 16:
        return "PIRM 2018 track A"
    return f"x{recipe.scale} of bicubically reduced pictures"


def _resolved(source: Path, name: str | None) -> tuple[Path, TrainingRecipe]:
    """Where the weights lie, and the recipe that they were trained by."""
    from pixelproof.models.training.run.checkpoints import open_checkpoint
    from pixelproof.models.training.run.recipe_file import load_recipe

    if name is not None:
        return source, load_recipe(name)
    if not source.exists():
        raise CallError("The weights must be there", found=f"nothing at {source}", remedy="")
    checkpoint, _ = open_checkpoint(source)
    return checkpoint.path, checkpoint.arguments.recipe


def _tell(console: Console, rows: Sequence[Row], recipe: TrainingRecipe) -> None:
    def cell(value: float | None) -> str:
        return "" if value is None else f"{value:.3f}"

    table = [
        (row.name, cell(row.psnr_db), cell(row.bicubic_psnr_db), f"{row.gain_db:+.3f}", cell(row.official_psnr_db),
         cell(row.psnr_y_db), cell(row.bicubic_psnr_y_db), cell(row.official_psnr_y_db))
        for row in rows
    ]  # fmt: skip
    columns = ("picture", "PSNR dB", "bicubic", "gain", "official", "Y", "bicubic Y", "official Y")
    used = [i for i in range(len(columns)) if any(row[i] for row in table)]
    console.table(task_of(recipe), [columns[i] for i in used], [[row[i] for i in used] for row in table])
    console.line(f"{recipe.validation.crop_border} pixels are left out on each side.")


def _ship(
    console: Console,
    out: Path,
    model: Any,
    recipe: TrainingRecipe,
    *,
    figures: dict[str, Any],
    source: Path,
    photographs: Path | None,
) -> None:
    from pixelproof.models.training.photographs.bundle import entry_of, put_entry, write_weights
    from pixelproof.models.training.photographs.collection import read_record

    record = read_record(photographs or Path(recipe.data.train).parent)
    path = out / f"{recipe.id}.weights.h5"
    digest = write_weights(path, model)
    entry = entry_of(
        recipe,
        record=record,
        task=task_of(recipe),
        figures=figures,
        weights_sha256=digest,
        run=_machine(source),
    )
    put_entry(out, path.name, entry)
    console.line(f"{path}: {digest[:16]}..., {entry['licence']}")


def _machine(source: Path) -> dict[str, Any]:
    """What the run says of itself: processor, cores, seconds."""
    from pixelproof.models.training.run.folder import RunFolder, is_run, run_of

    run = RunFolder(source) if is_run(source) else run_of(source)
    if run is None or not run.machine.is_file():
        return {}
    facts = json.loads(run.machine.read_text(encoding="utf-8"))
    return {key: facts[key] for key in ("cpu", "cores", "gpu", "seconds") if key in facts}


if __name__ == "__main__":
    run_command(main, "python -m pixelproof.models.training.photographs.figures")
