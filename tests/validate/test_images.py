"""The track's images: found, matched, refused with a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelproof import images
from pixelproof.challenge import Degrade, Fidelity, Psnr, Runtime
from pixelproof.errors import ImageError
from pixelproof.images import write_png
from pixelproof.validate.pairs import find_pairs, read_pair
from pixelproof.validate.runtime_evidence import timing_images

PAIRED = Fidelity(targets="canon", inputs="iphone", psnr=Psnr())
SHRUNK = Fidelity(targets="canon", degrade=Degrade(factor=4), psnr=Psnr())


def image(path: Path, *, size: tuple[int, int] = (40, 60), seed: int = 0) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    write_png(path, pixels)
    return path


def pairs_of(root: Path, *names: str) -> None:
    for folder in ("iphone", "canon"):
        for name in names:
            image(root / folder / name)


def test_pairs_come_in_natural_order_with_their_partners(tmp_path: Path) -> None:
    pairs_of(tmp_path, "10.png", "2.png", "1.png")
    found = find_pairs(tmp_path, PAIRED)
    assert [pair.name for pair in found] == ["1.png", "2.png", "10.png"]
    assert all(pair.input == tmp_path / "iphone" / pair.name for pair in found)


def test_partners_may_differ_in_their_suffix(tmp_path: Path) -> None:
    image(tmp_path / "canon" / "a.png")
    Image.new("RGB", (60, 40)).save(image(tmp_path / "iphone" / "x.png").with_name("a.jpg"))
    (tmp_path / "iphone" / "x.png").unlink()
    (pair,) = find_pairs(tmp_path, PAIRED)
    assert (pair.target.name, pair.input and pair.input.name) == ("a.png", "a.jpg")


def test_images_without_a_partner_are_named(tmp_path: Path) -> None:
    pairs_of(tmp_path, "1.png")
    image(tmp_path / "canon" / "2.png")
    image(tmp_path / "iphone" / "3.png")
    with pytest.raises(ImageError, match=r"no partner for 2\.png, 3\.png"):
        find_pairs(tmp_path, PAIRED)


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    pairs_of(tmp_path, "1.png")
    Image.new("RGB", (60, 40)).save(tmp_path / "iphone" / "1.jpg")
    with pytest.raises(ImageError, match=r"1\.jpg, 1\.png"):
        find_pairs(tmp_path, PAIRED)


@pytest.mark.parametrize("empty", ["iphone", "canon"])
def test_an_empty_folder_is_named(tmp_path: Path, empty: str) -> None:
    pairs_of(tmp_path, "1.png")
    (tmp_path / empty / "1.png").unlink()
    with pytest.raises(ImageError, match=f"none in .*{empty}"):
        find_pairs(tmp_path, PAIRED)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="canon"):
        find_pairs(tmp_path, PAIRED)


def test_sizes_that_do_not_match(tmp_path: Path) -> None:
    image(tmp_path / "iphone" / "1.png", size=(40, 60))
    image(tmp_path / "canon" / "1.png", size=(40, 61))
    (pair,) = find_pairs(tmp_path, PAIRED)
    with pytest.raises(ImageError, match=r"the size of its input; found 40x60 and 40x61 for 1\.png"):
        read_pair(pair, PAIRED, scale=1)
    with pytest.raises(ImageError, match="4 times the size of its input"):
        read_pair(pair, PAIRED, scale=4)


def test_an_input_made_from_its_target_is_pillows_bicubic_there_and_back(tmp_path: Path) -> None:
    target = images.read_rgb8(image(tmp_path / "canon" / "1.png", size=(40, 60)))
    (pair,) = find_pairs(tmp_path, SHRUNK)
    source, read = read_pair(pair, SHRUNK, scale=1)
    small = Image.fromarray(target).resize((15, 10), Image.Resampling.BICUBIC)
    assert np.array_equal(read, target)
    assert np.array_equal(source, np.array(small.resize((60, 40), Image.Resampling.BICUBIC)))
    low = Fidelity(targets="canon", degrade=Degrade(factor=4, restore_size=False), psnr=Psnr())
    assert np.array_equal(read_pair(pair, low, scale=4)[0], np.array(small))


def test_a_target_that_can_not_be_shrunk_evenly(tmp_path: Path) -> None:
    image(tmp_path / "canon" / "1.png", size=(41, 60))
    (pair,) = find_pairs(tmp_path, SHRUNK)
    with pytest.raises(ImageError, match="multiples of 4"):
        read_pair(pair, SHRUNK, scale=1)


def test_images_for_timing_have_the_size_of_the_rules(tmp_path: Path) -> None:
    rules = Runtime(images="HD", baseline="srcnn", height=40, width=60)
    with pytest.raises(ImageError, match="HD"):
        timing_images(tmp_path, rules, channels=3)
    for number in range(6):
        image(tmp_path / "HD" / f"{number}.png")
    taken = timing_images(tmp_path, rules, channels=3)
    assert [x.shape for x in taken] == [(1, 40, 60, 3)] * 4
    assert taken[0].dtype == np.float32
    image(tmp_path / "HD" / "2.png", size=(40, 61))
    with pytest.raises(ImageError, match=r"must be 40x60; found 40x61: .*2\.png"):
        timing_images(tmp_path, rules, channels=3)


def broken_image(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def grey(path: Path) -> None:
    Image.fromarray(np.zeros((48, 64), np.uint8)).save(path)


def deep(path: Path) -> None:
    Image.fromarray(np.zeros((48, 64), np.uint16)).save(path)


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (broken_image, "7.png"),
        (grey, "mode L in"),
        (deep, "8 bit a channel"),
        (Path.unlink, "no partner for 7.png"),
    ],
)
def test_an_image_that_can_not_be_used_is_exit_2(
    typed, rules, graphs, lending, tmp_path, spoil, found: str
) -> None:
    for folder in ("iphone", "canon"):
        for number in range(9):
            image(tmp_path / "dped" / "patches" / folder / f"{number}.png", size=(48, 64))
    spoil(tmp_path / "dped" / "patches" / "iphone" / "7.png")
    answer = typed(
        graphs["good"], "--challenge", rules, "--track", "B", "--data", tmp_path, "--only", "fidelity"
    )
    assert answer.code == 2
    assert found in answer.err
    assert answer.err.splitlines()[-1].startswith("Error: ")


def test_several_sizes_in_one_folder(typed, rules, graphs, lending, tmp_path) -> None:
    sizes = [(48, 64), (33, 47), (48, 64), (70, 20)] * 10
    for folder in ("iphone", "canon"):
        for number, size in enumerate(sizes):
            image(tmp_path / "dped" / "patches" / folder / f"{number}.png", size=size, seed=number)
    options = ("--challenge", rules, "--track", "B", "--data", tmp_path, "--only", "fidelity", "--json", "-")
    together = typed(graphs["good"], *options).report["fidelity"]
    first_three = typed(graphs["good"], *options, "--images", "3").report["fidelity"]
    assert (together["batch"], first_three["batch"]) == (16, 1)
    assert [image["name"] for image in together["per_image"]] == [f"{number}.png" for number in range(40)]
    for one, both in zip(first_three["per_image"], together["per_image"], strict=False):
        assert one["psnr_db"] == pytest.approx(both["psnr_db"], abs=1e-4)
        assert one["ms_ssim"] == pytest.approx(both["ms_ssim"], abs=1e-6)
    assert (16, 48, 64, 3) in [shape for _, shape in lending.asked]
