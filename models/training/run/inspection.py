"""What a run or a checkpoint says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pixelproof.console import Console
from pixelproof.models.training.run.checkpoints import Checkpoint, open_checkpoint
from pixelproof.models.training.run.recipe_file import table_of
from pixelproof.models.training.run.records import line_of


def show(path: Path, console: Console) -> None:
    """Print the hyper-parameters, where the run stands, and its figures.

    Raises:
        CheckpointError: no checkpoint there, or a damaged one.
    """
    checkpoint, damaged = open_checkpoint(path)
    for file, reason in damaged:
        console.line(f"Skipped, damaged: {file} ({reason})", style="yellow")
    done = checkpoint.arguments
    rows = [(name, _shown(value)) for name, value in _flat(table_of(done.recipe))]
    console.table(f"Checkpoint {checkpoint.path}", ("parameter", "value"), rows)
    parameters = sum(
        int(value.size)
        for name, value in checkpoint.arrays.items()
        if name.startswith(("model.", "generator."))
    )
    console.line(
        f"After epoch {done.epoch} of {done.recipe.training.epochs}: step {done.step}, {done.samples} samples, "
        f"{done.seconds:.0f} s; {parameters:,} numbers in the model"
    )
    if done.history:
        console.line(line_of(done.history[-1], epochs=done.recipe.training.epochs))
    if done.epoch < done.recipe.training.epochs:
        console.next_step(f"train-model resume {path}")
    else:
        console.next_step(f"convert-model --model {done.recipe.model} --ckpt {checkpoint.path}")
    console.json(_document(checkpoint, skipped=[str(file) for file, _ in damaged]))


def document(path: Path) -> dict[str, Any]:
    """A checkpoint's arguments and history, for JSON."""
    return _document(open_checkpoint(path)[0], skipped=[])


def _document(checkpoint: Checkpoint, *, skipped: list[str]) -> dict[str, Any]:
    done = checkpoint.arguments
    return {
        "schema_version": 1,
        "checkpoint": str(checkpoint.path),
        "skipped": skipped,
        "epoch": done.epoch,
        "step": done.step,
        "samples": done.samples,
        "seconds": done.seconds,
        "recipe": table_of(done.recipe),
        "history": list(done.history),
    }


def _flat(table: dict[str, Any]) -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for key, value in table.items():
        if isinstance(value, dict):
            flat += [(f"{key}.{inner}", one) for inner, one in value.items()]
        else:
            flat.append((key, value))
    return flat


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
