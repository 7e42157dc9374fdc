"""Tensors that don't depend on the input, computed ahead of time with NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Constant = NDArray[Any]

LARGEST = 1 << 24
"""Values; what is larger isn't computed ahead of time."""

Operation = Callable[..., Constant]

ELEMENTWISE: dict[str, Operation] = {
    "Add": np.add,
    "AddV2": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "RealDiv": np.divide,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
    "SquaredDifference": lambda a, b: np.square(a - b),
    "Neg": np.negative,
    "Sqrt": np.sqrt,
    "Rsqrt": lambda a: (1 / np.sqrt(a)).astype(a.dtype),
    "Reciprocal": lambda a: (1 / a).astype(a.dtype),
    "Square": np.square,
    "Exp": np.exp,
}
"""By operation: NumPy's function of the same meaning, of all inputs."""


def value_of(node: Any, values: Sequence[Constant]) -> Constant | None:
    """Value of a node's first result, of its inputs' values; None where it is large, or isn't known here.

    The result has the dtype that TensorFlow gives it: float32 stays float32.
    """
    if node.op in _SHAPING:
        return _SHAPING[node.op](node, *values)
    if node.op not in ELEMENTWISE:
        return None
    if math.prod(np.broadcast_shapes(*(value.shape for value in values))) > LARGEST:
        return None
    with np.errstate(all="ignore"):
        result = np.asarray(ELEMENTWISE[node.op](*values))
    return result.astype(values[0].dtype)


def _squeeze(node: Any, value: Constant) -> Constant:
    axes = tuple(node.attr["squeeze_dims"].list.i)
    return np.squeeze(value, axis=axes or None)


def _pack(node: Any, *values: Constant) -> Constant:
    return np.stack(values, axis=node.attr["axis"].i)


_SHAPING: dict[str, Operation] = {
    "Reshape": lambda node, value, shape: value.reshape(shape),
    "Squeeze": _squeeze,
    "ExpandDims": lambda node, value, axis: np.expand_dims(value, int(axis)),
    "Transpose": lambda node, value, order: np.transpose(value, order),
    "Pack": _pack,
    "ConcatV2": lambda node, *values: np.concatenate(values[:-1], axis=int(values[-1])),
}
