"""``degrade-images`` as typed: pairs, their repeatability, what is left out and what is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelproof.images import read_rgb8
from pixelproof.models.training.degradations.pipeline import degraded_pair
from pixelproof.models.training.degradations.recipe_file import changed, load_recipe

COMMAND = [sys.executable, "-c", "from pixelproof.cli import main; main()", "degrade-images"]
Call = Callable[..., Any]


def _save(path: Path, height: int = 72, width: int = 60, *, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height // 6 + 1, width // 6 + 1, 3), dtype=np.uint8)
    image = np.ascontiguousarray(image.repeat(6, 0).repeat(6, 1)[:height, :width])
    Image.fromarray(image).save(path)
    return image


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Four pictures: in natural order 2.png, 10.png, 11.png, 100.bmp."""
    folder = tmp_path / "faces"
    folder.mkdir()
    for seed, name in enumerate(("2.png", "10.png", "11.png", "100.bmp")):
        _save(folder / name, seed=seed)
    return folder


def _files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_pairs_are_those_of_seed_and_index_whatever_the_processes(
    call: Call, faces: Path, tmp_path: Path
) -> None:
    one, three = tmp_path / "one", tmp_path / "three"
    answer = call("degrade-images", str(faces), str(one), "--recipe", "ai6126", "--seed", "7", "--jobs", "1")
    assert answer.code == 0, answer.err
    assert "4 pairs in" in answer.out and "Next: restore-images" in answer.out
    call("degrade-images", str(faces), str(three), "--recipe", "ai6126", "--seed", "7", "--jobs", "3")
    assert _files(one) == _files(three)
    assert sorted(_files(one)) == sorted(f"{d}/{n}.png" for d in ("GT", "LQ") for n in (2, 10, 11, 100))
    for index, name in enumerate(("2.png", "10.png", "11.png", "100.bmp")):
        pair = degraded_pair(read_rgb8(faces / name), load_recipe("ai6126"), seed=7, index=index)
        stem = Path(name).stem
        assert np.array_equal(read_rgb8(one / "GT" / f"{stem}.png"), pair.target8)
        assert np.array_equal(read_rgb8(one / "LQ" / f"{stem}.png"), pair.degraded8)
        assert pair.degraded8.shape == (18, 15, 3)


def test_options_and_the_json(call: Call, faces: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    bundled = Path(__file__).resolve().parents[2] / "models" / "training" / "recipes" / "ai6126.toml"
    text = bundled.read_text(encoding="utf-8").replace('id = "ai6126"', 'id = "mine"')
    recipe.write_text(text, encoding="utf-8")
    out = tmp_path / "out"
    answer = call(
        "degrade-images", str(faces), str(out), "--recipe", str(recipe), "--no-sharpen", "--scale", "2",
        "--format", "bmp", "--jobs", "1", "--json", "-",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    assert (document["schema_version"], document["seed"], document["skipped"]) == (1, 0, [])
    assert (document["recipe"]["id"], document["recipe"]["scale"]) == ("mine", 2)
    assert [pair["name"] for pair in document["pairs"]] == ["2.bmp", "10.bmp", "11.bmp", "100.bmp"]
    assert document["pairs"][1]["plan"]["ending"]["resize"]["height"] == 36
    assert np.array_equal(read_rgb8(out / "GT" / "2.bmp"), read_rgb8(faces / "2.png"))
    own = changed(load_recipe("ai6126"), scale=2, gt_usm=False)
    expected = degraded_pair(read_rgb8(faces / "10.png"), own, seed=0, index=1)
    assert np.array_equal(read_rgb8(out / "LQ" / "10.bmp"), expected.degraded8)


def test_images_that_cannot_be_used_are_named_and_left_out(call: Call, faces: Path, tmp_path: Path) -> None:
    picture = Image.fromarray(_save(faces / "odd.png", 83, 97, seed=9))
    picture.convert("L").save(faces / "grey.png")
    picture.convert("RGBA").save(faces / "rgba.png")
    picture.crop((0, 0, 55, 90)).save(faces / "small.png")
    Image.fromarray(np.zeros((80, 80), np.uint16)).save(faces / "deep.png")
    (faces / "cut.png").write_bytes((faces / "2.png").read_bytes()[:300])
    (faces / "text.jpg").write_text("no picture", encoding="utf-8")
    (faces / "empty.png").touch()
    (faces / "folder.png").mkdir()
    out = tmp_path / "out"
    answer = call(
        "degrade-images", str(faces), str(out), "--recipe", "ai6126", "--json", str(tmp_path / "d.json")
    )
    assert answer.code == 0, answer.err
    assert "5 pairs in" in answer.out and "7 left out" in answer.out
    document = json.loads((tmp_path / "d.json").read_text(encoding="utf-8"))
    left_out = {one["source"]: one["why"] for one in document["skipped"]}
    assert set(left_out) == {
        "grey.png", "rgba.png", "small.png", "deep.png", "cut.png", "text.jpg", "empty.png"
    }  # fmt: skip
    assert all(name in answer.out for name in left_out)
    assert "56x56" in left_out["small.png"] and "8 bit" in left_out["deep.png"]
    assert read_rgb8(out / "GT" / "odd.png").shape == (80, 96, 3)
    assert not (out / "GT" / "grey.png").exists()


def test_none_that_can_be_used_is_an_error(call: Call, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    Image.new("L", (80, 80)).save(folder / "grey.png")
    answer = call("degrade-images", str(folder), str(out), "--recipe", "ai6126")
    assert answer.code == 2
    assert "none among 1" in answer.err and "mode L" in answer.err
    assert not out.exists()


def test_folders_that_cannot_be(call: Call, faces: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()

    def refused(images: Path, out: Path) -> str:
        answer = call("degrade-images", str(images), str(out), "--recipe", "ai6126")
        assert answer.code == 2
        return str(answer.err)

    assert "must hold images; found none" in refused(empty, tmp_path / "out")
    assert "must be a readable folder" in refused(tmp_path / "nowhere", tmp_path / "out")
    assert "must be a readable folder" in refused(faces / "2.png", tmp_path / "out")
    assert "OUT must lie outside IN" in refused(faces, faces / "out")
    assert "OUT must lie outside IN" in refused(faces, faces)
    assert "IN outside OUT" in refused(faces, tmp_path)
    link = tmp_path / "link"
    link.symlink_to(faces)
    assert "OUT must lie outside IN" in refused(faces, link / "out")
    assert "OUT must be a folder" in refused(faces, Path(__file__))
    _save(faces / "2.jpg")
    assert "differ in more than their suffix; found 2.jpg and 2.png" in refused(faces, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_output_folder_that_is_not_empty(call: Call, faces: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    typed = ["degrade-images", str(faces), str(out), "--recipe", "ai6126", "--jobs", "1"]
    (out / "GT").mkdir(parents=True)
    assert call(*typed).code == 0
    before = _files(out)
    again = call(*typed, "--seed", "1")
    assert again.code == 2 and "--overwrite" in again.err
    assert _files(out) == before
    assert call(*typed, "--seed", "1", "--overwrite").code == 0
    after = _files(out)
    assert set(after) == set(before)
    assert after["LQ/2.png"] != before["LQ/2.png"]
    (out / "LQ" / "other.png").touch()
    mixed = call(*typed, "--overwrite")
    assert mixed.code == 2 and "LQ/other.png" in mixed.err


def test_calls_that_are_wrong(call: Call, faces: Path, tmp_path: Path) -> None:
    def refused(*options: str) -> str:
        answer = call("degrade-images", str(faces), str(tmp_path / "out"), *options)
        assert answer.code == 2
        return str(answer.err)

    assert "Missing option '--recipe'" in refused()
    assert "Did you mean ai6126" in refused("--recipe", "ai6125")
    assert "must be a readable file" in refused("--recipe", str(tmp_path / "none.toml"))
    assert "must be from 1 to 16" in refused("--recipe", "ai6126", "--scale", "17")
    assert "--seed" in refused("--recipe", "ai6126", "--seed", "-1")
    assert "--jobs" in refused("--recipe", "ai6126", "--jobs", "0")


def test_a_folder_that_cannot_be_written(call: Call, faces: Path) -> None:
    answer = call("degrade-images", str(faces), "/proc/pairs", "--recipe", "ai6126", "--jobs", "1")
    assert answer.code == 3
    assert "must be writable" in answer.err


def _many(folder: Path, count: int) -> Path:
    folder.mkdir()
    _save(folder / "0.png", 300, 300)
    for number in range(1, count):
        (folder / f"{number}.png").symlink_to(folder / "0.png")
    return folder


def _started(folder: Path, out: Path) -> subprocess.Popen[str]:
    """The command in a group of its own, with at least one pair written."""
    process = subprocess.Popen(
        [*COMMAND, str(folder), str(out), "--recipe", "ai6126", "--jobs", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until = time.monotonic() + 60
    while not any((out / "GT").glob("*.png")) and time.monotonic() < until:
        time.sleep(0.05)
    return process


def test_ctrl_c_ends_it_in_good_order(tmp_path: Path) -> None:
    folder, out = _many(tmp_path / "many", 400), tmp_path / "out"
    process = _started(folder, out)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err and "Stopped" in err
    written = _files(out)
    assert 0 < len(written) < 800
    assert {Path(name).name for name in written if name.startswith("GT")} == {
        Path(name).name for name in written if name.startswith("LQ")
    }
    assert all(name.endswith(".png") for name in written)


def test_kill_leaves_no_processes_and_no_half_files(tmp_path: Path) -> None:
    folder, out = _many(tmp_path / "many", 400), tmp_path / "out"
    process = _started(folder, out)
    process.kill()
    process.communicate(timeout=60)  # the pipes end with the last process that holds them
    until = time.monotonic() + 20
    while any(not name.endswith(".png") for name in _files(out)) and time.monotonic() < until:
        time.sleep(0.1)
    written = _files(out)
    assert 0 < len(written) < 800
    for name in written:
        assert name.endswith(".png")
        read_rgb8(out / name)
