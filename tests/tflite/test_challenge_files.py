"""``pb2tflite --challenge``: both files of MAI 2021, checked and packed."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof.challenge import challenge_text, load_challenge
from pixelproof.errors import CallError
from pixelproof.tflite.challenge_files import WantedFile, only_track, wanted_files

Call = Callable[..., Any]
ISP = load_challenge("mai2021-isp")


def test_the_files_are_the_challenges_own() -> None:
    name, files = wanted_files(ISP, None, folder=Path("isp"), input_shape=None)
    assert name == "isp"
    assert files == (
        WantedFile(Path("isp/model.tflite"), (1, 544, 960, 4), variable=False),
        WantedFile(Path("isp/model_none.tflite"), (1, 544, 960, 4), variable=True),
    )
    assert wanted_files(ISP, "isp", folder=Path("isp"), input_shape="1,544,960,4")[1] == files


def test_what_a_challenge_does_not_take_is_refused() -> None:
    with pytest.raises(CallError, match="mai2021-isp takes 1,544,960,4; found 1,512,512,4"):
        wanted_files(ISP, None, folder=Path(), input_shape="1,512,512,4")
    with pytest.raises(CallError, match="must take TFLite of a fixed size; found pirm2018, track B"):
        wanted_files(load_challenge("pirm2018"), "B", folder=Path(), input_shape=None)
    with pytest.raises(CallError, match="several in pirm2018: A, B"):
        only_track(load_challenge("pirm2018"))


@pytest.fixture(scope="module")
def small_rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The challenge at 32x48."""
    _, text = challenge_text("mai2021-isp")
    path = tmp_path_factory.mktemp("rules") / "small.toml"
    path.write_text(text.replace("544", "32").replace("960", "48"))
    return path


@pytest.fixture(scope="module")
def graph(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A frozen graph from four planes to RGB of twice the size: every value the planes' mean."""
    with tf.Graph().as_default() as made:
        x = tf.compat.v1.placeholder(tf.float32, (1, None, None, 4), name="input")
        kernel = tf.constant(np.full((1, 1, 4, 12), 0.25, np.float32))
        y = tf.nn.depth_to_space(tf.nn.conv2d(x, kernel, 1, "SAME"), 2)
        tf.identity(y, name="output")
    path = tmp_path_factory.mktemp("graph") / "model.pb"
    path.write_bytes(made.as_graph_def().SerializeToString())
    return path


def test_both_are_written_and_their_contract_is_judged(
    call: Call, graph: Path, small_rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIXELPROOF_DATA", str(tmp_path))  # holds no images of the challenge: none are needed
    out = tmp_path / "isp"
    proof = tmp_path / "proof.json"
    done = call(
        "pb2tflite", str(graph), "--challenge", str(small_rules), "--out", str(out), "--json", str(proof)
    )
    assert done.code == 0, done.err
    assert sorted(path.name for path in out.iterdir()) == ["model.tflite", "model_none.tflite"]
    files = json.loads(proof.read_text())["files"]
    assert [file["shape"] for file in files] == [[1, 32, 48, 4], [1, None, None, 4]]
    assert all(file["passed"] and len(file["rows"]) >= 2 for file in files)
    assert "Companion" in done.out and "PASSED" in done.out


def test_for_a_team_all_is_judged_and_packed(
    call: Call, graph: Path, small_rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIXELPROOF_DATA", raising=False)
    out = tmp_path / "isp"
    team = ["--team-id", "7", "--team-name", "T"]
    done = call("pb2tflite", str(graph), "--challenge", str(small_rules), "--out", str(out), *team)
    assert done.code == 0, done.err
    with zipfile.ZipFile(out / "submission.zip") as archive:
        assert {"model.tflite", "model_none.tflite", "report.json"} < set(archive.namelist())
    assert json.loads((out / "report.json").read_text())["scores"]["total"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "needs a size"),
        (["--data", "x"], "go with --challenge; found --data"),
        (["--challenge", "mai2021-isp", "--variable"], "which file is variable"),
        (["--challenge", "mai2021-isp", "--team-id", "7"], "id and a name"),
        (["--challenge", "mai2021-isp", "--data", "x"], "--data goes with --team-id"),
        (["--challenge", "mai2021-ips"], "named by its id"),
        (["--challenge", "mai2021-isp", "--track", "B"], "A track of mai2021-isp must be named"),
        (["--challenge", "mai2021-isp", "--out", "m.tflite"], "must be a folder"),
        (["--challenge", "pirm2018"], "--track must be given"),
        (["--challenge", "mai2021-isp", "--input-shape", "1,5,5,4"], "takes 1,544,960,4"),
    ],
)
def test_wrong_calls_write_nothing(
    call: Call, graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = call("pb2tflite", str(graph), *arguments)
    assert (done.code, said in done.err) == (2, True), done.err
    assert list(tmp_path.iterdir()) == []
