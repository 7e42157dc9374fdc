"""One call for every kind of checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pixelproof.models import registry
from pixelproof.models.checkpoints.keras_file import load_keras_file, load_weights_file
from pixelproof.models.checkpoints.locate import locate
from pixelproof.models.checkpoints.report import CheckpointReport
from pixelproof.models.checkpoints.tf1 import load_tf1
from pixelproof.models.checkpoints.torch_names import module_names
from pixelproof.models.checkpoints.torch_weights import load_torch

if TYPE_CHECKING:
    import keras

__all__ = ["CheckpointReport", "load_checkpoint"]


def load_checkpoint(
    model: keras.Model, path: Path, *, model_name: str, allow_surplus: bool = False
) -> CheckpointReport:
    """Put the weights of a checkpoint into a model; on an error the model keeps what it had.

    Args:
        model: built; its weights are replaced.
        path: a TF1 checkpoint (prefix, any of its files, or folder), a ``.keras``, ``.weights.h5``, ``.pth`` or
            ``.safetensors`` file. A user's own model takes the last two where its layers are named after the PyTorch
            modules' paths.
        model_name: the registered name, or any name for messages where the model is the user's own.
        allow_surplus: leave out variables of a TF1 or PyTorch checkpoint that the model doesn't have.

    Raises:
        CheckpointError: nothing there, half of it, an unknown kind, damaged, other weights than the model's.
    """
    located = locate(path)
    known = registry.spec(model_name) if model_name in registry.names() else None
    match located.kind:
        case "keras":
            return load_keras_file(model, located, model_name=model_name)
        case "weights.h5":
            return load_weights_file(model, located, model_name=model_name)
        case "torch" | "safetensors":
            torch_names = known.torch_names if known else module_names
            return load_torch(
                model, located, model_name=model_name, torch_names=torch_names, allow_surplus=allow_surplus
            )
        case _:
            tf1_names = known.tf1_names if known else None
            return load_tf1(
                model, located, model_name=model_name, tf1_names=tf1_names, allow_surplus=allow_surplus
            )
