"""An ONNX model as bodies of nodes: the graph, the subgraphs of its control flow, and the model's own functions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pixelproof.measure.scan.findings import shown
from pixelproof.measure.scan.onnx_operations import standard
from pixelproof.measure.scan.onnx_proto import text

Function = tuple[str, str]
"""Domain and name; functions that differ in their overload alone are taken as one."""


@dataclass(frozen=True)
class Body:
    """Nodes that run together.

    Attributes:
        function: the function that they are part of; None for the model's graph.
        where: in words, safe to print.
        nodes: NodeProtos.
        graph: GraphProto with their constants; None for a function, which has none.
    """

    function: Function | None
    where: str
    nodes: Any
    graph: Any | None


def function_of(message: Any, name: str | bytes) -> Function:
    """The function that a NodeProto calls or a FunctionProto is."""
    domain = text(message.domain)
    return ("" if standard(domain) else domain, text(name))


def all_bodies(model: Any, *, max_nodes: int) -> list[Body]:
    """Every body, reachable or not, none inside training information.

    Ends early once more than `max_nodes` have been seen; the bodies so far hold them.
    """
    waiting = [Body(None, "the graph", model.graph.node, model.graph)]
    for function in model.functions:
        key = function_of(function, function.name)
        waiting.append(Body(key, f"function {shown(key[1])}", function.node, None))
    seen: list[Body] = []
    count = 0
    while waiting and count <= max_nodes:
        body = waiting.pop()
        seen.append(body)
        count += len(body.nodes)
        if count <= max_nodes:
            waiting.extend(_subgraphs(body))
    return seen


def _subgraphs(body: Body) -> Iterator[Body]:
    for node in body.nodes:
        for attribute in node.attribute:
            held = [attribute.g] if attribute.HasField("g") else []
            for graph in (*held, *attribute.graphs):
                yield Body(body.function, f"a subgraph of {shown(text(node.op_type))}", graph.node, graph)
