"""Keras weight files and whole Keras models into registered architectures."""

from __future__ import annotations

from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from pixelproof.errors import CheckpointError
from pixelproof.models.checkpoints.loading import load_checkpoint
from pixelproof.models.layers import ScaledTanh
from pixelproof.models.registry import create

# Keras 3.15 on NumPy 2.4, while it saves


def _random(name: str, *, seed: int = 0) -> keras.Model:
    model, rng = create(name), np.random.default_rng(seed)
    model.set_weights([rng.standard_normal(weight.shape).astype(np.float32) for weight in model.weights])
    return model


def _assert_equal(one: keras.Model, other: keras.Model) -> None:
    for ours, theirs in zip(one.get_weights(), other.get_weights(), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.fixture
def target() -> keras.Model:
    """A model that must keep its weights where loading fails."""
    return _random("resnet_6_16", seed=9)


def _assert_refused(target: keras.Model, file: Path, message: str) -> None:
    before = target.get_weights()
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(target, file, model_name="resnet_6_16")
    assert all(np.array_equal(old, new) for old, new in zip(before, target.get_weights(), strict=True))


@pytest.mark.parametrize("file", ["w.weights.h5", "w.keras"])
@pytest.mark.parametrize("name", ["resnet_6_16", "srcnn", "vgg_19"])
def test_round_trip(tmp_path: Path, name: str, file: str) -> None:
    source, model = _random(name), create(name)
    source.save_weights(tmp_path / file) if file == "w.weights.h5" else source.save(tmp_path / file)
    report = load_checkpoint(model, tmp_path / file, model_name=name)
    assert (report.format, report.used) == (file.removeprefix("w."), len(model.weights))
    _assert_equal(model, source)


def test_weights_under_another_suffix(tmp_path: Path, target: keras.Model) -> None:
    source = _random("resnet_6_16")
    source.save_weights(tmp_path / "w.weights.h5")
    (tmp_path / "w.weights.h5").rename(tmp_path / "best.h5")
    assert load_checkpoint(target, tmp_path / "best.h5", model_name="resnet_6_16").used == 16
    _assert_equal(target, source)


def test_a_trained_models_optimizer_is_reported(tmp_path: Path) -> None:
    source = _random("srcnn")
    source.compile("adam", "mse")
    image = np.zeros((1, 8, 8, 3), np.float32)
    source.train_on_batch(image, image)
    source.save(tmp_path / "w.keras")
    model = create("srcnn")
    report = load_checkpoint(model, tmp_path / "w.keras", model_name="srcnn")
    assert report.used == 6
    assert report.reported
    assert all(name.startswith("optimizer/") for name in report.reported)
    _assert_equal(model, source)


@pytest.mark.parametrize("file", ["w.weights.h5", "w.keras"])
def test_another_architecture_is_named(tmp_path: Path, target: keras.Model, file: str) -> None:
    source = _random("resnet_8_32")
    source.save_weights(tmp_path / file) if file == "w.weights.h5" else source.save(tmp_path / file)
    _assert_refused(
        target, tmp_path / file, "expected 9x9x3x16 found 9x9x3x32.*fits resnet_8_32: use --model"
    )


def test_missing_and_surplus_weights_are_named(tmp_path: Path, target: keras.Model) -> None:
    file = tmp_path / "w.weights.h5"
    _random("resnet_6_16").save_weights(file)
    with h5py.File(file, "a") as stored:
        stored["layers/other/vars/0"] = np.zeros((2, 2), np.float32)
        del stored["layers/conv2d/vars/1"]
    _assert_refused(target, file, r"missing: layers/conv2d/vars/1 16; surplus: layers/other/vars/0 2x2")


def test_a_whole_model_with_names_of_its_own(tmp_path: Path, target: keras.Model) -> None:
    source = keras.models.clone_model(
        _random("resnet_6_16"), clone_function=lambda layer: layer.__class__.from_config(_unnamed(layer))
    )
    source.set_weights(_random("resnet_6_16").get_weights())
    assert [w.path for w in source.weights] != [w.path for w in target.weights]
    source.save(tmp_path / "w.keras")
    load_checkpoint(target, tmp_path / "w.keras", model_name="resnet_6_16")
    _assert_equal(target, source)


def _unnamed(layer: keras.Layer) -> dict[str, object]:
    return {**layer.get_config(), "name": f"their_{layer.name}"}


def test_equal_shapes_but_other_steps_are_refused(tmp_path: Path, target: keras.Model) -> None:
    source = _random("resnet_6_16")
    other = keras.Model(source.input, ScaledTanh(factor=0.5)(source.get_layer("conv_6").output))
    other.save(tmp_path / "w.keras")
    _assert_refused(target, tmp_path / "w.keras", r"output differs by .* --model FILE\.py:FUNCTION")


@pytest.mark.parametrize("file", ["w.weights.h5", "w.keras"])
def test_weights_that_are_not_finite(tmp_path: Path, target: keras.Model, file: str) -> None:
    source = _random("resnet_6_16")
    bias = source.get_layer("conv_3").bias
    bias.assign(np.full(16, np.nan, np.float32))
    source.save_weights(tmp_path / file) if file == "w.weights.h5" else source.save(tmp_path / file)
    _assert_refused(target, tmp_path / file, r"finite.*conv_3/bias 16")


def test_code_in_a_model_file_is_not_run(tmp_path: Path, target: keras.Model) -> None:
    image = keras.Input((None, None, 3))
    keras.Model(image, keras.layers.Lambda(lambda x: x * 2)(image)).save(tmp_path / "w.keras")
    _assert_refused(target, tmp_path / "w.keras", "readable, without code of its own")


@pytest.mark.parametrize("keep", [0.2, 0.9])
@pytest.mark.parametrize("file", ["w.weights.h5", "w.keras"])
def test_files_that_are_cut_short(tmp_path: Path, target: keras.Model, file: str, keep: float) -> None:
    source = _random("resnet_6_16")
    source.save_weights(tmp_path / file) if file == "w.weights.h5" else source.save(tmp_path / file)
    whole = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(whole[: int(len(whole) * keep)])
    _assert_refused(target, tmp_path / file, "readable|cut short")


def test_another_hdf5_file(tmp_path: Path, target: keras.Model) -> None:
    with h5py.File(tmp_path / "data.h5", "w") as stored:
        stored["numbers"] = np.zeros(3)
    _assert_refused(target, tmp_path / "data.h5", "an HDF5 file of another layout")
