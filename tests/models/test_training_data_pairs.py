"""Pairs of pictures, and targets that are degraded, as training data."""

from __future__ import annotations

import multiprocessing
import pickle
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelproof.contract import Contract
from pixelproof.errors import CallError, ImageError, InputError, RecipeError, ShapeMismatch
from pixelproof.images import bicubic_resize_8bit, read_rgb8
from pixelproof.models.training.data.kinds import kind_of
from pixelproof.models.training.data.training_data import Setting
from pixelproof.models.training.degradations.pipeline import degraded_pair
from pixelproof.models.training.degradations.recipe_file import changed, load_recipe
from pixelproof.schema import build


def picture(height: int, width: int, seed: int) -> np.ndarray:
    """Noise, of which no two places look alike."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def save(path: Path, image8: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image8).save(path)


def setting(folder: Path, *, scale: int = 4, model_scale: int | None = None, **contract: Any) -> Setting:
    """To learn from and to measure on the same folder."""
    model_scale = scale if model_scale is None else model_scale
    return Setting(folder, folder, scale, Contract(scale=model_scale, **contract), 7)


def opened(kind_name: str, at: Setting, **options: Any) -> Any:
    """The data, its options read as a recipe's."""
    kind = kind_of(kind_name)

    def fail(path: str, rule: str, found: str, remedy: str) -> RecipeError:
        return RecipeError(f"data.{path} {rule}", found=found, remedy=remedy)

    return kind.open(build(kind.options, options, fail=fail), at)


def eight_bit(unit: np.ndarray) -> np.ndarray:
    return np.rint(unit * 255).astype(np.uint8)


def place_of(whole8: np.ndarray, crop8: np.ndarray) -> tuple[int, int] | None:
    """Where a crop was taken from, if anywhere."""
    height, width = crop8.shape[:2]
    for top in range(whole8.shape[0] - height + 1):
        for left in range(whole8.shape[1] - width + 1):
            if np.array_equal(whole8[top : top + height, left : left + width], crop8):
                return top, left
    return None


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Two pairs whose pictures have nothing to do with each other but their sizes."""
    for seed, (name, height, width) in enumerate((("a", 20, 24), ("b", 16, 30))):
        save(tmp_path / "LQ" / f"{name}.png", picture(height, width, seed))
        save(tmp_path / "GT" / f"{name}.bmp", picture(4 * height, 4 * width, 10 + seed))
    return tmp_path


def test_pairs_are_cropped_alike(pairs: Path) -> None:
    data = opened("pairs", setting(pairs), crop=32, augment="none")
    assert not data.skipped and not data.costly
    names = set()
    for number in range(30):
        sample = data.sample(number)
        stem = Path(sample.name).stem
        place = place_of(read_rgb8(pairs / "LQ" / f"{stem}.png"), eight_bit(sample.input))
        assert place is not None
        top, left = (4 * side for side in place)
        target8 = read_rgb8(pairs / "GT" / f"{stem}.bmp")[top : top + 32, left : left + 32]
        assert np.array_equal(eight_bit(sample.target), target8)
        names.add(stem)
    assert names == {"a", "b"}


def test_small_inputs_are_enlarged_for_a_model_that_takes_them_so(pairs: Path) -> None:
    data = opened("pairs", setting(pairs, model_scale=1, size_multiple=10), crop=30, augment="none")
    first, second = data.validation()
    small8 = read_rgb8(pairs / "LQ" / "a.png")
    assert (first.input.shape, second.input.shape) == ((80, 80, 3), (60, 120, 3))
    assert np.array_equal(eight_bit(first.input), bicubic_resize_8bit(small8[:, :20], 80, 80))
    assert np.array_equal(eight_bit(first.target), read_rgb8(pairs / "GT" / "a.bmp")[:80, :80])


def test_whole_pictures_come_once_a_pass(tmp_path: Path) -> None:
    for number in range(7):
        save(tmp_path / "phone" / f"{number}.png", picture(20, 20, number))
        save(tmp_path / "camera" / f"{number}.png", picture(20, 20, 100 + number))
    data = opened(
        "pairs", setting(tmp_path, scale=1), inputs="phone", targets="camera", augment="flips-and-turns"
    )
    assert data.samples_per_epoch == 7
    inputs, targets, names = data.batch(range(14))
    assert Counter(names) == {f"{number}.png": 2 for number in range(7)} and names[:7] != names[7:]
    sums = {name: read_rgb8(tmp_path / "camera" / name).sum() for name in names}
    for source, target, name in zip(inputs, targets, names, strict=True):
        assert source.shape == (20, 20, 3)
        assert eight_bit(target).sum() == sums[name]
    save(tmp_path / "phone" / "3.png", picture(21, 20, 3))
    save(tmp_path / "camera" / "3.png", picture(21, 20, 3))
    with pytest.raises(
        ImageError, match=r"one size; found 20x20 for 0\.png and 21x20 for 3\.png.*data\.crop"
    ):
        opened("pairs", setting(tmp_path, scale=1), inputs="phone", targets="camera")


def test_whole_pictures_that_are_turned_must_be_square(tmp_path: Path) -> None:
    save(tmp_path / "LQ" / "a.png", picture(20, 24, 0))
    save(tmp_path / "GT" / "a.png", picture(20, 24, 1))
    assert opened("pairs", setting(tmp_path, scale=1)).sample(0).input.shape == (20, 24, 3)
    with pytest.raises(ImageError, match="must be square; found 20x24"):
        opened("pairs", setting(tmp_path, scale=1), augment="flips-and-turns")


def test_what_has_no_partner_or_cannot_be_read_is_named(pairs: Path) -> None:
    save(pairs / "LQ" / "alone.png", picture(20, 20, 0))
    save(pairs / "GT" / "lonely.png", picture(80, 80, 0))
    save(pairs / "LQ" / "grey.png", picture(20, 20, 0)[..., 0])
    save(pairs / "GT" / "grey.png", picture(80, 80, 0))
    save(pairs / "LQ" / "tiny.png", picture(4, 20, 0))
    save(pairs / "GT" / "tiny.png", picture(16, 80, 0))
    data = opened("pairs", replace(setting(pairs), validation=None), crop=32)
    why = {one.name: one.why for one in data.skipped}
    assert set(why) == {"LQ/alone.png", "GT/lonely.png", "grey.png", "tiny.png"}
    assert why["LQ/alone.png"] == f"no file of this name in {pairs / 'GT'}"
    assert "mode L in" in why["grey.png"] and "LQ/grey.png" in why["grey.png"]
    assert set(data.batch(range(50))[2]) == {"a.bmp", "b.bmp"}


def test_pairs_that_do_not_match_are_an_error(pairs: Path) -> None:
    message = r"2 times the size of its input; found 20x24 and 80x96 for LQ/a\.png and GT/a\.bmp.*scale is"
    with pytest.raises(ShapeMismatch, match=message):
        opened("pairs", setting(pairs, scale=2), crop=32)
    with pytest.raises(RecipeError, match="two folders"):
        opened("pairs", setting(pairs), inputs="GT")
    with pytest.raises(ImageError, match="must be a readable folder"):
        opened("pairs", setting(pairs), inputs="raw")
    save(pairs / "GT" / "a.png", picture(80, 96, 0))
    with pytest.raises(ImageError, match=r"more than their suffix; found a\.bmp and a\.png"):
        opened("pairs", setting(pairs), crop=32)


def test_pairs_of_which_none_match(tmp_path: Path) -> None:
    save(tmp_path / "LQ" / "a.png", picture(20, 20, 0))
    save(tmp_path / "GT" / "b.png", picture(80, 80, 0))
    with pytest.raises(ImageError, match="must have the same names; found 2 files, and no partner"):
        opened("pairs", setting(tmp_path), crop=32)


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Three targets."""
    for number in range(3):
        blocks = picture(12, 12, number).repeat(8, 0).repeat(8, 1)
        save(tmp_path / "faces" / f"{number}.png", blocks)
    return tmp_path / "faces"


def test_targets_are_degraded_anew_in_each_pass(faces: Path) -> None:
    data = opened("degraded", setting(faces), augment="none")
    assert data.costly and data.samples_per_epoch == 3
    samples = [data.sample(number) for number in range(6)]
    assert Counter(one.name for one in samples) == {f"{number}.png": 2 for number in range(3)}
    recipe = load_recipe("ai6126")
    for number, sample in enumerate(samples):
        pair = degraded_pair(read_rgb8(faces / sample.name), recipe, seed=7, index=number)
        assert np.array_equal(eight_bit(sample.input), pair.degraded8)
        assert np.array_equal(eight_bit(sample.target), pair.target8)
        assert sample.input.shape == (24, 24, 3) and sample.input.dtype == np.float32


def test_targets_are_mirrored_before_they_are_degraded(faces: Path) -> None:
    plain, mirrored = (opened("degraded", setting(faces), augment=how) for how in ("none", "flip"))
    seen = set()
    for number in range(12):
        sample = mirrored.sample(number)
        target8 = read_rgb8(faces / sample.name)
        for flipped in (False, True):
            image8 = np.ascontiguousarray(target8[:, ::-1]) if flipped else target8
            pair = degraded_pair(image8, load_recipe("ai6126"), seed=7, index=number)
            if np.array_equal(pair.target8, eight_bit(sample.target)):
                assert np.array_equal(pair.degraded8, eight_bit(sample.input))
                assert flipped != np.array_equal(plain.sample(number).target, sample.target)
                seen.add(flipped)
    assert seen == {False, True}


def test_crops_after_the_degradation_are_windows_of_it(faces: Path) -> None:
    data = opened("degraded", setting(faces), crop=48, augment="none", sharpen="no")
    recipe = changed(load_recipe("ai6126"), gt_usm=False)
    places = set()
    for number in range(6):
        sample = data.sample(number)
        pair = degraded_pair(read_rgb8(faces / sample.name), recipe, seed=7, index=number)
        place = place_of(pair.degraded8, eight_bit(sample.input))
        assert place is not None and sample.input.shape == (12, 12, 3)
        top, left = (4 * side for side in place)
        assert np.array_equal(eight_bit(sample.target), pair.target8[top : top + 48, left : left + 48])
        places.add(place)
    assert len(places) > 2


def test_crops_before_the_degradation_are_degraded_alone(faces: Path) -> None:
    options: dict[str, Any] = {"crop": 64, "crop_when": "before", "augment": "none", "sharpen": "no"}
    data = opened("degraded", setting(faces, model_scale=1), **options)
    for number in range(3):
        sample = data.sample(number)
        target8 = eight_bit(sample.target)
        assert place_of(read_rgb8(faces / sample.name), target8)
        pair = degraded_pair(target8, changed(load_recipe("ai6126"), gt_usm=False), seed=7, index=number)
        assert np.array_equal(eight_bit(sample.input), bicubic_resize_8bit(pair.degraded8, 64, 64))


def test_targets_to_measure_on_are_those_of_degrade_images(
    faces: Path, tmp_path: Path, call: Callable[..., Any]
) -> None:
    out = tmp_path / "val"
    options = ("--recipe", "ai6126", "--seed", "5", "--no-sharpen", "--jobs", "1")
    assert call("degrade-images", str(faces), str(out), *options).code == 0
    at = setting(faces)
    found = opened("degraded", at, validation_seed=5).validation()
    pairs = opened("degraded", replace(at, validation=out)).validation()
    assert [one.name for one in found] == [one.name for one in pairs] == ["0.png", "1.png", "2.png"]
    for one, other in zip(found, pairs, strict=True):
        assert np.array_equal(one.input, other.input) and np.array_equal(one.target, other.target)
        assert np.array_equal(eight_bit(one.target), read_rgb8(faces / one.name))
    other_seed = opened("degraded", at).validation()
    assert not np.array_equal(found[0].input, other_seed[0].input)


def test_targets_may_lie_in_a_folder_of_their_own(faces: Path, tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "GT").symlink_to(faces)
    at = setting(faces)
    inside = opened("degraded", replace(at, train=tmp_path / "train"), crop=32)
    assert np.array_equal(inside.sample(2).input, opened("degraded", at, crop=32).sample(2).input)


def test_a_spawned_process_degrades_the_same(faces: Path) -> None:
    data = opened("degraded", setting(faces), crop=64)
    assert len(pickle.dumps(data)) < 8192
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = pool.submit(data.sample, 5).result()
    assert np.array_equal(found.input, data.sample(5).input)
    assert np.array_equal(found.target, data.sample(5).target)


def test_a_recipe_of_the_users_own(faces: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(
        'id = "mine"\ntitle = ""\nscale = 4\n[first]\nkernel_list = ["iso"]\nkernel_prob = [1.0]\n'
        "blur_sigma = [0.2, 1.0]\nnoise_range = [0.0, 0.0]\nkernel_sizes = [3]\n[final]\n"
    )
    data = opened("degraded", setting(faces, scale=2), recipe=str(mine), augment="none")
    sample = data.sample(0)
    assert sample.input.shape == (48, 48, 3)
    pair = degraded_pair(
        read_rgb8(faces / sample.name), changed(load_recipe(str(mine)), scale=2), seed=7, index=0
    )
    assert np.array_equal(eight_bit(sample.input), pair.degraded8)


def test_targets_that_cannot_be_degraded_are_named(faces: Path) -> None:
    save(faces / "grey.png", picture(96, 96, 0)[..., 0])
    save(faces / "tiny.png", picture(52, 96, 0))
    data = opened("degraded", replace(setting(faces), validation=None), crop=32)
    why = {one.name: one.why for one in data.skipped}
    assert set(why) == {"grey.png", "tiny.png"}
    assert why["tiny.png"] == "A picture must be at least 56x56 here; found 52x96."
    measured = opened("degraded", setting(faces), crop=32)
    assert Counter(one.name for one in measured.skipped) == {"grey.png": 2, "tiny.png": 2}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"recipe": "ai6162"}, CallError, "Did you mean ai6126"),
        ({"recipe": "missing.toml"}, InputError, "missing.toml"),
        ({"crop": 62}, RecipeError, "multiple of 4"),
        ({"crop": 48, "crop_when": "before"}, RecipeError, "at least 56.*crop_when"),
        ({"crop": 100}, ImageError, "at least 100x100"),
        ({"validation_seed": -1}, RecipeError, "validation_seed must be 0 or more"),
        ({"samples_per_epoch": -1}, RecipeError, "samples_per_epoch must be 0 or more"),
        ({"sharpen": True}, RecipeError, "sharpen must be one of recipe, yes, no"),
    ],
)
def test_what_cannot_be_is_refused(
    faces: Path, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        opened("degraded", setting(faces), **options)


def test_targets_of_several_sizes_need_a_crop(faces: Path) -> None:
    save(faces / "3.png", picture(96, 112, 0))
    with pytest.raises(ImageError, match=r"one size; found 96x96 for 0\.png and 96x112 for 3\.png"):
        opened("degraded", setting(faces))
    assert opened("degraded", setting(faces), crop=64).sample(0).target.shape == (64, 64, 3)


def test_a_target_that_changes_meanwhile_is_named(faces: Path) -> None:
    data = opened("degraded", setting(faces))
    for number in range(3):
        save(faces / f"{number}.png", picture(100, 96, 0))
    with pytest.raises(ImageError, match="must stay as they are"):
        data.sample(0)
