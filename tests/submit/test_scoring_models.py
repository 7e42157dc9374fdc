"""The scoring program for models: run as Codabench runs it, in a Python that has pixelproof installed."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pixelproof.challenge import known_challenges, load_challenge, parse_challenge
from pixelproof.cli import group, run
from pixelproof.environment import sandbox_layers
from pixelproof.errors import ImageError, SubmissionRefused
from pixelproof.images import read_rgb8, write_png
from pixelproof.report import (
    Artifact,
    Complexity,
    Environment,
    Evidence,
    Fidelity,
    ImageFidelity,
    Memory,
    Percentiles,
    Report,
    Runtime,
    RuntimeSamples,
)
from pixelproof.safety import missing_walls
from pixelproof.submit.scoring.columns import columns_of
from pixelproof.submit.scoring.model_scores import data_folders, figures_by_column, the_model
from pixelproof.submit.scoring.reference import folder_with

NAMES = ("0.png", "1.png")
RULES = """
id = "tiny"
title = "Tiny"
url = "https://example.org"
data_folder = "tiny"
[tracks.main]
title = "Main"
contract = { scale = 1 }
limits = { parameters_below = 28 }
complexity = { convention = "ntire2022", height = 16, width = 16 }
fidelity = { targets = "val/gt", inputs = "val/lq", psnr = { round_to_8_bit = true } }
[submission]
formats = ["pb"]
model_member = "model.pb"
required_checks = ["loads", "finite", "fidelity", "parameters"]
"""


def graph(tf: Any, *, taps: int = 3, hostile: bool = False) -> bytes:
    """A small blur of 3 * taps * taps parameters; the hostile one reads a file."""
    kernel = np.full((taps, taps, 3, 1), 0.02, np.float32)
    kernel[taps // 2, taps // 2] = 0.8
    with tf.Graph().as_default() as made:
        x = tf.compat.v1.placeholder(tf.float32, (1, None, None, 3), name="input")
        y = tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "SAME")
        if hostile:
            size = tf.strings.length(tf.io.read_file("/etc/passwd"))
            y = y + tf.cast(size, tf.float32) * 0.0
        tf.identity(y, name="output")
    data: bytes = made.as_graph_def().SerializeToString()
    return data


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data and a bundle."""
    root = tmp_path_factory.mktemp("made")
    for seed, name in enumerate(NAMES):
        picture = np.random.default_rng(seed).integers(0, 256, (40, 56, 3), dtype=np.uint8)
        write_png(root / "data" / "val" / "gt" / name, picture)
        write_png(root / "data" / "val" / "lq" / name, np.clip(picture * 0.9, 0, 255).astype(np.uint8))
    write_png(root / "data" / "test" / "secret.png", picture)
    (root / "tiny.toml").write_text(RULES)
    sandbox = "--require-sandbox" if not missing_walls(sandbox_layers()) else "--no-require-sandbox"
    before = sys.argv
    sys.argv = [
        "pixelproof", "codabench-bundle", "--challenge", str(root / "tiny.toml"), sandbox,
        "--reference", str(root / "data"), "--docker-image", "name/pixelproof:0.1", "--out", str(root / "b.zip"),
    ]  # fmt: skip
    try:
        with pytest.raises(SystemExit) as stop:
            run(group, "pixelproof")
    finally:
        sys.argv = before
    assert stop.value.code == 0
    return root


@pytest.fixture
def app(made: Path, tmp_path: Path) -> Path:
    """The folders that Codabench mounts, without a submission."""
    root = tmp_path / "app"
    with zipfile.ZipFile(made / "b.zip") as bundle:
        bundle.extractall(tmp_path / "bundle")
    for name, target in (("scoring_program", root / "program"), ("reference_data", root / "input" / "ref")):
        with zipfile.ZipFile(tmp_path / "bundle" / f"{name}.zip") as part:
            part.extractall(target)
    (root / "output").mkdir()
    (root / "input" / "res").mkdir()
    return root


def scored(root: Path) -> subprocess.CompletedProcess[str]:
    command = yaml.safe_load((root / "program" / "metadata.yaml").read_text())["command"]
    words = command.replace("/app/", f"{root}/").split()[1:]
    return subprocess.run(
        [sys.executable, *words],
        cwd=root / "program",
        env={"PATH": "/usr/bin:/bin", "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_the_bundle_holds_what_a_model_is_judged_by(app: Path, tmp_path: Path) -> None:
    document = yaml.safe_load((tmp_path / "bundle" / "competition.yaml").read_text())
    assert document["docker_image"] == "name/pixelproof:0.1"
    assert document["phases"][0]["max_submissions_per_day"] == 10_000
    held = {str(p.relative_to(app / "input" / "ref")) for p in (app / "input" / "ref").rglob("*.png")}
    assert held == {f"val/{kind}/{name}" for kind in ("gt", "lq") for name in NAMES}
    assert not (app / "program" / "pixelproof").exists()


def test_a_model_is_scored(app: Path, tf: Any) -> None:
    (app / "input" / "res" / "mine").mkdir()
    (app / "input" / "res" / "mine" / "model.pb").write_bytes(graph(tf))
    done = scored(app)
    assert done.returncode == 0, done.stderr
    scores = json.loads((app / "output" / "scores.json").read_text())
    assert set(scores) == {"psnr_db", "params", "flops"} and scores["params"] == 27
    ref = app / "input" / "ref" / "val"
    values = []
    for name in NAMES:
        x = read_rgb8(ref / "lq" / name) / 255.0
        padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        windows = sum(
            (0.8 if (i, j) == (1, 1) else 0.02) * padded[i : i + 40, j : j + 56]
            for i in range(3)
            for j in range(3)
        )
        output = np.rint(np.clip(windows, 0, 1) * 255) / 255
        values.append(-10 * np.log10(np.mean((output - read_rgb8(ref / "gt" / name) / 255.0) ** 2)))
    assert scores["psnr_db"] == pytest.approx(np.mean(values), abs=1e-3)
    page = (app / "output" / "detailed_results.html").read_text()
    assert "Scored: every rule is kept." in page and "fewer than 28" in page


def test_a_hostile_model_is_refused_and_told(app: Path, tf: Any) -> None:
    (app / "input" / "res" / "model.pb").write_bytes(graph(tf, hostile=True))
    done = scored(app)
    assert done.returncode == 1 and "ReadFile" in done.stderr
    assert [p.name for p in (app / "output").iterdir()] == ["detailed_results.html"]
    assert "ReadFile" in (app / "output" / "detailed_results.html").read_text()


def test_a_submission_without_a_model_is_told_quickly(app: Path) -> None:
    (app / "input" / "res" / "weights.h5").write_bytes(b"x")
    done = scored(app)
    assert done.returncode == 1 and "A submission must hold one model; found none" in done.stderr
    assert not (app / "output" / "scores.json").exists()


def test_the_challenges_own_name_decides_between_models(tmp_path: Path, tf: Any) -> None:
    challenge = parse_challenge(RULES, label="tiny")
    track = challenge.track("main")
    (tmp_path / "a").mkdir()
    data = graph(tf)
    for name in ("a/model.pb", "other.pb"):
        (tmp_path / name).write_bytes(data)
    assert the_model(tmp_path, challenge, track) == tmp_path / "a" / "model.pb"
    (tmp_path / "model.pb").write_bytes(data)
    with pytest.raises(SubmissionRefused, match="must hold one model"):
        the_model(tmp_path, challenge, track)
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(SubmissionRefused, match="plain files; found link"):
        the_model(tmp_path, challenge, track)


def test_the_reference_is_found_below_a_folder(tmp_path: Path) -> None:
    (tmp_path / "data" / "val" / "gt").mkdir(parents=True)
    (tmp_path / "data" / "val" / "lq").mkdir()
    names = data_folders(parse_challenge(RULES, label="tiny").track("main"))
    assert names == ("val/gt", "val/lq")
    assert folder_with(tmp_path, names) == tmp_path / "data"
    with pytest.raises(ImageError, match="no folder with val/gt, nope"):
        folder_with(tmp_path, ("val/gt", "nope"))
    assert data_folders(load_challenge("pirm2018").track("A")) == ("div2k/original", "div2k/HD_res")


def test_every_column_has_its_figure() -> None:
    evidence = Evidence(
        Artifact("m.pb", "pb", 1, "0"),
        fidelity=Fidelity(30.0, 0.9, (ImageFidelity("0.png", 30.0, 0.9),), 1),
        runtime=Runtime(
            Percentiles(50.0, 55.0), Percentiles(100.0, 110.0), 2.0, 1.9, 2.1, True, 720, 1280, 2,
            RuntimeSamples((50.0,), (100.0,)),
        ),
        memory=Memory(900, 300, 600, 3584, 720, 1280, "VmHWM"),
        complexity=Complexity("fvcore", 8, 8, 1, 2, 3, 4),
    )  # fmt: skip
    environment = Environment("0", "3", "p", "c", 1, 1.0)
    for name in known_challenges():
        for track_name, track in load_challenge(name).tracks.items():
            scores = {column.key.removeprefix("score_"): 1.0 for column in columns_of(track)}
            report = Report(
                name,
                track_name,
                "",
                True,
                "",
                evidence,
                (),
                scores,
                environment,
                rules_sha256="",
                measured_as_sha256="",
            )
            figures = figures_by_column(report)
            assert [c.key for c in columns_of(track) if figures.get(c.key) is None] == []
