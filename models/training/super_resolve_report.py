"""What ``super-resolve`` tells: lines for people, a document for machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pixelproof.console import Console
from pixelproof.errors import PixelproofError
from pixelproof.models.training.evaluation_figures import Figures, mean_figures
from pixelproof.models.training.super_resolve_pictures import BICUBIC, Done, Task

if TYPE_CHECKING:
    from pixelproof.models.training.super_resolve_model import Enlarger

LISTED = 20


@dataclass(frozen=True)
class Failed:
    """A picture that couldn't be enlarged."""

    task: Task
    error: PixelproofError


def tell_model(console: Console, enlarger: Enlarger) -> None:
    """Which model it is, and which checkpoints were passed over."""
    for path, why in enlarger.damaged:
        told = why if str(path) in why else f"{why}: {path}"
        console.line(f"Warning: passed over {told}", style="yellow")
    epoch = "" if enlarger.epoch is None else f", epoch {enlarger.epoch}"
    console.line(f"Model: {enlarger.architecture} x{enlarger.scale}{epoch}, from {enlarger.checkpoint}")


def tell_results(
    console: Console, enlarger: Enlarger, rows: Sequence[Done], failed: Sequence[Failed]
) -> None:
    """What was written, and how close it is to the originals."""
    measured = [row for row in rows if row.model is not None]
    if measured:
        _tell_figures(console, enlarger, measured)
    for row in [row for row in rows if row.original_size is not None][:LISTED]:
        assert row.original_size is not None
        tall, wide = row.original_size
        console.line(
            f"{row.task.original}: {tall}x{wide} was cut to {row.height}x{row.width}, bottom and right"
        )
    if len(rows) == 1:
        row = rows[0]
        console.line(
            f"Written: {row.task.output} ({row.height}x{row.width}, {row.seconds:.2f} s in the model)"
        )
        console.line(f"Bicubic: {row.task.bicubic}")
    elif rows:
        seconds = sum(row.seconds for row in rows)
        where = rows[0].task.output.parent
        told = f"{len(rows)} pictures to {where}, bicubic ones to {where / BICUBIC}"
        console.line(f"{told}; {seconds:.2f} s in the model")
    for one in failed[:LISTED]:
        console.line(f"Failed: {one.task.source}: {one.error}", style="bold red")
    if len(failed) > LISTED:
        console.line(f"... and {len(failed) - LISTED} more that failed", style="bold red")


def document(enlarger: Enlarger, rows: Sequence[Done], failed: Sequence[Failed]) -> dict[str, Any]:
    """The report."""
    measured = [row for row in rows if row.model is not None]
    return {
        "schema_version": 1,
        "model": enlarger.architecture,
        "scale": enlarger.scale,
        "checkpoint": str(enlarger.checkpoint),
        "epoch": enlarger.epoch,
        "damaged": [{"checkpoint": str(path), "why": why} for path, why in enlarger.damaged],
        "border": enlarger.scale,
        "pictures": [_picture(row) for row in rows],
        "means": {
            "pictures": len(measured),
            "model": _mean([row.model for row in measured]),
            "bicubic": _mean([row.bicubic for row in measured]),
        },
        "failed": [{"picture": str(one.task.source), "error": str(one.error)} for one in failed],
    }


def _tell_figures(console: Console, enlarger: Enlarger, measured: Sequence[Done]) -> None:
    name = enlarger.architecture
    columns = ("picture", "", "PSNR, dB", "PSNR on Y, dB", "SSIM")
    cells = []
    if len(measured) <= LISTED:
        for row in measured:
            cells += _pair(row.task.source.name, name, row.model, row.bicubic)
    if len(measured) > 1:
        models, others = [row.model for row in measured], [row.bicubic for row in measured]
        cells += _pair(f"mean of {len(measured)}", name, _mean(models), _mean(others))
    console.table("", columns, cells)
    console.line(f"8-bit RGB and Y of BT.601; {enlarger.scale} pixels left out on each side")


def _pair(what: str, name: str, model: Figures | None, other: Figures | None) -> list[list[str]]:
    pairs = ((what, name, model), ("", BICUBIC, other))
    return [[label, which, *_shown(figures)] for label, which, figures in pairs if figures is not None]


def _mean(figures: Sequence[Figures | None]) -> Figures | None:
    given = [one for one in figures if one is not None]
    return mean_figures(given) if given else None


def _shown(figures: Figures) -> list[str]:
    return [f"{figures.psnr_db:.2f}", f"{figures.psnr_y_db:.2f}", f"{figures.ssim:.4f}"]


def _picture(row: Done) -> dict[str, Any]:
    return {
        "picture": str(row.task.source),
        "output": str(row.task.output),
        "bicubic_output": str(row.task.bicubic),
        "original": None if row.task.original is None else str(row.task.original),
        "original_size": row.original_size,
        "height": row.height,
        "width": row.width,
        "seconds": round(row.seconds, 4),
        "model": row.model,
        "bicubic": row.bicubic,
    }
