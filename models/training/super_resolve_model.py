"""A trained model that enlarges pictures: the checkpoint behind a path, and the model in it as one call."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pixelproof.contract import Contract
from pixelproof.errors import CallError, CheckpointError, EnvironmentFault, ModelFailed
from pixelproof.models import registry
from pixelproof.models.checkpoints.loading import load_checkpoint
from pixelproof.models.checkpoints.locate import locate
from pixelproof.models.checkpoints.options import options_for
from pixelproof.models.training.data.training_data import Image
from pixelproof.models.training.run.checkpoints import (
    ARGUMENTS,
    Checkpoint,
    model_of,
    newest_checkpoint,
    read_checkpoint,
)
from pixelproof.models.training.run.folder import RunFolder, is_run, run_of
from pixelproof.models.training.super_resolve_memory import available_mib, floats_a_pixel, needed_mib

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Enlarger:
    """A model with its weights.

    Attributes:
        architecture: its registered name.
        checkpoint: the file that its weights are from.
        epoch: of the training; None where the checkpoint doesn't tell.
        scale: the result's size over the picture's.
        contract: of the architecture; its own scale is 1 where it takes pictures that are enlarged already.
        damaged: newer checkpoints of the run that were passed over, and why.
        run: the network: float32 (1, height, width, 3) to float32 of its output's size.
        floats: numbers that its largest step reads and writes for each pixel.
    """

    architecture: str
    checkpoint: Path
    epoch: int | None
    scale: int
    contract: Contract
    damaged: tuple[tuple[Path, str], ...]
    run: Callable[[Image], Any]
    floats: float

    @property
    def enlarged_first(self) -> bool:
        """Whether a picture is enlarged bicubically before the network sees it."""
        return self.contract.scale == 1

    def predict(self, image: Image) -> Image:
        """A whole picture through the network.

        Args:
            image: float32, (height, width, 3), in [0, 1], as the network takes it.

        Returns:
            float32, (height, width, 3), nominally in [0, 1].

        Raises:
            EnvironmentFault: it doesn't fit into memory.
            ModelFailed: the network can't run, or gives something else than finite pixels.
        """
        import tensorflow as tf

        height, width = image.shape[:2]
        needed, available = needed_mib(height, width, self.floats), available_mib()
        if needed > available:
            raise self._too_large(image, f"{available:.0f} MiB, where its largest step takes {needed:.0f}")
        try:
            output: Image = np.asarray(self.run(image[None]), np.float32)[0]
        except (MemoryError, tf.errors.ResourceExhaustedError) as error:
            raise self._too_large(image, "none left on the way") from error
        except (tf.errors.OpError, ValueError) as error:
            said = str(error).strip().splitlines()[0][:200]
            raise ModelFailed(
                "The model must run on a picture", found=f"{said} at {height}x{width}"
            ) from error
        broken = np.count_nonzero(~np.isfinite(output))
        if broken:
            found = f"{broken} of {output.size} values NaN or infinite"
            remedy = "Its training has diverged, or its weights are damaged."
            raise ModelFailed("The model's picture must be finite", found=found, remedy=remedy)
        return output

    def _too_large(self, image: Image, found: str) -> EnvironmentFault:
        height, width = image.shape[:2]
        first = "; give it the picture enlarged bicubically" if self.enlarged_first else ""
        return EnvironmentFault(
            f"A picture must fit into memory whole, at {height}x{width} in the network",
            found=found,
            remedy=f"restore-images --model {self.architecture} --ckpt {self.checkpoint} works in tiles{first}.",
        )


def open_enlarger(path: Path, *, model: str | None, scale: int | None) -> Enlarger:
    """The model behind a path.

    Args:
        path: a training run's folder (its newest good checkpoint), one of its checkpoints, or any other checkpoint.
        model: the registered architecture; needed where the checkpoint isn't of a run here.
        scale: the result's size over the picture's; needed where neither checkpoint nor architecture tells.

    Raises:
        CallError: no such architecture, another one than the checkpoint's, one for other pictures; a scale that
            contradicts, or none.
        CheckpointError: nothing there, damaged, or weights that don't fit.
    """
    if model is not None:
        registry.spec(model)
    checkpoint, damaged = _trained(path)
    if checkpoint is not None:
        return _of_run(checkpoint, damaged, model=model, scale=scale)
    if model is None:
        remedy = f"Choices: {', '.join(registry.names())}."
        rule = "--model must name the architecture of a checkpoint that train-model didn't write"
        raise CallError(rule, found=str(path), remedy=remedy)
    contract = _checked_contract(model)
    factor = _scale(model, contract, told=None, given=scale)
    built = registry.create(model, **options_for(model, path, {}))
    report = load_checkpoint(built, path, model_name=model)
    return Enlarger(model, report.path, None, factor, contract, (), _graph(built), floats_a_pixel(built))


def _of_run(
    checkpoint: Checkpoint, damaged: tuple[tuple[Path, str], ...], *, model: str | None, scale: int | None
) -> Enlarger:
    recipe = checkpoint.arguments.recipe
    if model not in (None, recipe.model):
        found = f"{model} for a checkpoint of {recipe.model}: {checkpoint.path}"
        raise CallError("--model must be the checkpoint's", found=found, remedy="Leave --model away.")
    contract = _checked_contract(recipe.model)
    factor = _scale(recipe.model, contract, told=recipe.scale, given=scale)
    built = model_of(checkpoint)
    epoch = checkpoint.arguments.epoch
    return Enlarger(
        recipe.model, checkpoint.path, epoch, factor, contract, damaged, _graph(built), floats_a_pixel(built)
    )


def _trained(path: Path) -> tuple[Checkpoint | None, tuple[tuple[Path, str], ...]]:
    """The checkpoint of a run here that a path means, if it means one, and the newer ones that are damaged."""
    run = path.parent if path.name == "checkpoints" and is_run(path.parent) else path
    if is_run(run):
        return _newest(run)
    try:
        located = locate(path)
        ours = located.kind == "keras" and _has_arguments(located.path)
        return (read_checkpoint(located.path) if ours else None), ()
    except CheckpointError as error:
        owner = run_of(path) if path.is_file() else None
        if owner is None:
            raise
        remedy = f"--checkpoint {owner.path} takes the newest one of that run that is good."
        raise CheckpointError(error.rule, found=error.found, remedy=remedy) from error


def _newest(run: Path) -> tuple[Checkpoint, tuple[tuple[Path, str], ...]]:
    """The newest good checkpoint of a run; its final one where no other is left."""
    try:
        return newest_checkpoint(run)
    except CheckpointError:
        folder = RunFolder(run)
        if not folder.final.is_file():
            raise
        return read_checkpoint(folder.final), tuple((path, "damaged") for _, path in folder.saved())


def _has_arguments(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        return ARGUMENTS in archive.namelist()


def _checked_contract(model: str) -> Contract:
    contract = registry.spec(model).contract
    if contract.channels != (3, 3):
        remedy = f"restore-images --model {model} takes RAW pictures."
        raise CallError("super-resolve is for models of RGB pictures", found=model, remedy=remedy)
    return contract


def _scale(model: str, contract: Contract, *, told: int | None, given: int | None) -> int:
    """The scale of the task.

    Args:
        told: what the checkpoint says.
        given: what the user says.
    """
    of_model = contract.scale if contract.scale > 1 else None
    if told is not None and of_model not in (None, told):
        found = f"x{told} for {model}, which enlarges x{of_model}"
        raise CheckpointError("A checkpoint's scale must be its architecture's", found=found)
    known = told if told is not None else of_model
    if known is not None and given not in (None, known):
        whose = "checkpoint's" if told is not None else "model's"
        remedy = "Leave --scale away."
        raise CallError(f"--scale must be the {whose}: {known}", found=str(given), remedy=remedy)
    factor = known if known is not None else given
    if factor is None:
        remedy = f"{model} takes pictures that are enlarged already; say by how much, for example --scale 3."
        raise CallError("--scale must be given for this model", found="none", remedy=remedy)
    if factor == 1:
        remedy = "restore-images runs models that keep a picture's size."
        raise CallError("super-resolve is for models that enlarge", found=f"scale 1, {model}", remedy=remedy)
    return factor


def _graph(model: keras.Model) -> Callable[[Image], Any]:
    """The model as a graph, which gives memory back between layers, for pictures of every size."""
    import tensorflow as tf

    signature = [tf.TensorSpec((1, None, None, 3), tf.float32)]

    @tf.function(input_signature=signature, autograph=False)
    def run(image: Any) -> Any:
        return model(image, training=False)

    return lambda image: run(tf.constant(image)).numpy()
