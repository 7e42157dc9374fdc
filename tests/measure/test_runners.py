"""Every format as one callable; a file that is none is told from a model that fails."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof.errors import ArtifactError, ModelFailed
from pixelproof.measure.formats import KINDS, Kind, artifact_at, detect_kind
from pixelproof.measure.worker import Worker

SaveGraph = Callable[..., Path]

IMAGE = np.random.default_rng(1).random((1, 24, 40, 3), np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_each_format_runs_and_tells_what_it_is(
    shared_worker: Worker, blur: Path, blurs: dict[str, Path], kind: Kind
) -> None:
    assert detect_kind(blurs[kind]) == kind
    shared_worker.load(blur, "pb")
    expected = shared_worker.run(IMAGE)
    loaded = shared_worker.load(blurs[kind], kind)
    np.testing.assert_allclose(shared_worker.run(IMAGE), expected, atol=1e-6)
    (declared,) = loaded.interface.inputs
    assert declared.dtype == "float32"
    assert declared.shape == ((1, 24, 40, 3) if kind == "tflite" else (1, None, None, 3))
    assert declared.name.split(":")[0] == "input"
    assert loaded.used_input == declared.name
    assert loaded.used_output == loaded.interface.outputs[0].name
    assert loaded.used_output is not None and loaded.used_output.split(":")[0] == "output"
    assert not loaded.global_statistics


def test_a_size_that_a_tflite_file_refuses_does_not_spoil_the_next_call(
    shared_worker: Worker, tf: Any, save_graph: SaveGraph, tmp_path: Path
) -> None:
    from pixelproof.measure.graph_def import read_graph
    from pixelproof.tflite.converter import to_tflite

    graph = save_graph(lambda x: tf.concat([x[:, ::2, ::2], tf.reshape(x, (1, 12, 20, 12))], -1))
    made = tmp_path / "m.tflite"
    ends = {"input_name": "input:0", "output_name": "output:0"}
    made.write_bytes(to_tflite(read_graph(str(graph)), **ends, shape=(1, 24, 40, 3)))
    shared_worker.load(made, "tflite")
    expected = shared_worker.run(IMAGE)
    for wrong in (IMAGE[:, :20], np.zeros((1, 3), np.float32), IMAGE.astype(np.float64)):
        with pytest.raises(ModelFailed):
            shared_worker.run(wrong)
        np.testing.assert_array_equal(shared_worker.run(IMAGE), expected)


def test_statistics_over_the_image_are_seen(shared_worker: Worker, tf: Any, save_graph: SaveGraph) -> None:
    for build, expected in (
        (lambda x: x - tf.reduce_mean(x, (1, 2), keepdims=True), True),
        (lambda x: x - tf.reduce_max(x, -2, keepdims=True), True),
        (lambda x: x - tf.reduce_mean(x, 3, keepdims=True), False),
        (lambda x: x - tf.nn.moments(x, [1, 2], keepdims=True)[0], True),
        (lambda x: tf.nn.max_pool2d(x, 3, 1, "SAME"), False),
    ):
        assert shared_worker.load(save_graph(build), "pb").global_statistics is expected


def test_float64_is_the_same_graph_with_less_rounding(
    shared_worker: Worker, tf: Any, save_graph: SaveGraph
) -> None:
    shared_worker.load(save_graph(lambda x: (x * 1e8 + 1.1) - x * 1e8), "pb")
    assert np.abs(shared_worker.run(IMAGE) - np.float32(1.1)).max() > 0.01
    wide = shared_worker.run_float64(IMAGE)
    assert wide.dtype == np.float64
    np.testing.assert_allclose(wide, np.float32(1.1), rtol=1e-6)
    shared_worker.load(save_graph(lambda x: tf.image.resize(x, (8, 8))), "pb")
    with pytest.raises(ModelFailed, match=r"float64|must be able to run"):
        shared_worker.run_float64(IMAGE)  # ResizeBilinear always gives float32
    assert shared_worker.run(IMAGE).shape == (1, 8, 8, 3)


def test_named_tensors_are_used_where_they_are(shared_worker: Worker, tf: Any, save_graph: SaveGraph) -> None:
    def build(x: Any) -> Any:
        tf.negative(x, name="second")
        return x + 1

    graph = save_graph(build)
    loaded = shared_worker.load(graph, "pb", input_name="input", output_name="second:0")
    assert (loaded.used_input, loaded.used_output) == ("input:0", "second:0")
    np.testing.assert_array_equal(shared_worker.run(IMAGE), -IMAGE)
    loaded = shared_worker.load(graph, "pb", output_name="no_such")
    assert loaded.used_output is None
    assert [t.name for t in loaded.interface.outputs] == ["second:0", "output:0"]
    with pytest.raises(ModelFailed, match="one output; found input:0, second:0, output:0"):
        shared_worker.run(IMAGE)


def test_a_flag_with_a_default_need_not_be_fed(shared_worker: Worker, tf: Any, save_graph: SaveGraph) -> None:
    def build(x: Any) -> Any:
        training = tf.compat.v1.placeholder_with_default(0.0, (), name="is_training")
        return x + training

    loaded = shared_worker.load(save_graph(build), "pb")
    assert loaded.used_input == "input:0"
    assert [t.name for t in loaded.interface.inputs] == ["input:0"]
    np.testing.assert_array_equal(shared_worker.run(IMAGE), IMAGE)


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "text": lambda good: b"this is no model, but a text of some length\n" * 20,
    "half": lambda good: good[: len(good) // 2],
    "almost all": lambda good: good[:-7],
    "noise": lambda good: good[:8] + os.urandom(2000),
}


@pytest.mark.parametrize("kind", ["pb", "tflite", "onnx"])
@pytest.mark.parametrize("damage", BROKEN)
def test_a_damaged_file_is_an_artifact_error(
    shared_worker: Worker, blurs: dict[str, Path], tmp_path: Path, kind: Kind, damage: str
) -> None:
    path = tmp_path / blurs[kind].name
    path.write_bytes(BROKEN[damage](blurs[kind].read_bytes()))
    with pytest.raises(ArtifactError):
        shared_worker.load(path, detect_kind(path))


@pytest.mark.parametrize("member", ["saved_model.pb", "variables/variables.index", "variables"])
@pytest.mark.parametrize("damage", ["missing", "empty", "text"])
def test_a_damaged_saved_model_is_an_artifact_error(
    shared_worker: Worker, tf: Any, tmp_path: Path, member: str, damage: str
) -> None:
    module = tf.Module()
    module.scale = tf.Variable(2.0)
    spec = tf.TensorSpec((1, None, None, 3), tf.float32, name="input")
    module.serve = tf.function(lambda x: {"output": x * module.scale}, input_signature=[spec])
    folder = tmp_path / "saved"
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})
    target = folder / member
    if target.is_dir():
        shutil.rmtree(target)
    elif damage == "missing":
        target.unlink()
    else:
        target.write_text("" if damage == "empty" else "no such thing")
    with pytest.raises(ArtifactError):
        shared_worker.load(folder, detect_kind(folder))


def test_a_saved_model_without_the_signature_fails(shared_worker: Worker, tf: Any, tmp_path: Path) -> None:
    tf.saved_model.save(tf.Module(), str(tmp_path / "saved"))
    with pytest.raises(ModelFailed, match="serving_default; found no signature"):
        shared_worker.load(tmp_path / "saved", "savedmodel")


def test_a_graph_with_variables_is_not_frozen(shared_worker: Worker, tf: Any, save_graph: SaveGraph) -> None:
    graph = save_graph(lambda x: x * tf.compat.v1.get_variable("scale", (), use_resource=False))
    with pytest.raises(ArtifactError, match=r"must be frozen.*found 1 variables \(scale"):
        shared_worker.load(graph, "pb")


def test_a_graph_that_lacks_nodes_or_operations(
    shared_worker: Worker, tf: Any, blur: Path, tmp_path: Path
) -> None:
    graph = tf.compat.v1.GraphDef.FromString(blur.read_bytes())
    graph.node[-1].input[0] = "gone"
    path = tmp_path / "m.pb"
    path.write_bytes(graph.SerializeToString())
    with pytest.raises(ArtifactError, match=r"complete graph.*gone"):
        shared_worker.load(path, "pb")
    graph = tf.compat.v1.GraphDef.FromString(blur.read_bytes())
    graph.node[-1].op = "ContribLayer"
    path.write_bytes(graph.SerializeToString())
    with pytest.raises(ModelFailed, match=r"know every operation.*ContribLayer"):
        shared_worker.load(path, "pb")
    path.write_bytes(tf.compat.v1.GraphDef(versions={"producer": 27}).SerializeToString())
    with pytest.raises(ArtifactError, match="without nodes"):
        shared_worker.load(path, "pb")


def test_formats_are_told_from_name_and_first_bytes(tmp_path: Path, blurs: dict[str, Path]) -> None:
    bare = tmp_path / "graph"
    bare.write_bytes(blurs["pb"].read_bytes())
    assert detect_kind(bare) == "pb"
    renamed = tmp_path / "model.bin"
    renamed.write_bytes(blurs["tflite"].read_bytes())
    assert detect_kind(renamed) == "tflite"
    found = artifact_at(blurs["savedmodel"])
    assert found.format == "savedmodel" and found.size_bytes > 1000 and len(found.sha256) == 64


def test_what_is_no_artifact_is_refused_with_the_reason(tmp_path: Path, blurs: dict[str, Path]) -> None:
    (tmp_path / "empty.pb").touch()
    (tmp_path / "m.tflite").write_bytes(b"0123456789")
    (tmp_path / "m.jpg").write_bytes(b"0123456789")
    (tmp_path / "m.ckpt").write_bytes(b"0123456789")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "model.pb").touch()
    os.mkfifo(tmp_path / "pipe.pb")
    for name, reason in {
        "gone.pb": "must exist; found no file",
        "gone\0.pb": "must exist",
        "x" * 300: "readable; found .*too long",
        "empty.pb": "an empty file",
        "m.tflite": "without its TFL3 mark",
        "m.jpg": r"found .*m\.jpg",
        "m.ckpt": "a checkpoint. Export it first: convert-model",
        "folder": r"a folder without saved_model\.pb. In it: model\.pb",
        "pipe.pb": "no regular file",
    }.items():
        with pytest.raises(ArtifactError, match=reason):
            detect_kind(tmp_path / name)
    with pytest.raises(ArtifactError, match=r"the inside of a SavedModel. Give .*saved"):
        detect_kind(blurs["savedmodel"] / "saved_model.pb")
