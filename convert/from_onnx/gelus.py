"""GELU as exporters write it before opset 20, ``x / √2 -> Erf -> + 1 -> * x -> * ½``, as one node.

TFLite has no Erf; its converter knows the whole function only in TensorFlow's own form.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import helper

from pixelproof.measure.protocol import Array


def with_gelus(nodes: Sequence[Any], constants: Mapping[str, Array]) -> list[Any]:
    """The nodes, the last one of each such chain replaced by a Gelu; the others stay, perhaps unused."""
    finder = _Finder(nodes, constants)
    made = {}
    for node in nodes:
        if node.op_type == "Erf":
            found = finder.whole(node)
            if found is not None:
                last, x = found
                made[id(last)] = helper.make_node("Gelu", [x], [last.output[0]], name=last.name)
    return [made.get(id(node), node) for node in nodes]


class _Finder:
    def __init__(self, nodes: Sequence[Any], constants: Mapping[str, Array]) -> None:
        self._makers = {name: node for node in nodes for name in node.output}
        self._readers: dict[str, list[Any]] = {}
        for node in nodes:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)
        self._constants = constants

    def whole(self, erf: Any) -> tuple[Any, str] | None:
        """The last node of the chain through an Erf, and the tensor that it starts with."""
        scaled = self._makers.get(erf.input[0])
        x = None if scaled is None else self._scaled(scaled)
        added = self._only_reader(erf)
        if x is None or added is None or self._other(added, "Add", erf.output[0], 1.0) is None:
            return None
        product = self._only_reader(added)
        if product is None or product.op_type != "Mul":
            return None
        other = next((name for name in product.input if name != added.output[0]), "")
        if other == x:
            last = self._only_reader(product)
            halved = last is not None and self._other(last, "Mul", product.output[0], 0.5) is not None
            return (last, x) if halved else None
        half = self._makers.get(other)
        return (product, x) if half is not None and self._other(half, "Mul", x, 0.5) is not None else None

    def _scaled(self, node: Any) -> str | None:
        if node.op_type == "Div" and self._is(node.input[1], math.sqrt(2)):
            return str(node.input[0])
        if node.op_type == "Mul":
            for name, other in (node.input, reversed(node.input)):
                if self._is(other, math.sqrt(0.5)):
                    return str(name)
        return None

    def _other(self, node: Any, op: str, name: str, number: float) -> Any:
        """The node, if it combines a tensor with a number."""
        if node.op_type != op or name not in node.input:
            return None
        rest = [other for other in node.input if other != name]
        return node if len(rest) == 1 and self._is(rest[0], number) else None

    def _only_reader(self, node: Any) -> Any:
        readers = self._readers.get(node.output[0], [])
        return readers[0] if len(readers) == 1 else None

    def _is(self, name: str, number: float) -> bool:
        value = self._constants.get(name)
        maker = self._makers.get(name)
        if value is None and maker is not None and maker.op_type == "Constant":
            held = [attribute for attribute in maker.attribute if attribute.name == "value"]
            value = helper.get_attribute_value(held[0]) if held else None
            if value is not None:
                from onnx import numpy_helper

                value = numpy_helper.to_array(value)
        return (
            value is not None
            and np.size(value) == 1
            and math.isclose(np.ravel(value)[0], number, rel_tol=1e-5)
        )
