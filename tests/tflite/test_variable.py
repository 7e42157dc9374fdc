"""--variable: one file of any height and width."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof.measure.parity import probe_image
from pixelproof.measure.worker import Worker

Call = Callable[..., Any]


def test_the_file_takes_any_size_that_the_graph_takes(call: Call, isp: Path, tmp_path: Path) -> None:
    out = tmp_path / "any.tflite"
    answer = call(
        "pb2tflite", str(isp), "--input-shape", "1,36,60,4", "--variable", "--out", str(out), "--json", "-"
    )
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    assert document["shape"] == [1, None, None, 4] and document["passed"]
    assert [(r["height"], r["width"]) for r in document["rows"]] == [(36, 60), (8, 12), (12, 4)]
    assert {row["artifact"] for row in document["rows"]} == {"any.tflite"}
    assert "input 1,any,any,4" in answer.err
    with Worker() as graph, Worker() as file:
        graph.load(isp, "pb")
        loaded = file.load(out, "tflite")
        assert loaded.interface.inputs[0].shape == (1, None, None, 4)
        assert loaded.interface.outputs[0].shape == (1, None, None, 3)
        for size in ((44, 20), (4, 4), (44, 20), (8, 100)):
            x = probe_image(*size, 4, seed=3)
            expected = graph.run(x)
            assert expected.shape == (1, 2 * size[0], 2 * size[1], 3)
            np.testing.assert_allclose(file.run(x), expected, atol=2e-6)


def test_a_fixed_placeholder_can_not_become_variable(
    call: Call, save_graph: Callable[..., Path], tmp_path: Path
) -> None:
    for index, shape in enumerate([(1, 16, 24, 4), (1, None, 24, 4)]):
        fixed = save_graph(tmp_path / f"{index}.pb", lambda x: x * 0.5, shape)
        answer = call("pb2tflite", str(fixed), "--input-shape", "1,16,24,4", "--variable")
        assert answer.code == 2
        found = "x".join("?" if n is None else str(n) for n in shape)
        assert f"{index}.pb is fixed; found a placeholder of {found}." in answer.err
        assert "convert-model, whose .pb takes any size" in answer.err
    assert not list(tmp_path.glob("*.tflite"))


def test_a_graph_that_is_fixed_inside_is_refused(
    call: Call, save_graph: Callable[..., Path], tmp_path: Path
) -> None:
    shade = np.linspace(0.5, 1, 20 * 28, dtype=np.float32).reshape(1, 20, 28, 1)
    inside = save_graph(tmp_path / "inside.pb", lambda x: x * shade, (1, None, None, 3))
    answer = call("pb2tflite", str(inside), "--input-shape", "1,20,28,3", "--variable")
    assert answer.code == 2
    assert "A variable TFLite file needs a graph that takes any size" in answer.err
    assert call("pb2tflite", str(inside), "--input-shape", "1,20,28,3").code == 0


@pytest.mark.parametrize(("size", "near"), [("38,60", "40,60"), ("1,1", "4,4")])
def test_the_size_of_the_proof_must_be_one_that_the_graph_takes(
    call: Call, isp: Path, tmp_path: Path, size: str, near: str
) -> None:
    out = tmp_path / "no.tflite"
    answer = call("pb2tflite", str(isp), "--input-shape", f"1,{size},4", "--variable", "--out", str(out))
    assert answer.code == 2
    assert f"found 1,{size},4" in answer.err and f"--input-shape 1,{near},4." in answer.err
    assert not list(tmp_path.iterdir())


def test_a_variable_file_that_computes_another_picture_is_not_written(
    call: Call, isp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right at the size that was asked for alone: what was frozen in, say."""
    from pixelproof.tflite import proof

    outputs = proof.run_artifact

    def wrong_elsewhere(*arguments: Any, **options: Any) -> Any:
        first, *others = outputs(*arguments, **options)
        return [first, *(output + 0.01 for output in others)]

    monkeypatch.setattr(proof, "run_artifact", wrong_elsewhere)
    out = tmp_path / "any.tflite"
    answer = call("pb2tflite", str(isp), "--input-shape", "1,36,60,4", "--variable", "--out", str(out))
    assert answer.code == 1 and "in any.tflite at 8x12" in answer.err
    assert not list(tmp_path.iterdir())


def test_what_tflite_has_for_fixed_sizes_only(
    call: Call, tf: Any, save_graph: Callable[..., Path], tmp_path: Path
) -> None:
    roll = save_graph(tmp_path / "roll.pb", lambda x: tf.roll(x, 2, 1) + x, (1, None, None, 3))
    answer = call("pb2tflite", str(roll), "--input-shape", "1,16,24,3", "--variable")
    assert answer.code == 1
    assert "found Roll (node Roll)" in answer.err and "leave out --variable" in answer.err
    assert call("pb2tflite", str(roll), "--input-shape", "1,16,24,3").code == 0
