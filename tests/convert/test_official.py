"""The six official checkpoints, in all four formats, against the original graphs' own output."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof.measure.worker import Worker

pytestmark = pytest.mark.official

MODELS = {
    "div2k_srcnn": "srcnn",
    "dped_srcnn": "srcnn",
    "div2k_resnet_6_16": "resnet_6_16",
    "dped_resnet_8_32": "resnet_8_32",
    "dped_resnet_12_64": "resnet_12_64",
    "div2k_vgg19_vdsr": "vgg_19",
}
FORMATS = ("pb", "savedmodel", "tflite", "onnx")


@pytest.fixture(scope="session", params=MODELS)
def converted(
    request: pytest.FixtureRequest,
    official_data: Path,
    convert_with: Callable[..., dict[str, Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, Path, dict[str, Any]]:
    """A checkpoint's name, the folder of its artifacts, and the document."""
    name = request.param
    suffix = ".ckpt" if name == "div2k_vgg19_vdsr" else ""
    folder = tmp_path_factory.mktemp(name)
    checkpoint = official_data / "models_pretrained" / f"{name}{suffix}"
    document = convert_with(MODELS[name], checkpoint, folder, formats=FORMATS, shape=(1, 96, 160, 3))
    return name, folder, document


def test_every_artifact_is_there_and_proven(converted: tuple[str, Path, dict[str, Any]]) -> None:
    _, folder, document = converted
    names = {p.name for p in folder.iterdir()}
    assert names == {"model.pb", "saved_model", "model.tflite", "model.onnx", "parity.json"}
    assert json.loads((folder / "parity.json").read_text()) == document
    assert document["passed"] is True
    sizes = {a["format"]: [(r["height"], r["width"]) for r in a["rows"]] for a in document["artifacts"]}
    small = [(37, 54), (45, 23)]
    assert sizes == {"pb": small, "savedmodel": small, "onnx": small, "tflite": [(96, 160), (37, 54)]}
    worst = max(r["difference"]["max_abs"] for a in document["artifacts"] for r in a["rows"])
    assert worst < 2e-5
    assert document["checkpoint"]["surplus"] == []


def test_artifacts_give_the_original_graphs_output(
    converted: tuple[str, Path, dict[str, Any]], official_data: Path, shared_worker: Worker
) -> None:
    from pixelproof.measure.graph_def import read_graph
    from pixelproof.tflite.converter import to_tflite

    name, folder, _ = converted
    with np.load(official_data / f"{name}_io.npz") as pair:
        x, y = pair["x"], pair["y"]
    ends = {"input_name": "input:0", "output_name": "output:0"}
    at_own_shape = folder.parent / f"{name}.tflite"
    at_own_shape.write_bytes(to_tflite(read_graph(str(folder / "model.pb")), **ends, shape=x.shape))
    for kind, path, tolerance in (
        ("pb", folder / "model.pb", 1e-5),
        ("savedmodel", folder / "saved_model", 1e-5),
        ("onnx", folder / "model.onnx", 1e-4),
        ("tflite", at_own_shape, 1e-4),
    ):
        shared_worker.load(path, kind, **ends)
        assert np.abs(shared_worker.run(x) - y).max() < tolerance, kind


def test_the_frozen_graph_holds_the_network_and_nothing_else(
    converted: tuple[str, Path, dict[str, Any]], tf: Any, shared_worker: Worker
) -> None:
    name, folder, _ = converted
    graph = tf.compat.v1.GraphDef.FromString((folder / "model.pb").read_bytes())
    nodes = {node.name: node for node in graph.node}
    assert (nodes["input"].op, nodes["output"].op) == ("Placeholder", "Identity")
    assert [dim.size for dim in nodes["input"].attr["shape"].shape.dim] == [1, -1, -1, 3]
    operations = [node.op for node in graph.node]
    assert operations.count("Placeholder") == operations.count("Identity") == 1
    assert not {"Assert", "NoOp", "VarHandleOp", "VariableV2", "ReadVariableOp"} & set(operations)
    assert not graph.library.function
    assert not [i for node in graph.node for i in node.input if i.startswith("^")]
    convolutions = {"srcnn": 3, "resnet_6_16": 6, "resnet_8_32": 8, "resnet_12_64": 12, "vgg_19": 20}
    assert operations.count("Conv2D") == convolutions[MODELS[name]]
    shared_worker.load(folder / "model.pb", "pb", input_name="input:0", output_name="output:0")
    for height, width in ((1, 1), (3, 50), (101, 7)):
        x = np.random.default_rng(0).random((1, height, width, 3), np.float32)
        assert shared_worker.run(x).shape == x.shape
