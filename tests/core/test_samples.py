"""The bundled samples fit the rules of the challenge that they stand in for."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from pixelproof.challenge import load_challenge
from pixelproof.data import find_data, samples_folder
from pixelproof.errors import CallError
from pixelproof.files import MIB, size_bytes

SAMPLES = samples_folder("ai-challenge")


def images(folder: str) -> dict[str, Image.Image]:
    """All images of a folder, by name."""
    found = {}
    for path in sorted((SAMPLES / folder).iterdir()):
        with Image.open(path) as image:
            found[path.name] = image.convert("RGB")
    return found


def test_they_are_found_where_no_data_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIXELPROOF_DATA", raising=False)
    source = find_data("ai-challenge", given=None)
    assert (source.root, source.origin) == (SAMPLES, "samples")
    assert "demonstration" in source.label
    with pytest.raises(CallError, match="without bundled samples"):
        find_data("another-challenge", given=None)


def test_named_data_comes_before_the_samples(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIXELPROOF_DATA", str(tmp_path))
    with pytest.raises(CallError, match="PIXELPROOF_DATA must hold ai-challenge"):
        find_data("ai-challenge", given=None)
    (tmp_path / "ai-challenge").mkdir()
    assert find_data("ai-challenge", given=None).origin == "environment"
    assert find_data("ai-challenge", given=tmp_path).root == tmp_path
    with pytest.raises(CallError, match="--data must be a folder"):
        find_data("ai-challenge", given=tmp_path / "absent")


def test_every_folder_of_the_rules_has_samples() -> None:
    for track in load_challenge("pirm2018").tracks.values():
        assert track.fidelity is not None and track.runtime is not None
        for folder in (track.fidelity.inputs, track.fidelity.targets, track.runtime.images):
            assert folder is None or len(images(folder)) >= 2


def test_pairs_match_and_differ() -> None:
    inputs, targets = images("dped/patches/iphone"), images("dped/patches/canon")
    assert list(inputs) == list(targets) and len(inputs) == 12
    for name, image in inputs.items():
        assert image.size == targets[name].size == (100, 100)
        assert image.tobytes() != targets[name].tobytes()


def test_super_resolution_targets_suit_the_crop_and_five_scales() -> None:
    for image in images("div2k/original").values():
        width, height = image.size
        assert not height % 4 and not width % 4
        assert min(height, width) - 2 * 16 >= 176
        assert height != width


@pytest.mark.parametrize("folder", ["dped/HD_res", "div2k/HD_res"])
def test_hd_images_have_the_size_of_the_rules(folder: str) -> None:
    assert {image.size for image in images(folder).values()} == {(1280, 720)}


def test_they_stay_small() -> None:
    assert size_bytes(SAMPLES) < 1.5 * MIB


def test_origin_and_terms_of_each_photograph_are_stated() -> None:
    text = (SAMPLES.parent / "README.md").read_text(encoding="utf-8")
    for word in (
        "astronaut",
        "rocket",
        "NASA",
        "SpaceX",
        "public domain",
        "training",
        "demonstration",
    ):
        assert word in text
