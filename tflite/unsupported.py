"""Operations that TFLite has not: told from the converter's message, found in the graph, with a way out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pixelproof.errors import ModelFailed

MOST_NODES = 3

_WAYS_OUT: Mapping[str, str] = MappingProxyType(
    {
        "AdjustContrastv2": "Write the contrast as arithmetic: (x - mean) * factor + mean.",
        "Dilation2D": "A flat dilation is tf.nn.max_pool2d with stride 1.",
        "Erf": "Use tf.nn.gelu as a whole, or its tanh form.",
        "ExtractImagePatches": "Use tf.nn.space_to_depth, or a convolution with a fixed kernel.",
        "FFT2D": "Use tf.signal.rfft2d on real numbers.",
        "MaxPoolWithArgmax": "Use tf.nn.max_pool2d, which needs no indices.",
        "ResizeArea": "Use tf.nn.avg_pool2d, or tf.image.resize with method bilinear.",
        "ResizeBicubic": "Use tf.image.resize with method bilinear, or a convolution and tf.nn.depth_to_space.",
    }
)
_USUAL = "Replace the operation by ones that TFLite has built in."


def missing_operations(text: str) -> list[str]:
    """Operations that the converter's error names as not built in, sorted."""
    listed = re.findall(r"^(?:TF Select|Custom) ops: (.+)$", text, re.MULTILINE)
    named = [name.strip() for line in listed for name in line.split(",")]
    named = named or re.findall(r"'(?:tf|tfl)\.(\w+)' op is neither a custom op nor a flex op", text)
    return sorted({name for name in named if name})


def lacking_operations(names: Sequence[str], graph: Any, *, output_name: str, variable: bool) -> ModelFailed:
    """What to say of a graph whose operations TFLite lacks.

    Args:
        names: of the operations.
        graph: frozen GraphDef; the nodes between its ends are looked through.
        variable: whether height and width were left open.
    """
    nodes = _nodes_by_operation(graph, output_name)
    found = ", ".join(f"{name}{_places(nodes.get(name, []))}" for name in names)
    remedy = " ".join(dict.fromkeys(_WAYS_OUT.get(name, _USUAL) for name in names))
    if variable:
        remedy += " Or leave out --variable: for a fixed size TFLite has more."
    return ModelFailed("TFLite must have every operation", found=found, remedy=remedy)


def _nodes_by_operation(graph: Any, output_name: str) -> dict[str, list[str]]:
    from pixelproof.measure.graph_def import needed_for

    needed = needed_for(graph, output_name)
    found: dict[str, list[str]] = {}
    for node in graph.node:
        if node.name in needed:
            found.setdefault(node.op, []).append(node.name)
    for function in graph.library.function:
        for node in function.node_def:
            found.setdefault(node.op, []).append(f"{function.signature.name}/{node.name}")
    return found


def _places(nodes: Sequence[str]) -> str:
    if not nodes:
        return ""
    more = len(nodes) - MOST_NODES
    listed = ", ".join(nodes[:MOST_NODES]) + (f" and {more} more" if more > 0 else "")
    return f" (node{'s' if len(nodes) > 1 else ''} {listed})"
