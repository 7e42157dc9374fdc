"""Keras weight files (``.weights.h5``) and whole models (``.keras``) into a model of one architecture."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pixelproof.errors import CheckpointError
from pixelproof.models.checkpoints.fit import Fit, Shape, by, describe, natural
from pixelproof.models.checkpoints.locate import Located
from pixelproof.models.checkpoints.report import CheckpointReport
from pixelproof.models.registry import create, names
from pixelproof.temporary import temporary_folder

if TYPE_CHECKING:
    import keras

_UNREADABLE = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, ImportError, OSError, RuntimeError,
    zipfile.BadZipFile,
)  # fmt: skip
_SAME_PICTURE = 1e-4
_H5_OVERHEAD_BYTES = 16 * 1024


def load_weights_file(model: keras.Model, located: Located, *, model_name: str) -> CheckpointReport:
    """Put a ``.weights.h5`` file's weights into a model; on an error the model keeps what it had.

    Raises:
        CheckpointError: unreadable; weights missing, surplus, of another shape or not finite.
        EnvironmentFault: no room for a temporary copy.
    """
    rule = f"The file must hold each of the {len(model.weights)} weights of {model_name} once, in its shape"
    with temporary_folder("pixelproof-weights-", room_bytes=_room(model, located)) as folder:
        own = folder / "own.weights.h5"
        with warnings.catch_warnings():  # Keras 3.15 on NumPy 2.4
            warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
            model.save_weights(own)
        expected = _stored_shapes(own)
        try:
            stored = _stored_shapes(located.path)
        except _UNREADABLE as error:
            raise _unreadable(located.path, error) from error
        reported = tuple(name for name in stored if name.startswith("optimizer/"))
        found = {name: shape for name, shape in stored.items() if name not in reported}
        if expected != found:
            if not any("/vars/" in name for name in found):
                wrong = f"{located.path}: an HDF5 file of another layout"
                raise CheckpointError(rule, found=wrong, remedy="Save it with Keras 3: model.save_weights().")
            fit = _compare(expected, found)
            raise CheckpointError(
                rule,
                found=f"in {located.path} {describe(fit, found)}",
                remedy=_fitting(found.values(), model_name),
            )
        source = located.path
        if not source.name.endswith(".weights.h5"):  # Keras insists on the suffix
            source = folder / "copy.weights.h5"
            source.write_bytes(located.path.read_bytes())
        before = model.get_weights()
        try:
            model.load_weights(source)
            _check_finite(model.weights, located.path)
        except CheckpointError:
            model.set_weights(before)
            raise
        except _UNREADABLE as error:
            model.set_weights(before)
            raise _unreadable(located.path, error) from error
    return CheckpointReport(located.kind, located.path, len(model.weights), reported)


def _room(model: keras.Model, located: Located) -> int:
    """Bytes for its weights, and perhaps a copy of the file: on a full disk h5py crashes the process (SIGSEGV)."""
    weights = sum(int(np.prod(weight.shape)) * 4 + _H5_OVERHEAD_BYTES for weight in model.weights)
    return weights + located.path.stat().st_size


def load_keras_file(model: keras.Model, located: Located, *, model_name: str) -> CheckpointReport:
    """Take the weights of a whole ``.keras`` model of the same architecture.

    The two must also compute the same picture with these weights, so that an architecture with equal shapes
    but other steps between is refused. On an error the model keeps what it had.

    Raises:
        CheckpointError: unreadable or unsafe; weights missing, surplus, of another shape or not finite;
            another architecture.
    """
    import keras

    rule = f"The file must hold a model of the architecture {model_name}"
    try:
        stored = keras.saving.load_model(located.path, compile=False, safe_mode=True)
        with zipfile.ZipFile(located.path) as archive:
            members = _stored_shapes(io.BytesIO(archive.read("model.weights.h5")))
    except _UNREADABLE as error:
        raise _unreadable(located.path, error) from error
    reported = tuple(name for name in members if name.startswith("optimizer/"))
    _check_finite(stored.weights, located.path)
    expected, found = _weight_shapes(model), _weight_shapes(stored)
    by_path = expected.keys() == found.keys()
    if list(expected.values()) != list(found.values()) and not (by_path and expected == found):
        fit = _compare(expected, found)
        raise CheckpointError(
            rule,
            found=f"in {located.path} {describe(fit, found)}",
            remedy=_fitting(found.values(), model_name),
        )
    arrays = {weight.path: np.asarray(weight) for weight in stored.weights}
    before = model.get_weights()
    model.set_weights([arrays[path] for path in expected] if by_path else list(arrays.values()))
    try:
        difference = _difference(model, stored)
    except _UNREADABLE:
        difference = float("inf")
    if not difference <= _SAME_PICTURE:
        model.set_weights(before)
        found_text = (
            f"in {located.path} a model whose output differs by {difference:.3g} with the same weights"
        )
        raise CheckpointError(
            rule, found=found_text, remedy="Convert it as a model of your own: --model FILE.py:FUNCTION."
        )
    return CheckpointReport(located.kind, located.path, len(expected), reported)


def _stored_shapes(source: Path | io.BytesIO) -> dict[str, Shape]:
    """Shapes of the datasets of an HDF5 file, by name."""
    import h5py  # type: ignore[import-untyped]

    shapes: dict[str, Shape] = {}

    def visit(name: str, member: Any) -> None:
        if isinstance(member, h5py.Dataset):
            shapes[name] = tuple(member.shape)

    with h5py.File(source, "r") as stored:
        stored.visititems(visit)
    return dict(sorted(shapes.items(), key=lambda item: natural(item[0])))


def _weight_shapes(model: keras.Model) -> dict[str, Shape]:
    return {weight.path: tuple(weight.shape) for weight in model.weights}


def _compare(expected: dict[str, Shape], found: dict[str, Shape]) -> Fit:
    common = [name for name in expected if name in found]
    wrong = tuple((name, expected[name], found[name]) for name in common if expected[name] != found[name])
    missing = {name: shape for name, shape in expected.items() if name not in found}
    surplus = tuple(name for name in found if name not in expected)
    return Fit(("",), {name: name for name in common}, missing, wrong, (), surplus)


def _check_finite(weights: Iterable[Any], path: Path) -> None:
    for weight in weights:
        if not np.isfinite(np.asarray(weight)).all():
            found = f"NaN or infinite in {weight.path} {by(tuple(weight.shape))} of {path}"
            raise CheckpointError("Weights must be finite float32 numbers", found=found)


def _difference(model: keras.Model, stored: keras.Model) -> float:
    """Largest difference of the outputs for one small seeded image; infinite where the shapes don't agree."""
    shapes = [tuple(which.inputs[0].shape) for which in (model, stored) if len(which.inputs) == 1]
    if len(shapes) != 2 or len(shapes[0]) != len(shapes[1]):
        return float("inf")
    usual = (1, 48, 80, 3)
    sides = [ours or theirs or free for ours, theirs, free in zip(*shapes, usual, strict=True)]
    if any(fixed not in (None, side) for shape in shapes for fixed, side in zip(shape, sides, strict=True)):
        return float("inf")
    image = np.random.default_rng(0).random(sides, dtype=np.float32)
    ours, theirs = (np.asarray(which(image, training=False)) for which in (model, stored))
    return float(np.abs(ours - theirs).max()) if ours.shape == theirs.shape else float("inf")


def _fitting(shapes: Iterable[Shape], model_name: str) -> str:
    wanted = sorted(shapes)
    for name in names():
        if name != model_name and sorted(tuple(weight.shape) for weight in create(name).weights) == wanted:
            return f"It fits {name}: use --model {name}."
    return "Of the registered architectures none fits: pixelproof models."


def _unreadable(path: Path, error: Exception) -> CheckpointError:
    said = str(error).strip().splitlines()
    found = f"{path}: {said[0][:200] if said else type(error).__name__}"
    return CheckpointError("A Keras file must be readable, without code of its own", found=found)
