"""An .onnx with channels before height and width, as PyTorch exports it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pixelproof.challenge import challenge_text
from pixelproof.measure.channels_first import is_channels_first


def write_model(path: Path) -> Path:
    """NCHW, any height and width, RGB: red and blue exchanged, times 0.5, sizes doubled by nearest."""
    kernel = np.zeros((3, 3, 1, 1), np.float32)
    kernel[[0, 1, 2], [2, 1, 0]] = 0.5
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, f"{name}_h", f"{name}_w"])
        for name in ("in", "out")
    ]
    nodes = [
        helper.make_node("Conv", ["in", "kernel"], ["mixed"]),
        helper.make_node("Resize", ["mixed", "", "scales"], ["out"], mode="nearest"),
    ]
    constants = [
        numpy_helper.from_array(kernel, "kernel"),
        numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales"),
    ]
    graph = helper.make_graph(nodes, "g", [ends[0]], [ends[1]], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 3, None, None), True),
        ((1, 3, 8, 8), True),
        ((1, None, None, 3), False),
        ((1, 3, 8, 3), False),
        ((3, None, None), False),
        (None, False),
    ],
)
def test_channels_first_is_told_by_the_shape(shape: Any, expected: bool) -> None:
    assert is_channels_first(shape, 3) is expected


def rules(folder: Path, layouts: str) -> Path:
    _, text = challenge_text("pirm2018")
    track = text[text.index("[tracks.B]") : text.index("[tracks.B.limits]")]
    head = text[: text.index("[tracks.A]")]
    path = folder / "rules.toml"
    path.write_text(head + track + f"scale = 2\nlayouts = {layouts}\n")
    return path


def test_it_is_judged_where_the_challenge_takes_it(typed: Any, tmp_path: Path) -> None:
    model = write_model(tmp_path / "model.onnx")
    text = rules(tmp_path, '["NHWC", "NCHW"]').read_text().replace("scale = 1\n", "")
    (tmp_path / "rules.toml").write_text(text)
    answer = typed(model, "--challenge", tmp_path / "rules.toml", "--json", "-")
    assert answer.code == 0, answer.err
    tensors = answer.checks()["tensors"]
    assert tensors["status"] == "passed" and "1x?x?x3 in" in tensors["found"]
    assert answer.checks()["resolution"]["status"] == "passed"
    (white,) = (s for s in answer.report["measurements"]["range_samples"] if s["source"] == "white")
    assert (white["minimum"], white["maximum"]) == (0.5, 0.5)
    (tmp_path / "rules.toml").write_text(text.replace('["NHWC", "NCHW"]', '["NHWC"]'))
    refused = typed(model, "--challenge", tmp_path / "rules.toml", "--json", "-")
    assert refused.code == 1 and "runs" in refused.checks("failed")


def test_the_picture_is_the_same_as_channels_last(tmp_path: Path) -> None:
    from pixelproof.measure.worker import Worker

    model = write_model(tmp_path / "model.onnx")
    x = np.random.default_rng(0).random((1, 5, 7, 3), np.float32)
    with Worker() as worker:
        loaded = worker.load(model, "onnx", channels_first=True)
        assert loaded.interface.outputs[0].shape == (1, None, None, 3)
        expected = 0.5 * x[..., ::-1].repeat(2, axis=1).repeat(2, axis=2)
        assert np.allclose(worker.run(x), expected, atol=1e-7)
