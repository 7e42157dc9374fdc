"""Frozen graphs as data: read, look into, widen to float64. Needs no more of TensorFlow than `tf_core`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.python.framework.dtypes import float32, float64
from tensorflow.python.framework.errors_impl import NotFoundError
from tensorflow.python.framework.importer import import_graph_def
from tensorflow.python.framework.ops import Graph
from tensorflow.python.framework.tensor_util import MakeNdarray, make_tensor_proto

from pixelproof.errors import ArtifactError, ModelFailed

NOT_RESULTS = frozenset({"Assert", "NoOp", "Placeholder", "PlaceholderWithDefault", "Const"})
VARIABLES = frozenset({"Variable", "VariableV2", "VarHandleOp"})


def read_graph(path: str) -> Any:
    """The GraphDef in a file.

    Raises:
        ArtifactError: the file is no graph, one without nodes, or one that is not frozen.
    """
    graph = GraphDef()
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
    variables = [node.name for node in graph.node if node.op in VARIABLES]
    if variables:
        raise ArtifactError(
            "A .pb must be frozen: its weights are constants",
            found=f"{len(variables)} variables ({variables[0]}, ...) in {name}",
            remedy="Freeze the checkpoint: ckpt2pb where it has a .meta, else convert-model.",
        )
    return graph


def import_graph(graph_def: Any, *, label: str) -> Any:
    """A tf.Graph of it.

    Raises:
        ArtifactError: nodes refer to others that are not there, as in a file that was cut or edited.
        ModelFailed: TensorFlow doesn't know an operation.
    """
    graph = Graph()
    try:
        with graph.as_default():
            import_graph_def(graph_def, name="")
    except ValueError as error:
        found = f"{label}: {str(error).splitlines()[0][:300]}"
        remedy = "Convert it again, or copy it again."
        raise ArtifactError("A .pb must be a complete graph", found=found, remedy=remedy) from error
    except NotFoundError as error:
        found = f"{label}: {error.message.splitlines()[0][:300]}"
        raise ModelFailed("TensorFlow must know every operation of the graph", found=found) from error
    return graph


def placeholders(graph: Any) -> list[Any]:
    """Nodes that must be fed; where there are none, those that may be."""
    must = [node for node in graph.node if node.op == "Placeholder"]
    return must or [node for node in graph.node if node.op == "PlaceholderWithDefault"]


def needed_for(graph: Any, output_name: str) -> set[str]:
    """Names of the nodes from which a node is computed, itself included; assertions don't count."""
    nodes = {node.name: node for node in graph.node}
    needed: set[str] = set()
    waiting = [output_name.split(":")[0]]
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in needed:
            needed.add(name)
            waiting += [i.split(":")[0] for i in nodes[name].input if not i.startswith("^")]
    return needed


def final_nodes(graph: Any) -> list[Any]:
    """Nodes whose output nobody reads, without assertions and bare inputs."""
    read = {name.split(":")[0].lstrip("^") for node in graph.node for name in node.input}
    return [node for node in graph.node if node.name not in read and node.op not in NOT_RESULTS]


def has_fixed_batch(graph: Any) -> bool:
    """Whether an input is declared for one image at a time."""
    return any(_takes_one_image(node) for node in placeholders(graph))


def free_batch(graph: Any) -> Any:
    """The graph with the batch of its placeholders left open."""
    freed = GraphDef()
    freed.CopyFrom(graph)
    for node in placeholders(freed):
        if _takes_one_image(node):
            node.attr["shape"].shape.dim[0].size = -1
    return freed


def _takes_one_image(node: Any) -> bool:
    if "shape" not in node.attr:  # reading an attribute that isn't there would create it
        return False
    dims = node.attr["shape"].shape.dim
    return len(dims) == 4 and dims[0].size == 1


def widen(graph: Any) -> Any:
    """The graph with every float32 made float64, weights included.

    Raises:
        ModelFailed: a node can't be widened.
    """
    wide = GraphDef()
    wide.CopyFrom(graph)
    single, double = float32.as_datatype_enum, float64.as_datatype_enum
    for node in wide.node:
        for key, attribute in node.attr.items():
            if attribute.type == single:
                attribute.type = double
            for index, kind in enumerate(attribute.list.type):
                if kind == single:
                    attribute.list.type[index] = double
            if key == "value" and attribute.tensor.dtype == single:
                value = MakeNdarray(attribute.tensor).astype(np.float64)
                attribute.tensor.CopyFrom(make_tensor_proto(value, shape=value.shape))
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
        if axes is None or {1, 2, -3, -2} & set(np.ravel(MakeNdarray(axes.attr["value"].tensor)).tolist()):
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

    import tensorflow as tf

    def call(x: Any) -> Any:
        (y,) = import_graph_def(graph, input_map={input_name: x}, return_elements=[output_name], name="model")
        return tf.identity(y, name=output_name.split(":")[0])

    try:
        spec = tf.TensorSpec(shape, tf.float32, name=input_name.split(":")[0])
        return tf.compat.v1.wrap_function(call, [spec])
    except ValueError as error:
        raise ModelFailed("The graph must take the shape", found=f"{shape}: {str(error)[:300]}") from error


def without_placeholder_shape(graph: Any, input_name: str) -> Any:
    """The graph with nothing said about its input's shape, so that another can be bound."""
    changed = GraphDef()
    changed.CopyFrom(graph)
    for node in changed.node:
        if node.name == input_name.split(":")[0] and node.op == "Placeholder":
            node.attr["shape"].shape.Clear()
            node.attr["shape"].shape.unknown_rank = True
    return changed
