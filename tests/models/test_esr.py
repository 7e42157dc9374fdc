"""Efficient super-resolution: the networks of NTIRE 2022 give what the originals give."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pixelproof.images import bicubic_resize_8bit, read_rgb8, rounded_8bit, unit_from_8bit
from pixelproof.measure.metrics import psnr_db
from pixelproof.models import registry
from pixelproof.models.checkpoints.loading import load_checkpoint
from pixelproof.models.checkpoints.options import options_for
from pixelproof.models.checkpoints.torch_layout import slots_of

OFFICIAL = {
    "imdn_baseline": ("imdn", 1.0),
    "rfdn_baseline": ("rfdn", 255.0),
    "team04_rlfn": ("rlfn", 255.0),
}
# What the published PyTorch code gives for `_image` with `_state_dict`: six values, mean and standard deviation.
PUBLISHED = {
    "rfdn_pruned": (0.502969, 0.500715, 0.345200, 0.361600, 0.502505, 0.491254, 0.492170, 0.074330),
    "fmen": (0.513728, 0.434736, 0.620661, 0.645885, 0.568003, 0.574390, 0.501848, 0.077286),
    "efdn": (0.619518, 0.721407, 0.419737, 0.443108, 0.258623, 0.252066, 0.477896, 0.218809),
    "bsrn": (2.394537, 3.387122, 2.574415, 4.775215, 2.056347, 0.429595, 0.616470, 2.163290),
}
PLACES = [(3, 5, 0), (17, 90, 1), (40, 51, 2), (41, 51, 2), (60, 2, 0), (83, 103, 1)]
NAMES = ("imdn", "rfdn", "rlfn", *PUBLISHED)


def _image() -> np.ndarray:
    return np.random.default_rng(6).random((1, 21, 26, 3), dtype=np.float32)


def _state_dict(name: str) -> dict[str, np.ndarray]:
    """Weights that are seeded by their names, so that PyTorch and we make the same."""
    spec = registry.spec(name)
    model = registry.create(name)
    assert spec.torch_names is not None
    names = spec.torch_names(model)
    last = next(layer.name for layer in model.layers if type(layer).__name__ == "SubPixelConv2D")
    middle = 0.5 * (255 if name in ("rfdn_pruned", "fmen") else 1)
    arrays = {}
    for path, slot in slots_of(model).items():
        named = names[path]
        values = np.random.default_rng(zlib.crc32(named.encode())).standard_normal(slot.shape)
        if named.endswith("act.weight"):
            values = 0.25 + 0.1 * values
        elif named.endswith(".cw"):
            values = 1 + 0.2 * values
        elif named.endswith("bias"):
            values = 0.1 * values + middle * (named == f"{last}.bias")
        else:
            values *= (1.5 / np.prod(slot.shape[1:])) ** 0.5 * (0.1 if named == f"{last}.weight" else 1)
        arrays[named] = values.astype(np.float32)
    return arrays


def _loaded(name: str, path: Path) -> tuple[keras.Model, dict[str, object]]:
    options = options_for(name, path, {})
    model = registry.create(name, **options)
    report = load_checkpoint(model, path, model_name=name)
    assert (report.used, report.surplus) == (len(model.weights), ())
    return model, options


@pytest.mark.parametrize("name", PUBLISHED)
def test_output_agrees_with_the_published_code(torch_writer: Any, tmp_path: Path, name: str) -> None:
    model, _ = _loaded(name, torch_writer.save(tmp_path / "m.pth", _state_dict(name)))
    output = np.asarray(model(_image()))[0]
    found = [*(output[place] for place in PLACES), output.mean(), output.std()]
    assert np.abs(np.array(found) - PUBLISHED[name]).max() < 1e-5 * max(1, np.abs(output).max())


@pytest.mark.parametrize("name", NAMES)
def test_pytorch_names_cover_every_weight_once(name: str) -> None:
    rule, model = registry.spec(name).torch_names, registry.create(name)
    assert rule is not None
    names = rule(model)
    assert set(names) == {weight.path for weight in model.weights}
    assert len(set(names.values())) == len(names)


@pytest.mark.parametrize("name", NAMES)
def test_a_graph_with_open_sizes_gives_the_same(tf: Any, name: str) -> None:
    """TensorFlow's rewriting of graphs may not change the picture, as it does with some leaky rectifications."""
    keras.utils.set_random_seed(1)
    model = registry.create(name)
    graph = tf.function(lambda x: model(x, training=False), autograph=False)
    function = graph.get_concrete_function(tf.TensorSpec((1, None, None, 3), tf.float32))
    for height, width in ((23, 31), (40, 17)):
        image = np.random.default_rng(0).random((1, height, width, 3), dtype=np.float32)
        eager = np.asarray(model(image))
        assert np.abs(np.asarray(function(tf.constant(image))) - eager).max() < 1e-4 * np.abs(eager).max()


def test_the_attention_asks_for_15_pixels(tf: Any) -> None:
    for name in ("rfdn", "rfdn_pruned", "rlfn", "efdn", "bsrn"):
        contract, model = registry.spec(name).contract, registry.create(name)
        assert (contract.minimum_size, contract.scale) == (15, 4)
        assert model(np.zeros((1, 15, 16, 3), np.float32)).shape == (1, 60, 64, 3)
        with pytest.raises((ValueError, tf.errors.OpError)):
            model(np.zeros((1, 14, 16, 3), np.float32))


def test_widths_and_depths_are_read_off_the_shapes(torch_writer: Any, tmp_path: Path) -> None:
    for name, asked in (
        ("imdn", {"features": 12, "blocks": 3}),
        ("rfdn", {"features": 18, "blocks": 2}),
        ("rfdn_pruned", {"features": 18, "blocks": 2}),
        ("rlfn", {"features": 10, "middle": 14, "attention_width": 5, "blocks": 2}),
        ("fmen", {"features": 10, "middle": 8, "blocks": 2}),
        ("efdn", {"features": 12}),
        ("bsrn", {"features": 12, "blocks": 2}),
    ):
        model = registry.create(name, **asked)
        rule = registry.spec(name).torch_names
        assert rule is not None
        names = rule(model)
        arrays = {
            f"module.{names[path]}": np.full(slot.shape, 0.01, np.float32)
            for path, slot in slots_of(model).items()
        }
        path = torch_writer.save(tmp_path / f"{name}.pth", {"params": arrays})
        found = options_for(name, path, {"data_range": 1.0})
        assert found == {**asked, "data_range": 1.0}
        assert options_for(name, path, {"features": 99, "data_range": 1.0})["features"] == 99
        again = registry.create(name, **found)
        assert load_checkpoint(again, path, model_name=name).taken == "params"


@pytest.mark.official
@pytest.mark.parametrize("checkpoint", OFFICIAL)
def test_output_agrees_with_the_originals(shared_data: Path, checkpoint: str) -> None:
    name, data_range = OFFICIAL[checkpoint]
    folder = shared_data / "ntire2022_esr"
    model, options = _loaded(name, folder / "model_zoo" / f"{checkpoint}.pth")
    assert options["data_range"] == data_range
    reference = json.loads((folder / "reference.json").read_text())[checkpoint]
    assert model.count_params() == reference["params"]
    with np.load(folder / f"{checkpoint}_io.npz") as pair:
        assert np.abs(np.asarray(model(pair["x"])) - pair["y"]).max() < 2e-5


@pytest.mark.official
@pytest.mark.parametrize("checkpoint", OFFICIAL)
def test_psnr_is_the_originals(shared_data: Path, checkpoint: str) -> None:
    name, _ = OFFICIAL[checkpoint]
    folder = shared_data / "ntire2022_esr"
    model, _ = _loaded(name, folder / "model_zoo" / f"{checkpoint}.pth")
    reference = json.loads((folder / "reference.json").read_text())[checkpoint]["psnr_db"]
    for image, expected in reference.items():
        target = read_rgb8(shared_data / "ai-challenge" / "div2k" / "original" / image)
        height, width = (side // 4 for side in target.shape[:2])
        small = unit_from_8bit(bicubic_resize_8bit(target, height, width))
        output = rounded_8bit(np.asarray(model(small[None]))[0])
        found = psnr_db(output, target, crop_border=4, data_range=255.0)
        assert abs(found - expected) < 1e-3, image
