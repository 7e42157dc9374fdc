"""Parallel branches of one picture without activations, and the picture itself, as one convolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pixelproof.convert.optimize.linear_part import SUMS, LinearPart, LinearParts, linear_inputs
from pixelproof.convert.optimize.network import Network
from pixelproof.convert.optimize.rewrite import add_convolution

MOST_NODES = 64


class MergeBranches:
    """K1 * x + b1 + K2 * x + b2 equals (K1 + K2) * x + (b1 + b2), the smaller kernel centred in the larger one.

    A bare x is the 1 x 1 convolution with the unit matrix; scales, shifts and batch normalisation are 1 x 1
    convolutions with a diagonal one; a depthwise convolution is one with zeros between channels; and convolutions in
    a row are one, K2 * (K1 * x + b1) = (K2 K1) * x + K2 b1, as long as no zeros are padded around b1 or around more
    than a 1 x 1 convolution. So RepVGG's three branches are one convolution, and ECB's five, with their expanding,
    reducing and edge-finding steps.

    It is done where one convolution takes no more multiplications than all that it replaces.
    """

    id = "merge_branches"
    title = "parallel branches merged into one convolution"

    def sites(self, network: Network) -> list[str]:
        return [node.name for node in network if self._found(network, node) is not None]

    def apply(self, network: Network, site: str) -> None:
        found = self._found(network, network.node(site))
        assert found is not None
        source, part = found
        assert part.channels is not None
        shaping = {"strides": [1, 1, 1, 1], "padding": b"SAME" if any(part.padding) else b"VALID"}
        kernel = part.kernel(part.channels[0])
        end = add_convolution(network, source, kernel, part.bias, shaping=shaping, near=site, by=self.id)
        network.replace(site, end)

    def _found(self, network: Network, node: Any) -> tuple[str, LinearPart] | None:
        """(source, the sum as one convolution of it) where that saves most; None where it saves nowhere."""
        if node.op not in SUMS or len(linear_inputs(network, node)) < 2:
            return None
        best: tuple[int, str, LinearPart] | None = None
        for source in self._sources(network, node):
            part = LinearParts(network, source).of(node.name)
            if part is None or part.channels is None or not self._closed(network, node, part):
                continue
            saved = part.multiplications - int(np.prod(part.sides)) * int(np.prod(part.channels))
            if not _placeable(part) or saved < 0:
                continue
            if best is None or saved > best[0]:
                best = saved, source, part
        return None if best is None else best[1:]

    def _sources(self, network: Network, node: Any) -> list[str]:
        """What the sum is a function of alone, the nearest first: every way back through linear steps leads there."""
        steps: dict[str, list[str]] = {}
        waiting = [node.name]
        while waiting and len(steps) < MOST_NODES:
            tensor = waiting.pop(0)
            if tensor not in steps:
                inputs = [] if ":" in tensor else linear_inputs(network, network.node(tensor))
                steps[tensor] = [network.source(one) for one in inputs]
                waiting += steps[tensor]
        found = dict.fromkeys(tensor for inputs in steps.values() for tensor in inputs)
        return [source for source in found if _all_ways_end(steps, node.name, source)]

    def _closed(self, network: Network, end: Any, part: LinearPart) -> bool:
        """Whether nobody else uses what lies between the source and the sum."""
        inner = part.nodes - {end.name}
        return all(user.name in part.nodes for name in inner for user in network.users(name))


def _placeable(part: LinearPart) -> bool:
    """Whether a convolution's padding SAME or VALID does it."""
    same = all(2 * pad == side - 1 for pad, side in zip(part.padding, part.sides, strict=True))
    return same or not any(part.padding)


def _all_ways_end(steps: Mapping[str, Sequence[str]], start: str, end: str) -> bool:
    waiting, seen = [start], {end}
    while waiting:
        tensor = waiting.pop()
        if tensor in seen:
            continue
        seen.add(tensor)
        if not steps.get(tensor):
            return False
        waiting += steps[tensor]
    return True
