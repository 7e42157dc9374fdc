"""An ONNX file as a `Network`: ONNX's own shape inference, and one run where that leaves shapes open."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import inliner, numpy_helper, shape_inference

from pixelproof.errors import ModelFailed
from pixelproof.measure.cost.ends import (
    COUNTED,
    HIDDEN,
    RAN_ONCE,
    SEVERAL_OUTPUTS,
    UNROLL,
    Asked,
    bound,
    one_input,
    too_odd,
)
from pixelproof.measure.cost.network import SMALL, Network, Operation, Shape, Tensor
from pixelproof.measure.cost.onnx_roles import RESIZES, ordered, roles
from pixelproof.measure.runners import first_line

_FLOATS = frozenset(
    number
    for name, number in onnx.TensorProto.DataType.items()
    if "FLOAT" in name or "COMPLEX" in name or name == "DOUBLE"
)


def network_of(path: Path, asked: Asked, *, threads: int) -> Network:
    """An ONNX file at the asked size; it has been scanned.

    Raises:
        ModelFailed: it has several inputs, doesn't take the size, or hides layers inside control flow.
    """
    model = onnx.load_model_from_string(path.read_bytes())
    if model.functions:
        model = inliner.inline_local_functions(model)
    graph = model.graph
    stored = {tensor.name for tensor in graph.initializer}
    free = [tensor for tensor in graph.input if tensor.name not in stored]
    one_input([tensor.name for tensor in free])
    image = bound(_dims(free[0].type.tensor_type), asked, channels_first=True)
    for node in graph.node:
        hidden = next((inner for inner in _inside(node) if roles().get(inner.op_type) in COUNTED), None)
        if hidden is not None:
            raise ModelFailed(HIDDEN, found=f"{hidden.op_type} inside {node.op_type}", remedy=UNROLL)
    _bind(graph, free[0], image.shape)
    try:
        tensors = _inferred(model)
    except shape_inference.InferenceError as error:
        raise too_odd(asked.height, asked.width, first_line(error)) from error
    network = _network(model, tensors, fed=free[0].name, channels=image.channels)
    notes = [note for note in (image.note, SEVERAL_OUTPUTS if len(graph.output) > 1 else "") if note]
    unknown = _unknown(network)
    known: dict[str, Tensor] = {}
    if unknown or image.note:  # at another size than the file's, ONNX's inference passes over contradictions
        shapes = _ran(model, unknown, image.shape, asked, threads=threads)
        known = {
            name: dataclasses.replace(network.tensors[name], shape=shape) for name, shape in shapes.items()
        }
        notes += [RAN_ONCE] if unknown else []
    return dataclasses.replace(network, tensors={**network.tensors, **known}, notes=tuple(notes))


def _dims(kind: Any) -> list[int | None] | None:
    if not kind.HasField("shape"):
        return None
    return [
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None for dim in kind.shape.dim
    ]


def _inside(node: Any) -> Iterator[Any]:
    """All nodes of a node's subgraphs."""
    waiting = [attribute.g for attribute in node.attribute if attribute.HasField("g")]
    while waiting:
        for inner in waiting.pop().node:
            yield inner
            waiting += [attribute.g for attribute in inner.attribute if attribute.HasField("g")]


def _bind(graph: Any, place: Any, shape: Shape) -> None:
    """State the input's shape, and forget all that the file says about shapes behind it."""
    stated = place.type.tensor_type.shape
    stated.Clear()
    for size in shape:
        stated.dim.add(dim_value=size)
    del graph.value_info[:]
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")


def _inferred(model: Any) -> dict[str, Tensor]:
    """All tensors whose type ONNX knows or infers, and all constants."""
    inferred = shape_inference.infer_shapes(model, data_prop=True).graph
    tensors: dict[str, Tensor] = {}
    for value in (*inferred.input, *inferred.value_info, *inferred.output):
        kind = value.type.tensor_type
        dims = _dims(kind)
        shape = None if dims is None or None in dims else tuple(n for n in dims if n is not None)
        tensors[value.name] = Tensor(shape, kind.elem_type in _FLOATS or kind.elem_type == 0)
    for tensor in inferred.initializer:
        tensors[tensor.name] = _constant(tensor)
    for node in inferred.node:
        if node.op_type == "Constant":
            tensors[node.output[0]] = _constant_node(node)
        for name in (*node.input, *node.output):
            tensors.setdefault(name, Tensor(None))
    return tensors


def _constant(tensor: Any) -> Tensor:
    shape = tuple(tensor.dims)
    value = numpy_helper.to_array(tensor) if math.prod(shape) <= SMALL else None
    return Tensor(shape, tensor.data_type in _FLOATS, constant=True, value=value)


def _constant_node(node: Any) -> Tensor:
    (attribute,) = node.attribute
    if attribute.name == "value":
        return _constant(attribute.t)
    value = np.asarray(onnx.helper.get_attribute_value(attribute))
    return Tensor(
        value.shape, value.dtype.kind == "f", constant=True, value=value if value.size <= SMALL else None
    )


def _network(model: Any, tensors: Mapping[str, Tensor], *, fed: str, channels: int) -> Network:
    graph = model.graph
    needed = _needed(graph)
    from_tensorflow = model.producer_name == "tf2onnx"
    tensors = _without_ranks(graph, tensors) if from_tensorflow else tensors
    operations = []
    for node in graph.node:
        if node.op_type == "Constant" or needed.isdisjoint(node.output):
            continue
        attributes = {
            item.name: onnx.helper.get_attribute_value(item)
            for item in node.attribute
            if not _holds_much(item)
        }
        role = roles().get(node.op_type, "other")
        if node.op_type in ("Resize", "Upsample"):
            mode = attributes.get("mode", b"nearest")
            role = RESIZES.get(mode.decode() if isinstance(mode, bytes) else str(mode), "other")
        inputs, outputs = tuple(node.input), tuple(name for name in node.output if name)
        facts = _facts(node.op_type, role, attributes, [tensors.get(name) for name in inputs])
        if from_tensorflow and node.op_type == "ConvTranspose":  # its SAME padding is a slice behind it
            facts["cropped_below"] = (tensors[inputs[1]].shape or ())[2:]
        name = node.name or (outputs[0] if outputs else node.op_type)
        operations.append(Operation(name, node.op_type, role, ordered(node.op_type, inputs), outputs, facts))
    outputs = tuple(output.name for output in graph.output)
    return Network(tuple(operations), tensors, fed, outputs, channels)


def _without_ranks(graph: Any, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, single numbers that are added without the rank of an image that tf2onnx has given them."""
    added = {name for node in graph.node if node.op_type == "Add" for name in node.input}
    return {
        name: dataclasses.replace(tensor, shape=())
        if name in added and tensor.constant and tensor.shape == (1, 1, 1, 1)
        else tensor
        for name, tensor in tensors.items()
    }


def _needed(graph: Any) -> set[str]:
    """Tensors from which the outputs are computed."""
    needed = {output.name for output in graph.output}
    for node in reversed(graph.node):
        if not needed.isdisjoint(node.output):
            needed.update(node.input)
            for inner in _inside(node):
                needed.update(inner.input)
    return needed


def _holds_much(attribute: Any) -> bool:
    return attribute.HasField("t") or attribute.HasField("g") or bool(attribute.tensors or attribute.graphs)


def _facts(
    op: str, role: str, attributes: Mapping[str, Any], inputs: Sequence[Tensor | None]
) -> dict[str, Any]:
    if role in ("conv", "conv_transposed"):
        return {"channel_axis": 1}
    if role == "matmul":
        one_sided = len(inputs) > 1 and inputs[1] is not None and len(inputs[1].shape or (0, 0)) == 1
        return {"inner_axis": -1 if attributes.get("transB") or one_sided else -2}
    if role == "einsum":
        return {"equation": attributes["equation"].decode("utf-8", "replace")}
    if role == "mean":
        axes = attributes.get("axes")
        if axes is None and len(inputs) > 1 and inputs[1] is not None and inputs[1].value is not None:
            axes = inputs[1].value.reshape(-1)
        return {"axes": None if axes is None else tuple(int(axis) for axis in axes)}
    if role == "average_pool":
        window = tuple(attributes["kernel_shape"]) if op == "AveragePool" else None
        return {"window": window, "spatial": (2, 3)}
    if role == "clip":
        limits = [attributes.get("min"), attributes.get("max")]
        for place, tensor in enumerate(inputs[1:3]):
            if tensor is not None and tensor.value is not None and tensor.value.size == 1:
                limits[place] = float(tensor.value.reshape(-1)[0])
        return {"limits": tuple(limits)}
    return {"training": bool(attributes.get("training_mode", 0))} if role == "batch_norm" else {}


def _unknown(network: Network) -> list[str]:
    """Real tensors whose shape stayed open."""
    names = dict.fromkeys(n for made in network.operations for n in (*made.inputs, *made.outputs) if n)
    return [name for name in names if network.tensors[name].real and network.tensors[name].shape is None]


def _ran(model: Any, unknown: Sequence[str], shape: Shape, asked: Asked, *, threads: int) -> dict[str, Shape]:
    """Shapes of tensors, found by running the model on zeros."""
    import onnxruntime

    taken = {name for node in model.graph.node for name in (*node.input, *node.output)}
    prefix = "shape"
    while any(name.startswith(prefix) for name in taken):
        prefix += "_"
    outputs = [output.name for output in model.graph.output]
    for number, name in enumerate(unknown):
        model.graph.node.append(onnx.helper.make_node("Shape", [name], [f"{prefix}{number}"]))
        model.graph.output.append(
            onnx.helper.make_tensor_value_info(f"{prefix}{number}", onnx.TensorProto.INT64, [None])
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    stored = {tensor.name for tensor in model.graph.initializer}
    fed = next(tensor for tensor in model.graph.input if tensor.name not in stored)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(fed.type.tensor_type.elem_type)
    fetched = [f"{prefix}{number}" for number in range(len(unknown))] or outputs[:1]
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        shapes = session.run(fetched, {fed.name: np.zeros(shape, dtype)})
    except Exception as error:
        raise too_odd(asked.height, asked.width, first_line(error)) from error
    return {name: tuple(int(n) for n in found) for name, found in zip(unknown, shapes, strict=bool(unknown))}
