"""Hands a recipe of the challenge over to the trainer."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from pixelproof.console import Console
from pixelproof.errors import CallError, CheckpointError
from pixelproof.models.training.isp.tf1_checkpoint import OUTPUT_NODE, checkpoint_prefix
from pixelproof.models.training.recipe import TrainingRecipe

if TYPE_CHECKING:
    from pixelproof.models.training.run.backend import Hardware


def run_folder(recipe: TrainingRecipe) -> Path:
    """Where the run lies: ``run_[restore_iter]-[num_train_iters]`` in the challenge's model_dir, beside its log."""
    first, last = _ends(recipe)
    return Path(recipe.data.options["model_dir"]) / f"run_{first}-{last}"


def train_recipe(recipe: TrainingRecipe, *, console: Console, hardware: Hardware, jobs: int | None) -> int:
    """Train by a recipe of `isp_recipe`; raises what the trainer raises."""
    from pixelproof.models.training.run.backend import import_keras

    import_keras(hardware)
    from pixelproof.models.training.run.flow import run_training
    from pixelproof.models.training.run.inspection import document

    first, last = _ends(recipe)
    run = run_folder(recipe)
    _check(recipe, run)
    if first:
        console.line(f"Weights of iteration {first}: {recipe.start}; the optimizer begins anew")
    result = run_training(recipe, run, console=console, hardware=hardware, jobs=jobs)
    console.json(document(result.run.final), what="Figures")
    prefix = checkpoint_prefix(Path(recipe.data.options["model_dir"]), arch=recipe.model, iteration=last)
    source, graph = shlex.quote(str(prefix)), shlex.quote(str(prefix.with_suffix(".pb")))
    console.next_step(f"ckpt2pb --in-path {source} --out-path {graph} --out-nodes {OUTPUT_NODE}")
    return 0


def _check(recipe: TrainingRecipe, run: Path) -> None:
    from pixelproof.models.training.run.folder import RunFolder

    if run.exists():
        way = (
            f"Go on with it: train-model resume {run}"
            if RunFolder(run).saved()
            else "Remove it: nothing was saved"
        )
        remedy = f"{way}. Or choose another model_dir."
        raise CallError("A run of these iterations must not have begun yet", found=str(run), remedy=remedy)
    if recipe.content is not None and not Path(recipe.content.weights).is_file():
        remedy = "Put MatConvNet's imagenet-vgg-verydeep-19.mat there, or train without that loss: vgg_dir= (empty)."
        found = f"no file {recipe.content.weights}"
        raise CheckpointError("The content loss needs VGG-19's weights, vgg_dir", found=found, remedy=remedy)


def _ends(recipe: TrainingRecipe) -> tuple[int, int]:
    first = int(recipe.data.options["first_iteration"])
    return first, first + recipe.training.epochs * recipe.training.steps_per_epoch
