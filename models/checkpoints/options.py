"""An architecture's options, read off the checkpoint that it is built for."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

from pixelproof.errors import CallError, CheckpointError
from pixelproof.files import MIB, sha256_of
from pixelproof.models import registry
from pixelproof.models.checkpoints.fit import without_scope
from pixelproof.models.checkpoints.locate import Located, locate
from pixelproof.models.checkpoints.tf1 import open_tf1
from pixelproof.models.checkpoints.torch_options import told_options
from pixelproof.models.checkpoints.torch_range import has_data_range, trained_range
from pixelproof.models.checkpoints.torch_weights import load_torch, open_tensors

TRAINING_ARGUMENTS = "training/arguments.json"
_MAX_ARGUMENTS_BYTES = 64 * MIB


def options_for(name: str, checkpoint: Path, given: Mapping[str, object]) -> dict[str, object]:
    """The options with which an architecture is built: those given, and what else the checkpoint tells.

    Args:
        name: a registered architecture.
        checkpoint: TF1 and PyTorch checkpoints tell by their shapes, those of train-model by their recipe, weights of
            our own by the manifest beside them; for other kinds the architecture's defaults hold.
        given: by name; they go before what the checkpoint tells.

    Raises:
        CallError: no such architecture.
        CheckpointError: nothing there, half of it, or damaged.
    """
    spec = registry.spec(name)
    located = locate(checkpoint)
    told: dict[str, object] = {}
    if located.kind in ("tf1-v1", "tf1-v2") and spec.tf1_options is not None:
        with open_tf1(located) as reader:
            told |= spec.tf1_options(without_scope(reader.floats()))
    elif located.kind in ("torch", "safetensors") and spec.torch_options is not None:
        with open_tensors(located) as file:
            told |= told_options(spec.torch_options, file.floats())
        if has_data_range(name) and "data_range" not in given:
            told |= _told_range(name, located, {**told, **given})
    elif located.kind == "keras":
        told |= _of_recipe(name, _recipe_in(located.path))
    elif located.kind == "weights.h5":
        told |= _of_recipe(name, _recipe_beside(located.path))
    return {**told, **given}


def _of_recipe(name: str, recipe: object) -> dict[str, object]:
    """The options that a recipe trained this architecture with; whoever loads the weights says what doesn't fit."""
    options = (
        recipe.get("model_options") if isinstance(recipe, dict) and recipe.get("model") == name else None
    )
    return dict(options) if isinstance(options, dict) else {}


def _recipe_in(path: Path) -> object:
    """The recipe in a checkpoint of train-model; None in other Keras files."""
    try:
        with zipfile.ZipFile(path) as archive:
            member = archive.getinfo(TRAINING_ARGUMENTS)
            known = member.file_size <= _MAX_ARGUMENTS_BYTES
            return json.loads(archive.read(member))["recipe"] if known else None
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile, NotImplementedError, EOFError):
        return None


def _recipe_beside(path: Path) -> object:
    """The recipe that ``manifest.json`` in the same folder has for these very weights; None where it has none."""
    try:
        manifest = path.parent / "manifest.json"
        if manifest.stat().st_size > _MAX_ARGUMENTS_BYTES:
            return None
        entry = json.loads(manifest.read_text(encoding="utf-8"))["files"][path.name]
        return entry["recipe"] if entry["sha256"] == sha256_of(path) else None
    except (OSError, KeyError, ValueError, TypeError):
        return None


def _told_range(name: str, located: Located, options: Mapping[str, object]) -> dict[str, object]:
    """The option ``data_range`` where the weights fit and show it; whoever loads them says what doesn't fit."""
    try:
        model = registry.create(name, **options, data_range=1.0)
        names = registry.spec(name).torch_names
        load_torch(model, located, model_name=name, torch_names=names, allow_surplus=True)
    except (CallError, CheckpointError):
        return {}
    found = trained_range(model)
    return {} if found is None else {"data_range": found}
