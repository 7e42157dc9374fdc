"""Every variable that a training changes, by name: out as arrays, and in again bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from pixelproof.errors import CheckpointError
from pixelproof.models.training.run.checkpoints import Arrays

Variables = Sequence[tuple[str, "keras.Variable"]]


def variables_of(model: keras.Model) -> Variables:
    """A compiled model's variables and its optimizer's, dropout's seeds included.

    The names hold the order, which the architecture decides, and not Keras's counters, which other models move.
    """
    optimizer = model.optimizer
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    named = [(f"model.{place:04d}.{one.name}", one) for place, one in enumerate(model.variables)]
    return named + [(f"optimizer.{place:04d}", one) for place, one in enumerate(optimizer.variables)]


def arrays_of(variables: Variables) -> dict[str, npt.NDArray[Any]]:
    """The variables' values."""
    return {name: np.array(keras.ops.convert_to_numpy(variable.value)) for name, variable in variables}


def restore(variables: Variables, arrays: Arrays, *, path: str) -> None:
    """Give the variables the values of a checkpoint.

    Raises:
        CheckpointError: it holds others, or some of another shape or type; nothing was changed then.
    """
    rule = "A checkpoint must hold the variables of its recipe's model and optimizer"
    names = [name for name, _ in variables]
    if sorted(names) != sorted(arrays):
        missing, surplus = sorted({*names} - {*arrays}), sorted({*arrays} - {*names})
        parts = [f"{len(missing)} missing ({missing[0]})"] if missing else []
        parts += [f"{len(surplus)} surplus ({surplus[0]})"] if surplus else []
        raise CheckpointError(rule, found=f"in {path} {' and '.join(parts)}")
    for name, variable in variables:
        shape, value = tuple(variable.shape), arrays[name]
        if value.shape != shape:
            raise CheckpointError(rule, found=f"in {path} {name} of shape {value.shape}, not {shape}")
        if np.issubdtype(value.dtype, np.floating) and not np.isfinite(value).all():
            raise CheckpointError("A checkpoint's variables must be finite", found=f"{name} in {path}")
    for name, variable in variables:
        variable.assign(arrays[name])
