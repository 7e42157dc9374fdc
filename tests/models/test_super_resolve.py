"""``super-resolve`` as typed: what is written and measured, which checkpoint is taken, what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelproof.data import samples_folder
from pixelproof.files import sha256_of
from pixelproof.images import read_rgb8, rounded_8bit, unit_from_8bit
from pixelproof.models.training.evaluation import evaluate
from pixelproof.models.training.recipe import Data, TrainingRecipe, Validation

Call = Callable[..., Any]
ORIGINALS = samples_folder("ai-challenge") / "div2k" / "original"
SHARPER = 1.437


@dataclass(frozen=True)
class Made:
    """Checkpoints of hand-made networks.

    Attributes:
        run: a run of srcnn_915 x3 with two checkpoints; the second one sharpens more.
        keras, weights: the second one as plain Keras files.
        broken: weights that are finite, of a network that overflows.
    """

    run: Path
    keras: Path
    weights: Path
    broken: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tf: Any) -> Made:
    """A network that passes colours through, and sharpens them with its last kernel."""
    from pixelproof.models.registry import create

    folder = tmp_path_factory.mktemp("made")
    model = create("srcnn_915")
    _sharpen(model, 1.0)
    _save(folder / "run", model, epoch=1)
    _sharpen(model, SHARPER)
    _save(folder / "run", model, epoch=2)
    model.save(folder / "plain.keras")
    model.save_weights(folder / "plain.weights.h5")
    _sharpen(model, 3e38)
    model.save_weights(folder / "broken.weights.h5")
    return Made(*(folder / name for name in ("run", "plain.keras", "plain.weights.h5", "broken.weights.h5")))


def _sharpen(model: Any, centre: float) -> None:
    weights = [np.zeros(one.shape, np.float32) for one in model.weights]
    for c in range(3):
        weights[0][4, 4, c, c] = weights[2][0, 0, c, c] = 1
        weights[4][1:4, 1:4, c, c] = (1 - centre) / 8 if centre < 10 else centre
        weights[4][2, 2, c, c] = centre
    model.set_weights(weights)


def _save(run: Path, model: Any, *, epoch: int, scale: int = 3) -> Path:
    from pixelproof.models.training.run.checkpoints import Arguments, write_checkpoint

    recipe = TrainingRecipe("t", model.name, Data("photographs", "photos"), scale=scale)
    path = run / "checkpoints" / f"epoch-{epoch:04d}.keras"
    arrays = {one.path: np.asarray(one) for one in model.weights}
    write_checkpoint(path, model=model, arrays=arrays, arguments=Arguments(recipe, epoch, 9, 9, 1.0, ()))
    return path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``lr/0.bmp``, ``lr/1.png``, reduced by 3, and ``hr/`` with what they are made of."""
    folder = tmp_path_factory.mktemp("pictures")
    for name in ("lr", "hr"):
        (folder / name).mkdir()
    for name in ("0.bmp", "1.png"):
        image = Image.fromarray(read_rgb8(ORIGINALS / f"{Path(name).stem}.png")).crop((0, 0, 192, 120))
        image.save(folder / "hr" / f"{Path(name).stem}.png")
        image.resize((64, 40), Image.Resampling.BICUBIC).save(folder / "lr" / name)
    return folder


def _expected(lr: Path, centre: float = SHARPER) -> tuple[np.ndarray, np.ndarray]:
    """What the network and bicubic make of a picture, by SciPy and Pillow alone."""
    from scipy.ndimage import correlate

    with Image.open(lr) as small:
        size = (small.width * 3, small.height * 3)
        enlarged = np.array(small.convert("RGB").resize(size, Image.Resampling.BICUBIC))
    kernel = np.full((3, 3), (1 - centre) / 8)
    kernel[1, 1] = centre
    planes = [correlate(enlarged[..., c] / 255.0, kernel, mode="constant") for c in range(3)]
    return rounded_8bit(np.stack(planes, axis=-1)), enlarged


def test_a_run_enlarges_a_picture_and_measures_it(
    call: Call, made: Made, pictures: Path, tmp_path: Path
) -> None:
    lr, hr, out = pictures / "lr" / "0.bmp", pictures / "hr" / "0.png", tmp_path / "sr.bmp"
    answer = call("super-resolve", "--checkpoint", str(made.run), str(lr), "--out", str(out),
                  "--original", str(hr), "--json", str(tmp_path / "figures.json"))  # fmt: skip
    assert answer.code == 0, answer.err
    assert "srcnn_915 x3, epoch 2" in answer.out and "3 pixels left out" in answer.out
    model8, bicubic8 = _expected(lr)
    found = read_rgb8(out)
    assert np.abs(found.astype(int) - model8).max() <= 1 and np.mean(found != model8) < 1e-3
    assert np.array_equal(read_rgb8(tmp_path / "sr_bicubic.bmp"), bicubic8)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["figures.json", "sr.bmp", "sr_bicubic.bmp"]
    document = json.loads((tmp_path / "figures.json").read_text())
    assert (document["model"], document["scale"], document["epoch"], document["border"]) == (
        "srcnn_915", 3, 2, 3,
    )  # fmt: skip
    picture = document["pictures"][0]
    assert (picture["height"], picture["width"], picture["original_size"]) == (120, 192, None)
    target, rules = unit_from_8bit(read_rgb8(hr)), Validation(crop_border=3, luma=True)
    assert picture["model"] == vars(evaluate(unit_from_8bit(found), target, rules))
    assert picture["bicubic"] == vars(evaluate(unit_from_8bit(bicubic8), target, rules))
    for figure in (picture["model"]["psnr_db"], picture["bicubic"]["psnr_y_db"]):
        assert f"{figure:.2f}" in answer.out


@pytest.mark.parametrize("kind", ["keras", "weights"])
def test_other_checkpoints_need_their_architecture_and_scale(
    call: Call, made: Made, pictures: Path, tmp_path: Path, kind: str
) -> None:
    checkpoint, lr = str(getattr(made, kind)), str(shutil.copy(pictures / "lr" / "0.bmp", tmp_path))
    base = ("super-resolve", "--checkpoint", checkpoint, lr)
    answer = call(*base)
    assert (answer.code, "--model must name the architecture" in answer.err) == (2, True)
    assert "srcnn_915" in answer.err
    answer = call(*base, "--model", "srcnn_915")
    assert (answer.code, "--scale 3" in answer.err) == (2, True)
    answer = call(*base, "--model", "srcnn_915", "--scale", "3", "--json", "-")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["pictures"][0]["model"] is None
    difference = np.abs(read_rgb8(tmp_path / "0_sr.png").astype(int) - _expected(Path(lr))[0])
    assert difference.max() <= 1
    assert (tmp_path / "0_sr_bicubic.png").is_file()
    answer = call(*base, "--model", "resnet_6_16", "--scale", "3", "--overwrite")
    assert answer.code == 2 and "srcnn_915" in answer.err


def test_pytorchs_weights_of_a_network_that_enlarges_itself(
    call: Call, pictures: Path, tmp_path: Path, shared_data: Path
) -> None:
    weights = shared_data / "real_esrgan" / "msrresnet_f16_b3_x4.pth"
    base = (
        "super-resolve",
        "--checkpoint",
        str(weights),
        "--model",
        "msrresnet",
        str(pictures / "lr" / "0.bmp"),
    )
    answer = call(*base, "--out", str(tmp_path / "a.png"), "--json", str(tmp_path / "a.json"))
    assert answer.code == 0, answer.err
    assert read_rgb8(tmp_path / "a.png").shape == read_rgb8(tmp_path / "a_bicubic.png").shape == (160, 256, 3)
    assert json.loads((tmp_path / "a.json").read_text())["scale"] == 4
    answer = call(*base, "--out", str(tmp_path / "b.png"), "--scale", "3")
    assert (answer.code, "--scale must be the model's: 4" in answer.err) == (2, True)


def test_a_folder_goes_into_a_folder(call: Call, made: Made, pictures: Path, tmp_path: Path) -> None:
    lr = Path(shutil.copytree(pictures / "lr", tmp_path / "lr"))
    Image.open(lr / "1.png").convert("L").save(lr / "grey.png")
    out = tmp_path / "out"
    base = ("super-resolve", "--checkpoint", str(made.run), str(lr))
    answer = call(*base, "--out", str(out), "--original", str(pictures / "hr"), "--json", str(tmp_path / "j"))
    assert answer.code == 2
    assert "2 pictures to" in answer.out and "mean of 2" in answer.out and "grey.png" in answer.out
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*.*")) == [
        "0.png", "1.png", "bicubic/0.png", "bicubic/1.png",
    ]  # fmt: skip
    document = json.loads((tmp_path / "j").read_text())
    rows = [row["model"]["psnr_y_db"] for row in document["pictures"]]
    assert document["means"]["model"]["psnr_y_db"] == pytest.approx(np.mean(rows))
    assert len(document["failed"]) == 1 and "mode L" in document["failed"][0]["error"]
    for name in ("0.bmp", "1.png"):
        found = read_rgb8(out / f"{Path(name).stem}.png").astype(int)
        assert np.abs(found - _expected(lr / name)[0]).max() <= 1
    answer = call(*base, "--out", str(out))
    assert (answer.code, "--overwrite replaces them" in answer.err) == (2, True)
    assert call(*base, "--out", str(out), "--overwrite").code == 2
    (lr / "grey.png").unlink()
    assert call(*base, "--out", str(out), "--overwrite").code == 0


def test_a_damaged_newest_checkpoint_is_named_and_passed_over(
    call: Call, made: Made, pictures: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(made.run, tmp_path / "run"))
    newest = run / "checkpoints" / "epoch-0002.keras"
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 255
    newest.write_bytes(data)
    lr = pictures / "lr" / "1.png"
    base = ("super-resolve", "--checkpoint")
    answer = call(
        *base, str(run), str(lr), "--out", str(tmp_path / "a.png"), "--json", str(tmp_path / "a.json")
    )
    assert answer.code == 0, answer.err
    assert "passed over" in answer.out and "epoch-0002.keras" in answer.out and "epoch 1" in answer.out
    assert np.array_equal(read_rgb8(tmp_path / "a.png"), read_rgb8(tmp_path / "a_bicubic.png"))
    assert json.loads((tmp_path / "a.json").read_text())["damaged"][0]["checkpoint"] == str(newest)
    answer = call(*base, str(newest), str(lr), "--out", str(tmp_path / "b.png"))
    assert (answer.code, f"--checkpoint {run} takes the newest" in answer.err) == (2, True)
    newest.write_bytes(data[: len(data) // 3])
    answer = call(*base, str(newest), str(lr), "--out", str(tmp_path / "b.png"))
    assert (answer.code, f"--checkpoint {run} takes the newest" in answer.err) == (2, True)
    shutil.copy(run / "checkpoints" / "epoch-0001.keras", run / "final.keras")
    for path in (run / "checkpoints").iterdir():
        path.unlink()
    answer = call(*base, str(run), str(lr), "--out", str(tmp_path / "b.png"))
    assert (answer.code, "final.keras" in answer.out) == (0, True)


def test_originals_with_a_few_more_rows_are_cut_and_others_refused(
    call: Call, made: Made, pictures: Path, tmp_path: Path
) -> None:
    image = Image.open(ORIGINALS / "0.png").convert("RGB")
    image.crop((0, 0, 194, 121)).save(tmp_path / "larger.png")
    image.crop((0, 0, 195, 120)).save(tmp_path / "far.png")
    image.crop((0, 0, 192, 119)).save(tmp_path / "smaller.png")
    base = ("super-resolve", "--checkpoint", str(made.run), str(pictures / "lr" / "0.bmp"))
    exact = call(
        *base, "--out", str(tmp_path / "a.png"), "--original", str(pictures / "hr" / "0.png"), "--json", "-"
    )
    cut = call(
        *base, "--out", str(tmp_path / "b.png"), "--original", str(tmp_path / "larger.png"), "--json", "-"
    )
    assert (exact.code, cut.code) == (0, 0)
    assert "121x194 was cut to 120x192" in cut.err
    exact_row, cut_row = (json.loads(one.out)["pictures"][0] for one in (exact, cut))
    assert cut_row["original_size"] == [121, 194]
    assert cut_row["model"] == exact_row["model"]
    for name in ("far.png", "smaller.png"):
        answer = call(*base, "--out", str(tmp_path / "c.png"), "--original", str(tmp_path / name))
        assert (answer.code, "must have 3 times" in answer.err) == (2, True)
    assert not list(tmp_path.glob("c*"))


def test_originals_named_without_the_scale(call: Call, made: Made, pictures: Path, tmp_path: Path) -> None:
    lr = tmp_path / "lr"
    lr.mkdir()
    shutil.copy(pictures / "lr" / "1.png", lr / "0801x3.png")
    hr = tmp_path / "hr"
    hr.mkdir()
    base = ("super-resolve", "--checkpoint", str(made.run), str(lr), "--out", str(tmp_path / "out"))
    answer = call(*base, "--original", str(hr))
    assert (answer.code, "--original must hold pictures" in answer.err) == (2, True)
    shutil.copy(pictures / "hr" / "1.png", hr / "0801.png")
    answer = call(*base, "--original", str(hr), "--json", "-")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["means"]["pictures"] == 1


def _bad_pictures(folder: Path) -> dict[str, str]:
    """Files that are no pictures to enlarge, and what is said of them."""
    rgb = Image.fromarray(np.full((20, 30, 3), 90, np.uint8))
    rgb.convert("L").save(folder / "grey.png")
    rgb.convert("RGBA").save(folder / "rgba.png")
    Image.fromarray(np.zeros((20, 30), np.uint16)).save(folder / "deep.png")
    rgb.save(folder / "whole.png")
    (folder / "cut.png").write_bytes((folder / "whole.png").read_bytes()[:50])
    (folder / "text.bmp").write_text("no picture")
    (folder / "empty.png").touch()
    return {
        "grey.png": "mode L", "rgba.png": "Transparency", "deep.png": "8 bit", "cut.png": "undamaged",
        "text.bmp": "none of these", "empty.png": "an empty file", "absent.png": "none at",
    }  # fmt: skip


def test_pictures_that_cannot_be_used_are_named(call: Call, made: Made, tmp_path: Path) -> None:
    for name, said in _bad_pictures(tmp_path).items():
        answer = call("super-resolve", "--checkpoint", str(made.run), str(tmp_path / name),
                      "--out", str(tmp_path / "out.png"))  # fmt: skip
        assert answer.code == 2, name
        assert said in answer.err and name in answer.err
    assert not list(tmp_path.glob("out*"))


def test_calls_that_cannot_be_right(call: Call, made: Made, pictures: Path, tmp_path: Path) -> None:
    lr = shutil.copy(pictures / "lr" / "0.bmp", tmp_path / "lr.bmp")
    hr = shutil.copy(pictures / "hr" / "0.png", tmp_path / "hr.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "hard.png").hardlink_to(hr)
    before = {path.name: sha256_of(path) for path in tmp_path.glob("*.*")}
    run = ("--checkpoint", str(made.run))
    calls = [
        ((*run, lr, "--out", lr), "must not replace", 2),
        ((*run, lr, "--out", tmp_path / "empty" / ".." / "lr.bmp", "--overwrite"), "must not replace", 2),
        ((*run, lr, "--out", hr, "--original", hr, "--overwrite"), "must not replace", 2),
        ((*run, lr, "--out", tmp_path / "hard.png", "--original", hr, "--overwrite"), "must not replace", 2),
        ((*run, lr, "--json", lr), "--json must not replace", 2),
        ((*run, lr, "--out", tmp_path / "sr.jpg"), "must end in .png or .bmp", 2),
        ((*run, lr, hr), "--out must name the folder", 2),
        ((*run, lr, hr, "--out", tmp_path / "sr.png"), "a picture's name", 2),
        ((*run, lr, hr, "--out", hr), "a file", 2),
        ((*run, lr, lr, "--out", tmp_path / "out"), "must not become one lr.png", 2),
        ((*run, tmp_path, "--out", tmp_path), "another folder", 2),
        ((*run, tmp_path / "empty", "--out", tmp_path / "out"), "must hold some", 2),
        ((*run, lr, hr, "--out", tmp_path / "out", "--original", hr), "must be a folder", 2),
        ((*run, lr, "--original", tmp_path / "absent.png"), "none at", 2),
        ((*run, lr, "--scale", "4"), "--scale must be the checkpoint's: 3", 2),
        ((*run, lr, "--scale", "1"), "--scale", 2),
        ((*run, lr, "--model", "srcnn"), "--model must be the checkpoint's", 2),
        ((*run, lr, "--model", "srcnn_951"), "Did you mean srcnn_915", 2),
        ((lr,), "--checkpoint", 2),
        (run, "PICTURE", 2),
        (("--checkpoint", tmp_path / "absent", lr), "must be there", 2),
        (("--checkpoint", tmp_path / "empty", lr), "no checkpoint", 2),
        (("--checkpoint", lr, lr), "unknown format", 2),
        (("--checkpoint", made.keras, "--model", "punet", lr), "RGB pictures", 2),
        ((*run, lr, "--out", "/proc/sr.png"), "writable", 3),
        (("--checkpoint", made.broken, "--model", "srcnn_915", "--scale", 3, lr), "must be finite", 1),
    ]  # fmt: skip
    for arguments, said, code in calls:
        answer = call("super-resolve", *map(str, arguments))
        assert (answer.code, said in answer.err) == (code, True), (arguments, answer.err)
        assert {path.name: sha256_of(path) for path in tmp_path.glob("*.*")} == before, arguments


def test_a_checkpoint_of_no_enlargement_is_refused(
    call: Call, pictures: Path, tmp_path: Path, tf: Any
) -> None:
    from pixelproof.models.registry import create

    path = _save(tmp_path / "run", create("srcnn_915"), epoch=1, scale=1)
    answer = call("super-resolve", "--checkpoint", str(path), str(pictures / "lr" / "0.bmp"))
    assert (answer.code, "restore-images" in answer.err) == (2, True)
    other = _save(tmp_path / "other", create("imdn"), epoch=1, scale=2)
    answer = call("super-resolve", "--checkpoint", str(other), str(pictures / "lr" / "0.bmp"))
    assert (answer.code, "scale must be its architecture's" in answer.err) == (2, True)


def test_small_pictures_for_networks_with_a_smallest_size(call: Call, tmp_path: Path, tf: Any) -> None:
    from pixelproof.models.registry import create

    path = _save(tmp_path / "run", create("rlfn"), epoch=1, scale=4)
    Image.fromarray(np.zeros((14, 40, 3), np.uint8)).save(tmp_path / "low.png")
    answer = call("super-resolve", "--checkpoint", str(path), str(tmp_path / "low.png"))
    assert (answer.code, "at least 15x15" in answer.err, "14x40" in answer.err) == (2, True, True)


def test_a_picture_beyond_the_memory_is_named(
    call: Call, made: Made, pictures: Path, tmp_path: Path, tf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pixelproof.models.training import super_resolve_model

    base = ("super-resolve", "--checkpoint", str(made.run), str(pictures / "lr" / "0.bmp"))
    monkeypatch.setattr(super_resolve_model, "available_mib", lambda: 8.0)
    answer = call(*base, "--out", str(tmp_path / "a.png"))
    assert (answer.code, "fit into memory" in answer.err, "120x192" in answer.err) == (3, True, True)
    assert "restore-images --model srcnn_915 --ckpt" in answer.err
    monkeypatch.undo()

    def exhausted(image: np.ndarray) -> np.ndarray:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")

    monkeypatch.setattr(super_resolve_model, "_graph", lambda model: exhausted)
    answer = call(*base, "--out", str(tmp_path / "a.png"))
    assert (answer.code, "fit into memory" in answer.err) == (3, True)
    assert not list(tmp_path.iterdir())


def test_the_largest_step_is_that_of_the_maps(tf: Any) -> None:
    from pixelproof.models.registry import create
    from pixelproof.models.training.super_resolve_memory import available_mib, floats_a_pixel, needed_mib

    assert floats_a_pixel(create("srcnn_915")) == 64 + 64  # of the first activation
    assert needed_mib(1024, 1024, 128.0) == 512.0
    assert floats_a_pixel(create("imdn")) > floats_a_pixel(create("srcnn_915"))
    assert 0 < available_mib() < 2**30


def test_neither_picture_appears_where_the_second_cannot_be_written(
    call: Call, made: Made, pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "sr_bicubic.png").mkdir()
    base = ("super-resolve", "--checkpoint", str(made.run), str(pictures / "lr" / "0.bmp"))
    answer = call(*base, "--out", str(tmp_path / "sr.png"), "--overwrite")
    assert answer.code == 3 and "writable" in answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["sr_bicubic.png"]


def test_the_rules_and_the_recipe_of_srcnn_x3_agree(tf: Any) -> None:
    from pixelproof.challenge import load_challenge
    from pixelproof.models.registry import create, spec
    from pixelproof.models.training.run.recipe_file import load_recipe

    recipe, track = load_recipe("srcnn-x3"), load_challenge("srcnn-x3").model_track("set5")
    assert (recipe.model, recipe.scale, recipe.data.kind) == ("srcnn_915", 3, "photographs")
    assert (recipe.training.batch_size, recipe.training.epochs, recipe.optimizer.name) == (128, 100, "adam")
    assert (recipe.optimizer.learning_rate, dict(recipe.loss)) == (1e-4, {"mse": 1.0})
    assert (recipe.data.options["crop"], recipe.data.options["sub_images"]) == (33, 14)
    assert track.fidelity is not None and track.fidelity.degrade is not None
    assert track.fidelity.degrade.factor == recipe.scale
    assert track.fidelity.psnr.crop_border == recipe.validation.crop_border == 3
    assert track.fidelity.psnr.round_to_8_bit and recipe.validation.round_to_8_bit and recipe.validation.luma
    assert track.contract.scale == spec(recipe.model).contract.scale == 1
    assert create(recipe.model).count_params() == 20_099
