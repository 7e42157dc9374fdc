"""``compare``: equal artifacts, one corrupted weight, and pairs that can't be compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof.measure.comparison import compare_artifacts

SaveGraph = Callable[..., Path]
Call = Callable[..., Any]

WEIGHTS = np.random.default_rng(3).standard_normal((5, 5, 3, 3)).astype(np.float32) / 10


@pytest.fixture(scope="module")
def sharpen(tf: Any, save_graph: SaveGraph) -> Path:
    """A convolution whose weights are known."""
    return save_graph(lambda x: tf.nn.conv2d(x, WEIGHTS, 1, "SAME"))


def _with_another_weight(data: bytes) -> bytes:
    weight = WEIGHTS[2, 2, 1, 1]
    assert data.count(weight.tobytes()) == 1
    return data.replace(weight.tobytes(), (weight + np.float32(0.01)).tobytes())


def _to_tflite(graph: Path, out: Path, shape: tuple[int, int, int, int]) -> Path:
    from pixelproof.measure.graph_def import read_graph
    from pixelproof.tflite.converter import to_tflite

    ends = {"input_name": "input:0", "output_name": "output:0"}
    out.write_bytes(to_tflite(read_graph(str(graph)), **ends, shape=shape))
    return out


def test_equal_in_all_formats(call: Call, blurs: dict[str, Path]) -> None:
    for one, other in (("onnx", "tflite"), ("savedmodel", "pb")):
        answer = call("compare", str(blurs[one]), str(blurs[other]), "--json", "-")
        assert answer.code == 0, answer.err
        document = json.loads(answer.out)
        assert document["passed"] is True
        assert {row["passed"] for row in document["rows"]} == {True}
        assert document["second"] == str(blurs[other])
        sizes = [(row["height"], row["width"]) for row in document["rows"]]
        assert sizes == ([(24, 40)] if other == "tflite" else [(37, 54), (45, 23)])
        assert "Equal within the tolerance." in answer.err


@pytest.mark.parametrize("kind", ["pb", "tflite"])
def test_one_corrupted_weight_is_seen(call: Call, sharpen: Path, tmp_path: Path, kind: str) -> None:
    made = sharpen if kind == "pb" else _to_tflite(sharpen, tmp_path / "good.tflite", (1, 21, 34, 3))
    corrupted = tmp_path / f"corrupted.{kind}"
    corrupted.write_bytes(_with_another_weight(made.read_bytes()))
    report = tmp_path / "report.json"
    answer = call("compare", str(sharpen), str(corrupted), "--json", str(report))
    assert answer.code == 1
    assert "They compute different pictures." in answer.out
    document = json.loads(report.read_text())
    assert document["passed"] is False
    assert 0.005 < document["rows"][0]["difference"]["max_abs"] < 0.0101
    assert document["rows"][0]["source_to_float64"] < 1e-6 < document["rows"][0]["artifact_to_float64"]
    assert call("compare", str(sharpen), str(corrupted), "--tolerance", "0.02").code == 0


def test_shapes_and_tolerance_are_the_users(call: Call, sharpen: Path, blur: Path) -> None:
    shapes = ("--shape", "1,8,11,3", "--shape", "1,5,5,3")
    answer = call("compare", str(sharpen), str(sharpen), *shapes, "--tolerance", "1e-9", "--json", "-")
    assert answer.code == 0
    rows = json.loads(answer.out)["rows"]
    assert [(row["height"], row["width"], row["tolerance"]) for row in rows] == [(8, 11, 1e-9), (5, 5, 1e-9)]
    for wrong in ("0", "-1", "nan"):
        assert call("compare", str(sharpen), str(blur), "--tolerance", wrong).code == 2
    for wrong in ("8,8,3", "1,8,8", "2,8,8,3", "1,0,8,3", "1,x,8,3"):
        assert call("compare", str(sharpen), str(blur), "--shape", wrong).code == 2


def test_what_can_not_be_compared_is_a_wrong_call(
    call: Call, tf: Any, save_graph: SaveGraph, blur: Path, blurs: dict[str, Path], tmp_path: Path
) -> None:
    bayer = save_graph(lambda x: x[..., :3], (1, None, None, 4))
    other = _to_tflite(blur, tmp_path / "other.tflite", (1, 16, 40, 3))
    enlarged = save_graph(lambda x: tf.repeat(tf.repeat(x, 2, 1), 2, 2))
    (tmp_path / "text.pb").write_text("no graph")
    for second, options, reason in (
        (bayer, (), "the same channels; found 3 and 4"),
        (bayer, ("--shape", "1,16,16,4"), "the same channels"),
        (blur, ("--shape", "1,16,16,4"), "--shape must be one that both take: 1,ANY,ANY,3"),
        (tmp_path / "gone.pb", (), "must exist"),
        (tmp_path / "text.pb", (), "must be a frozen TensorFlow graph"),
        (enlarged, (), "must have one shape"),
    ):
        answer = call("compare", str(blur), str(second), *options)
        assert (answer.code, answer.out) == (2, ""), answer
        assert reason in answer.err
    answer = call("compare", str(blurs["tflite"]), str(other))
    assert answer.code == 2 and "the same height; found 16 and 24" in answer.err


def test_a_model_that_fails_at_every_size_is_a_broken_rule(
    call: Call, tf: Any, save_graph: SaveGraph, blur: Path
) -> None:
    never = save_graph(lambda x: tf.reshape(x, (1, 5, 7, 3)))
    answer = call("compare", str(blur), str(never))
    assert answer.code == 1 and "must be able to run the model" in answer.err


def test_sizes_that_a_model_does_not_take_are_passed_over(tf: Any, save_graph: SaveGraph) -> None:
    unet = save_graph(lambda x: x + tf.reshape(tf.nn.space_to_depth(x, 8), tf.shape(x)))
    rows = compare_artifacts(unet, unet, shapes=[], tolerance=None)
    assert [(row.height % 8, row.width % 8) for row in rows] == [(0, 0), (0, 0)]
    assert all(row.passed for row in rows)


def test_instance_normalisation_drifts_at_large_shapes_only(
    tf: Any, save_graph: SaveGraph, tmp_path: Path
) -> None:
    """The tolerance is the large one, and both distances from float64 are told."""

    def build(x: Any) -> Any:
        mean, variance = tf.nn.moments(tf.nn.conv2d(x, WEIGHTS, 1, "SAME"), [1, 2], keepdims=True)
        return tf.tanh((tf.nn.conv2d(x, WEIGHTS, 1, "SAME") - mean) / tf.sqrt(variance + 1e-3))

    graph, shape = save_graph(build), (1, 400, 660, 3)
    made = _to_tflite(graph, tmp_path / "norm.tflite", shape)
    (row,) = compare_artifacts(graph, made, shapes=[], tolerance=None)
    assert row.passed and row.tolerance == 1e-3
    assert row.source_to_float64 is not None and 0 < row.source_to_float64 < 1e-3
    assert row.artifact_to_float64 is not None and 0 < row.artifact_to_float64 < 1e-3
    (small,) = compare_artifacts(graph, graph, shapes=[(1, 40, 66, 3)], tolerance=None)
    assert small.tolerance == 1e-4 and small.source_to_float64 is None
    (local,) = compare_artifacts(made, made, shapes=[], tolerance=None)  # TFLite doesn't tell: it is tried
    assert local.tolerance == 1e-3


def test_a_large_picture_alone_does_not_widen_the_tolerance(blurs: dict[str, Path]) -> None:
    for other in ("pb", "onnx"):
        (row,) = compare_artifacts(blurs["onnx"], blurs[other], shapes=[(1, 400, 660, 3)], tolerance=None)
        assert row.passed and row.tolerance == 1e-4
