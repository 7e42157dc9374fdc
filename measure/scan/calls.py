"""Cycles: of functions that call each other, and of nodes that feed each other. Pure functions over names.

TensorFlow follows calls recursively while it loads a graph, and expands them. A function that calls itself never
ends, and thirty functions that each call the next one twice make a billion nodes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pixelproof.measure.scan.bodies import producer

Caller = str | None
"""A function of the library, or the graph itself."""

Calls = Mapping[Caller, Mapping[str, int]]

COUNTED = 10**12
"""A graph that expands to more nodes is said to have as many."""


def cycle_in(needed: Mapping[Caller, Collection[str]]) -> list[str] | None:
    """A chain that comes back to its first name, each needing the next; None where there is none.

    Args:
        needed: for each name those that it calls or reads.
    """
    try:
        TopologicalSorter(needed).prepare()
    except CycleError as error:
        return [str(name) for name in reversed(error.args[1])]
    return None


def expansion(own: Mapping[Caller, int], calls: Calls) -> tuple[int, int]:
    """How many nodes the largest caller has once every call is replaced by what it calls, and how deep calls go.

    Args:
        own: for each caller its own nodes.
        calls: for each caller how often it calls each function; without a cycle.
    """
    nodes: dict[Caller, int] = {}
    depths: dict[Caller, int] = {}
    for name in TopologicalSorter(calls).static_order():
        called = calls.get(name, {})
        inside = sum(count * nodes[other] for other, count in called.items())
        nodes[name] = min(COUNTED, own.get(name, 0) + inside)
        depths[name] = 1 + max((depths[other] for other in called), default=-1)
    return max(nodes.values()), max(depths.values())


def dataflow_cycle(nodes: Sequence[Any]) -> list[str] | None:
    """Nodes that feed each other in a circle, as `cycle_in`; None where only loops do.

    A loop of TensorFlow 1 closes from a NextIteration to a Merge; that edge doesn't count.
    """
    ends = {node.name for node in nodes if node.op == "NextIteration"}
    needed: dict[Caller, set[str]] = {
        node.name: {source for i in node.input if (source := producer(i)) not in ends or node.op != "Merge"}
        for node in nodes
    }
    return cycle_in(needed)
