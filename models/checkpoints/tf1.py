"""TF1 checkpoints, both formats, into a Keras model: every weight exactly once."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pixelproof.errors import CallError, CheckpointError, PixelproofError
from pixelproof.models.checkpoints.fit import Fit, Shape, best_fit, describe, without_scope
from pixelproof.models.checkpoints.locate import Located
from pixelproof.models.checkpoints.report import CheckpointReport
from pixelproof.models.registry import TF1Names, names, spec
from pixelproof.temporary import temporary_folder

if TYPE_CHECKING:
    import keras

_PATTERN = re.compile(r"[*?\[\]\\]")


@dataclass(frozen=True)
class TF1Reader:
    """An open checkpoint.

    Attributes:
        path: as the user knows it.
        shapes: of all variables, by name.
        dtypes: TensorFlow's names of their types.
        source: TensorFlow's reader.
    """

    path: Path
    shapes: Mapping[str, Shape]
    dtypes: Mapping[str, str]
    source: Any

    def floats(self) -> dict[str, Shape]:
        """Shapes of the floating-point variables."""
        return {name: shape for name, shape in self.shapes.items() if "float" in self.dtypes[name]}

    def read(self, name: str) -> npt.NDArray[np.float32]:
        """One variable as float32.

        Raises:
            CheckpointError: the data are damaged, cut short, or not finite.
        """
        with _translated(self.path):
            stored = self.source.get_tensor(name)
        with np.errstate(over="ignore"):
            array = np.asarray(stored).astype(np.float32)
        if not np.isfinite(array).all():
            count = int(np.size(array) - np.isfinite(array).sum())
            found = f"{count} NaN or infinite of {array.size} in {name} of {self.path}"
            raise CheckpointError("Weights must be finite float32 numbers", found=found)
        return array


@contextmanager
def open_tf1(located: Located) -> Iterator[TF1Reader]:
    """Open a TF1 checkpoint for reading.

    Raises:
        CheckpointError: TensorFlow can't read it, or it is an object-based checkpoint of TF2.
    """
    import tensorflow as tf

    with _plain_path(located) as plain:
        with _translated(located.path):
            source = tf.train.load_checkpoint(plain)
            shapes = {name: tuple(shape) for name, shape in source.get_variable_to_shape_map().items()}
            dtypes = {name: kind.name for name, kind in source.get_variable_to_dtype_map().items()}
        if "_CHECKPOINTABLE_OBJECT_GRAPH" in shapes:
            raise CheckpointError(
                "A checkpoint must hold variables by their TF1 names",
                found=f"an object-based TF2 checkpoint in {located.path}",
                remedy="Save the Keras model's weights as .weights.h5 or .keras.",
            )
        yield TF1Reader(located.path, shapes, dtypes, source)


def load_tf1(
    model: keras.Model,
    located: Located,
    *,
    model_name: str,
    tf1_names: TF1Names | None,
    allow_surplus: bool = False,
) -> CheckpointReport:
    """Put a TF1 checkpoint's weights into a model; on an error the model keeps what it had.

    Args:
        model: built.
        located: a checkpoint of kind ``tf1-v2`` or ``tf1-v1``.
        model_name: for messages.
        tf1_names: the architecture's rule, see :class:`pixelproof.models.registry.ModelSpec`.
        allow_surplus: leave out variables that the model doesn't have.

    Raises:
        CheckpointError: unreadable; weights missing, surplus, of another shape, not finite; two scopes fit.
    """
    if tf1_names is None:
        remedy = (
            "Save its weights as .weights.h5 or .keras, or use a registered architecture: pixelproof models."
        )
        raise CheckpointError(
            f"{model_name} must say how its weights are named in TF1 to take a TF1 checkpoint",
            found=str(located.path),
            remedy=remedy,
        )
    expected = _expected(model, tf1_names)
    with open_tf1(located) as reader:
        fit = best_fit(
            {name: tuple(weight.shape) for name, weight in expected.items()}, reader.floats(), reader.shapes
        )
        if len(fit.scopes) > 1:
            listed = " and ".join(scope or "(none)" for scope in fit.scopes)
            raise CheckpointError(
                f"One scope of the checkpoint must fit {model_name}",
                found=f"{listed} in {located.path}",
                remedy="Save a checkpoint that holds only one of them.",
            )
        if not fit.complete or (fit.surplus and not allow_surplus):
            raise _misfit(fit, reader, model_name=model_name, expected=len(expected))
        arrays = {name: reader.read(found) for name, found in fit.used.items()}
    for name, weight in expected.items():
        weight.assign(arrays[name])
    return CheckpointReport(located.kind, located.path, len(arrays), fit.reported, fit.surplus)


def _expected(model: keras.Model, tf1_names: TF1Names) -> dict[str, Any]:
    by_path = tf1_names(model)
    expected = {by_path[weight.path]: weight for weight in model.weights if weight.path in by_path}
    if len(expected) != len(model.weights):
        found = f"{len(expected)} names for {len(model.weights)} weights"
        raise PixelproofError("An architecture must give each of its weights one TF1 name", found=found)
    return expected


def _misfit(fit: Fit, reader: TF1Reader, *, model_name: str, expected: int) -> CheckpointError:
    rule = f"The checkpoint must hold each of the {expected} weights of {model_name} once, in its shape"
    others = [name for name in names() if name != model_name and _fits(name, reader, better_than=fit)]
    if _fits(model_name, reader, better_than=fit):
        found_options = ", ".join(f"{key}={value}" for key, value in _told(model_name, reader).items())
        remedy = (
            f"It fits {model_name} with {found_options}: leave these options out, and they are read off it."
        )
    elif others:
        remedy = f"It fits {' and '.join(others)}: use --model {others[0]}."
    elif fit.complete:
        remedy = "--allow-surplus leaves the surplus out."
    else:
        remedy = "Of the registered architectures none fits: pixelproof models."
    return CheckpointError(rule, found=f"in {reader.path} {describe(fit, reader.shapes)}", remedy=remedy)


def _fits(name: str, reader: TF1Reader, *, better_than: Fit) -> bool:
    candidate = spec(name)
    if candidate.tf1_names is None:
        return False
    try:
        weights = _expected(candidate.build(**_told(name, reader)), candidate.tf1_names)
    except CallError:
        return False  # no width that the architecture can have
    fit = best_fit(
        {key: tuple(weight.shape) for key, weight in weights.items()}, reader.floats(), reader.shapes
    )
    return fit.complete and (not better_than.complete or len(fit.surplus) < len(better_than.surplus))


def _told(name: str, reader: TF1Reader) -> Mapping[str, object]:
    """What the checkpoint's shapes tell of an architecture's options."""
    read = spec(name).tf1_options
    return {} if read is None else read(without_scope(reader.floats()))


@contextmanager
def _plain_path(located: Located) -> Iterator[str]:
    """A path that TensorFlow takes literally; it reads ``*?[]`` in names as patterns."""
    old_shards = located.kind == "tf1-v1" and located.files != (located.path,)
    ending = f"-?????-of-{len(located.files):05d}" if old_shards else ""
    if not _PATTERN.search(located.path.as_posix()):
        yield f"{located.path}{ending}"
        return
    with temporary_folder("pixelproof-checkpoint-") as folder:
        for file in located.files:
            shutil.copyfile(file, folder / f"model{file.name.removeprefix(located.path.name)}")
        yield f"{folder / 'model'}{ending}"


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    import tensorflow as tf

    try:
        yield
    except (tf.errors.OpError, RuntimeError, IndexError, ValueError) as error:
        said = str(getattr(error, "message", "") or error).strip().splitlines()
        remedy = (
            "It is damaged or cut short: fetch or save it again, all of its files from one training step."
        )
        found = f"{path}: {said[0][:160] if said else type(error).__name__}"
        raise CheckpointError("A TF1 checkpoint must be readable", found=found, remedy=remedy) from error
