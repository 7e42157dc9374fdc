"""A frozen graph that rewrites can change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.python.framework.dtypes import as_dtype
from tensorflow.python.framework.tensor_util import MakeNdarray, make_tensor_proto

from pixelproof.convert.optimize.evaluate import Constant, value_of

PASSES = frozenset({"Identity", "StopGradient", "PreventGradient", "CheckNumerics", "Snapshot"})
ADDITIONS = frozenset({"Add", "AddV2"})


class Network:
    """A frozen graph between one input and one output.

    Tensors are named as nodes name their inputs: ``node`` or ``node:1``.

    Args:
        graph: a GraphDef without loops; it isn't changed.
        input_name, output_name: nodes; both names stay.
    """

    def __init__(self, graph: Any, *, input_name: str, output_name: str) -> None:
        self.input_name, self.output_name = input_name, output_name
        self._versions, self._library = graph.versions, graph.library
        self._nodes: dict[str, Any] = {}
        for node in graph.node:
            self._nodes[node.name] = copied = NodeDef()
            copied.CopyFrom(node)
        self._stored: dict[str, Constant] = {}
        self._constants: dict[str, Constant] | None = None
        self._users: dict[str, list[str]] | None = None
        self._protect_output()

    def _protect_output(self) -> None:
        """Let the output be an Identity, so that what computes it can be replaced."""
        end = self._nodes[self.output_name]
        if end.op in PASSES:
            return
        inner = self._free(f"{self.output_name}/computed")
        end.name = inner
        self._nodes = {node.name: node for node in self._nodes.values()}
        for node in self._nodes.values():
            for index, tensor in enumerate(node.input):
                if tensor.split(":")[0] == self.output_name:
                    node.input[index] = inner + tensor[len(self.output_name) :]
        self._put(self.output_name, "Identity", [inner], {"T": as_dtype("float32")})

    def copy(self) -> Network:
        """The same, to be changed alone."""
        return Network(self.graph_def(), input_name=self.input_name, output_name=self.output_name)

    def __iter__(self) -> Iterator[Any]:
        """All needed nodes, each behind those that it needs."""
        return iter(self._needed())

    def node(self, tensor: str) -> Any:
        """The node that computes a tensor, seen through identities."""
        return self._nodes[self.source(tensor).split(":")[0]]

    def source(self, tensor: str) -> str:
        """A tensor, seen through identities: ``node``, or ``node:1`` of a node with several results."""
        name, _, index = tensor.removeprefix("^").partition(":")
        while self._nodes[name].op in PASSES and name != self.input_name:
            name, _, index = self._nodes[name].input[0].partition(":")
        return f"{name}:{index}" if index not in ("", "0") else name

    def users(self, name: str) -> list[Any]:
        """Nodes that use what a node computes, seen through identities; the output is one of them."""
        if self._users is None:
            users = defaultdict(list)
            for node in self._needed():
                if node.op in PASSES and node.name != self.output_name:
                    continue
                for tensor in node.input:
                    users[self.node(tensor).name].append(node.name)
            self._users = dict(users)
        return [self._nodes[user] for user in dict.fromkeys(self._users.get(name, ()))]

    def only_user(self, name: str) -> Any | None:
        """The one node that uses what a node computes; None where there are more, or none."""
        users = self.users(name)
        return users[0] if len(users) == 1 else None

    def constant(self, tensor: str) -> Constant | None:
        """Value of a tensor that doesn't depend on the input; None where it does, or where it is large or unusual."""
        if self._constants is None:
            self._constants = self._evaluated()
        return self._constants.get(self.node(tensor).name)

    def _evaluated(self) -> dict[str, Constant]:
        known: dict[str, Constant] = {}
        for node in self._needed():
            if node.op == "Const":
                if node.name not in self._stored:
                    self._stored[node.name] = np.asarray(MakeNdarray(node.attr["value"].tensor))
                known[node.name] = self._stored[node.name]
                continue
            sources = [self.node(tensor).name for tensor in node.input]
            if sources and all(source in known for source in sources):
                value = value_of(node, [known[source] for source in sources])
                if value is not None:
                    known[node.name] = value
        return known

    def add(
        self,
        op: str,
        inputs: Sequence[str],
        *,
        near: str,
        by: str,
        attributes: Mapping[str, Any] | None = None,
    ) -> str:
        """A new node; returns its name.

        Args:
            near: node in whose scope it is named.
            by: the rewrite that adds it, which becomes a part of the name.
            attributes: values as Python or as TensorFlow's types; ``T`` is float32 unless said otherwise.
        """
        name = self._free(f"{near}/{by}/{op}")
        self._put(name, op, inputs, {"T": as_dtype("float32"), **(attributes or {})})
        return name

    def add_constant(self, value: Constant, *, near: str, by: str) -> str:
        """A new constant; returns its name."""
        name = self._free(f"{near}/{by}/Const")
        self._put(name, "Const", [], {"dtype": as_dtype(value.dtype), "value": make_tensor_proto(value)})
        return name

    def replace(self, old: str, new: str, *, keep: Sequence[str] = ()) -> None:
        """Let all that used a node's result use another tensor.

        Args:
            old: node with one result.
            keep: nodes that go on using the old one.
        """
        for node in self._nodes.values():
            if node.name in keep or node.name == new.split(":")[0]:
                continue
            for index, tensor in enumerate(node.input):
                if tensor in (old, f"{old}:0"):
                    node.input[index] = new
        self._changed()

    def set_input(self, name: str, index: int, tensor: str) -> None:
        """Let a node take another tensor."""
        self._nodes[name].input[index] = tensor
        self._changed()

    def set_padding(self, name: str, padding: bytes) -> None:
        """Let a convolution pad otherwise."""
        self._nodes[name].attr["padding"].s = padding
        self._changed()

    def graph_def(self) -> Any:
        """The graph as it is now, without what nobody needs."""
        graph = GraphDef(node=self._needed())
        graph.versions.CopyFrom(self._versions)
        graph.library.CopyFrom(self._library)
        return graph

    def _put(self, name: str, op: str, inputs: Sequence[str], attributes: Mapping[str, Any]) -> None:
        node = NodeDef(name=name, op=op, input=inputs)
        for key, value in attributes.items():
            set_attribute(node, key, value)
        self._nodes[name] = node
        self._changed()

    def _changed(self) -> None:
        self._users = None
        self._constants = None

    def _free(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self._nodes:
            name, number = f"{wanted}_{number}", number + 1
        return name

    def _needed(self) -> list[Any]:
        order: dict[str, Any] = {}
        entered: set[str] = set()
        waiting: list[tuple[str, bool]] = [(self.output_name, False)]
        while waiting:
            name, is_left = waiting.pop()
            if is_left:
                order[name] = self._nodes[name]
            elif name not in entered:
                entered.add(name)
                waiting.append((name, True))
                waiting += [(t.lstrip("^").split(":")[0], False) for t in self._nodes[name].input]
        return list(order.values())


def set_attribute(node: Any, key: str, value: Any) -> None:
    """Set one attribute of a node from a Python value, a dtype or a tensor's proto."""
    attribute = node.attr[key]
    setters: dict[type, Callable[[], None]] = {
        bool: lambda: setattr(attribute, "b", value),
        int: lambda: setattr(attribute, "i", value),
        float: lambda: setattr(attribute, "f", value),
        bytes: lambda: setattr(attribute, "s", value),
        list: lambda: attribute.list.i.extend(value),
    }
    if type(value) in setters:
        setters[type(value)]()
    elif hasattr(value, "as_datatype_enum"):
        attribute.type = value.as_datatype_enum
    else:
        attribute.tensor.CopyFrom(value)
