"""pb2tflite as users type it: what it takes, what it refuses, and that the file is right."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Call = Callable[..., Any]


def output_of(path: Path, x: np.ndarray[Any, np.dtype[np.float32]]) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    (source,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert tuple(source["shape"]) == x.shape
    interpreter.set_tensor(source["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(result["index"])


def test_the_written_file_computes_the_graph(call: Call, shift: Path, tmp_path: Path, tf: Any) -> None:
    out = tmp_path / "made.tflite"
    answer = call("pb2tflite", str(shift), "--input-shape", "1,20,36,3", "--out", str(out), "--json", "-")
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    assert (document["input"], document["output"], document["passed"]) == ("x_in:0", "y_out:0", True)
    assert [(r["height"], r["width"]) for r in document["rows"]] == [(20, 36), (37, 54)]
    x = np.random.default_rng(0).random((1, 20, 36, 3), np.float32)
    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString(shift.read_bytes())
    with tf.Graph().as_default() as imported:
        tf.import_graph_def(graph, name="")
        with tf.compat.v1.Session(graph=imported) as session:
            expected = session.run("y_out:0", {"x_in:0": x})
    np.testing.assert_allclose(output_of(out, x), expected, atol=1e-6)


def test_the_option_names_of_2021(call: Call, shift: Path, tmp_path: Path) -> None:
    out = tmp_path / "made.tflite"
    answer = call(
        "pb2tflite",
        f"--graph_def_file={shift}",
        f"--output_file={out}",
        "--input_shape=1,16,24,3",
        "--input_arrays=x_in",
        "--output_arrays=y_out",
    )
    assert answer.code == 0, answer.err
    assert out.read_bytes()[4:8] == b"TFL3"


def test_without_a_model_it_takes_the_one_here(
    call: Call, shift: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(shift, "model.pb")
    answer = call("pb2tflite", "--input-shape", "1,16,24,3")
    assert answer.code == 0, answer.err
    assert "Taking model.pb" in answer.out
    assert (tmp_path / "model.tflite").is_file()


def test_without_a_model_it_takes_the_newest_converted(
    shift: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pixelproof.errors import CallError
    from pixelproof.tflite.choose import default_model

    with pytest.raises(CallError, match="name it"):
        default_model(tmp_path)
    for name, age in (("old", 1_000), ("new", 2_000)):
        folder = tmp_path / "models_converted" / name
        (folder / "saved_model").mkdir(parents=True)
        for file in (folder / "model.pb", folder / "saved_model" / "saved_model.pb"):
            shutil.copy(shift, file)
            os.utime(file, (age, age if file.name == "model.pb" else 9_000))
    assert default_model(tmp_path) == tmp_path / "models_converted" / "new" / "model.pb"
    os.utime(tmp_path / "models_converted" / "old" / "model.pb", (2_000, 2_000))
    with pytest.raises(CallError, match="2 of one age"):
        default_model(tmp_path)


def test_a_fixed_placeholder_of_another_shape_is_refused(
    call: Call, save_graph: Callable[..., Path], tmp_path: Path
) -> None:
    fixed = save_graph(tmp_path / "fixed.pb", lambda x: x * 0.5, (1, 16, 24, 4))
    answer = call("pb2tflite", str(fixed), "--input-shape", "1,544,960,4")
    assert answer.code == 2
    assert "placeholder of 1x16x24x4" in answer.err
    assert "--input-shape 1,16,24,4" in answer.err
    assert not (tmp_path / "fixed.tflite").exists()
    answer = call("pb2tflite", str(fixed), "--input-shape", "1,16,24,3")
    assert answer.code == 2
    assert "4 channels" in answer.err
    assert call("pb2tflite", str(fixed), "--input-shape", "1,16,24,4").code == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"this is not a graph\n" * 30, "frozen TensorFlow graph"),
        (None, "frozen TensorFlow graph"),
    ],
)
def test_what_is_no_graph_is_exit_2(
    call: Call, shift: Path, tmp_path: Path, content: bytes | None, said: str
) -> None:
    broken = tmp_path / "broken.pb"
    whole = shift.read_bytes()
    broken.write_bytes(whole[: len(whole) // 2] if content is None else content)
    answer = call("pb2tflite", str(broken), "--input-shape", "1,16,24,3")
    assert answer.code == 2
    assert said in answer.err
    assert list(tmp_path.iterdir()) == [broken]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--input-shape", "1,16,24"], "four"),
        (["--input-shape", "2,16,24,3"], "batch"),
        (["--input-shape", "1,a,24,3"], "whole numbers"),
        (["--input-shape", "1,16,24,3", "--output-arrays", "y_ouut"], "y_out"),
        (["--input-shape", "1,16,24,3", "--input-arrays", "nothing"], "x_in"),
        (["--input-shape", "1,16,24,3", "--output-arrays", "y_out,x_in"], "one name"),
    ],
)
def test_wrong_calls_name_the_way_out(
    call: Call, shift: Path, tmp_path: Path, options: list[str], said: str
) -> None:
    answer = call("pb2tflite", str(shift), *options, "--out", str(tmp_path / "no.tflite"))
    assert answer.code == 2
    assert said in answer.err
    assert not list(tmp_path.iterdir())


def test_an_operation_that_tflite_lacks_is_named(
    call: Call, tf: Any, save_graph: Callable[..., Path], tmp_path: Path
) -> None:
    graph = save_graph(
        tmp_path / "hue.pb", lambda x: tf.raw_ops.AdjustHue(images=x, delta=0.1), (1, None, None, 3)
    )
    answer = call("pb2tflite", str(graph), "--input-shape", "1,16,24,3")
    assert answer.code == 3
    assert "AdjustHue" in answer.err
    assert not (tmp_path / "hue.tflite").exists()


def test_a_file_that_computes_another_picture_is_not_written(
    call: Call, shift: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pixelproof.tflite import conversion

    right = conversion.to_tflite

    def wrong(graph: Any, **options: Any) -> bytes:
        changed = type(graph)()
        changed.CopyFrom(graph)
        for node in changed.node:
            if node.op == "Const" and node.attr["value"].tensor.tensor_content:
                content = bytearray(node.attr["value"].tensor.tensor_content)
                content[:4] = np.float32(0.9).tobytes()
                node.attr["value"].tensor.tensor_content = bytes(content)
                break
        return right(changed, **options)

    monkeypatch.setattr(conversion, "to_tflite", wrong)
    out = tmp_path / "wrong.tflite"
    answer = call("pb2tflite", str(shift), "--input-shape", "1,16,24,3", "--out", str(out))
    assert answer.code == 1
    assert "within 0.0001" in answer.err
    assert not out.exists()


def test_an_output_that_cannot_be_written_is_exit_3(call: Call, shift: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "file" / "made.tflite"
    answer = call("pb2tflite", str(shift), "--input-shape", "1,16,24,3", "--out", str(out))
    assert answer.code == 3
    assert "writable" in answer.err
