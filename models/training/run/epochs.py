"""What happens at the end of every epoch: measure, save, draw, tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol

import keras
import numpy as np

from pixelproof.errors import TrainingDiverged
from pixelproof.models.training.recipe import TrainingRecipe
from pixelproof.models.training.run.checkpoints import Arguments, Row, write_checkpoint
from pixelproof.models.training.run.folder import RunFolder, prune
from pixelproof.models.training.run.learner import Learner, with_all_terms
from pixelproof.models.training.run.loader import Batches
from pixelproof.models.training.run.state import arrays_of
from pixelproof.models.training.run.validation import Validator

Hook = Callable[[keras.Model, Row], None]


class Watcher(Protocol):
    """Sees the training go on."""

    def step(self, epoch: int, step: int, loss: float) -> None:
        """A step is done."""

    def epoch(self, epoch: int, row: Row) -> None:
        """An epoch is done, and what it had to save is saved."""


@dataclass
class Progress:
    """Where the run stands; the only thing that changes in it beside the variables."""

    epoch: int
    step: int
    samples: int
    seconds: float
    history: list[Row] = field(default_factory=list)


class EpochEnd(keras.callbacks.Callback):
    """Counts steps, stops at a loss that isn't finite, and at an epoch's end measures and saves.

    Args:
        learner, recipe, run: what is trained, how, and where.
        progress: where it stands.
        batches: the loader, which knows the files of a batch.
        steps_per_epoch: of this run.
        validator: measures on pictures; of length 0 where there are none.
        watchers: who is told.
        hooks: called with the model for use and the epoch's figures, after the checkpoint.
        writes: whether this process writes files: the first one of several.
    """

    def __init__(
        self,
        *,
        learner: Learner,
        recipe: TrainingRecipe,
        run: RunFolder,
        progress: Progress,
        batches: Batches,
        steps_per_epoch: int,
        validator: Validator,
        watchers: Sequence[Watcher],
        hooks: Sequence[Hook],
        writes: bool,
    ) -> None:
        super().__init__()
        self._learner, self._recipe, self._run = learner, recipe, run
        self._progress, self._batches, self._validator = progress, batches, validator
        self._steps_per_epoch, self._watchers, self._writes = steps_per_epoch, watchers, writes
        self._hooks = hooks
        self._first_step = progress.step
        self._begun = self._waited = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start the clock."""
        self._begun, self._waited = perf_counter(), self._batches.waited_seconds

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count; stop where the loss isn't finite."""
        loss = float((logs or {})["loss"])
        self._progress.step += 1
        self._progress.samples += self._recipe.training.batch_size
        if not np.isfinite(loss):
            raise self._diverged(loss)
        for watcher in self._watchers:
            watcher.step(self._progress.epoch + 1, self._progress.step, loss)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Measure, save, tell."""
        seconds = perf_counter() - self._begun
        progress, loop = self._progress, self._recipe.training
        progress.epoch, progress.seconds = epoch + 1, progress.seconds + seconds
        last = progress.epoch == loop.epochs
        row: dict[str, float | int] = {
            "epoch": progress.epoch,
            "step": progress.step,
            "samples": progress.samples,
            "seconds": round(progress.seconds, 3),
            "learning_rate": self._learner.learning_rate(),
            **with_all_terms({k: float(v) for k, v in (logs or {}).items()}, self._learner.terms),
            "images_per_second": round(self._steps_per_epoch * loop.batch_size / max(seconds, 1e-9), 2),
            "waiting_share": round(
                min(1.0, (self._batches.waited_seconds - self._waited) / max(seconds, 1e-9)), 4
            ),
        }
        if self._writes:
            self._learner.refresh()
            if len(self._validator) and (last or _due(progress.epoch, loop.validate_every)):
                row |= self._validator.measured()
            progress.history.append(row)
            self._save(last=last)
            for hook in self._hooks:
                hook(self._learner.bare, row)
        for watcher in self._watchers:
            watcher.epoch(progress.epoch, row)

    def _save(self, *, last: bool) -> None:
        progress, loop = self._progress, self._recipe.training
        if _due(progress.epoch, loop.sample_every):
            self._validator.draw(self._run.samples, epoch=progress.epoch)
        if not last and not _due(progress.epoch, loop.save_every):
            return
        arguments = Arguments(
            recipe=self._recipe,
            epoch=progress.epoch,
            step=progress.step,
            samples=progress.samples,
            seconds=round(progress.seconds, 3),
            history=tuple(progress.history),
        )
        arrays = arrays_of(self._learner.variables)
        path = self._run.checkpoint(progress.epoch)
        write_checkpoint(path, model=self._learner.bare, arrays=arrays, arguments=arguments)
        if last:
            write_checkpoint(self._run.final, model=self._learner.bare, arrays=arrays, arguments=arguments)
        prune(self._run, keep=loop.keep)

    def _diverged(self, loss: float) -> TrainingDiverged:
        step = self._progress.step
        files = dict.fromkeys(self._batches.names(step - 1 - self._first_step))
        shown = ", ".join(list(files)[:8]) + (f" and {len(files) - 8} more" if len(files) > 8 else "")
        saved = self._run.saved()
        good = f"The last good checkpoint is {saved[0][1]}." if saved else "There is no checkpoint yet."
        return TrainingDiverged(
            "The loss must stay finite",
            found=f"{loss} at step {step}, epoch {self._progress.epoch + 1}, on a batch of {shown}",
            remedy=f"{good} A lower --lr, or [optimizer] clip_norm, helps; look at those files too.",
        )


def _due(epoch: int, every: int) -> bool:
    return every > 0 and epoch % every == 0
