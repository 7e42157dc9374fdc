"""What a conversion writes, what it says about it, and what it leaves alone when it fails."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof.convert import export
from pixelproof.errors import CallError, EnvironmentFault, ModelFailed, ParityBroken
from pixelproof.measure.worker import Worker

Convert = Callable[..., dict[str, Any]]
FORMATS = ("pb", "savedmodel", "tflite", "onnx")
IMAGE = np.random.default_rng(0).random((1, 24, 40, 3), np.float32) * 3 - 1


@pytest.fixture(scope="session")
def srcnn(convert_with: Convert, srcnn_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a plain conversion to all formats."""
    folder = tmp_path_factory.mktemp("plain") / "deep" / "er"
    convert_with("srcnn", srcnn_checkpoint, folder, formats=FORMATS)
    return folder


def _run(worker: Worker, path: Path, kind: Any, **names: str) -> np.ndarray:
    worker.load(path, kind, **names)  # type: ignore[arg-type]
    return worker.run(IMAGE)


def test_the_document_says_what_was_proven(srcnn: Path) -> None:
    document = json.loads((srcnn / "parity.json").read_text())
    assert document["schema_version"] == 1 and document["passed"] is True and document["clip"] is False
    assert document["source"] == "srcnn with srcnn"
    assert document["checkpoint"] == {
        "format": "tf1-v2",
        "used": 6,
        "taken": "",
        "reported": [],
        "surplus": [],
    }
    assert document["environment"]["libraries"]["tensorflow"]
    assert [a["format"] for a in document["artifacts"]] == list(FORMATS)
    for artifact in document["artifacts"]:
        path = srcnn / artifact["name"]
        if path.is_file():
            assert artifact["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
            assert artifact["size_bytes"] == path.stat().st_size
        for row in artifact["rows"]:
            assert row["passed"] and row["tolerance"] == 1e-4
            assert row["height"] != row["width"]
            difference = row["difference"]
            assert difference["max_levels"] == pytest.approx(255 * difference["max_abs"])
            assert 0 <= difference["mean_abs"] <= difference["max_abs"] < 1e-5
            assert 0 <= difference["share_changed"] <= 1
    odd = document["artifacts"][2]["rows"][1]
    assert (odd["height"], odd["width"]) == (37, 54) and "converted at this size" in odd["artifact"]


def test_the_same_bytes_come_out_again(srcnn: Path, convert_with: Convert, srcnn_checkpoint: Path) -> None:
    before = (srcnn / "model.pb").read_bytes()
    lines: list[str] = []
    convert_with("srcnn", srcnn_checkpoint, srcnn, lines=lines)
    assert (srcnn / "model.pb").read_bytes() == before
    assert any("left as they were" in line and "model.onnx" in line for line in lines)
    assert {p.name for p in srcnn.iterdir()} == {
        "model.pb", "saved_model", "model.tflite", "model.onnx", "parity.json",
    }  # fmt: skip


def test_clip_is_in_the_graph_of_every_format(
    convert_with: Convert, srcnn_checkpoint: Path, srcnn: Path, tmp_path: Path, shared_worker: Worker
) -> None:
    document = convert_with("srcnn", srcnn_checkpoint, tmp_path, formats=FORMATS, clip=True)
    assert document["clip"] is True and document["passed"] is True
    free = _run(shared_worker, srcnn / "model.pb", "pb")
    assert free.min() < -0.01 or free.max() > 1.01
    for name, kind in zip(("model.pb", "saved_model", "model.tflite", "model.onnx"), FORMATS, strict=True):
        got = _run(shared_worker, tmp_path / name, kind)
        assert got.min() >= 0 and got.max() <= 1
        np.testing.assert_allclose(got, np.clip(free, 0, 1), atol=1e-5)


@pytest.mark.parametrize(
    ("input_name", "output_name"),
    [("net/in", "net/out"), ("output", "input"), ("srcnn_1/conv_1_1/Relu", "9.x-y")],
)
def test_names_are_the_users_in_every_format(
    convert_with: Convert,
    srcnn_checkpoint: Path,
    srcnn: Path,
    tmp_path: Path,
    shared_worker: Worker,
    input_name: str,
    output_name: str,
) -> None:
    names = {"input_name": input_name, "output_name": output_name}
    convert_with("srcnn", srcnn_checkpoint, tmp_path, formats=FORMATS, **names)
    expected = _run(shared_worker, srcnn / "model.pb", "pb")
    for name, kind in zip(("model.pb", "saved_model", "model.tflite", "model.onnx"), FORMATS, strict=True):
        loaded = shared_worker.load(tmp_path / name, kind)
        tail = ":0" if kind == "pb" else ""
        if kind != "savedmodel":
            assert [t.name for t in loaded.interface.inputs] == [input_name + tail]
        assert [t.name for t in loaded.interface.outputs] == [output_name + tail]
        np.testing.assert_allclose(shared_worker.run(IMAGE), expected, atol=1e-5)


def test_onnx_leaves_height_and_width_open(srcnn: Path, tmp_path: Path, tf: Any) -> None:
    import onnx

    from pixelproof.convert.onnx import opsets, to_onnx
    from pixelproof.measure.graph_def import read_graph

    model = onnx.load(srcnn / "model.onnx")
    onnx.checker.check_model(model)
    assert [(i.domain, i.version) for i in model.opset_import if not i.domain] == [("", 18)]
    for tensor, dims in (
        (model.graph.input[0], [1, "height_in", "width_in", 3]),
        (model.graph.output[0], [1, "height_out", "width_out", 3]),
    ):
        assert [d.dim_param or d.dim_value for d in tensor.type.tensor_type.shape.dim] == dims
    graph = read_graph(str(srcnn / "model.pb"))
    assert opsets()[-1] >= 18
    for wrong in (opsets()[0] - 1, opsets()[-1] + 1, 0):
        with pytest.raises(
            CallError, match=f"--opset must be {opsets()[0]} to {opsets()[-1]}; found {wrong}"
        ):
            to_onnx(graph, input_name="input", output_name="output", opset=wrong)


def test_every_opset_computes_the_same_picture(tf: Any, tmp_path: Path, shared_worker: Worker) -> None:
    """Reductions, clips and transposed convolutions are written differently in different opsets."""
    from pixelproof.convert.onnx import opsets, to_onnx

    weights = np.random.default_rng(0).random((4, 4, 3, 3), np.float32) / 20

    def build(x: Any) -> Any:
        mean, variance = tf.nn.moments(x, [1, 2], keepdims=True)
        small = tf.nn.conv2d((x - mean) / tf.sqrt(variance + 1e-3), weights, 2, "SAME")
        shape = tf.shape(small) * [1, 2, 2, 1]
        return tf.clip_by_value(tf.nn.leaky_relu(tf.nn.conv2d_transpose(small, weights, shape, 2)), 0.0, 1.0)

    graph = _graph(tf, build)
    (tmp_path / "m.pb").write_bytes(graph.SerializeToString())
    expected = _run(shared_worker, tmp_path / "m.pb", "pb")
    assert 0 < expected.mean() < 1
    for opset in opsets():
        (tmp_path / "m.onnx").write_bytes(
            to_onnx(graph, input_name="input", output_name="output", opset=opset)
        )
        np.testing.assert_allclose(_run(shared_worker, tmp_path / "m.onnx", "onnx"), expected, atol=1e-5)


def test_a_corrupted_weight_delivers_nothing_and_says_so(
    convert_with: Convert, srcnn_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tf: Any
) -> None:
    convert_with("srcnn", srcnn_checkpoint, tmp_path, formats=("pb",))
    earlier = (tmp_path / "model.pb").read_bytes()
    _corrupt(monkeypatch, "tflite")
    published: list[dict[str, Any]] = []
    with pytest.raises(ParityBroken, match=r"within 0\.0001; found .* of a level\) in model\.tflite"):
        convert_with("srcnn", srcnn_checkpoint, tmp_path, formats=FORMATS, publish=published.append)
    document = json.loads((tmp_path / "parity.json").read_text())
    assert published == [document]
    assert document["passed"] is False
    verdicts = {a["format"]: all(row["passed"] for row in a["rows"]) for a in document["artifacts"]}
    assert verdicts == {"pb": True, "savedmodel": True, "tflite": False, "onnx": True}
    broken = document["artifacts"][2]["rows"][0]
    assert broken["source_to_float64"] < 1e-5 < broken["artifact_to_float64"]
    assert {p.name for p in tmp_path.iterdir()} == {"model.pb", "parity.json"}
    assert (tmp_path / "model.pb").read_bytes() == earlier


def test_a_broken_proof_is_exit_1_with_the_document_on_standard_output(
    call: Callable[..., Any], srcnn_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tf: Any
) -> None:
    _corrupt(monkeypatch, "pb")
    options = ("--out", str(tmp_path / "out"), "--format", "pb", "--json", "-")
    answer = call("convert-model", "--model", "srcnn", "--ckpt", str(srcnn_checkpoint), *options)
    assert answer.code == 1
    assert json.loads(answer.out)["passed"] is False
    assert "DIFFERENT" in answer.err and "must equal its source" in answer.err
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["parity.json"]


def test_an_exporter_that_writes_nonsense_is_caught(
    convert_with: Convert, srcnn_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = export.write_artifact

    def cut(kind: Any, source: Any, plan: Any, staging: Path) -> Any:
        proofs = usual(kind, source, plan, staging)
        if kind == "onnx":
            proofs[0][0].write_bytes(proofs[0][0].read_bytes()[:1000])
        return proofs

    monkeypatch.setattr(export, "write_artifact", cut)
    with pytest.raises(Exception, match=r"ONNX model; found model\.onnx"):
        convert_with("srcnn", srcnn_checkpoint, tmp_path / "out", formats=("pb", "onnx"))
    assert not (tmp_path / "out").exists()


def test_an_operation_that_a_format_lacks_is_named(convert_with: Convert, tmp_path: Path, tf: Any) -> None:
    from pixelproof.convert.onnx import to_onnx

    graph = _graph(tf, lambda x: tf.raw_ops.Betainc(a=x + 1.0, b=x + 2.0, x=x) + tf.raw_ops.Digamma(x=x))
    with pytest.raises(
        ModelFailed, match=r"ONNX must have every operation; found Betainc, Digamma\. Leave ONNX out"
    ):
        to_onnx(graph, input_name="input", output_name="output")
    source = tmp_path / "odd.py"
    source.write_text(
        "import keras\n"
        "import tensorflow as tf\n"
        "class Odd(keras.layers.Layer):\n"
        "    def call(self, x):\n"
        "        return tf.raw_ops.Betainc(a=x + 1.0, b=x + 2.0, x=x * 0.5)\n"
        "def build():\n"
        "    x = keras.Input((None, None, 3))\n"
        "    return keras.Model(x, Odd()(x))\n"
    )
    with pytest.raises(ModelFailed, match="TFLite must have every operation; found Betainc"):
        convert_with(f"{source}:build", None, tmp_path / "out", formats=("pb", "tflite"))
    assert not (tmp_path / "out").exists()


def test_a_folder_that_was_there_stays_when_the_call_is_wrong(
    convert_with: Convert, srcnn_checkpoint: Path, tmp_path: Path
) -> None:
    (tmp_path / "kept").mkdir()
    for folder in (tmp_path / "kept", tmp_path / "new" / "deep"):
        with pytest.raises(
            CallError, match=r"Input must have 3 channels; found 4\. Use --input-shape 1,24,40,3"
        ):
            convert_with("srcnn", srcnn_checkpoint, folder, shape=(1, 24, 40, 4))
        with pytest.raises(CallError, match="--opset"):
            convert_with("srcnn", srcnn_checkpoint, folder, formats=("onnx",), opset=99)
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_folder_that_can_not_be_written(
    convert_with: Convert, srcnn_checkpoint: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(EnvironmentFault, match="must be writable"):
        convert_with("srcnn", srcnn_checkpoint, tmp_path / "file" / "below")
    with pytest.raises(EnvironmentFault, match="must be writable"):
        convert_with("srcnn", srcnn_checkpoint, Path("/proc/pixelproof"))
    assert (tmp_path / "file").read_text() == "kept"


def test_what_stands_in_the_way_of_an_artifact(
    convert_with: Convert, srcnn_checkpoint: Path, tmp_path: Path
) -> None:
    (tmp_path / "saved_model").write_text("a file where a folder will be")
    (tmp_path / "model.pb").mkdir()
    with pytest.raises(EnvironmentFault, match=r"must be writable; found .*directory"):
        convert_with("srcnn", srcnn_checkpoint, tmp_path, formats=("pb",))
    (tmp_path / "model.pb").rmdir()
    convert_with("srcnn", srcnn_checkpoint, tmp_path, formats=("pb", "savedmodel"))
    assert (tmp_path / "saved_model" / "saved_model.pb").is_file() and (tmp_path / "model.pb").is_file()
    assert {p.name for p in tmp_path.iterdir()} == {"model.pb", "saved_model", "parity.json"}


def _graph(tf: Any, build: Callable[[Any], Any]) -> Any:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (1, None, None, 3), name="input")
        tf.identity(build(x), name="output")
    return graph.as_graph_def()


def _corrupt(monkeypatch: pytest.MonkeyPatch, corrupted: str) -> None:
    """Let one exporter write one large weight another way."""
    usual = export.write_artifact

    def write(kind: Any, source: Any, plan: Any, staging: Path) -> Any:
        proofs = usual(kind, source, plan, staging)
        if kind == corrupted:
            import tensorflow as tf

            constants = [
                tf.make_ndarray(node.attr["value"].tensor)
                for node in source.graph.node
                if node.op == "Const" and node.attr["value"].tensor.tensor_shape.dim
            ]
            weight = max(constants, key=lambda value: value.size).reshape(-1)[1234]
            data = proofs[0][0].read_bytes()
            assert data.count(weight.tobytes()) == 1
            proofs[0][0].write_bytes(data.replace(weight.tobytes(), (weight + np.float32(0.5)).tobytes()))
        return proofs

    monkeypatch.setattr(export, "write_artifact", write)


def test_what_a_killed_conversion_left_is_swept(tmp_path: Path) -> None:
    from pixelproof.convert.delivery import STAGING, sweep

    dead, alive = tmp_path / f"{STAGING}99999999-abc", tmp_path / f"{STAGING}{os.getpid()}-abc"
    for folder in (dead, alive):
        folder.mkdir()
        (folder / "model.pb").write_bytes(b"half")
    sweep(tmp_path)
    assert not dead.exists()
    assert alive.exists()
