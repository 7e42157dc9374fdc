"""Photographs as training data: which crops come when, what their inputs are, what is left out or refused."""

from __future__ import annotations

import multiprocessing
import pickle
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelproof.contract import Contract
from pixelproof.errors import ImageError, RecipeError
from pixelproof.images import bicubic_resize_8bit, read_rgb8, unit_from_8bit
from pixelproof.models.training.data import draws
from pixelproof.models.training.data.kinds import kind_of, kinds
from pixelproof.models.training.data.training_data import Setting
from pixelproof.schema import build

SIZES = {"2.png": (70, 64), "10.png": (120, 90), "11.bmp": (48, 101)}


def picture(height: int, width: int, seed: int) -> np.ndarray:
    """Noise, of which no two places look alike."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three photographs."""
    (tmp_path / "photographs").mkdir()
    for seed, (name, size) in enumerate(SIZES.items()):
        Image.fromarray(picture(*size, seed)).save(tmp_path / "photographs" / name)
    return tmp_path / "photographs"


def setting(folder: Path, *, scale: int = 4, model_scale: int = 1, seed: int = 7, **contract: Any) -> Setting:
    """To learn from and to measure on the same folder."""
    return Setting(folder, folder, scale, Contract(scale=model_scale, **contract), seed)


def opened(at: Setting, **options: Any) -> Any:
    """The data, its options read as a recipe's."""
    kind = kind_of("photographs")

    def fail(path: str, rule: str, found: str, remedy: str) -> RecipeError:
        return RecipeError(f"data.{path} {rule}", found=found, remedy=remedy)

    return kind.open(build(kind.options, options, fail=fail), at)


def eight_bit(unit: np.ndarray) -> np.ndarray:
    assert unit.dtype == np.float32
    levels = np.rint(unit * 255).astype(np.uint8)
    assert np.array_equal(unit_from_8bit(levels), unit)
    return levels


def pair_of(path: Path, scale: int, *, enlarge: bool) -> tuple[np.ndarray, np.ndarray]:
    """What track A makes of a photograph, by Pillow alone."""
    whole = Image.open(path)
    cut = whole.crop((0, 0, whole.width // scale * scale, whole.height // scale * scale))
    small = cut.resize((cut.width // scale, cut.height // scale), Image.Resampling.BICUBIC)
    return np.array(small.resize(cut.size, Image.Resampling.BICUBIC) if enlarge else small), np.array(cut)


def place_of(target8: np.ndarray, crop8: np.ndarray) -> tuple[int, int] | None:
    """Where a crop was taken from, if anywhere."""
    side = crop8.shape[0]
    corners = (target8 == crop8[0, 0]).all(axis=2)[: 1 - side or None, : 1 - side or None]
    for top, left in np.argwhere(corners).tolist():
        if np.array_equal(target8[top : top + side, left : left + side], crop8):
            return top, left
    return None


def orientation_of(target8: np.ndarray, crop8: np.ndarray) -> tuple[tuple[bool, bool, bool], tuple[int, int]]:
    """How a crop was turned, and where it is from."""
    for flags in product((False, True), repeat=3):
        across, down, transposed = flags
        back = crop8.swapaxes(0, 1) if transposed else crop8
        back = back[::-1] if down else back
        found = place_of(target8, back[:, ::-1] if across else back)
        if found:
            return flags, found
    raise AssertionError("the crop isn't from this picture")


def as_turned(image8: np.ndarray, way: tuple[bool, bool, bool]) -> np.ndarray:
    """Mirrored left to right, top to bottom, transposed."""
    image8 = np.fliplr(image8) if way[0] else image8
    image8 = np.flipud(image8) if way[1] else image8
    return np.rot90(np.fliplr(image8)) if way[2] else image8


def test_the_kinds_are_found() -> None:
    assert {"photographs", "pairs", "degraded"} <= set(kinds())


def test_every_pass_has_everything_once_in_another_order() -> None:
    numbers = np.arange(3 * 50, dtype=np.int64)
    found = draws.ordered(numbers, seed=3, count=50).reshape(3, 50)
    assert all(sorted(one) == list(range(50)) for one in found.tolist())
    assert len({tuple(one) for one in found.tolist()}) == 3
    mixed = np.random.default_rng(0).permutation(150)
    assert np.array_equal(draws.ordered(mixed, seed=3, count=50), found.reshape(-1)[mixed])


def test_chance_depends_on_seed_and_number_alone() -> None:
    numbers = np.array([5000, 3, 1023, 1024, 10**9], np.int64)
    together = draws.uniform(numbers, seed=1, columns=6)
    alone = np.concatenate([draws.uniform(numbers[i : i + 1], seed=1, columns=6) for i in (4, 3, 2, 1, 0)])
    assert np.array_equal(together, alone[::-1])
    assert len(np.unique(together)) == together.size
    assert not np.isin(draws.uniform(numbers, seed=2, columns=6), together).any()
    assert np.array_equal(
        draws.below(np.array([0.0, 0.5, np.nextafter(1, 0)]), np.array([3, 3, 3])), [0, 1, 2]
    )


@pytest.mark.parametrize(
    ("scale", "enlarge", "crop"), [(4, True, 33), (3, True, 33), (4, False, 32), (2, False, 30)]
)
@pytest.mark.parametrize("augment", ["none", "flip", "flips-and-turns"])
def test_samples_are_crops_of_the_whole_picture_reduced(
    folder: Path, scale: int, enlarge: bool, crop: int, augment: str
) -> None:
    at = setting(folder, scale=scale, model_scale=1 if enlarge else scale)
    data = opened(at, crop=crop, augment=augment)
    pairs = {name: pair_of(folder / name, scale, enlarge=enlarge) for name in SIZES}
    ratio = 1 if enlarge else scale
    ways, names = set(), set()
    for number in range(60):
        sample = data.sample(number)
        input8, target8 = pairs[sample.name]
        assert sample.target.shape == (crop, crop, 3) and sample.input.shape == (crop // ratio,) * 2 + (3,)
        way, (top, left) = orientation_of(target8, eight_bit(sample.target))
        assert top % ratio == left % ratio == 0
        side, top, left = crop // ratio, top // ratio, left // ratio
        expected = as_turned(input8[top : top + side, left : left + side], way)
        assert np.array_equal(eight_bit(sample.input), expected)
        ways.add(way)
        names.add(sample.name)
    assert names == set(SIZES)
    assert len(ways) == {"none": 1, "flip": 2, "flips-and-turns": 8}[augment]
    assert augment != "flip" or ways == {(False, False, False), (True, False, False)}


@pytest.mark.parametrize("sub_images", [0, 14])
def test_a_batch_is_its_samples_in_any_order(folder: Path, sub_images: int) -> None:
    data = opened(setting(folder, scale=3), crop=33, sub_images=sub_images, augment="flips-and-turns")
    numbers = [700, 0, 31, 5, 100_000, 5]
    inputs, targets, names = data.batch(numbers)
    for row, number in enumerate(numbers):
        sample = data.sample(number)
        assert np.array_equal(sample.input, inputs[row]) and np.array_equal(sample.target, targets[row])
        assert sample.name == names[row]
    assert np.array_equal(inputs[3], inputs[5])
    other = opened(setting(folder, scale=3, seed=8), crop=33, sub_images=sub_images)
    assert not np.array_equal(other.batch(numbers)[1], targets)


@pytest.mark.parametrize("memory_mib", [4096, 0])
def test_threads_and_memory_change_nothing(folder: Path, memory_mib: int) -> None:
    Image.fromarray(picture(500, 400, 9)).save(folder / "large.png")
    expected = opened(setting(folder), crop=40).batch(range(64))
    data = opened(setting(folder), crop=40, memory_mib=memory_mib)
    assert data.costly is (memory_mib == 0)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(data.batch, [range(i, i + 8) for i in range(0, 64, 8)]))
    for part in range(2):
        assert np.array_equal(np.concatenate([one[part] for one in found]), expected[part])


def test_memory_that_holds_some_makes_room_for_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(3):
        Image.fromarray(picture(320, 400, 20 + seed)).save(folder / f"large{seed}.png")
    roomy, tight = (opened(setting(folder), crop=40, memory_mib=mib) for mib in (4096, 1))
    assert tight.costly and not roomy.costly
    reads: list[Path] = []
    monkeypatch.setattr(
        "pixelproof.models.training.data.sources.read_rgb8",
        lambda path: reads.append(path) or read_rgb8(path),
    )
    assert all(map(np.array_equal, tight.batch(range(99)), roomy.batch(range(99))))
    assert {path.stem for path in reads} <= {"large0", "large1", "large2"} | {"2", "10", "11"}
    assert 2 <= len(reads) < 99


def test_a_spawned_process_makes_the_same_samples_from_a_small_pickle(folder: Path) -> None:
    data = opened(setting(folder), crop=40, augment="flips-and-turns")
    assert len(pickle.dumps(data)) < 4096
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = pool.submit(data.sample, 123).result()
    assert np.array_equal(found.input, data.sample(123).input)
    assert found.name == data.sample(123).name


def test_every_sub_image_comes_once_a_pass(folder: Path) -> None:
    data = opened(setting(folder, scale=3), crop=33, sub_images=14, augment="none")
    grid = {
        (name, top, left)
        for name, (height, width) in SIZES.items()
        for top in range(0, height - height % 3 - 33 + 1, 14)
        for left in range(0, width - width % 3 - 33 + 1, 14)
    }
    count = data.samples_per_epoch
    assert count == len(grid) == 54
    pictures = {name: read_rgb8(folder / name) for name in SIZES}
    passes = []
    for begin in (0, count):
        _, targets, names = data.batch(range(begin, begin + count))
        passes.append(
            [
                (name, *(place_of(pictures[name], eight_bit(one)) or ()))
                for name, one in zip(names, targets, strict=True)
            ]
        )
    assert set(passes[0]) == set(passes[1]) == grid
    assert passes[0] != passes[1]


def test_the_epoch_may_be_shorter_or_longer_than_a_pass(folder: Path) -> None:
    data = opened(setting(folder, scale=3), crop=33, sub_images=14, samples_per_epoch=1000)
    assert data.samples_per_epoch == 1000
    assert opened(setting(folder, scale=3), crop=33).samples_per_epoch == 2 * 1 + 3 * 2 + 1 * 3


def test_large_photographs_come_oftener(tmp_path: Path) -> None:
    Image.fromarray(picture(60, 60, 0)).save(tmp_path / "small.png")
    Image.fromarray(picture(120, 180, 1)).save(tmp_path / "large.png")
    names = Counter(opened(setting(tmp_path), crop=60).batch(range(3500))[2])
    assert abs(names["small.png"] - 500) < 5 * np.sqrt(3500 / 7 * 6 / 7)


def test_photographs_are_reduced_first(folder: Path) -> None:
    Image.fromarray(picture(60, 60, 5)).convert("L").save(folder / "grey.png")
    data = opened(setting(folder, scale=2), crop=24, shrink=[1, 2, 4], augment="none")
    targets8 = {}
    for name, factor in product(SIZES, (1, 2)):
        whole = Image.open(folder / name).reduce(factor)
        targets8[name, factor] = np.array(whole)[: whole.height // 2 * 2, : whole.width // 2 * 2]
    seen: Counter[int] = Counter()
    for number in range(80):
        one = data.sample(number)
        for factor in (1, 2):
            target8 = targets8[one.name, factor]
            place = place_of(target8, eight_bit(one.target))
            if place is not None:
                height, width = target8.shape[:2]
                input8 = bicubic_resize_8bit(
                    bicubic_resize_8bit(target8, height // 2, width // 2), height, width
                )
                top, left = place
                assert np.array_equal(eight_bit(one.input), input8[top : top + 24, left : left + 24])
                seen[factor] += 1
    assert seen[1] > seen[2] > 0
    why = Counter(one.name for one in data.skipped)
    assert why == {"2.png": 1, "10.png": 1, "11.bmp": 1, "grey.png": 2}
    assert any(one.why.endswith("found 18x16 when reduced by 4.") for one in data.skipped)


@pytest.mark.parametrize(
    ("model_scale", "scale", "multiple", "cut"), [(1, 3, 1, 3), (1, 3, 16, 48), (4, 4, 1, 4), (2, 2, 5, 10)]
)
def test_validation_is_whole_pictures_cut_to_whole_multiples(
    folder: Path, model_scale: int, scale: int, multiple: int, cut: int
) -> None:
    at = setting(folder, scale=scale, model_scale=model_scale, size_multiple=multiple)
    data = opened(at, crop=multiple * scale)
    found = data.validation()
    assert [one.name for one in found] == list(SIZES)
    for one, (height, width) in zip(found, SIZES.values(), strict=True):
        height, width = height // cut * cut, width // cut * cut
        target8 = read_rgb8(folder / one.name)[:height, :width]
        input8 = bicubic_resize_8bit(target8, height // scale, width // scale)
        if model_scale == 1:
            input8 = bicubic_resize_8bit(input8, height, width)
        assert np.array_equal(eight_bit(one.target), target8)
        assert np.array_equal(eight_bit(one.input), input8)
        assert at.contract.allows(*one.input.shape[:2])
    assert len(opened(replace(at, validation=None), crop=multiple * scale).validation()) == 0


def test_what_cannot_be_used_is_named_with_the_reason(folder: Path) -> None:
    rgb = Image.fromarray(picture(60, 60, 5))
    rgb.convert("L").save(folder / "grey.png")
    rgb.convert("RGBA").save(folder / "clear.png")
    rgb.quantize(8).save(folder / "palette.png")
    rgb.resize((20, 60)).save(folder / "tiny.png")
    Image.fromarray(np.zeros((60, 60), np.uint16)).save(folder / "deep.png")
    rgb.save(folder / "cut.png")
    (folder / "cut.png").write_bytes((folder / "cut.png").read_bytes()[:3000])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "words.bmp").write_text("no picture")
    (folder / "notes.txt").write_text("not looked at")
    data = opened(replace(setting(folder), validation=None), crop=40)
    why = {one.name: one.why for one in data.skipped}
    assert set(why) == {"grey.png", "clear.png", "tiny.png", "deep.png", "cut.png", "empty.jpg", "words.bmp"}
    assert "found mode L" in why["grey.png"] and "Grey is not made into" in why["grey.png"]
    assert "Transparency" in why["clear.png"] and "8 bit a channel" in why["deep.png"]
    assert "undamaged" in why["cut.png"] and "empty file" in why["empty.jpg"]
    assert why["tiny.png"] == "A picture must be at least 40x40 here; found 60x20."
    assert set(data.batch(range(200))[2]) == {*SIZES, "palette.png"}


def test_nothing_left_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="must hold images"):
        opened(setting(tmp_path))
    Image.fromarray(picture(60, 60, 0)[..., 0]).save(tmp_path / "a.png")
    Image.fromarray(picture(20, 60, 0)).save(tmp_path / "b.png")
    with pytest.raises(ImageError, match=r"none among 2 in .*; the first one, a\.png: .* mode L"):
        opened(setting(tmp_path))
    for missing in (tmp_path / "missing", tmp_path / "a.png"):
        with pytest.raises(ImageError, match="must be a readable folder"):
            opened(setting(missing))
        with pytest.raises(ImageError):
            opened(Setting(tmp_path, missing, 4, Contract(), 0))


def test_a_photograph_that_changes_meanwhile_is_named(folder: Path) -> None:
    data = opened(setting(folder), crop=40, memory_mib=0)
    Image.fromarray(picture(80, 80, 1)).save(folder / "2.png")
    with pytest.raises(ImageError, match=r"must stay as they are .* 2\.png, now 80x80"):
        data.batch(range(100))
    (folder / "2.png").unlink()
    with pytest.raises(ImageError, match=r"2\.png"):
        data.batch(range(100))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": 0}, "data.crop must be 1 or more"),
        ({"crop": -4}, "data.crop must be"),
        ({"crop": 42}, "data.crop must be a multiple of 4"),
        ({"crop": 40}, "at least 15x15 pixels.*inputs of 10x10"),
        ({"crop": 66}, "data.crop must be a multiple of 4"),
        ({"crop": 64, "sub_images": 14}, "data.sub_images must be a multiple of 4"),
        ({"sub_images": -4}, "data.sub_images must be 0 or more"),
        ({"samples_per_epoch": -1}, "data.samples_per_epoch must be 0 or more"),
        ({"memory_mib": -1}, "data.memory_mib must be 0 or more"),
        ({"shrink": []}, "data.shrink must be"),
        ({"shrink": [1, 0]}, "data.shrink must be"),
        ({"shrink": [2, 2]}, "data.shrink must be"),
        ({"shrink": 2}, "data.shrink must be a list"),
        ({"augment": "turn"}, "data.augment must be one of none, flip, flips-and-turns"),
        ({"input": "enlarged"}, 'data.input must be "small"'),
        ({"croop": 64}, "data.croop is not a known key"),
    ],
)
def test_options_that_cannot_be_are_refused(folder: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        opened(setting(folder, model_scale=4, minimum_size=15), **options)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"scale": 4, "model_scale": 2}, "scale 4, and a model that enlarges by 2"),
        ({"scale": 1, "model_scale": 1}, "scale must be 2 or more"),
        ({"scale": 0, "model_scale": 1}, "scale must be that of the model"),
        ({"channels": (4, 3)}, "a model of 4 and 3 channels.*isp"),
        ({"size_multiple": 16}, "multiples of 16.*inputs of 40x40"),
        ({"seed": -1}, "seed must be 0 or more"),
    ],
)
def test_models_that_do_not_go_with_photographs(folder: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        opened(setting(folder, **changed), crop=40)
