"""The bundled checkpoint and the recipe that makes it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pixelproof.errors import ImageError
from pixelproof.files import sha256_of
from pixelproof.measure.metrics import psnr_db
from pixelproof.models.checkpoints.loading import load_checkpoint
from pixelproof.models.registry import create
from pixelproof.models.training import sample

BUNDLED = Path(__file__).parents[2] / "models_pretrained"
PHOTOGRAPHS = Path(pytest.importorskip("skimage").__file__).parent / "data"


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small pictures under the recipe's names: smooth fields with sharp edges."""
    folder = tmp_path_factory.mktemp("photographs")
    recipe = sample.read_recipe()
    rng = np.random.default_rng(0)
    for name in [*recipe.train, recipe.held_out]:
        picture = np.kron(rng.integers(0, 256, (10, 13, 3)), np.ones((16, 16, 1))).astype(np.uint8)
        Image.fromarray(picture).save(folder / name)
    return folder


def test_the_bundled_checkpoint_is_what_its_manifest_says() -> None:
    entry = json.loads((BUNDLED / "manifest.json").read_text())["files"]["sample_resnet_6_16.weights.h5"]
    weights = BUNDLED / "sample_resnet_6_16.weights.h5"
    assert sha256_of(weights) == entry["sha256"]
    model = create(entry["model"])
    load_checkpoint(model, weights, model_name=entry["model"])
    degraded, original = sample.read_pair(PHOTOGRAPHS / entry["figures"]["image"], scale=4)
    restored = np.clip(np.asarray(model(degraded[None]))[0], 0, 1)
    figures = entry["figures"]
    assert abs(psnr_db(restored, original, crop_border=16) - figures["psnr_db"]) < 1e-3
    assert abs(psnr_db(degraded, original, crop_border=16) - figures["bicubic_psnr_db"]) < 1e-3
    assert figures["psnr_db"] > figures["bicubic_psnr_db"] + 0.5


def test_the_held_out_photograph_was_not_trained_on() -> None:
    recipe = sample.read_recipe()
    assert recipe.held_out == "astronaut.png"
    assert recipe.held_out not in recipe.train


@pytest.mark.official
def test_the_input_is_track_as_own(official_data: Path) -> None:
    reference = json.loads((official_data / "reference_scores.json").read_text())["track_A"]["div2k_srcnn"]
    model = create("srcnn")
    load_checkpoint(model, official_data / "models_pretrained" / "div2k_srcnn", model_name="srcnn")
    degraded, original = sample.read_pair(official_data / "div2k" / "original" / "0.png", scale=4)
    restored = np.clip(np.asarray(model(degraded[None]))[0], 0, 1)
    found = psnr_db(restored, original, crop_border=sample.BORDER)
    assert abs(found - reference["per_image"]["0.png"]["psnr_db"]) < 1e-3


def test_crops_are_aligned_seeded_and_varied(photographs: Path) -> None:
    recipe = replace(sample.read_recipe(), crop=48, batch=4)
    pairs = [sample.read_pair(photographs / name, scale=4) for name in recipe.train]
    first, second = (sample.crops(pairs, recipe) for _ in range(2))
    other = sample.crops(pairs, replace(recipe, seed=1))
    degraded, original = next(first)
    assert degraded.shape == original.shape == (4, 48, 48, 3)
    assert np.abs(degraded - original).mean() < 0.1  # bicubic blurs the blocks' edges only
    assert all(np.array_equal(a, b) for a, b in zip((degraded, original), next(second), strict=True))
    assert not np.array_equal(original, next(other)[1])
    assert not np.array_equal(original, next(first)[1])


def test_training_starts_from_the_input_itself(photographs: Path) -> None:
    model = create("resnet_6_16")
    degraded, _ = sample.read_pair(photographs / "coffee.png", scale=4)
    assert psnr_db(np.asarray(model(degraded[None]))[0], degraded) < 15
    sample.start_near_identity(model)
    assert psnr_db(np.asarray(model(degraded[None]))[0], degraded) > 25


def test_a_short_training_learns(photographs: Path) -> None:
    recipe = replace(sample.read_recipe(), crop=48, batch=2, steps=60, shrink=[1])
    _, start = sample.train(replace(recipe, steps=1), photographs)
    _, end = sample.train(recipe, photographs)
    assert end["psnr_db"] > start["psnr_db"]
    assert end["bicubic_psnr_db"] == start["bicubic_psnr_db"]


def test_a_training_can_be_repeated(photographs: Path) -> None:
    recipe = replace(sample.read_recipe(), crop=48, batch=2, steps=3, shrink=[1])
    (one, _), (other, _) = (sample.train(recipe, photographs) for _ in range(2))
    for ours, theirs in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_weights_and_manifest_are_written(photographs: Path, tmp_path: Path) -> None:
    recipe = sample.read_recipe()
    model = create(recipe.model)
    sample.write_sample(
        model, recipe, {"psnr_db": 2.0, "bicubic_psnr_db": 1.0}, images=photographs, out=tmp_path
    )
    entry = json.loads((tmp_path / "manifest.json").read_text())["files"]["sample_resnet_6_16.weights.h5"]
    assert entry["recipe"]["seed"] == recipe.seed
    assert set(entry["photographs_sha256"]) == {*recipe.train, recipe.held_out}
    again = create(recipe.model)
    load_checkpoint(again, tmp_path / "sample_resnet_6_16.weights.h5", model_name=recipe.model)
    assert np.array_equal(again.get_weights()[0], model.get_weights()[0])


def test_a_missing_photograph_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"nowhere\.png"):
        sample.read_pair(tmp_path / "nowhere.png", scale=4)


def test_the_script_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    for setter in ("set_intra_op_parallelism_threads", "set_inter_op_parallelism_threads"):
        monkeypatch.setattr(tf.config.threading, setter, lambda number: None)
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: None)
    result = CliRunner().invoke(sample.main, ["--images", str(tmp_path), "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "coffee.png" in result.output
    assert not (tmp_path / "out").exists()
