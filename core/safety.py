"""Records of how a stranger's model is kept in check: what the scan of its file found, which walls stood."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Refusal:
    """One thing that a judged model may not hold: the rule, what was found, the way out."""

    rule: str
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class Scan:
    """What a file holds, read before anything loads it.

    Attributes:
        nodes: of the graph and of all its functions, reachable or not.
        functions: library functions, TFLite subgraphs beside the first, ONNX subgraphs and local functions.
        operations: how often each operation occurs.
        constant_bytes: what the weights claim to take, decoded.
        refusals: what it may not hold; empty where it may be loaded.
    """

    format: str
    nodes: int
    functions: int
    operations: Mapping[str, int]
    constant_bytes: int
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True)
class SandboxLayer:
    """One wall around the worker that ran the model, and whether it stood; ``detail`` says how, or why not."""

    name: str
    active: bool
    detail: str = ""


WALLS = ("landlock", "bubblewrap")
"""Layers that keep files closed; a stranger's model needs one of them."""


def missing_walls(layers: Iterable[SandboxLayer]) -> str:
    """Why nothing keeps files closed to the worker; empty where something does, or nothing was run."""
    walls = [layer for layer in layers if layer.name in WALLS]
    if any(layer.active for layer in walls):
        return ""
    return "; ".join(f"no {layer.name}: {layer.detail}" for layer in walls)
