"""VGG-19 from a Keras file of ``keras.applications.VGG19``."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pixelproof.errors import CheckpointError
from pixelproof.models.training.losses.vgg_weights import (
    CONVOLUTIONS,
    IMAGENET_MEAN,
    Array,
    VggWeights,
    check_shapes,
    checked,
    convolutions_up_to,
    missing,
    unreadable,
)

_WHAT = "A Keras file"
_MEMBER = "model.weights.h5"
_LARGEST_BYTES = 2 * 1024**3  # VGG-19 with its dense layers has 0.6 GB
_NUMBERED = re.compile(r"layers/conv2d(?:_(\d+))?/vars/([01])")
_DAMAGES = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, OSError, EOFError, MemoryError, OverflowError,
    RuntimeError, NotImplementedError, UnicodeError, zipfile.BadZipFile,
)  # fmt: skip


def read_keras(path: Path, layer: str, *, scratch: Path) -> VggWeights:
    """The convolutions up to a layer; the mean colour is ImageNet's, which such files don't hold.

    ``.h5`` files (whole models, or the published weights, with dense layers or without) name layers; Keras 3's
    ``.weights.h5`` and ``.keras`` only number the convolutions. Keras's VGG-19 takes BGR; the first kernel's inputs
    are turned over for RGB. No model is built of what the file says, and nothing in it is run.

    Args:
        path: a Keras file.
        layer: of `convolutions_up_to`.
        scratch: a folder for the weights out of a ``.keras`` file.

    Raises:
        RecipeError: no such layer.
        CheckpointError: unreadable; convolutions missing, of other shapes or not finite.
    """
    names = convolutions_up_to(layer)
    try:
        pairs = _pairs(_weights_file(path, scratch), names, path)
    except _DAMAGES as error:
        raise unreadable(path, error, _WHAT) from error
    convolutions = checked(pairs, names, path)
    return VggWeights(convolutions, IMAGENET_MEAN)


def _weights_file(path: Path, scratch: Path) -> Path:
    if not zipfile.is_zipfile(path):
        return path
    with zipfile.ZipFile(path) as archive:
        if _MEMBER not in archive.namelist():
            raise ValueError(f"a zip without {_MEMBER}")
        size_bytes = archive.getinfo(_MEMBER).file_size
        if size_bytes > _LARGEST_BYTES:
            raise ValueError(f"{_MEMBER} of {size_bytes} bytes")
        copy = scratch / _MEMBER
        with archive.open(_MEMBER) as source, copy.open("wb") as target:
            shutil.copyfileobj(source, target)
    return copy


def _pairs(weights: Path, names: tuple[str, ...], path: Path) -> dict[str, tuple[Array, Array]]:
    import h5py  # type: ignore[import-untyped]

    with h5py.File(weights, "r") as stored:
        found = _datasets(stored)
        if lacking := [name for name in CONVOLUTIONS if set(found.get(name, {})) != {1, 4}]:
            raise missing(lacking, path)
        pairs = {}
        for name in names:
            kernel, bias = found[name][4], found[name][1]
            check_shapes(name, kernel.shape, bias.shape, path)
            if any(each.external or each.is_virtual for each in (kernel, bias)):
                raise CheckpointError(
                    "Weights must lie in the file itself", found=f"{name} elsewhere: {path}"
                )
            pairs[name] = (kernel[()], bias[()])
    first = CONVOLUTIONS[0]
    pairs[first] = (pairs[first][0][:, :, ::-1], pairs[first][1])
    return pairs


def _datasets(stored: Any) -> Mapping[str, dict[int, Any]]:
    """Kernels and biases by convolution and number of dimensions; links out of the file aren't followed."""
    import h5py

    names = {f"block{name[4]}_conv{name[6]}": name for name in CONVOLUTIONS}
    found: dict[str, dict[int, Any]] = {}
    numbered: dict[int, dict[int, Any]] = {}

    def visit(place: str, member: Any) -> None:
        if not isinstance(member, h5py.Dataset) or place.startswith("optimizer"):
            return
        for part in place.split("/"):
            if part in names:
                found.setdefault(names[part], {})[member.ndim] = member
        if match := _NUMBERED.fullmatch(place):
            numbered.setdefault(int(match[1] or 0), {})[member.ndim] = member

    stored.visititems(visit)
    if found or len(numbered) != len(CONVOLUTIONS):
        return found
    return {name: numbered[number] for name, number in zip(CONVOLUTIONS, sorted(numbered), strict=True)}
