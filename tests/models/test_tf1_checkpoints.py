"""TF1 checkpoints into Keras models: names, scopes, slots, both formats, and every way of being wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from pixelproof.errors import CheckpointError
from pixelproof.models.checkpoints.loading import load_checkpoint
from pixelproof.models.registry import create, spec

SaveTF1 = Callable[..., Path]
Arrays = dict[str, np.ndarray]


def _arrays(name: str, *, scope: str = "generator/", seed: int = 0) -> Arrays:
    """Random weights of an architecture under their TF1 names."""
    model, rng = create(name), np.random.default_rng(seed)
    rule = spec(name).tf1_names
    assert rule is not None
    names = rule(model)
    return {
        scope + names[weight.path]: rng.standard_normal(weight.shape).astype(np.float32)
        for weight in model.weights
    }


def _assert_holds(model: keras.Model, name: str, arrays: Arrays, *, scope: str = "generator/") -> None:
    rule = spec(name).tf1_names
    assert rule is not None
    for path, tf1_name in rule(model).items():
        (weight,) = (weight for weight in model.weights if weight.path == path)
        assert np.array_equal(np.asarray(weight), arrays[scope + tf1_name]), path


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("scope", ["generator/", "net/inner/", ""])
def test_any_scope_in_both_formats(save_tf1: SaveTF1, tmp_path: Path, scope: str, version: int) -> None:
    arrays = _arrays("srcnn", scope=scope)
    model = create("srcnn")
    report = load_checkpoint(
        model, save_tf1(tmp_path / "m.ckpt", arrays, version=version), model_name="srcnn"
    )
    assert (report.format, report.used) == (f"tf1-v{version}", 6)
    _assert_holds(model, "srcnn", arrays, scope=scope)


def test_variables_that_tf_numbered_itself_come_in_numeric_order(tmp_path: Path) -> None:
    """Sixteen unnamed variables, as TF1 creates them: Variable, Variable_1, ... Variable_15."""
    import tensorflow as tf

    v1 = tf.compat.v1
    shapes = {name: array.shape for name, array in _arrays("resnet_12_64", scope="").items()}
    created: Arrays = {}
    with tf.Graph().as_default(), v1.Session() as session, v1.variable_scope("generator"):
        rng = np.random.default_rng(1)
        for name, shape in shapes.items():
            if not name.startswith("Variable"):
                created[name] = rng.standard_normal(shape).astype(np.float32)
                v1.Variable(created[name], name=name, use_resource=False)
        for place in range(16):
            name = f"Variable_{place}" if place else "Variable"
            created[name] = np.full(64, place + 0.5, np.float32)
            v1.Variable(created[name], use_resource=False)
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(tmp_path / "m"))
    model = create("resnet_12_64")
    assert load_checkpoint(model, tmp_path / "m", model_name="resnet_12_64").used == 40
    _assert_holds(model, "resnet_12_64", created, scope="")
    assert float(np.asarray(model.get_layer("norm_6").shift)[0]) == 10.5


def test_a_real_optimizers_slots_and_counters_are_reported(tmp_path: Path) -> None:
    import tensorflow as tf

    v1 = tf.compat.v1
    arrays = _arrays("srcnn")
    with tf.Graph().as_default(), v1.Session() as session:
        variables = [v1.Variable(array, name=name, use_resource=False) for name, array in arrays.items()]
        step = v1.train.get_or_create_global_step()
        loss = sum(v1.reduce_sum(variable**2) for variable in variables)
        train = v1.train.AdamOptimizer(0.0).minimize(loss, global_step=step)
        average = v1.train.ExponentialMovingAverage(0.9).apply(variables)
        session.run(v1.variables_initializer(variables))
        session.run(v1.global_variables_initializer())
        session.run([train, average])
        v1.train.Saver().save(session, str(tmp_path / "m.ckpt"), global_step=step)
    model = create("srcnn")
    report = load_checkpoint(model, tmp_path, model_name="srcnn")
    _assert_holds(model, "srcnn", arrays)
    assert report.path.name == "m.ckpt-1"
    assert len(report.reported) == 3 * 6 + 3
    assert {"global_step", "beta1_power", "generator/w1/Adam_1"} <= set(report.reported)
    assert report.surplus == ()


def test_missing_weights_are_named(save_tf1: SaveTF1, tmp_path: Path) -> None:
    arrays = _arrays("srcnn")
    del arrays["generator/b2"]
    model = create("srcnn")
    before = model.get_weights()
    with pytest.raises(
        CheckpointError, match=r"each of the 6 weights of srcnn .* missing: generator/b2 32\."
    ):
        load_checkpoint(model, save_tf1(tmp_path / "m", arrays), model_name="srcnn")
    assert all(np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))


def test_surplus_is_refused_unless_allowed(save_tf1: SaveTF1, tmp_path: Path) -> None:
    arrays = _arrays("srcnn")
    prefix = save_tf1(tmp_path / "m", arrays | {"discriminator/w1": np.ones((3, 3), np.float32)})
    model = create("srcnn")
    with pytest.raises(CheckpointError, match=r"surplus: discriminator/w1 3x3\. --allow-surplus"):
        load_checkpoint(model, prefix, model_name="srcnn")
    report = load_checkpoint(model, prefix, model_name="srcnn", allow_surplus=True)
    assert report.surplus == ("discriminator/w1",)
    _assert_holds(model, "srcnn", arrays)


def test_wrong_shapes_name_both_and_the_architecture_that_fits(save_tf1: SaveTF1, tmp_path: Path) -> None:
    prefix = save_tf1(tmp_path / "m", _arrays("resnet_8_32"))
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(create("resnet_6_16"), prefix, model_name="resnet_6_16", allow_surplus=True)
    assert "generator/W1 expected 9x9x3x16 found 9x9x3x32" in str(caught.value)
    assert "It fits resnet_8_32: use --model resnet_8_32." in str(caught.value)


def test_one_weight_of_another_shape(save_tf1: SaveTF1, tmp_path: Path) -> None:
    arrays = _arrays("srcnn")
    arrays["generator/b3"] = np.zeros(3, np.float32)
    with pytest.raises(
        CheckpointError, match=r"generator/b3 expected 1 found 3\. Of the registered .* none fits"
    ):
        load_checkpoint(create("srcnn"), save_tf1(tmp_path / "m", arrays), model_name="srcnn")


def test_whole_numbers_are_no_weights(save_tf1: SaveTF1, tmp_path: Path) -> None:
    arrays = _arrays("srcnn")
    arrays["generator/b2"] = np.zeros(32, np.int32)
    with pytest.raises(CheckpointError, match="missing: generator/b2 32"):
        load_checkpoint(create("srcnn"), save_tf1(tmp_path / "m", arrays), model_name="srcnn")


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_precisions_become_float32(save_tf1: SaveTF1, tmp_path: Path, dtype: type) -> None:
    arrays = {name: array.astype(dtype) for name, array in _arrays("srcnn").items()}
    model = create("srcnn")
    load_checkpoint(model, save_tf1(tmp_path / "m", arrays), model_name="srcnn")
    _assert_holds(model, "srcnn", {name: array.astype(np.float32) for name, array in arrays.items()})


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_named(save_tf1: SaveTF1, tmp_path: Path, value: float) -> None:
    arrays = _arrays("srcnn")
    arrays["generator/w2"][0, 0, 0, :2] = value
    model = create("srcnn")
    before = model.get_weights()
    with pytest.raises(CheckpointError, match=r"2 NaN or infinite of 51200 in generator/w2 of .*m"):
        load_checkpoint(model, save_tf1(tmp_path / "m", arrays), model_name="srcnn")
    assert all(np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))


def test_two_scopes_that_fit_are_refused(save_tf1: SaveTF1, tmp_path: Path) -> None:
    arrays = _arrays("srcnn") | _arrays("srcnn", scope="average/", seed=1)
    with pytest.raises(CheckpointError, match=r"One scope .* found average and generator in"):
        load_checkpoint(create("srcnn"), save_tf1(tmp_path / "m", arrays), model_name="srcnn")


def test_a_model_without_a_rule_is_refused(save_tf1: SaveTF1, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"mine\.py:net must say how its weights are named in TF1"):
        load_checkpoint(create("srcnn"), save_tf1(tmp_path / "m", _arrays("srcnn")), model_name="mine.py:net")


def test_an_object_based_checkpoint_is_told(tmp_path: Path) -> None:
    import tensorflow as tf

    written = tf.train.Checkpoint(weight=tf.Variable([1.0])).write(str(tmp_path / "object"))
    with pytest.raises(CheckpointError, match=r"object-based TF2 checkpoint .* \.weights\.h5"):
        load_checkpoint(create("srcnn"), Path(written), model_name="srcnn")


@pytest.mark.parametrize("version", [1, 2])
def test_pattern_characters_in_the_path(save_tf1: SaveTF1, tmp_path: Path, version: int) -> None:
    plain = save_tf1(tmp_path / "plain" / "m.ckpt", _arrays("srcnn"), version=version).parent
    odd = tmp_path / "run [3]*? ü"
    shutil.copytree(plain, odd)
    assert load_checkpoint(create("srcnn"), odd / "m.ckpt", model_name="srcnn").used == 6


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("part", ["m.index", "m.data-00000-of-00001", "old.ckpt"])
def test_files_that_are_cut_short(save_tf1: SaveTF1, tmp_path: Path, part: str, keep: float) -> None:
    save_tf1(tmp_path / "m", _arrays("srcnn"))
    save_tf1(tmp_path / "old.ckpt", _arrays("srcnn"), version=1)
    whole = (tmp_path / part).read_bytes()
    (tmp_path / part).write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(CheckpointError, match=r"cut short|empty file"):
        load_checkpoint(create("srcnn"), tmp_path / part, model_name="srcnn")


def test_damaged_bytes(save_tf1: SaveTF1, tmp_path: Path) -> None:
    save_tf1(tmp_path / "m", _arrays("srcnn"))
    data = tmp_path / "m.data-00000-of-00001"
    damaged = bytearray(data.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    data.write_bytes(bytes(damaged))
    with pytest.raises(CheckpointError, match="must be readable"):
        load_checkpoint(create("srcnn"), tmp_path / "m", model_name="srcnn")
