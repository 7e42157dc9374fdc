"""A training from its beginning or a checkpoint to its end."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import keras

from pixelproof.errors import CallError, RecipeError
from pixelproof.files import write_text
from pixelproof.models.training.data.kinds import kind_of
from pixelproof.models.training.data.training_data import Setting, TrainingData
from pixelproof.models.training.losses.terms import least_side
from pixelproof.models.training.recipe import TrainingRecipe
from pixelproof.models.training.run.backend import backend_name, make_deterministic
from pixelproof.models.training.run.beginning import begin_of
from pixelproof.models.training.run.checkpoints import Checkpoint
from pixelproof.models.training.run.distribution import Distribution, devices_of, fed_shared
from pixelproof.models.training.run.epochs import EpochEnd, Hook, Progress, Watcher
from pixelproof.models.training.run.folder import RunFolder, held
from pixelproof.models.training.run.learner import Learner, learner_of
from pixelproof.models.training.run.loader import Batches, steps_of
from pixelproof.models.training.run.machine import write_machine
from pixelproof.models.training.run.network import contract_of
from pixelproof.models.training.run.recipe_file import as_toml
from pixelproof.models.training.run.records import (
    Events,
    can_draw,
    can_log_events,
    write_curves,
    write_history,
    write_log,
)
from pixelproof.models.training.run.state import restore
from pixelproof.models.training.run.validation import Validator
from pixelproof.schema import build


@dataclass(frozen=True)
class Result:
    """What a training came to.

    Attributes:
        run: its folder.
        progress: where it stands.
        learner: what was trained.
    """

    run: RunFolder
    progress: Progress
    learner: Learner


def open_data(recipe: TrainingRecipe) -> TrainingData:
    """The recipe's data, its files found and checked.

    Raises:
        RecipeError: no such kind, or options that it doesn't have.
        ImageError: nothing that can be used.
        CallError: a crop that the loss or the model can't use.
    """

    def fail(path: str, rule: str, found: str, remedy: str) -> RecipeError:
        return RecipeError(f"{path} {rule}", found=found, remedy=remedy)

    kind = kind_of(recipe.data.kind)
    options = build(kind.options, recipe.data.options, fail=fail, path="data")
    validation = Path(recipe.data.validation) if recipe.data.validation else None
    setting = Setting(Path(recipe.data.train), validation, recipe.scale, contract_of(recipe), recipe.seed)
    return kind.open(options, setting)


def train(
    recipe: TrainingRecipe,
    run: RunFolder,
    *,
    data: TrainingData,
    start: Checkpoint | None = None,
    distribution: Distribution | None = None,
    jobs: int | None = None,
    watchers: Sequence[Watcher] = (),
    hooks: Sequence[Hook] = (),
) -> Result:
    """Train until the recipe's last epoch, into a run's folder.

    Args:
        data: what `open_data` gave for the recipe.
        start: where to go on; None for the beginning.
        distribution: how every batch is shared out.
        jobs: processes for costly data; None for one a core.
        watchers, hooks: see `EpochEnd`.

    Raises:
        TrainingDiverged: a loss that isn't finite.
        CheckpointError: the start is of another model.
        CallError: somebody trains in this folder, or nothing is left to do.
        EnvironmentFault: the disk is full.
    """
    loop, distribution = recipe.training, distribution or Distribution()
    steps_per_epoch = steps_of(data, steps_per_epoch=loop.steps_per_epoch, batch_size=loop.batch_size)
    progress = _progress(start)
    if progress.epoch >= loop.epochs:
        remedy = f"--num-epoch {2 * progress.epoch} goes on."
        raise CallError(
            "There must be epochs left", found=f"{progress.epoch} of {loop.epochs} done", remedy=remedy
        )
    devices = devices_of(distribution, backend=backend_name())
    if loop.batch_size % devices:
        found = f"{loop.batch_size} samples for {devices}"
        raise CallError("A batch must share out evenly among the devices", found=found)
    writes = distribution.rank == 0
    if loop.deterministic:
        make_deterministic()
    with ExitStack() as stack:
        if writes:
            stack.enter_context(held(run))
        learner = learner_of(
            recipe,
            steps=progress.step + (loop.epochs - progress.epoch) * steps_per_epoch,
            steps_per_epoch=steps_per_epoch,
            begin=begin_of(recipe.start, model=recipe.model),
            distribution=distribution,
        )
        _check_sizes(learner, data, recipe)
        if start is not None:
            restore(learner.variables, start.arrays, path=str(start.path))
        if writes:  # not before: a run that can't begin leaves nothing
            write_text(run.recipe, as_toml(recipe))
            write_machine(run.machine, backend=backend_name(), seconds=progress.seconds)
        batches = Batches(
            data, first=progress.samples, batch_size=loop.batch_size, share=distribution.share, processes=jobs
        )
        stack.callback(batches.close)
        end = EpochEnd(
            learner=learner,
            recipe=recipe,
            run=run,
            progress=progress,
            batches=batches,
            steps_per_epoch=steps_per_epoch,
            validator=Validator(
                learner.predict,
                data.validation() if writes else (),
                recipe.validation,
                contract=contract_of(recipe),
            ),
            watchers=watchers,
            hooks=[*_records(run, recipe, progress, stack), *hooks] if writes else (),
            writes=writes,
        )
        with fed_shared(distribution, backend=backend_name()):
            learner.model.fit(
                batches,
                epochs=loop.epochs,
                initial_epoch=progress.epoch,
                steps_per_epoch=steps_per_epoch,
                shuffle=False,
                verbose=0,
                callbacks=[end],
            )
        if writes:
            write_machine(run.machine, backend=backend_name(), seconds=progress.seconds)
            if can_draw():
                write_curves(run.curves, progress.history, title=recipe.title or recipe.id)
    return Result(run, progress, learner)


def _records(run: RunFolder, recipe: TrainingRecipe, progress: Progress, stack: ExitStack) -> list[Hook]:
    events = Events(run.logs) if can_log_events() else None
    if events is not None:
        stack.callback(events.close)

    def record(model: keras.Model, row: object) -> None:
        write_history(run.history, progress.history)
        write_log(run.logs / "train.log", progress.history, epochs=recipe.training.epochs)
        if events is not None:
            events.add(progress.history[-1])

    return [record]


def _progress(start: Checkpoint | None) -> Progress:
    if start is None:
        return Progress(0, 0, 0, 0.0)
    done = start.arguments
    return Progress(done.epoch, done.step, done.samples, done.seconds, list(done.history))


def _check_sizes(learner: Learner, data: TrainingData, recipe: TrainingRecipe) -> None:
    """The first sample must suit the model and the loss: a plain message instead of a graph's."""
    first = data.sample(0)
    side, least = min(first.target.shape[:2]), least_side(recipe.loss)
    if side < least:
        losses = ", ".join(recipe.loss)
        raise CallError(
            f"Crops must be at least {least}x{least} for the loss {losses}", found=f"{side}x{side}"
        )
    channels = (learner.bare.inputs[0].shape[-1], learner.bare.outputs[0].shape[-1])
    found = (first.input.shape[-1], first.target.shape[-1])
    if found != channels:
        rule = f"The data of {recipe.model} must have {channels[0]} channels in and {channels[1]} out"
        raise CallError(rule, found=f"{found[0]} and {found[1]} in {first.name}")
    made = learner.predict(first.input).shape
    if made != first.target.shape:
        height, width = first.target.shape[:2]
        found_text = f"{made[0]}x{made[1]} for a target of {height}x{width}"
        raise CallError(f"{recipe.model} must make a picture of the target's size", found=found_text)
