"""What every registered architecture promises; a newcomer is tested by being registered."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pixelproof.models import registry

SIZES = [(1, 1), (7, 5), (33, 20), (20, 33), (51, 51)]
PARAMETERS = {
    "srcnn": 69_249,
    "resnet_6_16": 17_139,
    "resnet_8_32": 71_331,
    "resnet_12_64": 401_475,
    "vgg_19": 665_921,
    "punet": 5_725_199,  # of the original graph at its default width
    "imdn": 893_936,
    "rfdn": 433_448,
    "rfdn_pruned": 289_888,
    "rlfn": 317_218,
    "fmen": 341_066,
    "efdn": 276_192,
    "bsrn": 156_288,
}

every_name = pytest.mark.parametrize("name", registry.names())


@cache
def _model(name: str) -> keras.Model:
    keras.utils.set_random_seed(5)
    model = registry.create(name)
    rng = np.random.default_rng(5)
    for weight in model.weights:  # no weight may hide behind a zero or a one
        weight.assign(np.asarray(weight) + 0.05 * rng.standard_normal(weight.shape))
    return model


def _image(name: str, height: int, width: int, *, seed: int = 0) -> np.ndarray:
    channels = registry.spec(name).contract.channels[0]
    return np.random.default_rng(seed).random((1, height, width, channels), dtype=np.float32)


@every_name
@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
def test_output_has_the_contracts_shape(name: str, size: tuple[int, int]) -> None:
    contract = registry.spec(name).contract
    grid = contract.size_multiple
    height, width = (-(-max(side, contract.minimum_size) // grid) * grid for side in size)
    output = _model(name)(_image(name, height, width))
    assert output.shape == (1, height * contract.scale, width * contract.scale, contract.channels[1])
    assert keras.backend.standardize_dtype(output.dtype) == "float32"
    assert np.isfinite(np.asarray(output)).all()


@every_name
def test_any_size_and_batch_are_declared(name: str) -> None:
    contract = registry.spec(name).contract
    assert _model(name).input_shape == (None, None, None, contract.channels[0])
    assert len(_model(name).inputs) == len(_model(name).outputs) == 1


@every_name
def test_the_same_input_gives_the_same_output(name: str) -> None:
    image = _image(name, 48, 64)
    first, second = (np.asarray(_model(name)(image)) for _ in range(2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, np.asarray(_model(name)(_image(name, 48, 64, seed=1))))


@every_name
def test_every_weight_reaches_the_output(tf: Any, name: str) -> None:
    model = _model(name)
    image = _image(name, 48, 64)
    run = tf.function(lambda: model(image), autograph=False)  # deep networks: several times as fast
    before = np.asarray(run())
    for weight in model.weights:
        kept = np.asarray(weight)
        weight.assign(kept + 0.3)
        assert not np.array_equal(before, np.asarray(run())), weight.path
        weight.assign(kept)


@every_name
def test_a_saved_model_comes_back(name: str, tmp_path: Path) -> None:
    _model(name).save(tmp_path / "saved.keras")
    again = keras.saving.load_model(tmp_path / "saved.keras", compile=False)
    image = _image(name, 48, 64)
    assert [w.path for w in again.weights] == [w.path for w in _model(name).weights]
    assert np.array_equal(np.asarray(again(image)), np.asarray(_model(name)(image)))


@every_name
def test_two_models_share_no_weights(name: str) -> None:
    one, other = registry.create(name), registry.create(name)
    assert [w.path for w in one.weights] == [w.path for w in other.weights]
    one.weights[0].assign(np.full(one.weights[0].shape, 0.125))
    assert not np.array_equal(np.asarray(one.weights[0]), np.asarray(other.weights[0]))


@every_name
def test_tf1_names_cover_every_weight_once(name: str) -> None:
    rule = registry.spec(name).tf1_names
    if rule is None:
        pytest.skip("no TF1 checkpoint of this architecture is known")
    names = rule(_model(name))
    assert set(names) == {weight.path for weight in _model(name).weights}
    assert len(set(names.values())) == len(names)


@pytest.mark.parametrize(("name", "count"), PARAMETERS.items())
def test_parameter_counts(name: str, count: int) -> None:
    assert _model(name).count_params() == count


def test_tf1_names_of_a_residual_network() -> None:
    names = registry.spec("resnet_8_32").tf1_names
    assert names is not None
    by_path = names(_model("resnet_8_32"))
    assert by_path["conv_7/kernel"] == "W7"
    assert by_path["conv_8/bias"] == "b8"
    assert by_path["norm_1/shift"] == "Variable"
    assert by_path["norm_1/scale"] == "Variable_1"
    assert by_path["norm_4/shift"] == "Variable_6"
    assert by_path["norm_4/scale"] == "Variable_7"


def test_instance_normalization_against_numpy() -> None:
    from pixelproof.models.layers import InstanceNormalization

    layer = InstanceNormalization()
    x = np.random.default_rng(3).random((2, 9, 6, 4)).astype(np.float32)
    layer.build(x.shape)
    shift, scale = (np.array(values, np.float32) for values in ([1, 2, 3, 4], [5, 6, 7, 8]))
    layer.set_weights([shift, scale])
    wide = x.astype(np.float64)
    mean = wide.mean(axis=(1, 2), keepdims=True)
    expected = scale * (wide - mean) / np.sqrt(wide.var(axis=(1, 2), keepdims=True) + 1e-3) + shift
    assert np.abs(np.asarray(layer(x)) - expected).max() < 1e-5


def test_vgg_19_restores_grey_and_keeps_colour() -> None:
    image = _image("vgg_19", 24, 31)
    change = np.asarray(_model("vgg_19")(image)) - image
    assert np.abs(change - change[..., :1]).max() < 1e-6
    assert np.abs(change).max() > 1e-3
