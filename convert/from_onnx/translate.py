"""An ONNX model as a frozen TensorFlow graph with channels last, node by node."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
from onnx import helper, numpy_helper

from pixelproof.convert.from_onnx.gelus import with_gelus
from pixelproof.convert.from_onnx.model import Model
from pixelproof.convert.from_onnx.node import Node
from pixelproof.convert.from_onnx.operators import FOLDED, NEVER_FOLDED, OPERATORS
from pixelproof.convert.from_onnx.values import (
    CHANNELS_LAST,
    Known,
    Moving,
    Untranslatable,
    Value,
    arranged,
    plain,
)
from pixelproof.convert.frozen_graph import tidy
from pixelproof.errors import ModelFailed
from pixelproof.measure.protocol import Array
from pixelproof.measure.scan.findings import shown

_RULE = "Every operator of the .onnx must be one that convert-onnx translates"
_REMEDY = (
    "Write that step with the operators of docs/convert-onnx.md, or hand in the .onnx where it is taken."
)
GELU_OPSET = 20
_UNLIKE_TENSORFLOW = re.compile(r"[^A-Za-z0-9_./-]")


@dataclass(frozen=True)
class Layer:
    """An ONNX value and the tensor that stands for it.

    Attributes:
        name, op: of the node that computes it.
        onnx_tensor: the value's name.
        tensor: in the frozen graph, as in ``x:0``.
        order: the tensor's axis i is the value's axis ``order[i]``.
        inputs: values that the node reads.
    """

    name: str
    op: str
    onnx_tensor: str
    tensor: str
    order: tuple[int, ...]
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class Translated:
    """The frozen graph, and the layers by which it can be compared with its source."""

    graph: Any
    layers: tuple[Layer, ...]


def translate(model: Model, *, input_name: str, output_name: str) -> Translated:
    """Translate.

    Raises:
        ModelFailed: an operator, or a form of one, is not translated; the node is named.
    """
    nodes = with_gelus(model.nodes, model.constants)
    _require_known(nodes)
    scope = "model"
    while any(name.split("/")[0] == scope for name in (input_name, output_name)):
        scope += "_"
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, model.shape, name=f"{scope}/input")
        work = _Work(model, scope)
        work.values[model.input_name] = Moving(x, CHANNELS_LAST if model.layout == "NCHW" else plain(4))
        for node in nodes:
            work.add(node)
        y = tf.identity(_result(work, model), name=f"{scope}/output")
    frozen = tidy(
        graph.as_graph_def(),
        input_tensor=x.name,
        output_tensor=y.name,
        input_name=input_name,
        output_name=output_name,
    )
    for made in frozen.node:
        if made.op == "Placeholder":
            made.attr["shape"].shape.CopyFrom(tf.TensorShape(model.shape).as_proto())
    return Translated(frozen, _kept(work.layers, frozen))


def _require_known(nodes: Sequence[Any]) -> None:
    unknown = Counter(
        node.op_type for node in nodes if node.op_type not in OPERATORS and node.op_type not in FOLDED
    )
    if not unknown:
        return
    names = {node.op_type: node.name or node.output[0] for node in reversed(nodes)}
    listed = [f"{shown(op)} ({_count(n)}, {shown(names[op])})" for op, n in sorted(unknown.items())[:5]]
    raise ModelFailed(_RULE, found=", ".join(listed), remedy=_REMEDY)


def _count(number: int) -> str:
    return "1 node" if number == 1 else f"{number} nodes"


def _result(work: _Work, model: Model) -> Any:
    value = work.values.get(model.output_name)
    if not isinstance(value, Moving) or value.rank != 4 or value.tensor.dtype != tf.float32:
        found = (
            "a constant" if not isinstance(value, Moving) else f"{value.tensor.dtype.name}, {value.rank} axes"
        )
        raise ModelFailed("The output of the .onnx must be a float32 image made from the input", found=found)
    return arranged(value, CHANNELS_LAST if model.layout == "NCHW" else plain(4))


class _Work:
    """The values so far."""

    def __init__(self, model: Model, scope: str) -> None:
        self.values: dict[str, Value] = {name: Known(array) for name, array in model.constants.items()}
        self.layers: list[Layer] = []
        self._opset = model.opset
        self._scope = scope
        self._makers: dict[str, str] = {}

    def add(self, proto: Any) -> None:
        """Translate one node."""
        name = proto.name or proto.output[0]
        attributes = {attribute.name: _attribute(attribute) for attribute in proto.attribute}
        outputs = [output for output in proto.output if output]
        lost = [shown(i) for i in proto.input if i and i not in self.values]
        if lost:
            found = (
                f"{proto.op_type} (node {shown(name)}) that reads {lost[0]}, which nothing before it gives"
            )
            raise ModelFailed("The nodes of the .onnx must fit together", found=found)
        node = Node(
            name=name,
            op=proto.op_type,
            attributes=attributes,
            inputs=tuple(self.values[i] if i else None for i in proto.input),
            outputs=len(outputs),
            opset=self._opset,
            follows=self._makers.get(proto.input[0], "") if proto.input else "",
        )
        try:
            results = self._results(node, proto)
        except Untranslatable as reason:
            found = f"{proto.op_type} (node {shown(name)}) with {reason}"
            raise ModelFailed(_RULE, found=found, remedy=_REMEDY) from reason
        except (ValueError, TypeError, IndexError, KeyError, ZeroDivisionError, tf.errors.OpError) as error:
            found = f"{proto.op_type} (node {shown(name)}): {' '.join(str(error).split())[:300]}"
            raise ModelFailed("The nodes of the .onnx must fit together", found=found) from error
        for output, value in zip(proto.output, results, strict=False):
            if output:
                self.values[output] = value
                self._makers[output] = proto.op_type
                self._record(output, value, proto, name)

    def _results(self, node: Node, proto: Any) -> list[Value]:
        folds = proto.op_type not in NEVER_FOLDED
        if folds and all(v is None or (isinstance(v, Known) and v.is_numeric) for v in node.inputs):
            return [Known(array) for array in _folded(proto, node)]
        if proto.op_type not in OPERATORS:
            raise Untranslatable("inputs that the image decides")
        with tf.name_scope(f"{self._scope}/{_scope_of(node.name)}/"):
            made = OPERATORS[proto.op_type](node)
        return made if isinstance(made, list) else [made]

    def _record(self, output: str, value: Value, proto: Any, name: str) -> None:
        if isinstance(value, Moving) and value.tensor.dtype == tf.float32:
            inputs = tuple(i for i in proto.input if i)
            self.layers.append(Layer(name, proto.op_type, output, value.tensor.name, value.order, inputs))


def _attribute(attribute: Any) -> Any:
    value = helper.get_attribute_value(attribute)
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _folded(proto: Any, node: Node) -> list[Array]:
    """What ONNX's own reference gives for constants."""
    from onnx.reference import ReferenceEvaluator

    feeds = {}
    for name, value in zip(proto.input, node.inputs, strict=True):
        if isinstance(value, Known):
            feeds[name] = value.array
    kinds = {name: helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in feeds.items()}
    graph = helper.make_graph(
        [proto],
        "constants",
        [helper.make_tensor_value_info(name, kind, None) for name, kind in kinds.items()],
        [
            helper.make_tensor_value_info(name, onnx.TensorProto.UNDEFINED, None)
            for name in proto.output
            if name
        ],
    )
    opset = helper.make_opsetid("", max(node.opset, GELU_OPSET) if proto.op_type == "Gelu" else node.opset)
    one = helper.make_model(graph, opset_imports=[opset])
    return [np.asarray(array) for array in ReferenceEvaluator(one).run(None, feeds)]


def _scope_of(name: str) -> str:
    """A node's name as TensorFlow takes it."""
    clean = _UNLIKE_TENSORFLOW.sub("_", name).strip("/.-")
    return re.sub(r"/+", "/", clean) or "node"


def _kept(layers: Sequence[Layer], graph: Any) -> tuple[Layer, ...]:
    """Layers whose tensors are in the frozen graph; what was made in a better way is not."""
    names: Mapping[str, Any] = {node.name: node for node in graph.node}
    return tuple(layer for layer in layers if layer.tensor.split(":")[0] in names)
