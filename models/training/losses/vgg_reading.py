"""A file of VGG-19's weights, read in a child that may crash of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

import pixelproof
from pixelproof.errors import CheckpointError
from pixelproof.janitor import watched_group
from pixelproof.models.training.losses.vgg_weights import Convolution, VggWeights, convolutions_up_to
from pixelproof.temporary import temporary_folder

_HDF5_START, _ZIP_START, _MATLAB_START = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", b"MATLAB"
_TIME_S = 300.0  # the published .mat takes 10 s
_RULE = "content.weights must name a readable file of VGG-19's weights"


def read_vgg19(path: Path, layer: str) -> VggWeights:
    """Weights up to a layer from MatConvNet's .mat or a Keras file, told by its content.

    Args:
        path: the file.
        layer: ``conv1_1`` to ``conv5_4``, or ``relu1_1`` to ``relu5_4``.

    Raises:
        RecipeError: no such layer.
        CheckpointError: no file, of no supported kind, damaged, or of another network; see `read_mat`, `read_keras`.
        EnvironmentFault: no room for temporaries.
    """
    names = convolutions_up_to(layer)
    matlab = _is_matlab(path)
    with temporary_folder("pixelproof-vgg-", room_bytes=2 * path.stat().st_size) as folder:
        request = {"path": str(path.absolute()), "layer": layer, "matlab": matlab}
        (folder / "request.json").write_text(json.dumps(request))
        _run_child(folder, path)
        if (folder / "error.json").exists():
            told = json.loads((folder / "error.json").read_text())
            raise CheckpointError(told["rule"], found=told["found"], remedy=told["remedy"])
        with np.load(folder / "weights.npz", allow_pickle=False) as held:
            red, green, blue = (float(value) for value in held["mean"])
            found = tuple(Convolution(name, held[f"{name}.kernel"], held[f"{name}.bias"]) for name in names)
    return VggWeights(found, (red, green, blue))


def _is_matlab(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            start = stream.read(len(_HDF5_START))
    except OSError as error:
        remedy = (
            "Get imagenet-vgg-verydeep-19.mat from MatConvNet, or the weights of keras.applications.VGG19."
        )
        raise CheckpointError(_RULE, found=f"{path}: {error.strerror}", remedy=remedy) from error
    if start.startswith((_HDF5_START, _ZIP_START)):
        return False
    if start.startswith(_MATLAB_START):
        return True
    raise CheckpointError(
        "content.weights must be MatConvNet's .mat file or a Keras file",
        found=f"{path} of another kind" if start else f"the empty file {path}",
        remedy="A file that was one of them may be cut short, or be a web page: fetch it again.",
    )


def _run_child(folder: Path, path: Path) -> None:
    # Not before we have it on the janitor's list: it would outlive a kill.
    start = "import sys; sys.stdin.readline() or sys.exit(1); "
    start += f"sys.path.insert(0, {str(Path(pixelproof.__file__).parents[1])!r}); "
    start += "from pixelproof.models.training.losses.vgg_reading_main import main; "
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", f"{start}main({str(folder)!r})"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "TMPDIR": str(folder), "OPENBLAS_NUM_THREADS": "1"},
        start_new_session=True,
    )
    with child, watched_group(child):
        try:
            said, _ = child.communicate(b"start\n", timeout=_TIME_S)
        except subprocess.TimeoutExpired as error:
            raise CheckpointError(_RULE, found=f"no end of {path} after {_TIME_S:g} s") from error
    if not any((folder / answer).exists() for answer in ("weights.npz", "error.json")):
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        ended = ": ".join([f"reading ended with code {child.returncode}", *(line[:300] for line in last)])
        raise CheckpointError(_RULE, found=f"{path}, damaged: {ended}", remedy="Fetch the file again.")
