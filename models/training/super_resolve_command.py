"""The command ``super-resolve``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pixelproof.models.training.super_resolve_pictures import Done
    from pixelproof.models.training.super_resolve_report import Failed

_EPILOG = (
    "Exit codes: 0 every picture enlarged; 1 the model failed; 2 the call is wrong, a checkpoint is damaged, or a "
    "picture couldn't be used (the others are done); 3 pixelproof or this machine failed. docs/super-resolve.md says "
    "how PSNR is measured."
)


@click.command("super-resolve", epilog=_EPILOG)
@click.argument(
    "pictures", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PICTURE|DIR..."
)
@click.option(
    "--checkpoint",
    required=True,
    type=click.Path(path_type=Path),
    metavar="RUN|CHECKPOINT",
    help="A training run's folder (its newest good checkpoint), or a checkpoint.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="A .png or .bmp; for several pictures a folder [PICTURE_sr.png].",
)
@click.option(
    "--original",
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="What the picture was made from: PSNR. For several pictures a folder.",
)
@click.option("--model", help="Architecture, where the checkpoint isn't train-model's (pixelproof models).")
@click.option(
    "--scale", type=click.IntRange(min=2), help="The result's size over the picture's [the checkpoint's]."
)
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@click.option("--json", "json_to", metavar="FILE|-", help="Write the figures as JSON.")
def super_resolve(
    *,
    pictures: tuple[Path, ...],
    checkpoint: Path,
    out: Path | None,
    original: Path | None,
    model: str | None,
    scale: int | None,
    overwrite: bool,
    json_to: str | None,
) -> int:
    """Enlarge a picture with a trained model, and write the bicubic one beside it.

    With --original both are compared with it: PSNR in RGB and on Y, SSIM.

    \b
    Examples:
      super-resolve --checkpoint run lr.bmp --out sr.bmp --original hr.bmp
      super-resolve --checkpoint run Set5/LRbicx3 --out results --original Set5/GTmod12
      super-resolve --checkpoint srcnn.pth --model srcnn_915 --scale 3 lr.bmp
    """
    from pixelproof.console import Console
    from pixelproof.errors import CallError, PixelproofError
    from pixelproof.models.training.super_resolve_pictures import enlarge, find_tasks, write
    from pixelproof.models.training.super_resolve_report import Failed, document, tell_model, tell_results
    from pixelproof.quiet import import_tensorflow

    console = Console(json_to)
    tasks = find_tasks(pictures, out=out, original=original, overwrite=overwrite)
    if json_to not in (None, "-") and Path(str(json_to)).resolve() in {one.source.resolve() for one in tasks}:
        raise CallError("--json must not replace a picture", found=str(json_to))
    import_tensorflow()
    from pixelproof.models.training.super_resolve_model import open_enlarger

    enlarger = open_enlarger(checkpoint, model=model, scale=scale)
    tell_model(console, enlarger)
    rows: list[Done] = []
    failed: list[Failed] = []
    with console.progress("Enlarging", total=len(tasks)) as advance:
        for task in tasks:
            try:
                done, written = enlarge(task, enlarger)
            except PixelproofError as error:
                if len(tasks) == 1:
                    raise
                failed.append(Failed(task, error))
            else:
                write(task, written)
                rows.append(done)
            advance(1, task.source.name)
    tell_results(console, enlarger, rows, failed)
    console.json(document(enlarger, rows, failed), what="Figures")
    return _exit_code(failed)


def _exit_code(failed: list[Failed]) -> int:
    """3 before 1 before 2: what hides a verdict on the model comes first."""
    codes = {one.error.exit_code for one in failed}
    return next((code for code in (3, 1, 2) if code in codes), 0)
