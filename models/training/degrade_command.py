"""The command ``degrade-images``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pixelproof.models.training.degradations.pairs import Done
    from pixelproof.models.training.degradations.recipe import Recipe

_EPILOG = (
    "Images that can't be used (unreadable, too small, not 8-bit RGB) are named and left out. Exit codes: 0 pairs "
    "were made; 2 the call is wrong, or no image could be used; 3 pixelproof or this machine failed. docs/degrade.md "
    "has the recipes' keys."
)


@click.command("degrade-images", epilog=_EPILOG)
@click.argument("images", type=click.Path(path_type=Path), metavar="IN")
@click.argument("out", type=click.Path(path_type=Path), metavar="OUT")
@click.option(
    "--recipe", "name", required=True, metavar="NAME|FILE.toml", help="ai6126, real-esrgan, gfpgan or yours."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all that is random."
)
@click.option(
    "--scale", type=click.IntRange(min=1), help="Target's size over the degraded one's [the recipe's]."
)
@click.option("--sharpen/--no-sharpen", default=None, help="Sharpen the targets first [as the recipe says].")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes [one a core].")
@click.option(
    "--format",
    "suffix",
    type=click.Choice(["png", "bmp"]),
    default="png",
    show_default=True,
    help="Of the files.",
)
@click.option("--overwrite", is_flag=True, help="Replace pairs of the same names.")
@click.option("--json", "json_to", metavar="FILE|-", help="Write what was done to each image as JSON.")
def degrade_images(
    *,
    images: Path,
    out: Path,
    name: str,
    seed: int,
    scale: int | None,
    sharpen: bool | None,
    jobs: int | None,
    suffix: Literal["png", "bmp"],
    overwrite: bool,
    json_to: str | None,
) -> int:
    """Make pairs for validation or training: OUT/GT and, degraded by a recipe, OUT/LQ, with the names in IN.

    The same seed makes the same pairs, on any number of processes. An image's place in IN, in natural order of the
    names, is its index.

    \b
    Examples:
      pixelproof degrade-images faces val --recipe ai6126 --seed 7
      pixelproof degrade-images faces val --recipe mine.toml --no-sharpen --json pairs.json
    """
    from time import perf_counter

    from pixelproof.console import Console
    from pixelproof.environment import usable_cores
    from pixelproof.errors import ImageError
    from pixelproof.models.training.degradations.pairs import make_pair, tasks_of
    from pixelproof.models.training.degradations.recipe_file import changed, load_recipe
    from pixelproof.models.training.degradations.workers import shared_out

    console = Console(json_to)
    recipe = changed(load_recipe(name), scale=scale, gt_usm=sharpen)
    tasks = tasks_of(images, out, recipe=recipe, seed=seed, suffix=suffix, overwrite=overwrite)
    begun = perf_counter()
    processes = min(jobs or usable_cores(), len(tasks))
    done: list[Done] = []
    with console.progress("Degrading", total=len(tasks)) as advance:
        for one in shared_out(make_pair, tasks, processes=processes):
            done.append(one)
            advance(1, one.source)
    seconds = perf_counter() - begun
    done.sort(key=lambda one: one.index)
    skipped = [one for one in done if one.skipped]
    if skipped:
        console.table("Left out", ("image", "why"), [(one.source, one.skipped) for one in skipped])
    made = len(done) - len(skipped)
    if not made:
        found = f"none among {len(done)} in {images}; the first one: {skipped[0].skipped}"
        raise ImageError("A folder of images must hold some that can be used", found=found)
    _tell(console, recipe, out, made=made, skipped=len(skipped), seconds=seconds, seed=seed)
    console.json(_document(recipe, done, seed=seed, seconds=seconds), what="What was done")
    return 0


def _tell(
    console: Any, recipe: Recipe, out: Path, *, made: int, skipped: int, seconds: float, seed: int
) -> None:
    sharpened = "targets sharpened" if recipe.gt_usm else "targets as they are"
    console.line(f"Recipe {recipe.id}, x{recipe.scale}, seed {seed}, {sharpened}")
    left_out = f", {skipped} left out" if skipped else ""
    console.line(
        f"{made} pairs in {out}/GT and {out}/LQ{left_out}; {seconds:.1f} s, {made / seconds:.1f} a second"
    )
    console.next_step(f"restore-images MODEL {out}/LQ --out results --targets {out}/GT")


def _document(recipe: Recipe, done: Sequence[Done], *, seed: int, seconds: float) -> dict[str, object]:
    return {
        "schema_version": 1,
        "recipe": recipe,
        "seed": seed,
        "seconds": round(seconds, 3),
        "pairs": [
            {
                "name": one.name,
                "source": one.source,
                "index": one.index,
                "height": one.height,
                "width": one.width,
                "plan": one.plan,
            }
            for one in done
            if not one.skipped
        ],
        "skipped": [
            {"source": one.source, "index": one.index, "why": one.skipped} for one in done if one.skipped
        ],
    }
