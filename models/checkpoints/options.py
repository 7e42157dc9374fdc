"""An architecture's options, read off the checkpoint that it is built for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pixelproof.errors import CallError, CheckpointError
from pixelproof.models import registry
from pixelproof.models.checkpoints.fit import without_scope
from pixelproof.models.checkpoints.locate import Located, locate
from pixelproof.models.checkpoints.tf1 import open_tf1
from pixelproof.models.checkpoints.torch_options import told_options
from pixelproof.models.checkpoints.torch_range import has_data_range, trained_range
from pixelproof.models.checkpoints.torch_weights import load_torch, open_tensors


def options_for(name: str, checkpoint: Path, given: Mapping[str, object]) -> dict[str, object]:
    """The options with which an architecture is built: those given, and what else the checkpoint tells.

    Args:
        name: a registered architecture.
        checkpoint: only TF1 and PyTorch checkpoints tell anything; for other kinds the architecture's defaults hold.
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
    return {**told, **given}


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
