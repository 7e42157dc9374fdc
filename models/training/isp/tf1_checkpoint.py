"""Writes a Keras model as a TF1 checkpoint with ``.meta``: weights, and the graph that makes pictures with them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pixelproof.errors import CallError, EnvironmentFault, PixelproofError
from pixelproof.files import disk_faults, make_folder, replacing_file, write_text
from pixelproof.models.registry import spec
from pixelproof.temporary import temporary_folder

if TYPE_CHECKING:
    import keras

SCOPE = "generator"
INPUT_NODE, OUTPUT_NODE = "Placeholder", "output_l0"
"""Names that the challenge's ``ckpt2pb.py`` and ``pb2tflite.sh`` are called with."""

_ENDINGS = (".data-00000-of-00001", ".meta", ".index")
_NAME = re.compile(r"(.+)_iteration_(\d+)\.ckpt\.index")
_MIB = 1024 * 1024

Weights = Mapping[str, npt.NDArray[np.float32]]


def checkpoint_prefix(folder: Path, *, arch: str, iteration: int) -> Path:
    """The name that the challenge's ``train_model.py`` gives a checkpoint; its files add endings to it."""
    return folder / f"{arch}_iteration_{iteration}.ckpt"


def iterations_in(folder: Path, *, arch: str) -> tuple[int, ...]:
    """Iterations of which a folder holds a whole checkpoint, ascending."""
    if not folder.is_dir():
        return ()
    there = {path.name for path in folder.iterdir()}
    names = (_NAME.fullmatch(name) for name in there)
    whole = [name for name in names if name and name[0].replace(".index", _ENDINGS[0]) in there]
    return tuple(sorted(int(name[2]) for name in whole if name[1] == arch))


def require_tensorflow() -> None:
    """Refuse other backends, before anything was trained.

    Raises:
        EnvironmentFault: Keras doesn't run on TensorFlow.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise EnvironmentFault(
            "A TF1 checkpoint can be written with Keras's TensorFlow backend only",
            found=f"KERAS_BACKEND={keras.backend.backend()}",
            remedy="Use KERAS_BACKEND=tensorflow, or train without TF1 checkpoints (no model_dir).",
        )


def write_tf1_checkpoint(
    model: keras.Model, prefix: Path, *, arch: str, size: tuple[int, int] | None = None
) -> Path:
    """Write ``PREFIX.index``, ``.data-00000-of-00001`` and ``.meta``, whole or not at all.

    The graph has the node ``Placeholder``, float32 (1, height, width, channels), the node ``output_l0``, and the
    variables ``generator/Variable``, ``generator/Variable_1``, ... in the order in which the original created them.
    ``.index`` comes last, and an older one goes first: without it no tool takes the rest for a checkpoint.

    Args:
        model: of a registered architecture; stays as it is.
        prefix: path without the endings; its folder is made.
        arch: the architecture, whose rule names the variables.
        size: height and width that the placeholder states; open where None.

    Raises:
        EnvironmentFault: another backend than TensorFlow, the disk is full, or the folder can't be written.
        CallError: the architecture has no TF1 names.
    """
    require_tensorflow()
    names = _names(model, arch)
    weights = {weight.path: np.asarray(weight, np.float32) for weight in model.weights}
    room = 2 * sum(array.nbytes for array in weights.values()) + 8 * _MIB
    with temporary_folder("pixelproof-tf1-", room_bytes=room) as folder, disk_faults(prefix):
        _save(model, folder / "model", names=names, weights=weights, size=size)
        make_folder(prefix.parent)
        targets = {ending: prefix.with_name(prefix.name + ending) for ending in _ENDINGS}
        with ExitStack() as stack:
            for ending in reversed(_ENDINGS):  # renamed the other way round
                temporary = stack.enter_context(replacing_file(targets[ending]))
                shutil.copyfile(folder / f"model{ending}", temporary)
            targets[".index"].unlink(missing_ok=True)
    return prefix


def write_state(prefix: Path, *, arch: str) -> None:
    """The file ``checkpoint`` beside, which tells TF1's tools the newest one and all others by relative names."""
    folder = prefix.parent
    listed = [
        checkpoint_prefix(folder, arch=arch, iteration=one).name for one in iterations_in(folder, arch=arch)
    ]
    lines = [f'model_checkpoint_path: "{prefix.name}"']
    lines += [f'all_model_checkpoint_paths: "{name}"' for name in listed]
    write_text(folder / "checkpoint", "\n".join(lines) + "\n")


def _names(model: keras.Model, arch: str) -> dict[str, str]:
    """TF1 names by weight path, in the order of creation."""
    rule = spec(arch).tf1_names
    if rule is None:
        raise CallError("A TF1 checkpoint needs an architecture that has TF1 names", found=arch)
    names = rule(model)
    if set(names) != {weight.path for weight in model.weights}:
        found = f"{len(names)} names for {len(model.weights)} weights"
        raise PixelproofError("An architecture must give each of its weights one TF1 name", found=found)
    return dict(names)


def _save(
    model: keras.Model,
    prefix: Path,
    *,
    names: Mapping[str, str],
    weights: Weights,
    size: tuple[int, int] | None,
) -> None:
    import tensorflow as tf

    v1: Any = tf.compat.v1
    height, width = size or (None, None)
    graph = tf.Graph()
    on_cpu = v1.ConfigProto(device_count={"GPU": 0})
    with graph.as_default(), v1.Session(graph=graph, config=on_cpu) as session:
        image = v1.placeholder(tf.float32, [1, height, width, model.inputs[0].shape[-1]], name=INPUT_NODE)
        variables = {}
        for path, name in names.items():
            zeros = v1.zeros(weights[path].shape, tf.float32)
            variables[path] = v1.Variable(zeros, name=f"{SCOPE}/{name}", use_resource=False)
        reads = {path: variable.value() for path, variable in variables.items()}
        with tf.name_scope(SCOPE):
            picture, _ = model.stateless_call(
                [reads[weight.path] for weight in model.trainable_variables],
                [reads[weight.path] for weight in model.non_trainable_variables],
                image,
                training=False,
            )
        tf.identity(picture, name=OUTPUT_NODE)
        setters = {path: variable.initializer for path, variable in variables.items()}
        values = {setter.inputs[1]: weights[path] for path, setter in setters.items()}
        session.run(list(setters.values()), values)
        saver = v1.train.Saver(list(variables.values()))
        try:
            saver.save(session, str(prefix), write_state=False, strip_default_attrs=True)
        except tf.errors.OpError as error:
            said = str(error.message).splitlines()[0][:160]
            remedy = "Free some space, or name another folder in TMPDIR."
            raise EnvironmentFault("TensorFlow must be able to write", found=said, remedy=remedy) from error
