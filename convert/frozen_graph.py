"""The frozen graph that all artifacts are made from: constants, two named ends, no training leftovers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import tensorflow as tf

from pixelproof.errors import CallError

BYPASSED = frozenset(
    {"Identity", "StopGradient", "PreventGradient", "CheckNumerics", "Snapshot", "PlaceholderWithDefault"}
)
FRAMES = frozenset({"Enter", "RefEnter", "Switch", "RefSwitch", "Merge", "NextIteration", "Exit"})
ASSERTIONS = frozenset({"Assert", "NoOp"})


def unoptimised() -> Any:
    """A session's configuration in which the graph runs as it is written.

    What a proof compares with must not go through the optimiser that the artifact goes through: TensorFlow 2.21's
    fuses convolution, bias, addition and leaky ReLU into a kernel whose slope is 0.2 whatever was asked for.
    """
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    return config


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


def pruned(graph: Any, output_names: Sequence[str]) -> Any:
    """What a frozen graph needs for its outputs, all names kept, the leftovers gone.

    Assertions, identities, gradient stops and placeholders with a default are removed.

    Args:
        output_names: nodes, without ``:0``.
    """
    nodes = {node.name: node for node in graph.node}
    return _graph_of(_needed(nodes, output_names, fed=()), graph)


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

    As `pruned`; the input accepts any height and width; with ``clip`` the output is limited to [0, 1].

    Args:
        input_tensor, output_tensor: tensors of ``graph``, as in ``x:0``.
        input_name, output_name: node names of the ends in the result.

    Raises:
        CallError: the output doesn't depend on the input alone.
    """
    nodes = {node.name: node for node in graph.node}
    start = input_tensor.split(":")[0]
    last = _resolve(output_tensor, nodes, fed={start})
    kept = _needed(nodes, [last], fed={start})
    _check_fed([node for node in kept if node.op == "Placeholder"], start)
    for node in kept:
        if node.name == start:
            channels = node.attr["shape"].shape.dim[3].size
            node.attr["shape"].shape.CopyFrom(tf.TensorShape([1, None, None, channels]).as_proto())
    renamed = _renaming({node.name for node in kept}, start, input_name, output_name)
    for node in kept:
        node.name = renamed.get(node.name, node.name)
        inputs = [_renamed(i, renamed) for i in node.input]
        del node.input[:]
        node.input.extend(inputs)
    result = _graph_of(kept, graph)
    end = _renamed(last, renamed)
    if clip:
        end = _append_clip(result, end, reserved=output_name)
    identity = result.node.add(name=output_name, op="Identity", input=[end])
    identity.attr["T"].type = tf.float32.as_datatype_enum
    return result


def _needed(nodes: dict[str, Any], ends: Iterable[str], fed: Iterable[str]) -> list[Any]:
    """Copies of the nodes from which some are computed, in the graph's order, their inputs resolved.

    Branches and loops of TF1 hold together by identities and control inputs: where the data goes through some,
    only the control inputs that come from assertions go.
    """
    starts = [end.split(":")[0] for end in ends]

    def data(node: Any) -> list[str]:
        return [] if node.name in fed else [i for i in node.input if not i.startswith("^")]

    def with_order(node: Any) -> list[str]:
        ordered = [i for i in node.input if i.startswith("^") and nodes[i[1:]].op not in ASSERTIONS]
        return data(node) + ordered

    def resolved(node: Any) -> list[str]:
        return [_resolve(i, nodes, fed=fed) for i in data(node)]

    framed = any(nodes[name].op in FRAMES for name in _reached(nodes, starts, data))
    inputs_of = with_order if framed else resolved
    reached = _reached(nodes, starts, inputs_of)
    kept = []
    for name, node in nodes.items():
        if name in reached:
            copy = tf.compat.v1.NodeDef()
            copy.CopyFrom(node)
            del copy.input[:]
            copy.input.extend(inputs_of(node))
            for internal in ("_output_shapes", "_class", "_gradient_op_type"):
                copy.attr.pop(internal, None)
            kept.append(copy)
    return kept


def _reached(nodes: dict[str, Any], starts: Iterable[str], inputs_of: Callable[[Any], list[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = list(starts)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [i.lstrip("^").split(":")[0] for i in inputs_of(nodes[name])]
    return reached


def _graph_of(nodes: Sequence[Any], graph: Any) -> Any:
    """A graph of these nodes, with the functions that they call."""
    result = tf.compat.v1.GraphDef(node=nodes)
    result.versions.CopyFrom(graph.versions)
    functions = {function.signature.name: function for function in graph.library.function}
    called: set[str] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        for name in _called_by(node):
            if name in functions and name not in called:
                called.add(name)
                waiting += functions[name].node_def
    result.library.function.extend(function for name, function in functions.items() if name in called)
    return result


def _called_by(node: Any) -> list[str]:
    names = [node.op]
    for attribute in node.attr.values():
        names += [attribute.func.name, *(function.name for function in attribute.list.func)]
    return names


def _check_fed(placeholders: Sequence[Any], start: str) -> None:
    others = [node.name for node in placeholders if node.name != start]
    if others:
        remedy = "Give it its value in the function, as a constant or as tf.placeholder_with_default."
        raise CallError("The output must depend on the image alone", found=", ".join(others), remedy=remedy)
    if not placeholders:
        raise CallError("The output must depend on the input", found="an output that ignores it")


def _renaming(names: set[str], start: str, input_name: str, output_name: str) -> dict[str, str]:
    """New names of the input, and of inner nodes that bear the ends' names."""
    taken = names | {input_name, output_name}
    renamed = {}
    for name in sorted(names & {input_name, output_name} - {start}):
        renamed[name] = _free_name(f"{name}_inner", taken)
        taken.add(renamed[name])
    return {**renamed, start: input_name}


def _append_clip(graph: Any, end: str, *, reserved: str) -> str:
    names = {node.name for node in graph.node} | {reserved}
    for op, bound in (("Minimum", 1.0), ("Maximum", 0.0)):
        constant = graph.node.add(name=_free_name(f"clip/{op}/bound", names), op="Const")
        constant.attr["dtype"].type = tf.float32.as_datatype_enum
        constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(bound, tf.float32))
        node = graph.node.add(name=_free_name(f"clip/{op}", names), op=op, input=[end, constant.name])
        node.attr["T"].type = tf.float32.as_datatype_enum
        end = node.name
    return end


def _resolve(tensor: str, nodes: dict[str, Any], fed: Iterable[str]) -> str:
    """The tensor that really computes this one."""
    name, _, index = tensor.partition(":")
    while nodes[name].op in BYPASSED and name not in fed:
        name, _, index = next(i for i in nodes[name].input if not i.startswith("^")).partition(":")
    return name if index in ("", "0") else f"{name}:{index}"


def _renamed(tensor: str, renamed: dict[str, str]) -> str:
    control = "^" if tensor.startswith("^") else ""
    name, colon, index = tensor.removeprefix("^").partition(":")
    return control + renamed.get(name, name) + colon + index


def _free_name(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 1
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    return name
