"""Small graphs made on the spot, and a worker for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pixelproof.measure.worker import Worker

SaveGraph = Callable[..., Path]


@pytest.fixture(scope="session")
def save_graph(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> SaveGraph:
    """``save(build, shape=(1, None, None, 3))`` writes ``build(x)`` as a .pb from ``input`` to ``output``."""

    def save(build: Callable[[Any], Any], shape: tuple[int | None, ...] = (1, None, None, 3)) -> Path:
        with tf.Graph().as_default() as graph:
            x = tf.compat.v1.placeholder(tf.float32, shape, name="input")
            tf.identity(build(x), name="output")
        path = tmp_path_factory.mktemp("graph") / "model.pb"
        path.write_bytes(graph.as_graph_def().SerializeToString())
        return path

    return save


@pytest.fixture(scope="session")
def blur(tf: Any, save_graph: SaveGraph) -> Path:
    """A 5x5 box blur with a ReLU, as a .pb."""
    return save_graph(lambda x: tf.nn.relu(tf.nn.conv2d(x, tf.fill((5, 5, 3, 3), 1 / 75), 1, "SAME")))


@pytest.fixture(scope="session")
def blurs(tf: Any, blur: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The blur in every format; TFLite fixed to 24x40."""
    from pixelproof.convert.onnx import to_onnx
    from pixelproof.convert.saved_model import write_saved_model
    from pixelproof.measure.graph_def import read_graph
    from pixelproof.tflite.converter import to_tflite

    folder, graph = tmp_path_factory.mktemp("blurs"), read_graph(str(blur))
    paths = {
        "pb": blur,
        "savedmodel": folder / "saved",
        "tflite": folder / "m.tflite",
        "onnx": folder / "m.onnx",
    }
    write_saved_model(graph, paths["savedmodel"], input_name="input", output_name="output", channels=3)
    tflite = to_tflite(graph, input_name="input:0", output_name="output:0", shape=(1, 24, 40, 3))
    paths["tflite"].write_bytes(tflite)
    paths["onnx"].write_bytes(to_onnx(graph, input_name="input", output_name="output"))
    return paths


@pytest.fixture(scope="session")
def endless(tf: Any, save_graph: SaveGraph) -> Path:
    """A graph whose loop never ends."""

    def build(x: Any) -> Any:
        return tf.while_loop(lambda y: tf.reduce_max(y) < 3e38, lambda y: (y * 1.0,), (x,))[0]

    return save_graph(build)


@pytest.fixture(scope="session")
def shared_worker() -> Iterator[Worker]:
    """One worker for tests that do it no harm; loading replaces what it held."""
    with Worker(timeout_s=120) as worker:
        yield worker
