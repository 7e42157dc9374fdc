"""Zero padding in steps, or in front of a convolution, done once."""

from __future__ import annotations

from typing import Any

import numpy as np

from pixelproof.convert.optimize.evaluate import Constant
from pixelproof.convert.optimize.network import Network
from pixelproof.convert.optimize.rewrite import kernel_of, strides_of


class MergePadding:
    """pad(pad(x, p), q) equals pad(x, p + q); and pads of (k - 1) / 2 before a VALID convolution are its SAME.

    Pads of one tensor by the same numbers become one node.
    """

    id = "merge_padding"
    title = "padding merged, or left to the convolution behind it"

    def sites(self, network: Network) -> list[str]:
        return [node.name for node in network if self._kind(network, node) is not None]

    def apply(self, network: Network, site: str) -> None:
        node = network.node(site)
        kind = self._kind(network, node)
        before = network.node(node.input[0])
        if kind == "twice":
            inner, outer = amounts_of(network, before), amounts_of(network, node)
            assert inner is not None and outer is not None
            total = network.add_constant((inner + outer).astype(np.int32), near=site, by=self.id)
            network.set_input(site, 1, total)
            network.set_input(site, 0, before.input[0])
        elif kind == "same":
            network.replace(site, self._equal(network, node).name)
        else:
            network.set_padding(site, b"SAME")
            network.set_input(site, 0, before.input[0])

    def _kind(self, network: Network, node: Any) -> str | None:
        amounts = amounts_of(network, node)
        if amounts is not None:
            before = network.node(node.input[0])
            if amounts_of(network, before) is not None and network.only_user(before.name) is not None:
                return "twice"
            return "same" if self._equal(network, node) is not node else None
        kernel = kernel_of(network, node)
        if kernel is None or node.attr["padding"].s != b"VALID" or strides_of(node) != (1, 1):
            return None
        padded = amounts_of(network, network.node(node.input[0]))
        height, width = kernel.shape[:2]
        if padded is None or height % 2 == 0 or width % 2 == 0:
            return None
        wanted = [[0, 0], [height // 2] * 2, [width // 2] * 2, [0, 0]]
        return "convolution" if padded.tolist() == wanted else None

    def _equal(self, network: Network, node: Any) -> Any:
        """The first node that pads the same tensor by the same numbers."""
        source, amounts = network.source(node.input[0]), amounts_of(network, node)
        assert amounts is not None
        for other in network:
            found = amounts_of(network, other)
            same = found is not None and found.tolist() == amounts.tolist()
            if same and network.source(other.input[0]) == source:
                return other
        return node


def amounts_of(network: Network, node: Any) -> Constant | None:
    """(4, 2) constant zeros that a node puts around a tensor; None where it is no such padding."""
    if node.op == "PadV2":
        value = network.constant(node.input[2])
        if value is None or np.any(value):
            return None
    elif node.op != "Pad":
        return None
    amounts = network.constant(node.input[1])
    return amounts if amounts is not None and amounts.shape == (4, 2) else None
