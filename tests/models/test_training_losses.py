"""Losses: their values are the metrics', their gradients finite, on every backend alike."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from pixelproof.errors import PixelproofError, RecipeError, ShapeMismatch
from pixelproof.measure import metrics
from pixelproof.models.training.recipe import Content

ALL = {"l1": 1.0, "mse": 2.0, "charbonnier": 0.5, "ssim": 3.0, "ms_ssim": 0.25}
SMALL = {name: weight for name, weight in ALL.items() if name != "ms_ssim"}


@pytest.fixture(scope="module", autouse=True)
def _started(tf: Any) -> None:
    """Keras on TensorFlow, before the losses are imported."""


def picture(height: int, width: int, *, seed: int = 0) -> np.ndarray:
    """A smooth coloured picture, float32, in [0, 1]."""
    noise = np.random.default_rng(seed).random((height, width, 3))
    smooth = ndimage.gaussian_filter(noise, (3, 3, 0))
    return ((smooth - smooth.min()) / np.ptp(smooth)).astype(np.float32)


def noisy(image: np.ndarray, *, sigma: float = 0.05, seed: int = 1) -> np.ndarray:
    """The picture with noise, float32, clipped."""
    noise = np.random.default_rng(seed).normal(0, sigma, image.shape)
    return np.clip(image + noise, 0, 1).astype(np.float32)


def values(loss: Mapping[str, float], output: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """Each loss alone."""
    from pixelproof.models.training.losses.terms import term_values, terms_of

    return term_values(terms_of(loss, content=None), output, target)


def function(name: str) -> Any:
    """A single loss's function."""
    from pixelproof.models.training.losses.terms import terms_of

    return terms_of({name: 1.0}, content=None)[0].function


# Values


@pytest.mark.parametrize("size", [(11, 11), (12, 40), (75, 139), (161, 176)])
def test_ssim_is_the_metrics(size: tuple[int, int]) -> None:
    target = picture(*size)
    output = noisy(target)
    expected = 1 - metrics.ssim_gaussian(output, target)
    assert values({"ssim": 1}, output, target)["ssim"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("size", [(161, 161), (176, 203), (224, 165)])
def test_ms_ssim_is_the_metrics(size: tuple[int, int]) -> None:
    target = picture(*size)
    output = noisy(target, sigma=0.1)
    expected = 1 - metrics.ms_ssim_tf(output, target)
    assert values({"ms_ssim": 1}, output, target)["ms_ssim"] == pytest.approx(expected, abs=1e-5)


def test_ssim_of_bright_flat_pictures_keeps_its_digits() -> None:
    target = np.ones((64, 64, 3), np.float32)
    output = noisy(target, sigma=0.004)
    expected = 1 - metrics.ssim_gaussian(output, target)
    assert values({"ssim": 1}, output, target)["ssim"] == pytest.approx(expected, abs=1e-6)


def test_differences() -> None:
    target, output = picture(20, 30), noisy(picture(20, 30))
    apart = output.astype(np.float64) - target
    expected = {
        "l1": np.abs(apart).mean(),
        "mse": np.square(apart).mean(),
        "charbonnier": np.sqrt(np.square(apart) + 1e-6).mean(),
    }
    assert values(dict.fromkeys(expected, 1.0), output, target) == pytest.approx(expected, rel=1e-5)


def test_equal_pictures() -> None:
    image = picture(161, 170)
    found = values(ALL, image, image)
    assert found.pop("charbonnier") == pytest.approx(1e-3)
    assert found == pytest.approx(dict.fromkeys(found, 0.0), abs=1e-6)


def test_each_picture_of_a_batch_alone() -> None:
    targets = np.stack([picture(32, 48, seed=seed) for seed in range(3)])
    outputs = noisy(targets)
    for name in SMALL:
        found = np.asarray(function(name)(targets, outputs))
        alone = [values({name: 1}, *pair)[name] for pair in zip(outputs, targets, strict=True)]
        assert found.shape == (3,) and found.dtype == np.float32
        assert found == pytest.approx(alone, rel=1e-4)
        assert values({name: 1}, outputs, targets)[name] == pytest.approx(np.mean(alone), rel=1e-4)


def test_half_precision_is_computed_in_float32() -> None:
    target = picture(161, 161).astype(np.float16)
    output = noisy(target).astype(np.float16)
    exact = values(ALL, output.astype(np.float32), target.astype(np.float32))
    for name in ALL:
        found = np.asarray(function(name)(target[None], output[None]))
        assert found.dtype == np.float32 and found[0] == pytest.approx(exact[name], rel=1e-6)


def test_sizes_that_are_unknown_while_tracing(tf: Any) -> None:
    target, output = picture(176, 203), noisy(picture(176, 203))
    exact = values(ALL, output, target)
    free = tf.TensorSpec((None, None, None, 3), tf.float32)
    for name in ALL:
        traced = tf.function(function(name), input_signature=(free, free))
        assert traced(target[None], output[None]).numpy()[0] == pytest.approx(exact[name], abs=1e-6)


# Gradients


def gradient(name: str, target: np.ndarray, output: np.ndarray) -> np.ndarray:
    """Of the mean loss, by the output."""
    import tensorflow as tf

    learnt = tf.constant(output[None])
    with tf.GradientTape() as tape:
        tape.watch(learnt)
        value = tf.reduce_mean(function(name)(tf.constant(target[None]), learnt))
    return np.asarray(tape.gradient(value, learnt))


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("name", ALL)
def test_gradients_are_finite_where_pictures_are_special(name: str, dtype: Any) -> None:
    noise = noisy(picture(161, 161), sigma=0.3).astype(dtype)
    grey, black, white = (np.full(noise.shape, level, dtype) for level in (0.5, 0.0, 1.0))
    pairs = [
        (noise, noise),
        (grey, grey),
        (black, black),
        (white, white),
        (black, white),
        (noise, grey),
        (grey, noise),
    ]
    for target, output in [*pairs, (noise, 1 - noise), (noise, noise * 100)]:
        assert np.isfinite(gradient(name, target, output)).all()


@pytest.mark.parametrize("name", ["ssim", "ms_ssim"])
def test_gradients_are_those_of_differences(name: str) -> None:
    target = picture(161, 162)
    output, direction = noisy(target), noisy(target, seed=9) - target
    slope = float((gradient(name, target, output) * direction).sum())
    step = 0.02
    ahead, behind = (values({name: 1}, output + sign * step * direction, target)[name] for sign in (1, -1))
    assert slope == pytest.approx((ahead - behind) / (2 * step), rel=0.02)


def test_a_step_along_the_gradient_gains() -> None:
    target, output = picture(161, 161), noisy(picture(161, 161), sigma=0.2)
    for name in ALL:
        slope = gradient(name, target, output)[0]
        moved = output - 0.01 * slope / np.abs(slope).max()
        assert values({name: 1}, moved, target)[name] < values({name: 1}, output, target)[name]


# The sum


def test_the_sum_is_weighted_and_ready_for_keras() -> None:
    import keras

    from pixelproof.models.training.losses.terms import loss_of

    targets = np.stack([picture(161, 161, seed=seed) for seed in range(2)])
    inputs = noisy(targets, sigma=0.2)
    image = keras.Input((None, None, 3))
    shifted = keras.layers.Conv2D(3, 1, name="shift")(image)
    model = keras.Model(image, shifted)
    model.get_layer("shift").set_weights([np.eye(3, dtype=np.float32)[None, None], np.zeros(3, np.float32)])
    model.compile(keras.optimizers.SGD(1e-3), loss=loss_of(ALL, content=None))
    expected = sum(ALL[name] * value for name, value in values(ALL, inputs, targets).items())
    history = model.fit(inputs, targets, batch_size=2, epochs=2, verbose=0).history["loss"]
    assert history[0] == pytest.approx(expected, rel=1e-4)
    assert history[1] < history[0]


def test_terms_of_weight_0_are_measured_but_not_summed() -> None:
    from pixelproof.models.training.losses.terms import Term, terms_of, weighted_sum

    terms = terms_of({"mse": 0, "l1": 2}, content=None)
    assert [(term.name, term.weight) for term in terms] == [("mse", 0.0), ("l1", 2.0)]
    broken = Term("broken", 0.0, lambda target, output: 1 / 0)
    target, output = picture(16, 16)[None], noisy(picture(16, 16))[None]
    total = np.asarray(weighted_sum([*terms, broken])(target, output))
    assert total == pytest.approx(2 * values({"l1": 1}, output, target)["l1"], rel=1e-6)


# What can't be


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        ({}, "at least one loss"),
        ({"l2": 1}, "found l2"),
        ({"ms-ssim": 1}, "Did you mean ms_ssim"),
        ({"l1": -1}, "loss.l1 must be a weight of 0 or more; found -1"),
        ({"l1": 0, "mse": 0.0}, "a weight above 0"),
        ({"l1": float("nan")}, "found nan"),
        ({"l1": float("inf")}, "found inf"),
        ({"l1": True}, "found True"),
        ({"l1": "1"}, "found '1'"),
        ({"l1": 1, "content": 1}, "no [content]"),
    ],
)
def test_recipes_that_cant_be(loss: dict[str, Any], said: str) -> None:
    from pixelproof.models.training.losses.terms import check_loss, loss_of, terms_of

    for refuse in (check_loss, terms_of, loss_of):
        with pytest.raises(RecipeError) as caught:
            refuse(loss, content=None)
        assert said in str(caught.value)


def test_a_content_section_that_nobody_uses() -> None:
    from pixelproof.models.training.losses.terms import check_loss

    with pytest.raises(RecipeError, match=r"\[content\] must be used by a loss; found only l1, mse"):
        check_loss({"l1": 1, "mse": 1}, content=Content("absent.mat"))
    check_loss({"l1": 1, "content": 1}, content=Content("absent.mat"))


def test_the_least_side() -> None:
    from pixelproof.models.training.losses.terms import least_side

    assert least_side({"l1": 1, "content": 1}) == 1
    assert least_side({"l1": 1, "ssim": 1}) == 11
    assert least_side(ALL) == 161
    with pytest.raises(RecipeError):
        least_side({"l3": 1})
    for name, side in (("ssim", 11), ("ms_ssim", 161)):
        values({name: 1}, picture(side, side), picture(side, side))
        with pytest.raises(ShapeMismatch, match=f"{name} must be given pictures of at least {side}x{side}"):
            values({name: 1}, picture(side - 1, side), picture(side - 1, side))


def test_shapes_that_dont_agree() -> None:
    with pytest.raises(ShapeMismatch):
        values(SMALL, picture(16, 16), picture(16, 17))
    with pytest.raises(ShapeMismatch):
        values(SMALL, picture(16, 16)[..., 0], picture(16, 16)[..., 0])
    for name in SMALL:
        with pytest.raises(ShapeMismatch, match="output must have its target's shape"):
            function(name)(picture(16, 16)[None], picture(16, 16)[None, ..., :1])


# A newcomer


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A folder whose modules belong to the losses."""
    from pixelproof.models.training import losses as package
    from pixelproof.models.training.losses import by_name

    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    before = set(sys.modules)
    by_name.losses.cache_clear()
    yield tmp_path
    by_name.losses.cache_clear()
    for name in set(sys.modules) - before:
        if name.startswith(package.__name__):
            del sys.modules[name]


NEWCOMER = """
from keras import ops
from pixelproof.models.training.losses.loss_kinds import Loss
def worst(target, output):
    return ops.max(ops.abs(output - target), axis=(1, 2, 3))
LOSS = Loss("NAME", worst, least_side=7)
"""


def test_a_new_file_is_a_new_loss(folder: Path) -> None:
    from pixelproof.models.training.losses.terms import least_side

    (folder / "worst_pixel.py").write_text(NEWCOMER.replace("NAME", "worst"))
    target, output = picture(16, 16), noisy(picture(16, 16))
    expected = float(np.abs(output - target).max())
    assert values({"worst": 1}, output, target)["worst"] == pytest.approx(expected)
    assert least_side({"worst": 1}) == 7


def test_two_losses_of_one_name(folder: Path) -> None:
    from pixelproof.models.training.losses.by_name import losses

    (folder / "another_l1.py").write_text(NEWCOMER.replace("NAME", "l1"))
    with pytest.raises(PixelproofError, match="a name of its own; found l1"):
        losses()


def test_the_bundled_ones() -> None:
    from pixelproof.models.training.losses.by_name import losses

    assert list(losses()) == ["charbonnier", "content", "l1", "ms_ssim", "mse", "ssim"]


# Other backends

OTHER = """
import sys
import numpy as np, keras
from pixelproof.models.training.losses.terms import terms_of
from pixelproof.models.training.losses.vgg19 import features_model
from pixelproof.models.training.losses.vgg_weights import CONVOLUTIONS, Convolution, VggWeights
held = np.load(sys.argv[1])
target, output = held["target"], held["output"]
rng = np.random.default_rng(3)
found, inputs = [], 3
for name in CONVOLUTIONS[:3]:
    kernel = rng.normal(0, 0.1, (3, 3, inputs, 4)).astype("float32")
    found.append(Convolution(name, kernel, np.zeros(4, "float32")))
    inputs = 4
model = features_model(VggWeights(tuple(found), (1.0, 2.0, 3.0)), "relu2_1")
def content(target, output):
    seen = [model(images * 255.0) for images in (target, output)]
    return keras.ops.mean(keras.ops.square(seen[1] - seen[0]), axis=(1, 2, 3))
functions = {term.name: term.function for term in terms_of(dict.fromkeys(sys.argv[3:], 1.0), content=None)}
answers = {}
for name, function in {**functions, "content": content}.items():
    backend = keras.backend.backend()
    if backend == "jax":
        import jax
        whole = jax.jit(jax.value_and_grad(lambda output: function(target, output).sum()))
        value, gradient = whole(output)
    elif backend == "torch":
        import torch
        learnt = torch.tensor(output, requires_grad=True)
        value = function(torch.tensor(target), learnt).sum()
        value.backward()
        value, gradient = value.detach(), learnt.grad
    else:
        import tensorflow as tf
        learnt = tf.constant(output)
        with tf.GradientTape() as tape:
            tape.watch(learnt)
            value = tf.reduce_sum(function(target, learnt))
        gradient = tape.gradient(value, learnt)
    answers[name + ".value"], answers[name + ".gradient"] = np.asarray(value), np.asarray(gradient)
np.savez(sys.argv[2], backend=keras.backend.backend(), **answers)
"""


def on_backend(backend: str, folder: Path, pair: Path) -> dict[str, np.ndarray]:
    """Values and gradients of all losses, computed by a process of its own."""
    answer = folder / f"{backend}.npz"
    hidden = {"KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", OTHER, str(pair), str(answer), *ALL],
        env={**os.environ, **hidden, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(answer) as held:
        assert str(held["backend"]) == backend
        return {name: held[name] for name in held.files if name != "backend"}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures and what they should become, as a file."""
    targets = np.stack([picture(161, 170, seed=seed) for seed in range(2)])
    path = tmp_path_factory.mktemp("pair") / "pair.npz"
    np.savez(path, target=targets, output=noisy(targets, sigma=0.1))
    return path


@pytest.fixture(scope="module")
def on_tensorflow(tmp_path_factory: pytest.TempPathFactory, pair: Path) -> dict[str, np.ndarray]:
    """What the others must agree with."""
    return on_backend("tensorflow", tmp_path_factory.mktemp("tensorflow"), pair)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_backends_agree(
    backend: str, tmp_path: Path, pair: Path, on_tensorflow: dict[str, np.ndarray]
) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"needs {backend}")
    found = on_backend(backend, tmp_path, pair)
    assert found.keys() == on_tensorflow.keys() and len(found) == 12
    for name, expected in on_tensorflow.items():
        assert np.abs(expected).max() > 0
        if name == "l1.gradient":  # any slope is right where both are equal
            assert np.mean(found[name] != expected) < 1e-3
            continue
        assert np.abs(found[name] - expected).max() <= 1e-4 * np.abs(expected).max() + 1e-12, name
