"""VGG-19 from MatConvNet's ``imagenet-vgg-verydeep-19.mat``."""

from __future__ import annotations

import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from pixelproof.errors import CheckpointError
from pixelproof.models.training.losses.vgg_weights import (
    CONVOLUTIONS,
    Array,
    VggWeights,
    checked,
    convolutions_up_to,
    missing,
    unreadable,
)

_WHAT = "A MATLAB file"
_DAMAGES = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, OSError, EOFError, MemoryError, OverflowError,
    NotImplementedError, RecursionError, UnicodeError, zlib.error,
)  # fmt: skip


def read_mat(path: Path, layer: str) -> VggWeights:
    """The convolutions up to a layer, and the mean colour.

    Each convolution is a structure with its name and a cell of kernel and bias (``filters`` and ``biases`` in files
    before 2015). Kernels are (height, width, inputs, outputs) and the input is RGB: MatConvNet's importer turns what
    Caffe has, (width, height) in MATLAB's order and BGR, into these (utils/import-caffe.py, its default
    ``--transpose``). The mean colour is ``normalization.averageImage`` or, in later files, that of ``meta``.

    scipy reads the file; nothing in it is run.

    Args:
        path: a MATLAB file of version 5 to 7.
        layer: of `convolutions_up_to`.

    Raises:
        RecipeError: no such layer.
        CheckpointError: unreadable; convolutions missing, of other shapes or not finite; no mean colour.
    """
    names = convolutions_up_to(layer)
    content = _loaded(path)
    try:
        pairs = dict(filter(None, map(_convolution, _cells(content.get("layers", ())))))
        mean = _mean(content)
    except _DAMAGES as error:
        raise unreadable(path, error, _WHAT) from error
    if lacking := [name for name in CONVOLUTIONS if name not in pairs]:
        raise missing(lacking, path)
    if mean is None:
        rule = "The file must hold the mean colour, red, green and blue on 0..255"
        raise CheckpointError(rule, found=f"none in normalization.averageImage of {path}")
    return VggWeights(checked(pairs, names, path), mean)


def _loaded(path: Path) -> dict[str, Any]:
    from scipy import io

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded: dict[str, Any] = io.loadmat(path, variable_names=("layers", "normalization", "meta"))
    except NotImplementedError as error:
        remedy = "Save it in MATLAB with -v7, or fetch imagenet-vgg-verydeep-19.mat again."
        found = f"{path} of version 7.3 or unknown"
        raise CheckpointError(
            "A MATLAB file must be of version 5 to 7", found=found, remedy=remedy
        ) from error
    except Exception as error:  # scipy's reader has no error of its own for damaged files
        raise unreadable(path, error, _WHAT) from error
    return loaded


def _cells(value: Any) -> list[Any]:
    return list(np.asarray(value, dtype=object).ravel())


def _convolution(layer: Any) -> tuple[str, tuple[Array, Array]] | None:
    name = str(_inside(_field(layer, "name")))
    if name not in CONVOLUTIONS:
        return None
    weights = _field(layer, "weights")
    if weights is None:
        kernel, bias = _field(layer, "filters"), _field(layer, "biases")
    else:
        kernel, bias = _cells(weights)
    return name, (_numbers(kernel), _numbers(bias).reshape(-1))


def _mean(content: dict[str, Any]) -> tuple[float, float, float] | None:
    normalization = content.get("normalization")
    if normalization is None:
        normalization = _field(content.get("meta"), "normalization")
    average = _field(normalization, "averageImage")
    if average is None:
        return None
    numbers = _numbers(average)
    if numbers.ndim == 3 and numbers.shape[-1] == 3:  # a whole picture
        numbers = numbers.mean(axis=(0, 1), dtype=np.float64)
    if numbers.size != 3 or not (np.isfinite(numbers) & (numbers >= 0) & (numbers <= 255)).all():
        return None
    red, green, blue = (float(number) for number in numbers.ravel())
    return red, green, blue


def _numbers(value: Any) -> Array:
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{array.dtype} in the place of numbers")
    return array


def _field(structure: Any, name: str) -> Any:
    """A field of a structure that may lie in cells or arrays of one element; None where there is none."""
    structure = _inside(structure)
    if isinstance(structure, np.void) and structure.dtype.names and name in structure.dtype.names:
        return structure[name]
    return None


def _inside(value: Any) -> Any:
    while isinstance(value, np.ndarray) and value.size == 1:
        value = value.ravel()[0]
    return value
