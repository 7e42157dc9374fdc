"""A challenge of RAW images, of two files, and of milliseconds: MAI 2021's learned smartphone ISP."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelproof.challenge import (
    Companion,
    Mai2021Scores,
    Mai2022Scores,
    challenge_text,
    load_challenge,
    parse_challenge,
)
from pixelproof.contract import Contract
from pixelproof.errors import ChallengeError, ImageError
from pixelproof.evidence import Artifact, Evidence, Interface, SizeTrial, TensorInfo
from pixelproof.evidence import Companion as Second
from pixelproof.images import write_png
from pixelproof.report import Percentiles, Runtime, RuntimeSamples
from pixelproof.validate.checks import all_checks
from pixelproof.validate.judgement import scores, verdicts
from pixelproof.validate.pairs import find_pairs, model_input, read_pair
from pixelproof.validate.scoring import mai2021_total, mai2022_total

TRACK = load_challenge("mai2021-isp").track("isp")
SIZE = (32, 48)


@pytest.mark.parametrize(
    ("psnr_db", "runtime_s", "total"),
    [
        (23.20, 0.061, 25.98),
        (23.73, 0.0908, 25.914),
        (21.0, 0.2, 21.0),
        (21.0, 1.2, 20.5),
        (30.0, 0.001, 33.4),
    ],
)
def test_the_score_of_2021(psnr_db: float, runtime_s: float, total: float) -> None:
    found = mai2021_total(psnr_db=psnr_db, runtime_s=runtime_s, rules=Mai2021Scores("mai2021"))
    assert found == pytest.approx(total, abs=1e-9)


def test_the_score_of_2021_is_clipped_and_steps_down_beyond_its_target() -> None:
    rules = Mai2021Scores("mai2021")
    assert mai2021_total(psnr_db=0, runtime_s=99, rules=rules) == pytest.approx(0.5 * (0.2 - 5))
    assert mai2021_total(psnr_db=0, runtime_s=0, rules=rules) == pytest.approx(20 * (0.2 - 0.03))


def test_the_score_of_2022_doubles_with_half_a_decibel_or_half_the_time() -> None:
    rules = Mai2022Scores("mai2022", constant=3.0)
    once = mai2022_total(psnr_db=20, runtime_ms=10, rules=rules)
    assert once == pytest.approx(2**40 / 30)
    assert mai2022_total(psnr_db=20.5, runtime_ms=10, rules=rules) == pytest.approx(2 * once)
    assert mai2022_total(psnr_db=20, runtime_ms=5, rules=rules) == pytest.approx(2 * once)


def changed(old: str, new: str) -> str:
    """The challenge's text with one part replaced."""
    _, text = challenge_text("mai2021-isp")
    assert text.count(old) == 1
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'formula = "mai2021"',
            'formula = "mai2031"',
            "must be one of pirm, mai2021, mai2022; found 'mai2031'",
        ),
        ('formula = "mai2021"\n', "", "tracks.isp.scores.formula is required"),
        ('cfa = "RGGB"', 'cfa = "RGBG"', "must be one of RGGB, BGGR, GRBG, GBRG"),
        ("channels = [4, 3]", "channels = [3, 3]", "bayer must go with 4 input channels"),
        ("white_level = 1020", "white_level = 0", "white level above its black level"),
        ("any_resolution = false", "any_resolution = true", "fixed_size must be alone"),
        ("fixed_size = [544, 960] ", "fixed_size = [544, 0] ", "fixed_size must be above 0"),
        ("tolerance = 1e-4", "tolerance = 0", "companion.tolerance must be above 0"),
        ("target_s = 0.2", "target = 0.2", "target is not a known key"),
    ],
)
def test_wrong_rules_are_named(old: str, new: str, said: str) -> None:
    with pytest.raises(ChallengeError) as raised:
        parse_challenge(changed(old, new), label="my.toml")
    assert said in str(raised.value)


def test_bayer_pairs_are_read_as_the_challenge_unpacks_them(tmp_path: Path) -> None:
    assert TRACK.fidelity is not None
    mosaic = np.arange(8 * 12, dtype=np.uint16).reshape(8, 12) * 10
    for folder in ("val/mediatek_raw", "val/fujifilm"):
        (tmp_path / folder).mkdir(parents=True)
    Image.fromarray(mosaic).save(tmp_path / "val/mediatek_raw" / "7.png")
    write_png(tmp_path / "val/fujifilm" / "7.png", np.zeros((8, 12, 3), np.uint8))
    (pair,) = find_pairs(tmp_path, TRACK.fidelity)
    planes, target = read_pair(pair, TRACK.fidelity, scale=2)
    assert (planes.shape, planes.dtype, target.shape) == ((4, 6, 4), np.float32, (8, 12, 3))
    for channel, (row, column) in enumerate([(1, 1), (0, 1), (0, 0), (1, 0)]):
        assert np.array_equal(planes[..., channel], mosaic[row::2, column::2].astype(np.float32) / (4 * 255))
    assert model_input(planes[None]) is not None and np.array_equal(model_input(planes), planes)
    write_png(tmp_path / "val/mediatek_raw" / "7.png", np.zeros((8, 12, 3), np.uint8))
    with pytest.raises(ImageError, match="one channel"):
        read_pair(pair, TRACK.fidelity, scale=2)
    Image.fromarray(mosaic[:7]).save(tmp_path / "val/mediatek_raw" / "7.png")
    with pytest.raises(ImageError, match="even sides; found 7x12"):
        read_pair(pair, TRACK.fidelity, scale=2)


ARTIFACT = Artifact("model.tflite", "tflite", "0" * 64, 5)
FIXED = Interface(
    (TensorInfo("in", "float32", (1, 544, 960, 4)),), (TensorInfo("out", "float32", (1, 1088, 1920, 3)),)
)
GOOD = Evidence(
    artifact=ARTIFACT,
    interface=FIXED,
    size_trials=(SizeTrial(544, 960, (1, 1088, 1920, 3)),),
    companion=Second(
        "model_none.tflite", ARTIFACT, max_abs=3e-7, size_trials=(SizeTrial(16, 32, (1, 32, 64, 3)),)
    ),
)


def verdict(check_id: str, evidence: Evidence) -> Any:
    return next(c for c in all_checks() if c.id == check_id).run(evidence, TRACK)


def test_the_size_must_be_the_one_that_the_rules_fix() -> None:
    assert verdict("resolution", GOOD).status == "passed"
    open_ends = replace(FIXED, inputs=(TensorInfo("in", "float32", (1, None, None, 4)),))
    assert "an open size" in verdict("resolution", replace(GOOD, interface=open_ends)).found
    other = replace(FIXED, inputs=(TensorInfo("in", "float32", (1, 512, 960, 4)),))
    failed = verdict("resolution", replace(GOOD, interface=other))
    assert (failed.status, failed.found) == ("failed", "512x960 stated")
    assert "--input-shape 1,544,960,4" in failed.remedy
    small = replace(GOOD, size_trials=(SizeTrial(544, 960, (1, 544, 960, 3)),))
    assert verdict("resolution", small).found == "544x960 became 544x960"
    assert verdict("resolution", replace(GOOD, size_trials=None)).status == "not_run"


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (Second("x", error="no such file"), "x: no such file"),
        (Second("x", ARTIFACT, max_abs=2e-4), "largest difference 2.0e-04"),
        (Second("x", ARTIFACT, max_abs=math.nan), "largest difference nan"),
        (
            Second("x", ARTIFACT, max_abs=0.0, size_trials=(SizeTrial(16, 32, None, "no"),)),
            "refused at 16x32: no",
        ),
        (
            Second("x", ARTIFACT, max_abs=0.0, size_trials=(SizeTrial(16, 32, (1, 16, 32, 3)),)),
            "16x32 became 1x16x32x3",
        ),
    ],
)
def test_a_companion_that_is_not_the_same_network_fails(second: Second, told: str) -> None:
    failed = verdict("companion", replace(GOOD, companion=second))
    assert (failed.status, failed.found) == ("failed", told)
    assert failed.remedy


@pytest.mark.parametrize(("psnr_db", "status"), [(49.7, "passed"), (39.9, "failed"), (math.nan, "failed")])
def test_two_calibrations_of_one_network_are_the_same_network(psnr_db: float, status: str) -> None:
    second = Second("x", ARTIFACT, max_abs=0.06, psnr_db=psnr_db, is_quantised=True)
    result = verdict("companion", replace(GOOD, companion=second))
    assert (result.status, f"{psnr_db:.2f} dB apart" in result.found) == (status, True)
    assert "quantised, to 40 dB" in result.expected


def test_a_companion_passes_or_was_not_looked_at() -> None:
    assert verdict("companion", GOOD).status == "passed"
    assert verdict("companion", replace(GOOD, companion=None)).status == "not_run"
    assert verdict("companion", replace(GOOD, companion=Second("x", ARTIFACT))).status == "not_run"


def test_other_tracks_never_hear_of_companions() -> None:
    ids = [check.id for check in verdicts(GOOD, load_challenge("pirm2018").track("B"), groups=["contract"])]
    assert "companion" not in ids and "resolution" in ids


def test_a_model_timed_alone_has_a_score_without_a_baseline() -> None:
    from pixelproof.report import Fidelity, ImageFidelity

    alone = Runtime(
        Percentiles(100.0, 110.0), None, None, None, None, True, 544, 960, 2, RuntimeSamples((100.0,), ())
    )
    fidelity = Fidelity(23.0, None, (ImageFidelity("0", 23.0, None),), 1)
    found = scores(replace(GOOD, runtime=alone, fidelity=fidelity), TRACK, mos=None)
    assert found is not None and found["total"] == pytest.approx(25.0)
    assert "100.0 ms at 544x960 with 2 threads" in verdict("runtime", replace(GOOD, runtime=alone)).found


def doubling(tf: Any, size: tuple[int | None, int | None], factor: float) -> bytes:
    """A model of four planes: every output value is the planes' mean times a factor."""
    kernel = tf.constant(np.full((1, 1, 4, 12), 0.25 * factor, np.float32))

    @tf.function(input_signature=[tf.TensorSpec((1, *size, 4), tf.float32)])  # type: ignore[untyped-decorator]
    def call(x: Any) -> Any:
        return tf.nn.depth_to_space(tf.nn.conv2d(x, kernel, 1, "SAME"), 2)

    bound = call.get_concrete_function()
    converted: bytes = tf.lite.TFLiteConverter.from_concrete_functions([bound], call).convert()
    return converted


@pytest.fixture(scope="module")
def two_files(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``two_files(scale=1.0)``: model.tflite of fixed size, and one of any size that multiplies by ``scale``."""

    def made(*, scale: float = 1.0) -> Path:
        folder = tmp_path_factory.mktemp("two")
        for name, size, factor in (("model", SIZE, 1.0), ("model_none", (None, None), scale)):
            (folder / f"{name}.tflite").write_bytes(doubling(tf, size, factor))
        return folder

    return made


@pytest.fixture(scope="module")
def small_rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The challenge at a small size."""
    _, text = challenge_text("mai2021-isp")
    text = (
        text.replace("[544, 960]", str(list(SIZE))).replace("544", str(SIZE[0])).replace("960", str(SIZE[1]))
    )
    path = tmp_path_factory.mktemp("rules") / "small.toml"
    path.write_text(text)
    return path


@pytest.fixture
def answered(typed: Any, small_rules: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The judgement of a model on the bundled samples."""
    monkeypatch.delenv("PIXELPROOF_DATA", raising=False)

    def call(model: Path, *arguments: object) -> Any:
        return typed(model, "--challenge", small_rules, "--max-runs", 4, "--json", "-", *arguments)

    return call


def test_two_files_are_judged_as_one(answered: Any, two_files: Any, tmp_path: Path) -> None:
    folder = two_files()
    answer = answered(folder / "model.tflite")
    assert answer.code == 0, answer.err
    assert not answer.checks("failed")
    report = answer.report
    assert report["track"] == "isp" and report["fidelity"]["images_available"] == 2
    assert report["runtime"]["baseline_ms"] is None and report["runtime"]["latency_ms"]["p50"] > 0
    seconds = report["runtime"]["latency_ms"]["p50"] / 1000
    expected = mai2021_total(psnr_db=report["fidelity"]["psnr_db"], runtime_s=seconds, rules=TRACK.scores)  # type: ignore[arg-type]
    assert report["scores"]["total"] == pytest.approx(expected)
    second = report["measurements"]["companion"]
    assert second["max_abs"] < 1e-5 and len(second["size_trials"]) == 4
    assert report["memory"]["peak_rss_mib"] > 0
    assert "Dimensity" in answer.err
    moved = tmp_path / "elsewhere.tflite"
    shutil.move(folder / "model_none.tflite", moved)
    missing = answered(folder / "model.tflite", "--only", "contract,fidelity")
    assert missing.code == 1 and set(missing.checks("failed")) == {"companion", "fidelity"}
    named = answered(folder / "model.tflite", "--only", "contract,fidelity", "--companion", moved)
    assert named.code == 0, named.err


def test_another_network_beside_it_is_found_out(answered: Any, two_files: Any) -> None:
    answer = answered(two_files(scale=1.02) / "model.tflite", "--only", "contract")
    assert answer.code == 1 and set(answer.checks("failed")) == {"companion"}
    assert 0.001 < answer.report["measurements"]["companion"]["max_abs"] < 0.03


def test_what_is_no_model_beside_it_is_a_broken_rule(answered: Any, two_files: Any) -> None:
    folder = two_files()
    whole = (folder / "model_none.tflite").read_bytes()
    for content in (b"", b"hello", whole[: len(whole) // 2]):
        (folder / "model_none.tflite").write_bytes(content)
        answer = answered(folder / "model.tflite", "--only", "contract")
        assert answer.code == 1, answer.err
        assert set(answer.checks("failed")) == {"companion"}


def test_two_files_are_packed_and_read_back(
    answered: Any, two_files: Any, small_rules: Path, call: Any, tmp_path: Path
) -> None:
    import zipfile

    folder = two_files()
    answer = answered(folder / "model.tflite")
    (folder / "report.json").write_text(answer.out)
    options = ["--challenge", str(small_rules), "--team-id", "7", "--team-name", "T"]
    out = tmp_path / "s.zip"
    packed = call("package-submission", "--model", str(folder / "model.tflite"), *options, "--out", str(out))
    assert packed.code == 0, packed.err
    with zipfile.ZipFile(out) as archive:
        assert archive.namelist() == ["manifest.json", "model.tflite", "model_none.tflite", "report.json"]
        manifest = json.loads(archive.read("manifest.json"))
    assert manifest["companion"]["member"] == "model_none.tflite"
    second = folder / "model_none.tflite"
    shutil.copyfile(folder / "model.tflite", second)
    changed_one = call(
        "package-submission", "--model", str(folder / "model.tflite"), *options, "--out", str(out)
    )
    assert changed_one.code == 1 and "must be the one that was judged" in changed_one.err
    second.unlink()
    gone = call("package-submission", "--model", str(folder / "model.tflite"), *options, "--out", str(out))
    assert gone.code == 2 and "takes two files" in gone.err


def test_a_contract_of_whole_numbers_names_the_types() -> None:
    rgb = replace(TRACK, contract=Contract(channels=(4, 3), scale=2), companion=Companion("x"))
    whole = Interface(
        (TensorInfo("in", "uint8", (1, 544, 960, 4)),), (TensorInfo("out", "uint8", (1, 1088, 1920, 3)),)
    )
    tensors = next(check for check in all_checks() if check.id == "tensors")
    evidence = replace(GOOD, interface=whole)
    assert tensors.run(evidence, TRACK).status == "passed"
    assert "must be float32; found uint8" in tensors.run(evidence, rgb).remedy
