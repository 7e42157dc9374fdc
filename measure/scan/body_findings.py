"""What is wrong with one body of nodes: one function a rule, each reading all nodes, none changing anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

from tensorflow.python.framework import op_def_registry

from pixelproof.measure.scan import rules
from pixelproof.measure.scan.bodies import Body, Noted, producer
from pixelproof.measure.scan.calls import dataflow_cycle
from pixelproof.measure.scan.findings import Finding, chained, shown
from pixelproof.measure.scan.operations import FUNCTION_CALLS
from pixelproof.measure.scan.rules import Allowance
from pixelproof.measure.scan.tensor_sizes import STRING, size_of, stored_bytes, type_name


def forbidden_operations(body: Body, allowance: Allowance, library: Collection[str]) -> Iterator[Finding]:
    """Operations that are neither allowed nor functions of the graph's library."""
    known: dict[str, Finding] = {}
    for node in body.nodes:
        operation = node.op
        if operation not in allowance.operations and operation not in library:
            if operation not in known:
                registered = op_def_registry.get(operation) is not None
                known[operation] = rules.refused_operation(operation, registered=registered)
            yield replace(known[operation], place=body.place(node))


def repeated_names(body: Body) -> Iterator[Finding]:
    """Nodes whose name another node or an argument bears."""
    taken = set(body.arguments)
    for node in body.nodes:
        if node.name in taken:
            yield Finding(rules.NAMES, "several nodes of one name", body.place(node))
        taken.add(node.name)


def foreign_devices(body: Body) -> Iterator[Finding]:
    """Devices of other processes or machines, and of kinds that don't judge."""
    fine = {""}
    for node in body.nodes:
        device = node.device
        if device in fine:
            continue
        if rules.is_local(device):
            fine.add(device)
        else:
            yield Finding(rules.DEVICES, f"the device {shown(device)}", body.place(node), rules.NO_DEVICES)


def endless_dataflow(body: Body) -> Iterator[Finding]:
    """A cycle of nodes that is no loop."""
    cycle = dataflow_cycle(body.nodes)
    if cycle is not None:
        yield Finding(rules.LOOPS, f"the cycle {chained(cycle)}", body.place())


def calls_of(body: Body, noted: Sequence[Noted], library: Collection[str]) -> Counter[str]:
    """How often the body names each function of the library, be it in an attribute or as an operation."""
    named = Counter(str(item.value) for item in noted if item.kind == "function" and item.value in library)
    named.update(node.op for node in body.nodes if node.op in library)
    return named


def strange_calls(body: Body, noted: Sequence[Noted], library: Collection[str]) -> Iterator[Finding]:
    """Functions that are named but not there, or named by what calls none."""
    for item in noted:
        if item.kind != "function":
            continue
        if item.value not in library:
            what = f"a call of {shown(item.value) or 'a function without a name'}, which isn't there"
            yield Finding(rules.CALLS, what, body.place(item.node), "Convert it again, or copy it again.")
        elif item.node is None or (item.node.op not in FUNCTION_CALLS and item.node.op not in library):
            what = "a function named by an attribute that calls none"
            yield Finding(rules.CALLS, what, body.place(item.node), rules.ORDINARY_CALLS)


def forbidden_types(
    body: Body, noted: Sequence[Noted], allowance: Allowance, text_nodes: Collection[str]
) -> Iterator[Finding]:
    """Element types that aren't allowed; text is where nothing but `Assert` and the text nodes read a constant."""
    texts: dict[str, Any] = {}
    for item in noted:
        number = item.value.dtype if item.kind == "tensor" else item.value
        if item.kind == "function" or number in allowance.types:
            continue
        node = item.node
        if number != STRING or node is None:
            yield _forbidden_type(number, body.place(node))
        elif node.op == "Const":
            texts[node.name] = node
        elif node.op != "Assert" and node.name not in text_nodes:
            yield _forbidden_type(number, body.place(node))
    if texts:
        for name in sorted(_read_otherwise(body, texts, text_nodes)):
            yield _forbidden_type(STRING, body.place(texts[name]))


def _forbidden_type(number: int, place: str) -> Finding:
    if number == STRING:
        return Finding(rules.TYPES, "text that more than an assertion reads", place, rules.NETWORK_ALONE)
    return Finding(rules.TYPES, f"the element type {type_name(number)}", place, rules.SIMPLER)


def _read_otherwise(body: Body, names: Collection[str], text_nodes: Collection[str]) -> set[str]:
    """Those of some nodes whose data goes to more than assertions and text nodes."""
    readers = (node for node in body.nodes if node.op != "Assert" and node.name not in text_nodes)
    read = [*body.returned, *(i for node in readers for i in node.input if not i.startswith("^"))]
    return {producer(reference) for reference in read}.intersection(names)


def argument_types(
    body: Body, types: Sequence[tuple[str, int, bool]], allowance: Allowance
) -> Iterator[Finding]:
    """Arguments and results of a function whose type isn't allowed, or that are references.

    Args:
        types: name, DataType (0 where an attribute states it) and whether it is a reference.
    """
    for name, number, reference in types:
        if reference or (number and number not in allowance.types):
            what = f"the element type {type_name(number)}{' by reference' if reference else ''}"
            yield Finding(rules.TYPES, what, f"argument {shown(name)} of {body.place()}", rules.SIMPLER)


def constants_of(body: Body, noted: Sequence[Noted]) -> tuple[int, int, list[Finding]]:
    """Bytes that the body's tensors take in memory, how many of those the file doesn't store, impossible sizes."""
    total = claimed = 0
    findings = []
    for item in noted:
        if item.kind != "tensor":
            continue
        declared = size_of(item.value.dtype, item.value.tensor_shape)
        if declared is None:
            what = "a tensor of impossible size or type"
            findings.append(Finding(rules.CONSTANTS, what, body.place(item.node), "Convert it again."))
            continue
        total += declared
        claimed += declared - stored_bytes(item.value, declared=declared)
    return total, claimed, findings
