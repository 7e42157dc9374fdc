"""A frozen graph as a `Network`: TensorFlow's own shape inference, and one run where that leaves shapes open."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.protobuf.config_pb2 import ConfigProto
from tensorflow.python.client.session import Session
from tensorflow.python.framework.errors_impl import OpError
from tensorflow.python.framework.tensor_util import MakeNdarray

from pixelproof.errors import ArtifactError, ModelFailed
from pixelproof.measure.cost.ends import RAN_ONCE, SEVERAL_OUTPUTS, Asked, Image, bound, one_input, too_odd
from pixelproof.measure.cost.inline import inlined, refuse_hidden_layers
from pixelproof.measure.cost.network import SMALL, Network, Operation, Shape, Tensor
from pixelproof.measure.cost.tensorflow_roles import ordered, roles
from pixelproof.measure.graph_def import final_nodes, import_graph, needed_for
from pixelproof.measure.runners import first_line

BOTH_BRANCHES = "Of a branch that the network chooses while it runs, both sides are counted."
USUAL_OUTPUT = "output:0"
INT64 = 9
"""TensorFlow's number for the type."""


def network_of(graph_def: Any, asked: Asked, *, label: str, threads: int) -> Network:
    """A frozen graph at the asked size.

    Args:
        graph_def: has been scanned.
        label: the file, as messages name it.

    Raises:
        ArtifactError: the graph isn't complete.
        ModelFailed: it has several inputs, doesn't take the size, or hides layers inside control flow.
    """
    outputs, chosen = _outputs(graph_def, asked.output_name)
    needed = inlined(graph_def, outputs)
    places = [node for node in needed.node if node.op == "Placeholder"]
    fed = one_input([f"{node.name}:0" for node in places])
    image = bound(_declared(places[0]), asked, channels_first=False)
    refuse_hidden_layers(needed)
    _bind(places[0], image.shape)
    try:
        graph = import_graph(needed, label=label)
    except ArtifactError as error:
        import_graph(graph_def, label=label)  # a damaged graph is one at any size
        raise too_odd(asked.height, asked.width, _shortened(error.found)) from error
    tensors = _tensors(graph, needed)
    network = _network(graph, needed, tensors, fed=fed, outputs=outputs, channels=image.channels)
    notes = tuple(note for note in (chosen, image.note, *network.notes) if note)
    network = dataclasses.replace(network, notes=notes)
    unknown = _unknown(network)
    if not unknown:
        return network
    shapes = _ran(graph, needed, unknown, image, asked, label=label, threads=threads)
    known = {name: dataclasses.replace(tensors[name], shape=shape) for name, shape in shapes.items()}
    return dataclasses.replace(network, tensors={**tensors, **known}, notes=(*notes, RAN_ONCE))


def _shortened(said: str) -> str:
    """What TensorFlow's shape inference says, with the name of the node in place of all of it."""
    what, behind, node = said.partition(" for '{{node ")
    return f"{what.rstrip('.')} (node {node.partition('}}')[0]})" if behind else said


def _outputs(graph_def: Any, wanted: str | None) -> tuple[list[str], str]:
    """Tensors that are the result, and what was assumed: the one that was asked for, or all that nothing reads."""
    names = {node.name for node in graph_def.node}
    if wanted is not None and wanted.partition(":")[0] in names:
        return [wanted if ":" in wanted else f"{wanted}:0"], ""
    last = [f"{node.name}:0" for node in final_nodes(graph_def)]
    if not last:
        raise ModelFailed("A graph must have an output", found="none")
    if len(last) == 1:
        return last, ""
    if USUAL_OUTPUT in last:
        return [USUAL_OUTPUT], f"There are several outputs; what {USUAL_OUTPUT} needs is counted."
    fed = {node.name for node in graph_def.node if node.op == "Placeholder"}
    fruitful = [name for name in last if not fed.isdisjoint(needed_for(graph_def, name))]
    return fruitful or last, SEVERAL_OUTPUTS if len(fruitful) > 1 else ""


def _declared(place: Any) -> list[int | None] | None:
    if "shape" not in place.attr or place.attr["shape"].shape.unknown_rank:
        return None
    dims = [dim.size if dim.size >= 0 else None for dim in place.attr["shape"].shape.dim]
    return dims or None  # a graph of 2018 states an empty shape where it knows none


def _bind(place: Any, shape: Shape) -> None:
    stated = place.attr["shape"].shape
    stated.Clear()
    for size in shape:
        stated.dim.add(size=size)


def _tensors(graph: Any, graph_def: Any) -> dict[str, Tensor]:
    """All tensors of an imported graph."""
    tensors: dict[str, Tensor] = {}
    constants = {node.name: node for node in graph_def.node if node.op == "Const"}
    for operation in graph.get_operations():
        for output in operation.outputs:
            dims = output.shape.as_list() if output.shape.rank is not None else [None]
            shape = None if None in dims else tuple(dims)
            dtype = output.dtype.base_dtype
            real = dtype.is_floating or dtype.is_complex or dtype.is_quantized
            node = constants.get(operation.name)
            tensors[output.name] = Tensor(shape, real, node is not None, _value(node, shape))
    return tensors


def _value(node: Any | None, shape: Shape | None) -> Any:
    if node is None or shape is None or math.prod(shape) > SMALL:
        return None
    return MakeNdarray(node.attr["value"].tensor)


def _network(
    graph: Any,
    graph_def: Any,
    tensors: Mapping[str, Tensor],
    *,
    fed: str,
    outputs: Sequence[str],
    channels: int,
) -> Network:
    nodes = {node.name: node for node in graph_def.node}
    operations: list[Operation] = []
    notes: list[str] = []
    for made in graph.get_operations():
        inputs = tuple(tensor.name for tensor in made.inputs)
        results = tuple(tensor.name for tensor in made.outputs)
        if made.type == "IdentityN":
            operations += [
                Operation(made.name, made.type, "pass", (given,), (name,))
                for given, name in zip(inputs, results, strict=True)
            ]
        elif made.type not in ("Const", "Placeholder"):
            role = roles().get(made.type, "other")
            facts = _facts(nodes[made.name], role, [tensors[name] for name in inputs])
            operations.append(
                Operation(made.name, made.type, role, ordered(made.type, inputs), results, facts)
            )
            notes += [BOTH_BRANCHES] if role == "branch" else []
    return Network(tuple(operations), tensors, fed, tuple(outputs), channels, tuple(dict.fromkeys(notes)))


def _facts(node: Any, role: str, inputs: Sequence[Tensor]) -> dict[str, Any]:
    first = "data_format" in node.attr and node.attr["data_format"].s.startswith(b"NC")
    if role in ("conv", "conv_transposed"):
        return {"channel_axis": 1 if first else -1}
    if role == "matmul":
        turned = any(name in node.attr and node.attr[name].b for name in ("transpose_b", "adj_y"))
        return {"inner_axis": -1 if turned else -2}
    if role == "einsum":
        return {"equation": node.attr["equation"].s.decode("utf-8", "replace")}
    if role == "mean":
        axes = inputs[1].value
        return {"axes": None if axes is None else tuple(int(axis) for axis in axes.reshape(-1))}
    if role == "average_pool":
        sizes = list(node.attr["ksize"].list.i)
        spatial = (2, 3) if first else (1, 2)
        return {"window": tuple(sizes[axis] for axis in spatial), "spatial": spatial}
    if role == "clip":
        return {
            "limits": tuple(None if t.value is None else float(t.value.reshape(-1)[0]) for t in inputs[1:])
        }
    return (
        {"training": node.attr["is_training"].b}
        if role == "batch_norm" and "is_training" in node.attr
        else {}
    )


def _unknown(network: Network) -> list[str]:
    """Real tensors whose shape stayed open."""
    names = dict.fromkeys(n for made in network.operations for n in (*made.inputs, *made.outputs))
    return [name for name in names if network.tensors[name].real and network.tensors[name].shape is None]


def _ran(
    graph: Any,
    graph_def: Any,
    unknown: Sequence[str],
    image: Image,
    asked: Asked,
    *,
    label: str,
    threads: int,
) -> dict[str, Shape]:
    """Shapes of tensors, found by running the graph on zeros."""
    probed = GraphDef()
    probed.CopyFrom(graph_def)
    taken = {node.name for node in graph_def.node}
    prefix = "shape"
    while any(name.startswith(prefix) for name in taken):
        prefix += "_"
    for number, name in enumerate(unknown):
        node = probed.node.add(name=f"{prefix}{number}", op="Shape", input=[name])
        node.attr["T"].type = graph.get_tensor_by_name(name).dtype.base_dtype.as_datatype_enum
        node.attr["out_type"].type = INT64
    fed = next(f"{node.name}:0" for node in graph_def.node if node.op == "Placeholder")
    zeros = np.zeros(image.shape, graph.get_tensor_by_name(fed).dtype.as_numpy_dtype)
    config = ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads)
    try:
        with Session(graph=import_graph(probed, label=label), config=config) as session:
            shapes = session.run([f"{prefix}{number}:0" for number in range(len(unknown))], {fed: zeros})
    except OpError as error:
        raise too_odd(asked.height, asked.width, first_line(error)) from error
    return {name: tuple(int(n) for n in shape) for name, shape in zip(unknown, shapes, strict=True)}
