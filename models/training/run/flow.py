"""From a recipe to a trained run, told on the console."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pixelproof.console import Console
from pixelproof.errors import CallError
from pixelproof.models.training.recipe import TrainingRecipe
from pixelproof.models.training.run.backend import Hardware, import_keras

if TYPE_CHECKING:
    from pixelproof.models.training.data.training_data import TrainingData
    from pixelproof.models.training.run.checkpoints import Checkpoint, Row
    from pixelproof.models.training.run.epochs import Hook
    from pixelproof.models.training.run.folder import RunFolder
    from pixelproof.models.training.run.session import Result


class Told:
    """Tells a console of a training's steps and epochs.

    Args:
        console: where to.
        advance: moves the bar.
        epochs: of the run.
        batch_size: samples a step.
    """

    def __init__(
        self, console: Console, advance: Callable[[int, str], None], *, epochs: int, batch_size: int
    ) -> None:
        from time import perf_counter

        self._console, self._advance = console, advance
        self._epochs, self._batch_size = epochs, batch_size
        self._clock = perf_counter
        self._begun = self._clock()
        self._steps = 0
        self._measured = ""

    def step(self, epoch: int, step: int, loss: float) -> None:
        """Move the bar."""
        self._steps += 1
        rate = self._steps * self._batch_size / max(self._clock() - self._begun, 1e-9)
        self._advance(1, f"epoch {epoch}, loss {loss:.5g}{self._measured}, {rate:.1f} images/s")

    def epoch(self, epoch: int, row: Row) -> None:
        """A line for the epoch."""
        from pixelproof.models.training.run.records import line_of

        if "validation_psnr_db" in row:
            self._measured = f", {row['validation_psnr_db']:.3f} dB"
        self._console.line(line_of(row, epochs=self._epochs))


def run_training(
    recipe: TrainingRecipe,
    out: Path,
    *,
    console: Console,
    hardware: Hardware,
    start: Checkpoint | None = None,
    new: bool = True,
    jobs: int | None = None,
    hooks: Sequence[Hook] = (),
) -> Result:
    """Train by a recipe, told on the console.

    Args:
        out: the run's folder.
        start: where to go on; None for the beginning.
        new: whether the folder must be new or empty.
        jobs, hooks: see `session.train`.

    Raises:
        PixelproofError: see `session.train`.
    """
    import_keras(hardware)
    from pixelproof.models.training.data.kinds import kind_of
    from pixelproof.models.training.losses.terms import check_loss
    from pixelproof.models.training.run.folder import RunFolder, new_run
    from pixelproof.models.training.run.loader import steps_of
    from pixelproof.models.training.run.session import open_data, train

    check_loss(recipe.loss, content=recipe.content)
    kind = kind_of(recipe.data.kind)
    recipe = _absolute(recipe, options=kind.paths)
    data = open_data(recipe)
    own = kind.hooks(recipe, console.line) if kind.hooks else ()
    first = hardware.distribution.rank == 0
    run = new_run(out) if new and first else RunFolder(out)
    loop = recipe.training
    steps = steps_of(data, steps_per_epoch=loop.steps_per_epoch, batch_size=loop.batch_size)
    done = start.arguments.epoch if start else 0
    if first:
        _tell(console, recipe, data, run, steps=steps)
    with (
        _resumable(console, run),
        console.progress("Training", total=max(loop.epochs - done, 0) * steps) as advance,
    ):
        told = Told(console, advance, epochs=loop.epochs, batch_size=loop.batch_size)
        result = train(
            recipe,
            run,
            data=data,
            start=start,
            distribution=hardware.distribution,
            jobs=jobs,
            watchers=[told] if first else [],
            hooks=[*own, *hooks],
        )
    if first:
        _tell_end(console, result, recipe)
    return result


def _absolute(recipe: TrainingRecipe, *, options: Sequence[str]) -> TrainingRecipe:
    """The recipe with whole paths, so that the run can be resumed from anywhere."""
    from pixelproof.models.training.run.beginning import NEAR_IDENTITY
    from pixelproof.models.training.run.network import whole_name

    data = recipe.data
    if not data.train:
        remedy = "Name it in the recipe ([data] train), or by --data."
        raise CallError("A training needs a folder to learn from", found="none", remedy=remedy)
    start, content = recipe.start, recipe.content
    whole = {name: _whole(str(path)) for name, path in data.options.items() if name in options}
    return replace(
        recipe,
        model=whole_name(recipe.model),
        start=start if start == NEAR_IDENTITY else _whole(start),
        content=None if content is None else replace(content, weights=_whole(content.weights)),
        data=replace(
            data,
            train=_whole(data.train),
            validation=_whole(data.validation),
            options={**data.options, **whole},
        ),
    )


def _whole(path: str) -> str:
    return str(Path(path).expanduser().absolute()) if path else ""


def _tell(
    console: Console, recipe: TrainingRecipe, data: TrainingData, run: RunFolder, *, steps: int
) -> None:
    from pixelproof.models.training.run.backend import backend_name
    from pixelproof.models.training.run.records import can_draw, can_log_events

    if data.skipped:
        rows = [(one.name, one.why) for one in data.skipped[:20]]
        if len(data.skipped) > len(rows):
            rows.append((f"and {len(data.skipped) - len(rows)} more", ""))
        console.table(f"Left out: {len(data.skipped)}", ("file", "why"), rows)
    loop = recipe.training
    losses = " + ".join(f"{weight:g} {name}" for name, weight in recipe.loss.items())
    console.line(
        f"{recipe.title or recipe.id}: {recipe.model}, x{recipe.scale}, {data.samples_per_epoch} samples a pass, "
        f"{steps} steps of {loop.batch_size} an epoch, {loop.epochs} epochs; loss {losses}; Keras on {backend_name()}"
    )
    console.line(f"Run: {run.path}")
    if not recipe.data.validation:
        console.line("Nothing is measured on the way: name a folder of pictures with --validation.")
    missing = [
        name
        for name, there in (("curves.png", can_draw()), ("TensorBoard's logs", can_log_events()))
        if not there
    ]
    if missing:
        console.line(f"Without {' and '.join(missing)}: pip install 'pixelproof[train]' adds what they need.")


@contextmanager
def _resumable(console: Console, run: RunFolder) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        if run.saved():
            console.line(f"Stopped. What is saved stays; go on with: train-model resume {run.path}")
        raise


def _tell_end(console: Console, result: Result, recipe: TrainingRecipe) -> None:
    measured = [row for row in result.progress.history if "validation_psnr_db" in row]
    if measured:
        best = max(measured, key=lambda row: row["validation_psnr_db"])
        console.line(
            f"Validation: {measured[-1]['validation_psnr_db']:.3f} dB at the end, "
            f"{best['validation_psnr_db']:.3f} dB at best (epoch {best['epoch']})"
        )
    console.line(f"{result.progress.seconds:.0f} s of training; the model: {result.run.final}")
    console.next_step(f"convert-model --model {recipe.model} --ckpt {result.run.final}")
