"""PUNET: the original graph's own output, and the options that its checkpoints tell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pixelproof.errors import CallError, CheckpointError
from pixelproof.models import registry
from pixelproof.models.checkpoints.loading import load_checkpoint
from pixelproof.models.checkpoints.options import options_for
from pixelproof.models.punet import options_of

SaveTF1 = Callable[..., Path]
GOLDEN = {"punet_8": (8, False, 63), "punet_4_in": (4, True, 107)}


@pytest.fixture
def isp_data(shared_data: Path) -> Path:
    """Checkpoints of the original graph."""
    folder = shared_data / "mai2021_isp"
    if not folder.is_dir():
        pytest.skip(f"needs the MAI 2021 files in {folder}")
    return folder


def saved(save_tf1: SaveTF1, prefix: Path, scope: str = "generator/", **options: object) -> Path:
    """A checkpoint of a punet with seeded weights."""
    model = registry.create("punet", **options)
    rule, rng = registry.spec("punet").tf1_names, np.random.default_rng(3)
    assert rule is not None
    arrays = {
        f"{scope}{name}": rng.standard_normal(weight.shape).astype(np.float32) * 0.1
        for weight in model.weights
        for name in (rule(model)[weight.path],)
    }
    return save_tf1(prefix, {**arrays, "global_step": np.array(7, np.int64)})


@pytest.mark.official
@pytest.mark.parametrize("name", GOLDEN)
def test_output_agrees_with_the_original_graph(isp_data: Path, name: str) -> None:
    base, instance_norm, weights = GOLDEN[name]
    checkpoint = isp_data / f"{name}.ckpt"
    options = options_for("punet", checkpoint, {})
    assert options == {"num_maps_base": base, "instance_norm": instance_norm}
    model = registry.create("punet", **options)
    report = load_checkpoint(model, checkpoint, model_name="punet")
    assert (report.used, report.surplus) == (weights, ())
    with np.load(isp_data / f"{name}.npz") as pair:
        assert np.abs(np.asarray(model(pair["x"])) - pair["y"]).max() < 1e-5


@pytest.mark.parametrize("base", [4, 6, 12])
@pytest.mark.parametrize("instance_norm", [False, True])
@pytest.mark.parametrize("scope", ["", "generator/"])
def test_any_width_is_read_off_its_checkpoint(
    save_tf1: SaveTF1, tmp_path: Path, base: int, instance_norm: bool, scope: str
) -> None:
    path = saved(save_tf1, tmp_path / "c", scope, num_maps_base=base, instance_norm=instance_norm)
    options = options_for("punet", path, {})
    assert options == {"num_maps_base": base, "instance_norm": instance_norm}
    model = registry.create("punet", **options)
    before = [np.asarray(weight) for weight in model.weights]
    report = load_checkpoint(model, path, model_name="punet")
    assert report.used == len(model.weights) == (107 if instance_norm else 63)
    assert all(not np.array_equal(a, np.asarray(w)) for a, w in zip(before, model.weights, strict=True))


def test_what_is_given_goes_before_what_is_read(save_tf1: SaveTF1, tmp_path: Path) -> None:
    path = saved(save_tf1, tmp_path / "c", num_maps_base=4)
    given = options_for("punet", path, {"num_maps_base": 8})
    assert given == {"num_maps_base": 8, "instance_norm": False}
    with pytest.raises(CheckpointError) as raised:
        load_checkpoint(registry.create("punet", **given), path, model_name="punet")
    assert "It fits punet with num_maps_base=4, instance_norm=False" in raised.value.remedy


def test_other_checkpoints_tell_nothing(save_tf1: SaveTF1, tmp_path: Path) -> None:
    assert options_of({}) == {}
    assert options_of({"Variable": (3, 3, 3, 8)}) == {}
    path = save_tf1(tmp_path / "c", {"w1": np.zeros((9, 9, 3, 64), np.float32)})
    assert options_for("punet", path, {}) == {}
    assert options_for("srcnn", path, {}) == {}


def test_a_punet_checkpoint_given_to_another_architecture_names_punet(
    save_tf1: SaveTF1, tmp_path: Path
) -> None:
    path = saved(save_tf1, tmp_path / "c", num_maps_base=4, instance_norm=True)
    with pytest.raises(CheckpointError) as raised:
        load_checkpoint(registry.create("srcnn"), path, model_name="srcnn")
    assert raised.value.remedy == "It fits punet: use --model punet."


def test_too_few_maps_are_refused() -> None:
    with pytest.raises(CallError, match="at least 4 maps"):
        registry.create("punet", num_maps_base=3)
    with pytest.raises(CallError, match="at least 1 map"):
        registry.create("rrdb_lrfu", num_maps_base=0)


def test_the_picture_at_twice_the_size_is_local_without_normalisation() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((1, 256, 256, 4), dtype=np.float32)
    far = x.copy()
    far[:, -16:, -16:] = 1 - far[:, -16:, -16:]
    for instance_norm, is_local in ((False, True), (True, False)):
        model = registry.create("punet", num_maps_base=4, instance_norm=instance_norm)
        a, b = np.asarray(model(x)), np.asarray(model(far))
        assert not np.array_equal(a[:, -8:, -8:], b[:, -8:, -8:])
        assert np.array_equal(a[:, :64, :64], b[:, :64, :64]) is is_local
