"""The frozen graph that all artifacts are made from: constants, two named ends, no training leftovers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from pixelproof.errors import CallError

BYPASSED = frozenset({"Identity", "StopGradient", "PreventGradient", "CheckNumerics", "Snapshot"})


def freeze_function(function: Any) -> tuple[Any, str, str]:
    """A concrete function of one tensor as (GraphDef, input tensor, output tensor)."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    frozen = convert_variables_to_constants_v2(function)
    inputs = [tensor for tensor in frozen.inputs if tensor.dtype != tf.resource]
    return frozen.graph.as_graph_def(), inputs[0].name, frozen.outputs[0].name


def freeze_session(session: Any, output_names: Sequence[str]) -> Any:
    """A v1 session's graph with its variables made constants.

    Args:
        output_names: nodes, without ``:0``.
    """
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_from_session_graph,
    )

    return convert_variables_to_constants_from_session_graph(
        session, session.graph.as_graph_def(), list(output_names)
    )


def tidy(
    graph: Any,
    *,
    input_tensor: str,
    output_tensor: str,
    input_name: str,
    output_name: str,
    clip: bool = False,
) -> Any:
    """The part of a frozen graph between two tensors, with the ends named and the leftovers gone.

    Control dependencies (assertions), identities and gradient stops are removed; the input accepts any height
    and width; with ``clip`` the output is limited to [0, 1].

    Args:
        input_tensor, output_tensor: tensors of ``graph``, as in ``x:0``.
        input_name, output_name: node names of the ends in the result.

    Raises:
        CallError: the two new names are one, or no names of nodes.
    """
    _check_names(input_name, output_name)
    nodes = {node.name: node for node in graph.node}
    start = input_tensor.split(":")[0]
    kept: dict[str, Any] = {}
    last = _resolve(output_tensor, nodes)
    waiting = [last]
    while waiting:
        name = waiting.pop().split(":")[0]
        if name in kept:
            continue
        node = tf.compat.v1.NodeDef()
        node.CopyFrom(nodes[name])
        inputs = [] if name == start else [_resolve(i, nodes) for i in node.input if not i.startswith("^")]
        del node.input[:]
        node.input.extend(inputs)
        if name == start:
            channels = node.attr["shape"].shape.dim[3].size
            node.attr["shape"].shape.CopyFrom(tf.TensorShape([1, None, None, channels]).as_proto())
        for internal in ("_output_shapes", "_class"):
            node.attr.pop(internal, None)
        kept[name] = node
        waiting.extend(inputs)
    return _assembled(
        [kept[n.name] for n in graph.node if n.name in kept],
        graph,
        start,
        last,
        (input_name, output_name),
        clip,
    )


def _assembled(
    nodes: Sequence[Any], graph: Any, start: str, last: str, names: tuple[str, str], clip: bool
) -> Any:
    input_name, output_name = names
    taken = {input_name, output_name}
    renamed = {start: input_name}
    for node in nodes:
        if node.name != start and (node.name in taken):
            renamed[node.name] = _free_name(f"{node.name}_inner", {n.name for n in nodes} | taken)
    result = tf.compat.v1.GraphDef()
    result.versions.CopyFrom(graph.versions)
    result.library.CopyFrom(graph.library)
    for node in nodes:
        copy = result.node.add()
        copy.CopyFrom(node)
        copy.name = renamed.get(node.name, node.name)
        del copy.input[:]
        copy.input.extend(_renamed(i, renamed) for i in node.input)
    end = _renamed(last, renamed)
    if clip:
        end = _append_clip(result, end)
    identity = result.node.add(name=output_name, op="Identity", input=[end])
    identity.attr["T"].type = tf.float32.as_datatype_enum
    return result


def _append_clip(graph: Any, end: str) -> str:
    names = {node.name for node in graph.node}
    for op, bound in (("Minimum", 1.0), ("Maximum", 0.0)):
        constant = graph.node.add(name=_free_name(f"clip/{op}/bound", names), op="Const")
        constant.attr["dtype"].type = tf.float32.as_datatype_enum
        constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(bound, tf.float32))
        node = graph.node.add(name=_free_name(f"clip/{op}", names), op=op, input=[end, constant.name])
        node.attr["T"].type = tf.float32.as_datatype_enum
        end = node.name
    return end


def _resolve(tensor: str, nodes: dict[str, Any]) -> str:
    name, _, index = tensor.partition(":")
    while nodes[name].op in BYPASSED and index in ("", "0"):
        name, _, index = next(i for i in nodes[name].input if not i.startswith("^")).partition(":")
    return name if index in ("", "0") else f"{name}:{index}"


def _renamed(tensor: str, renamed: dict[str, str]) -> str:
    name, colon, index = tensor.partition(":")
    return renamed.get(name, name) + colon + index


def _free_name(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 1
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    return name


def _check_names(input_name: str, output_name: str) -> None:
    import re

    for name in (input_name, output_name):
        if not re.fullmatch(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*", name):
            remedy = "Letters, digits and _ . / - ; no :0 behind it."
            raise CallError(
                "A node's name must be one that TensorFlow takes", found=repr(name), remedy=remedy
            )
    if input_name == output_name:
        raise CallError("Input and output must have two names", found=repr(input_name))
