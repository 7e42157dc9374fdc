"""--quantize as users type it: every kind, what it costs, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelproof.bayer import unpack_bayer
from pixelproof.measure.metrics import psnr_db
from pixelproof.measure.worker import Worker
from pixelproof.raw import read_raw

Call = Callable[..., Any]
SHAPE = ("--input-shape", "1,40,52,4")


def cut(path: Path, height: int, width: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The middle of a mosaic's planes, as a batch of one."""
    image = unpack_bayer(read_raw(path).mosaic)
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[None, top : top + height, left : left + width]


def outputs_of(path: Path, images: list[Any]) -> list[Any]:
    with Worker() as worker:
        worker.load(path, "pb" if path.suffix == ".pb" else "tflite")
        return [worker.run(image) for image in images]


def test_the_command_says_what_it_did_and_nothing_else(isp: Path, raw_folder: Path, tmp_path: Path) -> None:
    """In a process of its own, because the converter writes past Python."""
    out = tmp_path / "m.tflite"
    command = [sys.executable, "-c", "from pixelproof.cli import pb2tflite; pb2tflite()", str(isp), *SHAPE]
    command += ["--quantize", "int8", "--calibration", str(raw_folder), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.split("\n") == ["  calibrate ...", "  compare ...", ""]
    lines = done.stdout.split("\n")
    assert [line.split(":")[0].strip() for line in lines] == [
        "40x52, in float",
        "8x12, in float",
        "int8, calibrated on 7 images, beside float on 7 images of 40x52 of --calibration",
        lines[3].strip(),
        lines[4].strip(),
        "Written",
        "Next",
        "",
    ]
    assert "dB, largest difference" in lines[3] and "expected at 30 dB" in lines[4]


def test_the_figures_are_those_of_the_written_file(
    call: Call, isp: Path, raw_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "isp.tflite"
    answer = call(
        "pb2tflite", str(isp), *SHAPE, "--quantize", "int8", "--calibration", str(raw_folder), "--out", str(out),
        "--calibration-images", "3", "--quality-images", "4", "--json", "-",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    assert document["passed"] and document["quantize"] == "int8" and document["calibration_images"] == 3
    assert [row["artifact"] for row in document["rows"]] == [
        "isp.tflite in float",
        "isp.tflite in float (converted at this size)",
    ]
    assert all(row["passed"] for row in document["rows"])
    quality = document["quality"]
    assert quality["images_from"] == "calibration, held out"
    names = [image["name"] for image in quality["images"]]
    assert names == ["1.png", "3.png", "5.png", "6.png"]  # 0, 2 and 4 were calibrated with
    inputs = [cut(raw_folder / name, 40, 52) for name in names]
    plain, quantised = outputs_of(isp, inputs), outputs_of(out, inputs)
    for row, a, b in zip(quality["images"], plain, quantised, strict=True):
        a, b = np.clip(a[0], 0, 1), np.clip(b[0], 0, 1)
        between = psnr_db(b, a)
        assert row["psnr_db"] == pytest.approx(between, abs=0.01)
        assert row["max_levels"] == pytest.approx(np.abs(a - b).max() * 255, abs=0.01)
        assert row["mean_levels"] == pytest.approx(np.abs(a - b).mean() * 255, abs=0.001)
        added = 10 ** (-between / 10) / 10 ** (-30 / 10)
        assert row["psnr_loss_db"] == pytest.approx(10 * np.log10(1 + added), abs=1e-4)
    assert 30 < quality["psnr_db"] < 60
    assert quality["psnr_loss_basis"] == "expected at 30 dB"
    assert "calibrated on 3 images, beside float on 4 images of 40x52" in answer.err
    assert "expected at 30 dB, not measured" in answer.err


def test_each_kind_is_smaller_and_says_what_it_costs(
    call: Call, isp: Path, raw_folder: Path, tmp_path: Path
) -> None:
    found = {}
    for kind in ("fp16", "dynamic", "int16x8"):
        out = tmp_path / f"{kind}.tflite"
        answer = call(
            "pb2tflite", str(isp), *SHAPE, "--quantize", kind, "--calibration", str(raw_folder),
            "--out", str(out), "--json", "-",
        )  # fmt: skip
        assert answer.code == 0, answer.err
        found[kind] = json.loads(answer.out)
        assert out.stat().st_size == found[kind]["size_bytes"]
        assert "Next: pixelproof inspect" in answer.err
    losses = {kind: document["quality"]["psnr_loss_db"] for kind, document in found.items()}
    assert 0 <= losses["fp16"] < losses["int16x8"] < 0.1 and losses["fp16"] < losses["dynamic"] < 0.1
    assert found["int16x8"]["calibration_images"] == 7 and found["fp16"]["calibration_images"] == 0
    assert found["int16x8"]["float_operations"].get("DEPTH_TO_SPACE") == 1
    assert found["fp16"]["weights"]["expected_bytes"] == 2 * found["fp16"]["weights"]["parameters"]
    assert found["fp16"]["quality"]["images_from"] == "calibration"


def test_loss_is_measured_where_there_are_targets(
    call: Call, isp: Path, raw_folder: Path, tmp_path: Path
) -> None:
    """The targets are noisy float outputs of the whole image: what is cut must be the part that belongs to it."""
    targets, out = tmp_path / "targets", tmp_path / "isp.tflite"
    targets.mkdir()
    noise = np.random.default_rng(1)
    paths = sorted(raw_folder.glob("*.png"))
    wholes = [unpack_bayer(read_raw(path).mosaic)[None] for path in paths]
    for path, whole in zip(paths, outputs_of(isp, wholes), strict=True):
        picture = np.clip(whole[0] + noise.normal(0, 0.02, whole.shape[1:]), 0, 1)
        Image.fromarray(np.rint(picture * 255).astype(np.uint8)).save(targets / f"{path.stem}.bmp")
    answer = call(
        "pb2tflite", str(isp), "--input-shape", "1,40,48,4", "--quantize", "int8", "--calibration", str(raw_folder),
        "--targets", str(targets), "--quality-images", "2", "--out", str(out), "--json", "-",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    quality = json.loads(answer.out)["quality"]
    assert quality["psnr_loss_basis"] == "targets" and "measured on targets" in answer.err
    assert quality["reference_psnr_db"] > 20
    inputs = [cut(raw_folder / row["name"], 40, 48) for row in quality["images"]]
    for row, (a,), (b,) in zip(
        quality["images"], outputs_of(isp, inputs), outputs_of(out, inputs), strict=True
    ):
        whole = np.asarray(Image.open(targets / row["name"].replace("png", "bmp")), np.float32) / 255
        top, left = (whole.shape[0] - 80) // 2, (whole.shape[1] - 96) // 2
        target = whole[top : top + 80, left : left + 96]
        loss = psnr_db(np.clip(a, 0, 1), target) - psnr_db(np.clip(b, 0, 1), target)
        assert row["psnr_loss_db"] == pytest.approx(loss, abs=2e-3)
        assert 0 < row["psnr_loss_db"] < 0.5


def test_a_loss_beyond_the_budget_writes_nothing(
    call: Call, isp: Path, raw_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "isp.tflite"
    answer = call(
        "pb2tflite", str(isp), *SHAPE, "--quantize", "int8", "--calibration", str(raw_folder),
        "--max-psnr-loss", "0.01", "--reference-psnr", "45", "--out", str(out), "--json", "-",
    )  # fmt: skip
    assert answer.code == 1
    assert "A quantised file must lose at most 0.01 dB of PSNR; found " in answer.err
    assert "expected at 45 dB" in answer.err
    assert "more images (--calibration-images), or use --quantize int16x8 or fp16" in answer.err
    assert not list(tmp_path.iterdir())
    document = json.loads(answer.out)
    assert document["passed"] is False and document["quality"]["passed"] is False
    assert document["quality"]["psnr_loss_db"] > 0.01


def test_pictures_are_made_where_no_folder_is_named(
    call: Call, isp: Path, shift: Path, tmp_path: Path
) -> None:
    out = tmp_path / "m.tflite"
    answer = call(
        "pb2tflite", str(isp), *SHAPE, "--quantize", "dynamic", "--quality-images", "3",
        "--out", str(out), "--json", "-",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    quality = json.loads(answer.out)["quality"]
    assert quality["images_from"] == "generated" and len({r["psnr_db"] for r in quality["images"]}) == 3
    assert "made on the spot (name real ones with --images)" in answer.err
    assert "Hardly a weight" not in answer.err
    answer = call(
        "pb2tflite", str(shift), "--input-shape", "1,20,28,3", "--quantize", "dynamic", "--out", str(out)
    )
    assert answer.code == 0, answer.err
    assert "Hardly a weight is smaller: dynamic leaves tensors of less than 1,024 numbers" in answer.out


@pytest.mark.parametrize("kind", ["int8", "int16x8"])
def test_a_variable_file_is_calibrated_on_images_of_any_size(
    call: Call, isp: Path, raw_folder: Path, tmp_path: Path, kind: str
) -> None:
    out = tmp_path / "any.tflite"
    answer = call(
        "pb2tflite", str(isp), "--input-shape", "1,88,104,4", "--variable", "--quantize", kind,
        "--calibration", str(raw_folder), "--out", str(out), "--json", "-",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    assert document["shape"] == [1, None, None, 4]
    quality = document["quality"]
    assert (quality["height"], quality["width"]) == (40, 52)  # what the smallest has, multiples of 4
    x = cut(raw_folder / "2.png", 48, 64)
    (a,), (b,) = outputs_of(isp, [x]), outputs_of(out, [x])
    assert psnr_db(np.clip(b[0], 0, 1), np.clip(a[0], 0, 1)) > quality["psnr_db"] - 3


def test_rgb_models_take_rgb_images(call: Call, shift: Path, rgb_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.tflite"
    arguments = [str(shift), "--input-shape", "1,60,72,3", "--out", str(out), "--quantize", "int8"]
    answer = call("pb2tflite", *arguments, "--calibration", str(rgb_folder), "--json", "-")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["calibration_images"] == 4
    answer = call("pb2tflite", *arguments, "--calibration", str(rgb_folder), "--cfa", "BGGR")
    assert answer.code == 2 and "--cfa, --white-level and --black-level are for RAW images" in answer.err


def test_operations_without_integer_kernels_are_named(
    call: Call, tf: Any, save_graph: Callable[..., Path], rgb_folder: Path, tmp_path: Path
) -> None:
    kernel = np.asarray(np.random.default_rng(0).normal(0, 0.2, (3, 3, 3, 3)), np.float32)
    bent = save_graph(
        tmp_path / "elu.pb", lambda x: tf.nn.conv2d(tf.nn.elu(x), kernel, 1, "SAME"), (1, None, None, 3)
    )
    options = ["--input-shape", "1,32,48,3", "--calibration", str(rgb_folder), "--out", str(tmp_path / "m")]
    answer = call("pb2tflite", str(bent), *options, "--quantize", "int8", "--json", "-")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["float_operations"] == {"ELU": 1}
    assert "Stay in float, because TFLite computes them so: ELU (1)" in answer.err


def test_a_file_that_tflite_can_not_run_is_refused(
    call: Call, tf: Any, save_graph: Callable[..., Path], rgb_folder: Path, tmp_path: Path
) -> None:
    """Instance normalisation in 16 bit: the converter writes it, and no kernel takes it."""

    def build(x: Any) -> Any:
        mean, variance = tf.nn.moments(x, [1, 2], keepdims=True)
        return (x - mean) * tf.math.rsqrt(variance + 1e-3) * 0.2 + 0.5

    graph = save_graph(tmp_path / "norm.pb", build, (1, None, None, 3))
    options = ["--input-shape", "1,32,48,3", "--calibration", str(rgb_folder)]
    answer = call("pb2tflite", str(graph), *options, "--quantize", "int16x8")
    assert answer.code == 1
    assert "TFLite must be able to run the quantised file; found" in answer.err
    assert "SQUARED_DIFFERENCE" in answer.err and "use --quantize int8, dynamic or fp16" in answer.err
    assert not list(tmp_path.glob("*.tflite"))


def test_ends_that_compute_in_float_have_no_integer_type(
    call: Call, isp: Path, raw_folder: Path, tmp_path: Path
) -> None:
    answer = call(
        "pb2tflite", str(isp), *SHAPE, "--quantize", "int16x8", "--calibration", str(raw_folder), "--io", "int16",
        "--out", str(tmp_path / "no.tflite"),
    )  # fmt: skip
    assert answer.code == 1
    assert "The operation at either end must compute in int16" in answer.err and "--io float32" in answer.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--quantize", "int9"], "Did you mean int8?"),
        (["--quantize", "int8"], "--quantize int8 needs images to calibrate with; found none"),
        (["--quantize", "int16x8"], "--calibration DIR"),
        (["--calibration", "RAW"], "found --calibration with --quantize none"),
        (["--quality-images", "3", "--max-psnr-loss", "1"], "found --quality-images, --max-psnr-loss with"),
        (["--io", "uint8"], "with --quantize none must be float32; found --io uint8"),
        (["--quantize", "fp16", "--io", "int8"], "int8 ends go with --quantize int8."),
        (["--quantize", "int16x8", "--io", "uint8", "--calibration", "RAW"], "must be float32 or int16"),
        (
            ["--quantize", "int8", "--io", "int16", "--calibration", "RAW"],
            "int16 ends go with --quantize int16x8",
        ),
        (
            ["--quantize", "int8", "--calibration", "EMPTY"],
            "--calibration must hold RAW images; found none in",
        ),
        (["--quantize", "int8", "--calibration", "GONE"], "must be a readable folder"),
        (["--quantize", "int8", "--calibration", "RGB"], "found none among 4 files in"),
        (["--quantize", "fp16", "--images", "RGB"], "--images must hold RAW images"),
        (["--quantize", "int8", "--calibration", "COLOURS"], "A picture in colours is not RAW"),
        (["--quantize", "int8", "--calibration", "RAW", "--calibration-images", "0"], "must be 1 or more"),
        (["--quantize", "int8", "--calibration", "RAW", "--max-psnr-loss", "-1"], "must be 0 dB or more"),
        (["--quantize", "int8", "--calibration", "RAW", "--max-psnr-loss", "nan"], "must be 0 dB or more"),
        (["--quantize", "int8", "--calibration", "RAW", "--cfa", "RGBG"], "Did you mean RGGB?"),
        (["--quantize", "int8", "--calibration", "RAW", "--white-level", "255"], "values up to 99"),
        (["--quantize", "int8", "--calibration", "RAW", "--targets", "EMPTY"], "must have its target in"),
        (["--quantize", "fp16", "--targets", "RAW"], "--targets needs the images that they belong to"),
        (["--quantize", "fp16", "--images", "RAW", "--targets", "RGB", "--reference-psnr", "9"], "Leave one"),
        (["--quantize", "fp16", "--images", "RAW", "--targets", "RGB"], "0.png must have its target in"),
        (["--quantize", "fp16", "--images", "RAW", "--targets", "SMALL"], "24x32 where it is 96x128"),
    ],
    ids=lambda value: "_".join(value).replace("--", "") if isinstance(value, list) else "",
)
def test_wrong_calls_name_the_way_out(
    call: Call,
    isp: Path,
    raw_folder: Path,
    rgb_folder: Path,
    tmp_path: Path,
    options: list[str],
    said: str,
) -> None:
    folders = {"RAW": raw_folder, "GONE": tmp_path / "gone", "RGB": rgb_folder}
    for name in ("EMPTY", "COLOURS", "SMALL"):
        folders[name] = tmp_path / name
        folders[name].mkdir()
    Image.new("RGB", (128, 96)).save(folders["COLOURS"] / "0.png")
    for index in range(7):
        Image.new("RGB", (32, 24)).save(folders["SMALL"] / f"{index}.png")
    if said.startswith("0.png"):
        folders["RGB"] = folders["EMPTY"]
    typed = [str(folders.get(word, word)) for word in options]
    out = tmp_path / "out" / "no.tflite"
    answer = call("pb2tflite", str(isp), *SHAPE, *typed, "--out", str(out))
    assert answer.code == 2, answer
    assert said in answer.err
    assert not list((tmp_path / "out").glob("*"))


def test_images_smaller_than_the_file_are_refused_by_name(
    call: Call, isp: Path, raw_folder: Path, tmp_path: Path
) -> None:
    answer = call(
        "pb2tflite", str(isp), "--input-shape", "1,48,64,4", "--quantize", "int8",
        "--calibration", str(raw_folder), "--out", str(tmp_path / "no.tflite"),
    )  # fmt: skip
    assert answer.code == 2
    assert "Each mosaic must be at least 96x128 for this file; found 80x104 in" in answer.err
    assert "6.png" in answer.err and "with --variable smaller ones do" in answer.err
    assert not list(tmp_path.iterdir())


def test_models_of_other_channels_are_measured_on_made_pictures_only(
    call: Call, save_graph: Callable[..., Path], raw_folder: Path, tmp_path: Path
) -> None:
    grey = save_graph(tmp_path / "grey.pb", lambda x: x * 0.5 + 0.2, (1, None, None, 1))
    shape = ("--input-shape", "1,16,24,1")
    answer = call("pb2tflite", str(grey), *shape, "--quantize", "int8", "--calibration", str(raw_folder))
    assert answer.code == 2 and "found 1 channels" in answer.err
    assert call("pb2tflite", str(grey), *shape, "--quantize", "fp16").code == 0
