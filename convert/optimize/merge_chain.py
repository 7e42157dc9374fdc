"""Two convolutions in a row, with nothing between them that bends, as one."""

from __future__ import annotations

from typing import Any

import numpy as np

from pixelproof.convert.optimize.evaluate import Constant
from pixelproof.convert.optimize.linear_part import composed
from pixelproof.convert.optimize.network import Network
from pixelproof.convert.optimize.rewrite import (
    add_convolution,
    added_constant,
    kernel_of,
    shaping_of,
    strides_of,
)


class MergeChain:
    """K2 * (K1 * x + b1) + b2 equals (K2 K1) * x + (K2 b1 + b2), where one of the two is 1 x 1.

    The second may be 1 x 1 whatever the first one's padding and stride are. The first may be 1 x 1 if the second pads
    nothing, or if b1 is zero: padding puts zeros around K1 * x + b1, not b1. ECB's expanding and reducing
    convolutions are such chains.
    """

    id = "merge_chain"
    title = "convolutions in a row merged into one"

    def sites(self, network: Network) -> list[str]:
        return [node.name for node in network if self._parts(network, node) is not None]

    def apply(self, network: Network, site: str) -> None:
        second = network.node(site)
        parts = self._parts(network, second)
        assert parts is not None
        first, bias = parts
        k1, k2 = kernel_of(network, first), kernel_of(network, second)
        assert k1 is not None and k2 is not None
        shaping = first if _is_pointwise(second, k2) else second
        end = add_convolution(
            network,
            first.input[0],
            composed(k1.astype(np.float64), k2.astype(np.float64)),
            np.broadcast_to(bias, k1.shape[3]) @ k2.astype(np.float64).sum((0, 1)),
            shaping=shaping_of(shaping),
            near=site,
            by=self.id,
        )
        network.replace(site, end)

    def _parts(self, network: Network, second: Any) -> tuple[Any, Constant] | None:
        """(first convolution, its bias in float64) of a chain that ends in this node."""
        k2 = kernel_of(network, second)
        if k2 is None:
            return None
        first = network.node(second.input[0])
        if network.only_user(first.name) is None:
            return None
        bias: Constant = np.zeros(1)
        if (added := added_constant(network, first)) is not None:
            bias = added[1].astype(np.float64)
            first = network.node(added[0])
            if network.only_user(first.name) is None:
                return None
        k1 = kernel_of(network, first)
        if k1 is None or bias.size not in (1, k1.shape[3]) or not _saves(k1, k2):
            return None
        if _is_pointwise(second, k2):
            return first, bias
        unpadded = second.attr["padding"].s == b"VALID" or not np.any(bias)
        return (first, bias) if _is_pointwise(first, k1) and unpadded else None


def _is_pointwise(node: Any, kernel: Constant) -> bool:
    """Whether a convolution computes every pixel of that pixel alone."""
    bare = node.attr["padding"].s != b"EXPLICIT"
    return bare and kernel.shape[:2] == (1, 1) and strides_of(node) == (1, 1)


def _saves(first: Constant, second: Constant) -> bool:
    """Whether one convolution takes no more multiplications than the two; strides aside."""
    height, width = (max(a, b) for a, b in zip(first.shape[:2], second.shape[:2], strict=True))
    return bool(height * width * first.shape[2] * second.shape[3] <= first.size + second.size)
