"""Frozen graphs as data: read, look into, widen to float64. Needs TensorFlow, so it lives in the worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from pixelproof.errors import ArtifactError, ModelFailed

NOT_RESULTS = frozenset({"Assert", "NoOp", "Placeholder", "PlaceholderWithDefault", "Const"})


def read_graph(path: str) -> Any:
    """The GraphDef in a file.

    Raises:
        ArtifactError: the file is no graph, or one without nodes.
    """
    graph = tf.compat.v1.GraphDef()
    name = Path(path).name
    try:
        graph.ParseFromString(Path(path).read_bytes())
    except DecodeError as error:
        remedy = (
            "Convert it again; a text graph (.pbtxt), a SavedModel's inside or a cut-off download won't do."
        )
        raise ArtifactError(
            "A .pb must be a frozen TensorFlow graph", found=f"{name}: {error}", remedy=remedy
        ) from error
    if not graph.node:
        raise ArtifactError("A .pb must be a frozen TensorFlow graph", found=f"{name} without nodes")
    return graph


def placeholders(graph: Any) -> list[Any]:
    """Nodes that must be fed."""
    return [node for node in graph.node if node.op in ("Placeholder", "PlaceholderWithDefault")]


def final_nodes(graph: Any) -> list[Any]:
    """Nodes whose output nobody reads, without assertions and bare inputs."""
    read = {name.split(":")[0].lstrip("^") for node in graph.node for name in node.input}
    return [node for node in graph.node if node.name not in read and node.op not in NOT_RESULTS]


def free_batch(graph: Any) -> Any:
    """The graph with the batch of its placeholders left open."""
    freed = tf.compat.v1.GraphDef()
    freed.CopyFrom(graph)
    for node in placeholders(freed):
        dims = node.attr["shape"].shape.dim
        if len(dims) == 4 and dims[0].size == 1:
            dims[0].size = -1
    return freed


def widen(graph: Any) -> Any:
    """The graph with every float32 made float64, weights included.

    Raises:
        ModelFailed: a node can't be widened.
    """
    wide = tf.compat.v1.GraphDef()
    wide.CopyFrom(graph)
    single, double = tf.float32.as_datatype_enum, tf.float64.as_datatype_enum
    for node in wide.node:
        for key, attribute in node.attr.items():
            if attribute.type == single:
                attribute.type = double
            for index, kind in enumerate(attribute.list.type):
                if kind == single:
                    attribute.list.type[index] = double
            if key == "value" and attribute.tensor.dtype == single:
                value = tf.make_ndarray(attribute.tensor).astype(np.float64)
                attribute.tensor.CopyFrom(tf.make_tensor_proto(value, shape=value.shape))
    return wide


REDUCTIONS = frozenset({"Mean", "Sum", "Max", "Min", "Prod", "EuclideanNorm"})


def reduces_image(graph: Any) -> bool:
    """Whether some node reduces over height or width (axes 1, 2, -3, -2), so that all pixels mix."""
    functions = [node for function in graph.library.function for node in function.node_def]
    nodes = [*graph.node, *functions]
    constants = {node.name: node for node in nodes if node.op == "Const"}
    for node in nodes:
        if node.op in ("FusedBatchNorm", "FusedBatchNormV3") and node.attr["is_training"].b:
            return True
        if node.op not in REDUCTIONS or len(node.input) < 2:
            continue
        axes = constants.get(node.input[1].split(":")[0])
        if axes is None or {1, 2, -3, -2} & set(
            np.ravel(tf.make_ndarray(axes.attr["value"].tensor)).tolist()
        ):
            return True
    return False


def as_function(graph: Any, *, input_name: str, output_name: str, shape: tuple[int | None, ...]) -> Any:
    """A frozen graph as a concrete function of one tensor.

    Args:
        input_name, output_name: tensors, as in ``input:0``.
        shape: (batch, height, width, channels) of the input; None stays free.

    Raises:
        ModelFailed: the graph can't take this shape.
    """

    def call(x: Any) -> Any:
        (y,) = tf.graph_util.import_graph_def(
            graph, input_map={input_name: x}, return_elements=[output_name], name="model"
        )
        return tf.identity(y, name=output_name.split(":")[0])

    try:
        spec = tf.TensorSpec(shape, tf.float32, name=input_name.split(":")[0])
        return tf.compat.v1.wrap_function(call, [spec])
    except ValueError as error:
        raise ModelFailed("The graph must take the shape", found=f"{shape}: {str(error)[:300]}") from error


def without_placeholder_shape(graph: Any, input_name: str) -> Any:
    """The graph with nothing said about its input's shape, so that another can be bound."""
    changed = tf.compat.v1.GraphDef()
    changed.CopyFrom(graph)
    for node in changed.node:
        if node.name == input_name.split(":")[0]:
            node.attr["shape"].shape.Clear()
            node.attr["shape"].shape.unknown_rank = True
    return changed
