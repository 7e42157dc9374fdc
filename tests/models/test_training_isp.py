"""The data kind ``isp``: which pairs, how they are turned, what the model gets."""

from __future__ import annotations

import itertools
import pickle
import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelproof.bayer import CFA_ORDERS, mosaic_of, unpack_bayer
from pixelproof.contract import Contract
from pixelproof.errors import (
    ImageError,
    RecipeError,
)
from pixelproof.models.training.data.kinds import kind_of
from pixelproof.models.training.data.training_data import Setting
from pixelproof.models.training.isp.augment import Turn, random_turn, turn_mosaic, turn_packed
from pixelproof.models.training.isp.data import IspData, IspPairs, open_isp

Call = Callable[..., Any]
PUNET = Contract(channels=(4, 3), scale=2, minimum_size=16, size_multiple=16)
TURNS = [Turn(*bits) for bits in itertools.product((False, True), repeat=3)]
SMALL = IspData(patch_h=64, patch_w=64, train_size=3, redraw_every=10)


def scene(seed: int, height: int = 64, width: int = 64) -> np.ndarray:
    """A picture without symmetries: uint8, (height, width, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def seen_through(picture: np.ndarray, cfa: str = "RGGB") -> np.ndarray:
    """The mosaic that a sensor with this filter makes of a picture, four times as bright: uint16."""
    mosaic = np.zeros(picture.shape[:2], np.uint16)
    for place, colour in enumerate(cfa):
        row, column = divmod(place, 2)
        mosaic[row::2, column::2] = picture[row::2, column::2, "RGB".index(colour)]
    return mosaic * np.uint16(4)


def write_pair(part: Path, name: str, picture: np.ndarray, mosaic: np.ndarray | None = None) -> None:
    """One pair, where the challenge has it."""
    for folder, image in (
        ("fujifilm", picture),
        ("mediatek_raw", seen_through(picture) if mosaic is None else mosaic),
    ):
        (part / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(part / folder / f"{name}.png")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``raw_images`` with eight pairs to learn from and three to measure on."""
    folder = tmp_path_factory.mktemp("isp") / "raw_images"
    for part, count in (("train", 8), ("val", 3)):
        for number in range(count):
            write_pair(folder / part, str(number), scene(100 * len(part) + number))
    return folder


def opened(folder: Path, options: IspData = SMALL, *, seed: int = 7) -> IspPairs:
    """The pairs of a folder."""
    return open_isp(options, Setting(folder / "train", folder / "val", 2, PUNET, seed))


@pytest.mark.parametrize("cfa", CFA_ORDERS)
@pytest.mark.parametrize("turn", TURNS)
def test_a_turned_mosaic_is_what_the_sensor_sees_of_the_turned_picture(cfa: str, turn: Turn) -> None:
    picture = scene(0)
    mosaic, target = turn_mosaic(seen_through(picture, cfa), picture, turn, cfa=cfa)
    assert mosaic.shape == target.shape[:2] == (64, 64)
    assert np.array_equal(mosaic, seen_through(target, cfa))


@pytest.mark.parametrize("turn", TURNS[1:])
def test_turning_packed_planes_moves_colours_against_each_other(turn: Turn) -> None:
    picture = scene(0)
    packed = unpack_bayer(seen_through(picture))
    planes, target = turn_packed(packed, picture, turn)
    taken = unpack_bayer(seen_through(np.ascontiguousarray(target)))
    wrong = [not np.array_equal(planes[..., plane], taken[..., plane]) for plane in range(4)]
    assert any(wrong)
    if not turn.transposed:
        assert all(wrong)
    assert np.array_equal(np.sort(planes[..., 2].ravel()), np.sort(packed[..., 2].ravel()))


def test_a_mirrored_pair_is_the_plain_mirror_image_moved_by_one_pixel() -> None:
    picture = scene(0)
    for turn, plain, axis in (
        (Turn(upside_down=True), picture[::-1], 0),
        (Turn(left_right=True), picture[:, ::-1], 1),
    ):
        _, target = turn_mosaic(seen_through(picture), picture, turn)
        inner, moved = np.moveaxis(target, axis, 0), np.moveaxis(plain, axis, 0)
        assert np.array_equal(inner[1:], moved[:-1])
        assert np.array_equal(inner[0], inner[2])  # reflected about the row that isn't there
        assert not np.array_equal(
            seen_through(picture)[::-1], seen_through(np.ascontiguousarray(picture[::-1]))
        )


def test_the_public_turns_are_those_of_the_public_code() -> None:
    planes, picture = unpack_bayer(seen_through(scene(1))), scene(1)
    ours = {tuple(part.tobytes() for part in turn_packed(planes, picture, turn)) for turn in TURNS}
    theirs = set()
    for turns, mirrored in itertools.product(range(4), (False, True)):
        pair = [np.rot90(image, turns) for image in (planes, picture)]
        theirs.add(tuple((np.flipud(one) if mirrored else one).tobytes() for one in pair))
    assert ours == theirs and len(ours) == 8


def test_turns_are_drawn_equally_often_and_oblong_patches_are_not_transposed() -> None:
    rng = np.random.default_rng(0)
    drawn = [random_turn(rng, square=True) for _ in range(4000)]
    assert all(abs(drawn.count(turn) - 500) < 100 for turn in TURNS)
    assert not any(random_turn(rng, square=False).transposed for _ in range(100))


def test_samples_are_numbers_that_any_process_makes_alike(images: Path) -> None:
    data = opened(images)
    assert (data.samples_per_epoch, data.skipped, data.costly) == (8, (), False)
    again = pickle.loads(pickle.dumps(data))
    for number in (31, 4, 0, 100_000):
        one, other = data.sample(number), again.sample(number)
        assert np.array_equal(one.input, other.input) and np.array_equal(one.target, other.target)
        assert (one.input.shape, one.target.shape, one.name) == ((32, 32, 4), (64, 64, 3), other.name)
        assert one.input.dtype == one.target.dtype == np.float32 and one.target.max() <= 1
    names = [Path(data.sample(number).name).stem for number in range(40)]
    other_seed = [Path(opened(images, seed=8).sample(number).name).stem for number in range(40)]
    assert names != other_seed


def test_pairs_are_drawn_anew_after_so_many_samples(images: Path) -> None:
    data = opened(images)
    blocks = [{data.pair_of(10 * block + place)[0] for place in range(10)} for block in range(12)]
    assert all(len(block) <= 3 for block in blocks)
    assert len(set.union(*blocks)) == 8
    everything = opened(images, replace(SMALL, train_size=5000, redraw_every=10_000))
    assert len({everything.pair_of(number)[0] for number in range(200)}) == 8


@pytest.mark.parametrize("augment", ["bayer", "public", "none"])
def test_what_the_model_gets_is_the_challenges_packing(images: Path, augment: Any) -> None:
    data = opened(images, replace(SMALL, augment=augment))
    aligned = []
    for number in range(16):
        sample = data.sample(number)
        picture = np.rint(sample.target * 255).astype(np.uint8)
        mosaic = np.rint(mosaic_of(sample.input) * 1020).astype(np.uint16)
        aligned.append(np.array_equal(mosaic, seen_through(picture)))
        if augment == "none":
            stem = Path(sample.name).stem
            raw = np.asarray(Image.open(images / "train" / "mediatek_raw" / f"{stem}.png"))
            blue, green_beside_red, red, green_beside_blue = (sample.input[..., plane] for plane in range(4))
            for plane, place in (
                (blue, raw[1::2, 1::2]),
                (green_beside_red, raw[0::2, 1::2]),
                (red, raw[0::2, 0::2]),
                (green_beside_blue, raw[1::2, 0::2]),
            ):
                assert np.array_equal(plane, place.astype(np.float32) / (4 * 255))
    assert all(aligned) is (augment != "public")


def test_validation_pairs_come_whole_in_natural_order(images: Path, tmp_path: Path) -> None:
    held = opened(images).validation()
    assert [Path(one.name).stem for one in held] == ["0", "1", "2"]
    assert np.array_equal(
        held[1].target, np.asarray(Image.open(images / "val/fujifilm/1.png"), np.float32) / 255
    )
    two = opened(images, replace(SMALL, validation_images=2)).validation()
    assert [Path(one.name).stem for one in two] == ["0", "1"]
    shutil.copytree(images / "train", tmp_path / "train")
    write_pair(tmp_path / "val", "large", scene(5, 96, 128))
    assert opened(tmp_path).validation()[0].target.shape == (96, 128, 3)
    none = open_isp(SMALL, Setting(tmp_path / "train", None, 2, PUNET, 0))
    assert len(none.validation()) == 0


def test_oblong_patches_keep_their_size(tmp_path: Path) -> None:
    for part in ("train", "val"):
        write_pair(tmp_path / part, "0", scene(3, 64, 96))
    data = opened(tmp_path, replace(SMALL, patch_w=96))
    assert {data.sample(number).target.shape for number in range(12)} == {(64, 96, 3)}


def deep_png(picture: np.ndarray) -> bytes:
    """The picture as a PNG of 16 bit a channel, which Pillow doesn't write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = picture.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in picture)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(itertools.starmap(chunk, parts))


def damage(folder: Path) -> dict[str, str]:
    """Pairs that can't be used, and a word of the reason of each."""
    picture = scene(9)
    raw, target = folder / "mediatek_raw", folder / "fujifilm"
    for name in ("cut", "flipped_bit", "empty", "text", "without_picture", "twice"):
        write_pair(folder, name, picture)
    (target / "without_picture.png").unlink()
    data = (target / "cut.png").read_bytes()
    (target / "cut.png").write_bytes(data[: len(data) // 2])
    damaged = bytearray((raw / "flipped_bit.png").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (raw / "flipped_bit.png").write_bytes(damaged)
    (raw / "empty.png").write_bytes(b"")
    (target / "text.png").write_text("no image")
    Image.fromarray(picture).save(target / "twice.bmp")
    Image.fromarray(picture).save(target / "without_mosaic.png")
    write_pair(folder, "eight_bit", picture, (seen_through(picture) // 4).astype(np.uint8))
    write_pair(folder, "colours", picture, picture)
    write_pair(folder, "grey", picture[..., 0], seen_through(picture))
    write_pair(folder, "deep", picture)
    (target / "deep.png").write_bytes(deep_png(picture))
    write_pair(folder, "sizes", scene(1, 64, 32), seen_through(picture))
    write_pair(folder, "large", scene(1, 96, 96))
    return {
        "cut": "Truncated File Read",
        "flipped_bit": "broken PNG file",
        "empty": "an empty file",
        "text": "none of these",
        "without_picture": "no picture of that name",
        "without_mosaic": "no mosaic of that name",
        "twice": "several files",
        "eight_bit": "8 bit",
        "colours": "mode RGB, not one channel",
        "grey": "mode L, not RGB",
        "deep": "more than 8 bit",
        "sizes": "different sizes, 64x64 and 64x32",
        "large": "96x96, not patch_h x patch_w, 64x64",
    }


def test_pairs_that_cannot_be_used_are_named_and_left_out(images: Path, tmp_path: Path) -> None:
    shutil.copytree(images / "val", tmp_path / "val")
    reasons = damage(tmp_path / "train")
    with pytest.raises(ImageError, match=f"none in .*; {len(reasons)} left out, the first one "):
        opened(tmp_path)
    write_pair(tmp_path / "train", "good", scene(2))
    data = opened(tmp_path)
    assert data.samples_per_epoch == 1
    found = {Path(one.name).stem: one.why for one in data.skipped}
    assert found.keys() == reasons.keys()
    for name, reason in reasons.items():
        assert reason in found[name], (name, found[name])
    assert Path(data.sample(3).name).stem == "good"


def test_eight_bit_mosaics_are_taken_with_a_white_level_of_eight_bit(images: Path, tmp_path: Path) -> None:
    picture = scene(4)
    for part in ("train", "val"):
        write_pair(tmp_path / part, "0", picture, (seen_through(picture) // 4).astype(np.uint8))
    sample = opened(tmp_path, replace(SMALL, white_level=255.0, augment="none")).sample(0)
    assert np.allclose(sample.input[..., 2], sample.target[0::2, 0::2, 0])


def test_another_white_level_is_noticed(tmp_path: Path) -> None:
    for part in ("train", "val"):
        write_pair(tmp_path / part, "0", scene(4), seen_through(scene(4)) * np.uint16(4))
    with pytest.raises(ImageError, match="white level, 1020"):
        opened(tmp_path)
    assert opened(tmp_path, replace(SMALL, white_level=4080.0)).sample(0).input.max() <= 1


def test_a_folder_that_is_not_there_is_named(images: Path, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"no folder .*/train/canon"):
        opened(images, replace(SMALL, dslr_dir="canon"))
    with pytest.raises(ImageError, match=r"no folder .*/train/mediatek_raw"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("options", "scale", "contract", "word"),
    [
        ({"patch_w": 72}, 2, PUNET, "multiples of 32"),
        ({"patch_h": 0}, 2, PUNET, "patch_h"),
        ({"train_size": 0}, 2, PUNET, "train_size"),
        ({"redraw_every": 0}, 2, PUNET, "redraw_every"),
        ({"first_iteration": -1}, 2, PUNET, "first_iteration"),
        ({"cfa": "RGBW"}, 2, PUNET, "RGGB"),
        ({"white_level": 0.0}, 2, PUNET, "white_level"),
        ({}, 4, PUNET, "scale must be 2"),
        ({}, 1, Contract(), "4 planes"),
    ],
)
def test_options_that_cannot_be(
    images: Path, options: dict[str, Any], scale: int, contract: Contract, word: str
) -> None:
    setting = Setting(images / "train", None, scale, contract, 0)
    with pytest.raises(RecipeError, match=word):
        open_isp(replace(SMALL, **options), setting)


def test_the_kind_is_found_by_name() -> None:
    assert kind_of("isp").options is IspData
