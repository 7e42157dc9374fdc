"""What the challenge's training script leaves behind each time that it measures: checkpoint, log line, pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pixelproof.errors import RecipeError
from pixelproof.images import rounded_8bit, write_png
from pixelproof.models.registry import spec
from pixelproof.models.training.data.training_data import Sample
from pixelproof.models.training.isp.data import HeldOut, IspData, held_out
from pixelproof.models.training.isp.figures import measure, predicted
from pixelproof.models.training.isp.log import log_line, log_path, write_log_line
from pixelproof.models.training.isp.tf1_checkpoint import (
    checkpoint_prefix,
    require_tensorflow,
    write_state,
    write_tf1_checkpoint,
)
from pixelproof.models.training.recipe import TrainingRecipe
from pixelproof.schema import build

if TYPE_CHECKING:
    import keras

_PICTURES = 4

Row = Mapping[str, float | int]
Hook = Callable[["keras.Model", Row], None]


class IspEpochEnd:
    """Writes 2021's files after an epoch; knows nothing of the trainer.

    Args:
        model_dir: for ``[arch]_iteration_[iter].ckpt``, ``checkpoint`` and the log.
        arch: a registered architecture with TF1 names.
        first_iteration: iterations before this run.
        iterations: the last one of the run, which stands in the log's name.
        result_dir: for pictures beside their targets; None for none.
        samples: validation pairs that pictures are made of.
        told: is told each line of the log.

    Raises:
        EnvironmentFault: Keras doesn't run on TensorFlow, which the checkpoints need.
    """

    def __init__(
        self,
        *,
        model_dir: Path,
        arch: str,
        first_iteration: int,
        iterations: int,
        result_dir: Path | None = None,
        samples: Sequence[Sample] = (),
        told: Callable[[str], None] | None = None,
    ) -> None:
        require_tensorflow()
        self._model_dir, self._arch, self._first = model_dir, arch, first_iteration
        self._log = log_path(model_dir, restored=first_iteration, iterations=iterations)
        self._result_dir = result_dir
        self._samples = samples
        self._told = told

    def on_epoch(
        self,
        *,
        model: keras.Model,
        epoch: int,
        step: int,
        terms: Mapping[str, float],
        psnr: float | None,
        ms_ssim: float | None,
    ) -> Path:
        """Write what belongs to an epoch's end.

        Args:
            model: bare, of this architecture.
            epoch: done so far, from 1; not in any name.
            step: done so far in this run.
            terms: see `log_line`.
            psnr, ms_ssim: measured; None for not measured.

        Returns:
            The checkpoint, without its endings.

        Raises:
            EnvironmentFault: the disk is full, or a folder can't be written.
        """
        iteration = self._first + step
        prefix = checkpoint_prefix(self._model_dir, arch=self._arch, iteration=iteration)
        write_tf1_checkpoint(model, prefix, arch=self._arch)
        write_state(prefix, arch=self._arch)
        line = log_line(iteration, terms, psnr=psnr, ms_ssim=ms_ssim)
        write_log_line(self._log, iteration, line)
        if self._result_dir is not None:
            self._draw(model, iteration)
        if self._told is not None:
            self._told(line)
        return prefix

    def _draw(self, model: keras.Model, iteration: int) -> None:
        places = [place * len(self._samples) // _PICTURES for place in range(_PICTURES)]
        for number, place in enumerate(dict.fromkeys(places) if self._samples else ()):
            sample = self._samples[place]
            both = np.concatenate((predicted(model, [sample])[0], sample.target), axis=1)
            name = f"{self._arch}_iteration_{iteration}_img_{number}.png"
            write_png((self._result_dir or self._model_dir) / name, rounded_8bit(both))


def hooks_of(recipe: TrainingRecipe, *, told: Callable[[str], None] | None = None) -> tuple[Hook, ...]:
    """What a trainer calls at the end of each epoch of a recipe, with the bare model and the row of its history.

    Args:
        recipe: of any kind; where it is ``isp``, ``model_dir`` in ``[data]`` says where 2021's files go.
        told: is told each line of the log.

    Returns:
        () where the recipe asks for no such files.

    Raises:
        EnvironmentFault: Keras doesn't run on TensorFlow.
        RecipeError, CheckpointError: an epoch's steps aren't said; the loss can't be made, see `terms_of`.
        ImageError: there is nothing to measure on.
    """
    if recipe.data.kind != "isp" or not recipe.data.options.get("model_dir"):
        return ()
    require_tensorflow()
    if not recipe.training.steps_per_epoch:
        raise RecipeError("training.steps_per_epoch must be above 0 with data.model_dir", found="0")
    options = build(IspData, recipe.data.options, fail=_fail, path="data")
    samples: Sequence[Sample] = ()
    if recipe.data.validation:
        contract = spec(recipe.model).contract
        samples = HeldOut(options, held_out(Path(recipe.data.validation), options, contract).pairs)
    from pixelproof.models.training.losses.terms import terms_of

    loop, first = recipe.training, options.first_iteration
    terms = terms_of(recipe.loss, content=recipe.content) if samples else ()
    end = IspEpochEnd(
        model_dir=Path(options.model_dir),
        arch=recipe.model,
        first_iteration=first,
        iterations=first + loop.epochs * loop.steps_per_epoch,
        result_dir=Path(options.result_dir) if options.result_dir else None,
        samples=samples,
        told=told,
    )

    def hook(model: keras.Model, row: Row) -> None:
        written = {"training": float(row["loss"])}
        psnr = ms_ssim = None
        if samples:
            figures = measure(model, samples, terms, batch_size=loop.batch_size)
            written |= {"validation": figures.loss, "content": figures.content, "mse": figures.mse}
            psnr, ms_ssim = figures.psnr_db, figures.ms_ssim
        epoch, step = int(row["epoch"]), int(row["step"])
        end.on_epoch(model=model, epoch=epoch, step=step, terms=written, psnr=psnr, ms_ssim=ms_ssim)

    return (hook,)


def _fail(path: str, rule: str, found: str, remedy: str) -> RecipeError:
    return RecipeError(f"{path} {rule}", found=found, remedy=remedy)
