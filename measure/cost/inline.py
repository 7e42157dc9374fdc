"""A GraphDef's functions in place of their calls, as data; and layers that stay hidden in control flow.

The scan has seen that no function calls itself, and how large the whole becomes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.python.framework import op_def_registry

from pixelproof.errors import ModelFailed
from pixelproof.measure.cost.ends import COUNTED, HIDDEN, UNROLL
from pixelproof.measure.cost.tensorflow_roles import roles

CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})


def inlined(graph_def: Any, outputs: Iterable[str]) -> Any:
    """What outputs need of a graph, with no calls of functions left but those of control flow.

    In place of each call stand identities, the first one with its name. What only orders nodes is gone.

    Args:
        outputs: tensors, as in ``output:0``.

    Raises:
        ModelFailed: a call that can't be followed.
    """
    library = {function.signature.name: function for function in graph_def.library.function}
    result = GraphDef()
    result.versions.CopyFrom(graph_def.versions)
    result.library.CopyFrom(graph_def.library)
    renamed: dict[str, str] = {}
    needed = _needed(graph_def, outputs)
    called = False
    for node in graph_def.node:
        if node.name in needed:
            called |= _place(node, result, library, renamed)
    if not called:
        return result
    for node in result.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    whole, result = result, GraphDef()
    result.versions.CopyFrom(whole.versions)
    result.library.CopyFrom(whole.library)
    needed = _needed(whole, outputs)
    result.node.extend(node for node in whole.node if node.name in needed)
    return result


def _needed(graph_def: Any, outputs: Iterable[str]) -> set[str]:
    """Names of the nodes that tensors are computed from."""
    nodes = {node.name: node for node in graph_def.node}
    needed: set[str] = set()
    waiting = [name.partition(":")[0] for name in outputs]
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in needed:
            needed.add(name)
            waiting += [given.partition(":")[0] for given in nodes[name].input if not given.startswith("^")]
    return needed


def _place(node: Any, result: Any, library: Mapping[str, Any], renamed: dict[str, str]) -> bool:
    """Add a node, or what its function holds; whether it is a call.

    Args:
        renamed: further outputs of calls, to be filled; they can't bear the call's name.
    """
    inputs = [name for name in node.input if not name.startswith("^")]
    function = _called(node, library)
    if function is None:
        kept = result.node.add()
        kept.CopyFrom(node)
        kept.input[:] = inputs
        kept.attr.pop("_output_shapes", None)
        kept.device = ""
        return False
    arguments = [argument.name for argument in function.signature.input_arg]
    if len(inputs) != len(arguments):
        raise ModelFailed("A call must give its function all arguments", found=node.name[:200])
    given = dict(zip(arguments, inputs, strict=True))
    places = {inner.name: _output_places(inner, library) for inner in function.node_def}

    def full(reference: str) -> str:
        name, _, rest = reference.partition(":")
        if name in given:
            return str(given[name])
        output, _, place = rest.partition(":")
        return f"{node.name}/{name}:{places[name].get(output, 0) + int(place or 0)}"

    for inner in function.node_def:
        copy = type(inner)()
        copy.CopyFrom(inner)
        copy.name = f"{node.name}/{inner.name}"
        copy.input[:] = [full(name) for name in inner.input if not name.startswith("^")]
        _place(copy, result, library, renamed)
    for place, argument in enumerate(function.signature.output_arg):
        if not argument.type:
            raise ModelFailed("A function must state the types that it returns", found=node.name[:200])
        name = f"{node.name}/returned_{place}" if place else node.name
        returned = result.node.add(name=name, op="Identity", input=[full(function.ret[argument.name])])
        returned.attr["T"].type = argument.type
        renamed.update({f"{node.name}:{place}": name} if place else {})
    return True


def _called(node: Any, library: Mapping[str, Any]) -> Any | None:
    """The function that a node calls: by its attribute, or as the operation that it bears the name of."""
    return library.get(node.attr["f"].func.name if node.op in CALLS else node.op)


def _output_places(node: Any, library: Mapping[str, Any]) -> dict[str, int]:
    """Where each named output of a node begins among all of its outputs."""
    function = _called(node, library)
    if function is not None:
        return {argument.name: place for place, argument in enumerate(function.signature.output_arg)}
    definition = op_def_registry.get(node.op)
    if definition is None:
        raise ModelFailed("TensorFlow must know every operation of the graph", found=node.op[:100])
    places: dict[str, int] = {}
    count = 0
    for argument in definition.output_arg:
        places[argument.name] = count
        if argument.number_attr:
            count += node.attr[argument.number_attr].i
        elif argument.type_list_attr:
            count += len(node.attr[argument.type_list_attr].list.type)
        else:
            count += 1
    return places


def refuse_hidden_layers(graph_def: Any) -> None:
    """Refuse layers whose number of runs only the run itself knows.

    Raises:
        ModelFailed: a convolution or product inside a loop, or inside one side of a branch.
    """
    library = {function.signature.name: function.node_def for function in graph_def.library.function}
    for node in graph_def.node:
        if roles().get(node.op) == "call":
            hidden = next((n for n in _reached(node, library) if roles().get(n.op) in COUNTED), None)
            if hidden is not None:
                found = f"{hidden.op} inside {node.op} {node.name}"
                raise ModelFailed(HIDDEN, found=found[:300], remedy=UNROLL)
    readers: dict[str, list[Any]] = {}
    for node in graph_def.node:
        for name in node.input:
            readers.setdefault(name.partition(":")[0], []).append(node)
    waiting = [node.name for node in graph_def.node if node.op == "Enter"]
    seen = set(waiting)
    while waiting:
        for reader in readers.get(waiting.pop(), []):
            if roles().get(reader.op) in COUNTED:
                found = f"{reader.op} {reader.name} inside a loop"
                raise ModelFailed(HIDDEN, found=found[:300], remedy=UNROLL)
            if reader.op != "Exit" and reader.name not in seen:
                seen.add(reader.name)
                waiting.append(reader.name)


def _reached(node: Any, library: Mapping[str, Iterable[Any]]) -> list[Any]:
    """All nodes of the functions that a node names, and of those that these name."""
    found: list[Any] = []
    seen: set[str] = set()
    waiting = [node]
    while waiting:
        current = waiting.pop()
        named = [attribute.func.name for attribute in current.attr.values()]
        named += [function.name for attribute in current.attr.values() for function in attribute.list.func]
        for name in (*named, current.op):
            if name in library and name not in seen:
                seen.add(name)
                found += library[name]
                waiting += library[name]
    return found
