"""Scan of a TensorFlow graph as data: every node and every library function, reachable or not. Nothing is loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tensorflow.python.framework import op_def_registry

from pixelproof.measure.scan import body_findings, rules
from pixelproof.measure.scan.bodies import Body, Noted, bodies_of, noted_in
from pixelproof.measure.scan.calls import Caller, Calls, cycle_in, expansion
from pixelproof.measure.scan.findings import Finding, chained, counted, gathered, shown
from pixelproof.measure.scan.rules import FROZEN, Tier
from pixelproof.safety import Scan


@dataclass(frozen=True)
class _Read:
    """A graph, its bodies, and what was noted in each."""

    graph: Any
    bodies: Sequence[Body]
    noted: Sequence[Sequence[Noted]]
    library: frozenset[str]


def scan_graph(graph_def: Any, *, label: str, tier: Tier = FROZEN) -> Scan:
    """All that a GraphDef holds, and what of it may not be judged.

    Where it has more nodes and functions than `rules.MAX_NODES`, or more attributes than `rules.MAX_ATTRIBUTES`,
    nothing is looked at besides.

    Args:
        label: the file, as refusals name it.
        tier: what such a graph may hold.
    """
    bodies = bodies_of(graph_def)
    nodes = sum(len(body.nodes) for body in bodies)
    size = f"{nodes:,} nodes and {len(bodies) - 1:,} functions"
    if nodes + len(bodies) - 1 > rules.MAX_NODES:
        return _answer(tier, bodies, [Finding(rules.SIZE, size, remedy=rules.SIMPLER)], label=label)
    noted, attributes = [], 0
    for body in bodies:
        of_body, count = noted_in(body, limit=rules.MAX_ATTRIBUTES - attributes)
        noted.append(of_body)
        attributes += count + sum(len(node.input) for node in body.nodes)
    if attributes > rules.MAX_ATTRIBUTES:
        what = f"more than {rules.MAX_ATTRIBUTES:,} attributes and inputs"
        return _answer(tier, bodies, [Finding(rules.SIZE, what, remedy=rules.SIMPLER)], label=label)
    library = frozenset(body.function for body in bodies if body.function is not None)
    read = _Read(graph_def, bodies, noted, library)
    findings = [*_of_library(read), *_of_bodies(read, tier), *_of_calls(read)]
    total, of_constants = _of_constants(read)
    operations = Counter(node.op for body in bodies for node in body.nodes)
    return _answer(
        tier, bodies, [*findings, *of_constants], label=label, operations=operations, constant_bytes=total
    )


def _answer(
    tier: Tier,
    bodies: Sequence[Body],
    findings: Sequence[Finding],
    *,
    label: str,
    operations: Counter[str] | None = None,
    constant_bytes: int = 0,
) -> Scan:
    ordered = sorted(findings, key=lambda finding: rules.ORDER.index(finding.rule))
    return Scan(
        format=tier.format,
        nodes=sum(len(body.nodes) for body in bodies),
        functions=len(bodies) - 1,
        operations=counted(operations or {}),
        constant_bytes=constant_bytes,
        refusals=gathered(ordered, label=label),
    )


def _of_library(read: _Read) -> Iterator[Finding]:
    """The graph as a whole, and the names of its functions."""
    if not read.graph.node:
        yield Finding(rules.NODES, "none", remedy="Convert it again, or copy it again.")
    for gradient in read.graph.library.gradient:
        place = f"of function {shown(gradient.function_name)}"
        yield Finding(rules.CALLS, "a gradient", place, rules.ORDINARY_CALLS)
    counts = Counter(body.function for body in read.bodies if body.function is not None)
    for name, count in counts.items():
        place = f"function {shown(name)}"
        if count > 1:
            yield Finding(rules.NAMES, "several functions of one name", place)
        if not name:
            yield Finding(rules.NAMES, "a function without a name")
        elif op_def_registry.get(name) is not None:
            yield Finding(rules.NAMES, "a function that bears the name of an operation", place)


def _of_bodies(read: _Read, tier: Tier) -> Iterator[Finding]:
    for place, (body, noted) in enumerate(zip(read.bodies, read.noted, strict=True)):
        allowance = tier.of(body.function)
        text_nodes = tier.text_nodes if body.function is None else frozenset[str]()
        yield from body_findings.forbidden_operations(body, allowance, read.library)
        yield from body_findings.strange_calls(body, noted, read.library)
        yield from body_findings.endless_dataflow(body)
        yield from body_findings.forbidden_types(body, noted, allowance, text_nodes)
        yield from body_findings.foreign_devices(body)
        yield from body_findings.repeated_names(body)
        if place:
            signature = read.graph.library.function[place - 1].signature
            arguments = [*signature.input_arg, *signature.output_arg]
            types = [(argument.name, argument.type, argument.is_ref) for argument in arguments]
            yield from body_findings.argument_types(body, types, allowance)


def _of_calls(read: _Read) -> Iterator[Finding]:
    """Recursion, and how large the graph gets where its functions are put in place of their calls."""
    calls: dict[Caller, Counter[str]] = {}
    own: dict[Caller, int] = {}
    for body, noted in zip(read.bodies, read.noted, strict=True):
        calls.setdefault(body.function, Counter()).update(body_findings.calls_of(body, noted, read.library))
        own[body.function] = own.get(body.function, 0) + len(body.nodes)
    yield from _recursion(calls) or _depth_and_size(own, calls)


def _recursion(calls: Calls) -> list[Finding]:
    cycle = cycle_in(calls)
    if cycle is None:
        return []
    return [Finding(rules.CALLS, f"the recursion {chained(cycle)}", remedy=rules.ORDINARY_CALLS)]


def _depth_and_size(own: Mapping[Caller, int], calls: Calls) -> list[Finding]:
    size, depth = expansion(own, calls)
    findings = []
    if depth > rules.MAX_CALL_DEPTH:
        findings.append(Finding(rules.CALLS, f"calls {depth} levels deep", remedy=rules.SIMPLER))
    if size > rules.MAX_NODES:
        findings.append(Finding(rules.SIZE, f"{size:,} once all calls are expanded", remedy=rules.SIMPLER))
    return findings


def _of_constants(read: _Read) -> tuple[int, list[Finding]]:
    """Bytes of all tensors, and those that can't be, or that the file claims without storing them."""
    total = claimed = 0
    findings: list[Finding] = []
    for body, noted in zip(read.bodies, read.noted, strict=True):
        of_body, claimed_here, impossible = body_findings.constants_of(body, noted)
        total, claimed = total + of_body, claimed + claimed_here
        findings += impossible
    if claimed > rules.MAX_CLAIMED_BYTES:
        what = f"tensors that claim {claimed:,} bytes more than the file stores"
        findings.append(
            Finding(rules.CONSTANTS, what, remedy="Store every value, or compute it with tf.fill.")
        )
    return total, findings
