"""The rule by which weights of Keras layers are named as PyTorch's state dicts name them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

_KINDS = {
    "kernel": "weight",
    "depthwise_kernel": "weight",
    "alpha": "weight",
    "gamma": "weight",
    "scale": "weight",
    "beta": "bias",
    "shift": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def module_names(model: keras.Model) -> dict[str, str]:
    """``B1.esa.conv2/kernel`` to ``B1.esa.conv2.weight``, for layers that are named after the modules' paths."""
    return {weight.path: _name(weight.path) for weight in model.weights}


def _name(path: str) -> str:
    *owners, kind = path.split("/")
    return ".".join([*owners, _KINDS.get(kind, kind)])
