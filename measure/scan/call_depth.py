"""How deep the functions of a model call each other, and how many nodes they are once expanded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import TypeVar

Name = TypeVar("Name")


def call_depth(calls: Mapping[Name, Collection[Name]]) -> int | None:
    """The number of calls on the longest way down, or None where functions call themselves in a circle.

    Args:
        calls: for each function, those that it calls.
    """
    try:
        order = list(TopologicalSorter(calls).static_order())
    except CycleError:
        return None
    depth: dict[Name, int] = {}
    for name in order:
        depth[name] = max((depth[called] + 1 for called in calls.get(name, ())), default=0)
    return max(depth.values(), default=0)


def expanded_nodes(own: Mapping[Name, int], calls: Mapping[Name, Mapping[Name, int]]) -> Mapping[Name, int]:
    """The nodes of each function once every call is replaced by what it calls.

    Args:
        own: for each function its own nodes.
        calls: for each function how often it calls each other one; without a circle.
    """
    nodes: dict[Name, int] = {}
    for name in TopologicalSorter(calls).static_order():
        called = calls.get(name, {})
        nodes[name] = own.get(name, 0) + sum(count * nodes[other] for other, count in called.items())
    return nodes
