"""The child that reads a file of weights: a damaged one may crash the libraries that read it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np

from pixelproof.errors import PixelproofError
from pixelproof.models.training.losses.vgg_keras import read_keras
from pixelproof.models.training.losses.vgg_mat import read_mat
from pixelproof.models.training.losses.vgg_weights import VggWeights

_MEMORY_BYTES = 4 * 1024**3


def main(folder: str) -> None:
    """Answer ``request.json`` of a folder with ``weights.npz`` there, or with ``error.json``."""
    scratch = Path(folder)
    request = json.loads((scratch / "request.json").read_text())
    _limit_memory()
    try:
        path, layer = Path(request["path"]), request["layer"]
        found = read_mat(path, layer) if request["matlab"] else read_keras(path, layer, scratch=scratch)
    except PixelproofError as error:
        told = {"rule": error.rule, "found": error.found, "remedy": error.remedy}
        (scratch / "error.json").write_text(json.dumps(told))
        return
    _write(found, scratch / "weights.npz")


def _write(weights: VggWeights, path: Path) -> None:
    arrays = {"mean": np.asarray(weights.mean)}
    for one in weights.convolutions:
        arrays[f"{one.name}.kernel"], arrays[f"{one.name}.bias"] = one.kernel, one.bias
    np.savez(path, allow_pickle=False, **arrays)


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):  # not on every system
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
