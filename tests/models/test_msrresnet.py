"""MSRResNet gives what BasicSR's gives; SRCNN 9-1-5 takes PyTorch weights by the same rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pixelproof.errors import CallError, CheckpointError
from pixelproof.models import registry
from pixelproof.models.checkpoints.loading import load_checkpoint
from pixelproof.models.checkpoints.options import options_for
from pixelproof.models.checkpoints.torch_layout import slots_of


def _arrays(model: keras.Model, name: str) -> dict[str, np.ndarray]:
    rule = registry.spec(name).torch_names
    assert rule is not None
    names, rng = rule(model), np.random.default_rng(4)
    return {
        names[path]: (0.05 * rng.standard_normal(slot.shape)).astype(np.float32)
        for path, slot in slots_of(model).items()
    }


def _bilinear_x4(image: np.ndarray) -> np.ndarray:
    """Half-pixel centres, clamped at the border, one axis after the other."""
    for axis in (0, 1):
        size = image.shape[axis]
        place = (np.arange(4 * size) + 0.5) / 4 - 0.5
        low = np.floor(place).astype(int)
        share = (place - low).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        first, second = (image.take(np.clip(low + step, 0, size - 1), axis=axis) for step in (0, 1))
        image = first * (1 - share) + second * share
    return image


@pytest.mark.official
def test_output_agrees_with_basicsr(shared_data: Path) -> None:
    path = shared_data / "real_esrgan" / "msrresnet_f16_b3_x4.pth"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    options = options_for("msrresnet", path, {})
    assert options == {"features": 16, "blocks": 3}
    model = registry.create("msrresnet", **options)
    report = load_checkpoint(model, path, model_name="msrresnet")
    assert (report.used, report.surplus) == (len(model.weights), ())
    pair = np.load(path.with_name(f"{path.stem}_io.npz"))
    assert np.abs(np.asarray(model(pair["x"])) - pair["y"]).max() < 1e-5


def test_it_keeps_the_courses_limit() -> None:
    assert registry.create("msrresnet").count_params() == 1_517_571 < 2_276_356


def test_names_are_basicsrs() -> None:
    model = registry.create("msrresnet", features=8, blocks=2)
    assert {name.rsplit(".", 1)[0] for name in _arrays(model, "msrresnet")} == {
        "conv_first", "body.0.conv1", "body.0.conv2", "body.1.conv1", "body.1.conv2",
        "upconv1", "upconv2", "conv_hr", "conv_last",
    }  # fmt: skip


def test_without_residual_the_output_is_the_enlarged_image() -> None:
    model = registry.create("msrresnet", features=8, blocks=1)
    for weight in model.get_layer("conv_last").weights:
        weight.assign(np.zeros(weight.shape))
    image = np.random.default_rng(1).random((9, 13, 3)).astype(np.float32)
    assert np.abs(np.asarray(model(image[None]))[0] - _bilinear_x4(image)).max() < 1e-5


def test_a_graph_with_open_sizes_gives_the_same(tf: Any) -> None:
    """TensorFlow's rewriting of graphs may not change the picture, as it does with some leaky rectifications."""
    keras.utils.set_random_seed(1)
    model = registry.create("msrresnet", features=12, blocks=2)
    graph = tf.function(lambda x: model(x, training=False), autograph=False)
    function = graph.get_concrete_function(tf.TensorSpec((1, None, None, 3), tf.float32))
    for height, width in ((23, 31), (40, 17)):
        image = np.random.default_rng(0).random((1, height, width, 3), dtype=np.float32)
        eager = np.asarray(model(image))
        assert np.abs(np.asarray(function(tf.constant(image))) - eager).max() < 1e-5 * np.abs(eager).max()


def test_a_checkpoint_of_a_training_is_read(torch_writer: Any, tmp_path: Path) -> None:
    """BasicSR saves ``params`` and ``params_ema``; the averaged ones are taken."""
    arrays = _arrays(registry.create("msrresnet", features=8, blocks=2), "msrresnet")
    saved = {"params": {k: v + 1 for k, v in arrays.items()}, "params_ema": arrays}
    path = torch_writer.save(tmp_path / "net_g_latest.pth", saved)
    options = options_for("msrresnet", path, {})
    model = registry.create("msrresnet", **options)
    load_checkpoint(model, path, model_name="msrresnet")
    assert options == {"features": 8, "blocks": 2}
    assert np.array_equal(np.asarray(model.get_layer("conv_last").bias), arrays["conv_last.bias"])


def test_weights_of_another_scale_are_refused(torch_writer: Any, tmp_path: Path) -> None:
    arrays = _arrays(registry.create("msrresnet", features=8, blocks=2), "msrresnet")
    twice = {name: array for name, array in arrays.items() if not name.startswith("upconv2")}
    path = torch_writer.save(tmp_path / "x2.pth", twice)
    model = registry.create("msrresnet", features=8, blocks=2)
    with pytest.raises(CheckpointError, match=r"upconv2\.weight"):
        load_checkpoint(model, path, model_name="msrresnet")


def test_impossible_widths_are_refused() -> None:
    with pytest.raises(CallError, match="features"):
        registry.create("msrresnet", features=0)
    with pytest.raises(CallError, match="blocks"):
        registry.create("msrresnet", blocks=0)


def test_srcnn_915_is_what_the_assignment_asks(torch_writer: Any, tmp_path: Path) -> None:
    model = registry.create("srcnn_915")
    arrays = _arrays(model, "srcnn_915")
    shapes = {name: array.shape for name, array in arrays.items() if name.endswith("weight")}
    assert shapes == {
        "conv1.weight": (64, 3, 9, 9), "conv2.weight": (32, 64, 1, 1), "conv3.weight": (3, 32, 5, 5)
    }  # fmt: skip
    assert model.count_params() == 20_099
    assert registry.spec("srcnn_915").contract.scale == 1
    load_checkpoint(model, torch_writer.save(tmp_path / "m.pth", arrays), model_name="srcnn_915")
    image = np.random.default_rng(2).random((1, 11, 8, 3)).astype(np.float32)
    assert np.abs(np.asarray(model(image))[0] - _srcnn(image[0], arrays)).max() < 1e-5


def _srcnn(image: np.ndarray, arrays: dict[str, np.ndarray]) -> np.ndarray:
    maps = image.astype(np.float64)
    for number in (1, 2, 3):
        kernel, bias = arrays[f"conv{number}.weight"], arrays[f"conv{number}.bias"]
        size = kernel.shape[-1]
        padded = np.pad(maps, ((size // 2,) * 2, (size // 2,) * 2, (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(0, 1))
        maps = np.einsum("hwcij,ocij->hwo", windows, kernel) + bias
        if number < 3:
            maps = np.maximum(maps, 0)
    return maps
