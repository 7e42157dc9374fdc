"""A GraphDef as bodies of nodes: the graph itself and each function of its library, read alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pixelproof.measure.scan.findings import shown
from pixelproof.measure.scan.tensor_sizes import NUMBERS

NotedKind = Literal["type", "tensor", "function"]


@dataclass(frozen=True)
class Body:
    """Nodes that refer to each other by name.

    Attributes:
        function: its name in the library; None for the graph itself.
        nodes: NodeDefs.
        arguments: names that a function's nodes may refer to besides.
        returned: references to what a function returns.
        attributes: the maps of attributes of the function and its arguments.
    """

    function: str | None
    nodes: Sequence[Any]
    arguments: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()
    attributes: tuple[Any, ...] = ()

    def place(self, node: Any | None = None) -> str:
        """A node in words, or the whole body where none is given."""
        whole = "the graph" if self.function is None else f"function {shown(self.function)}"
        if node is None:
            return whole
        name = f"node {shown(node.name)}"
        return name if self.function is None else f"{name} of {whole}"


def bodies_of(graph: Any) -> list[Body]:
    """The graph's own body first, then its library's functions in their order."""
    functions = [
        Body(
            function=function.signature.name,
            nodes=function.node_def,
            arguments=tuple(argument.name for argument in function.signature.input_arg),
            returned=tuple(function.ret.values()),
            attributes=(function.attr, *(argument.attr for argument in function.arg_attr.values())),
        )
        for function in graph.library.function
    ]
    return [Body(function=None, nodes=graph.node), *functions]


def producer(reference: str) -> str:
    """The node or argument that an input names: ``a`` of ``a``, ``a:1``, ``a:out:0`` and ``^a``."""
    return reference.removeprefix("^").partition(":")[0]


@dataclass(frozen=True, slots=True)
class Noted:
    """One value among the attributes of a node, or of a function as a whole, that a rule may forbid.

    Attributes:
        node: None for the function as a whole.
        kind: ``type`` with a DataType, ``tensor`` with a TensorProto, ``function`` with a name.
    """

    node: Any | None
    kind: NotedKind
    value: Any


def noted_in(body: Body, *, limit: int) -> tuple[list[Noted], int]:
    """Types that are no plain numbers, tensors and named functions in the attributes, nested ones included.

    Returns:
        What was noted, and how many attributes there are; reading ends where these pass the limit.
    """
    noted: list[Noted] = []
    count = 0
    owners = [
        *((None, attributes) for attributes in body.attributes),
        *((node, node.attr) for node in body.nodes),
    ]
    for node, attributes in owners:
        for kind, value in _leaves(attributes):
            count += 1
            if count > limit:
                return noted, count
            if kind is not None and not (kind == "type" and value in NUMBERS):
                noted.append(Noted(node, kind, value))
    return noted, count


def _leaves(attributes: Mapping[str, Any]) -> Iterator[tuple[NotedKind | None, Any]]:
    """Every value, those of named functions and of lists included; a list's types once each."""
    waiting = [attributes]
    while waiting:
        for attribute in waiting.pop().values():
            kind = attribute.WhichOneof("value")
            if kind == "type":
                yield "type", attribute.type
            elif kind == "tensor":
                yield "tensor", attribute.tensor
            elif kind == "func":
                yield "function", attribute.func.name
                waiting.append(attribute.func.attr)
            elif kind == "list":
                listed = attribute.list
                yield None, None
                for number in set(listed.type):
                    yield "type", number
                for tensor in listed.tensor:
                    yield "tensor", tensor
                for function in listed.func:
                    yield "function", function.name
                    waiting.append(function.attr)
            else:
                yield None, None
