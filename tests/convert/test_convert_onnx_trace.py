"""The first layer that differs: found in a graph whose weights were changed behind the translation's back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof.measure.parity import probe_image

FILES = Path(__file__).parent / "onnx_files"
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def attention(tf: Any) -> tuple[Any, Any]:
    """A model with branches, and its translation."""
    from pixelproof.convert.from_onnx.model import read_model
    from pixelproof.convert.from_onnx.translate import translate

    model = read_model((FILES / "attention_script.onnx").read_bytes())
    return model, translate(model, input_name="input", output_name="output")


def changed(tf: Any, graph: Any, node_name: str) -> Any:
    """The graph with the weights of one convolution halved."""
    result = tf.compat.v1.GraphDef()
    result.CopyFrom(graph)
    by_name = {node.name: node for node in result.node}
    weights = by_name[by_name[node_name].input[1]].attr["value"].tensor
    weights.CopyFrom(tf.make_tensor_proto(0.5 * tf.make_ndarray(weights)))
    return result


def parting(model: Any, layers: Any, computing: Callable[..., Any], image: np.ndarray) -> Any:
    """What `first_parting` finds."""
    from pixelproof.convert.from_onnx import trace

    expected = trace.onnx_values(model, layers, image)
    return trace.first_parting(layers, expected, computing, tolerance=TOLERANCE)


@pytest.mark.parametrize("layer", ["/head/Conv", "/conv2/Conv", "/conv_f/Conv", "/squeeze/Conv"])
def test_the_changed_layer_is_named(tf: Any, attention: tuple[Any, Any], layer: str) -> None:
    from pixelproof.convert.from_onnx.trace import frozen_graph_computing

    model, made = attention
    graph = changed(tf, made.graph, f"model{layer}/Conv2D")
    image = probe_image(37, 54, 3)
    found = parting(model, made.layers, frozen_graph_computing(graph, image, input_name="input"), image)
    assert (found.name, found.op) == (layer, "Conv")
    assert found.max_abs > TOLERANCE
    assert found.layers == len(made.layers)


def test_a_layer_of_a_tflite_file_is_named(tf: Any, attention: tuple[Any, Any], tmp_path: Path) -> None:
    from pixelproof.convert.from_onnx.trace import tflite_computing

    model, made = attention
    graph = changed(tf, made.graph, "model/conv3/Conv/Conv2D")
    image = probe_image(37, 54, 3)
    found = parting(model, made.layers, tflite_computing(graph, image, tmp_path, input_name="input"), image)
    assert (found.name, found.op) == ("/conv3/Conv", "Conv")


def test_where_nothing_differs_nothing_is_named(tf: Any, attention: tuple[Any, Any]) -> None:
    from pixelproof.convert.from_onnx.trace import frozen_graph_computing

    model, made = attention
    image = probe_image(45, 23, 3)
    computing = frozen_graph_computing(made.graph, image, input_name="input")
    assert parting(model, made.layers, computing, image) is None


def test_a_convolution_in_front_of_a_shuffle_is_compared_with_it(tf: Any, attention: tuple[Any, Any]) -> None:
    from pixelproof.convert.from_onnx.trace import frozen_graph_computing

    model, made = attention
    assert [layer.name for layer in made.layers if layer.op == "Conv"][-1] == "/squeeze/Conv"
    graph = changed(tf, made.graph, "model/tail/Conv/Conv2D_1")
    image = probe_image(37, 54, 3)
    found = parting(model, made.layers, frozen_graph_computing(graph, image, input_name="input"), image)
    assert (found.name, found.op) == ("/DepthToSpace", "DepthToSpace")
