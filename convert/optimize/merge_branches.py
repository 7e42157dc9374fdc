"""Parallel convolutions of one picture, and the picture itself, summed up in one convolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pixelproof.convert.optimize.evaluate import Constant
from pixelproof.convert.optimize.network import ADDITIONS, Network
from pixelproof.convert.optimize.rewrite import added_constant, centred_kernel_of


@dataclass(frozen=True)
class _Branch:
    """One summand: a convolution of a tensor, or (kernel None) the tensor itself."""

    source: str
    kernel: Constant | None
    bias: Constant


class MergeBranches:
    """K1 * x + b1 + K2 * x + b2 equals (K1 + K2) * x + (b1 + b2), the smaller kernel centred in the larger one.

    A bare x is the 1 x 1 convolution with the unit matrix: RepVGG's three branches, after its batch normalisations
    were folded, are one convolution. All have stride 1, odd kernels and padding SAME.
    """

    id = "merge_branches"
    title = "parallel branches merged into one convolution"

    def sites(self, network: Network) -> list[str]:
        return [node.name for node in network if self._pair(network, node) is not None]

    def apply(self, network: Network, site: str) -> None:
        pair = self._pair(network, network.node(site))
        assert pair is not None
        first, second = pair
        kernels = [b.kernel for b in pair if b.kernel is not None]
        height = max(kernel.shape[0] for kernel in kernels)
        width = max(kernel.shape[1] for kernel in kernels)
        channels = kernels[0].shape[2:]
        total = np.zeros((height, width, *channels), np.float64)
        for branch in pair:
            kernel = np.eye(*channels)[None, None] if branch.kernel is None else branch.kernel
            top, left = (height - kernel.shape[0]) // 2, (width - kernel.shape[1]) // 2
            total[top : top + kernel.shape[0], left : left + kernel.shape[1]] += kernel
        weights = network.add_constant(total.astype(kernels[0].dtype), near=site, by=self.id)
        attributes = {"strides": [1, 1, 1, 1], "padding": b"SAME", "data_format": b"NHWC"}
        end = network.add("Conv2D", [first.source, weights], near=site, by=self.id, attributes=attributes)
        bias = (first.bias + second.bias).astype(kernels[0].dtype)
        if np.any(bias):
            constant = network.add_constant(np.broadcast_to(bias, channels[1:]).copy(), near=site, by=self.id)
            end = network.add(
                "BiasAdd", [end, constant], near=site, by=self.id, attributes={"data_format": b"NHWC"}
            )
        network.replace(site, end)

    def _pair(self, network: Network, node: Any) -> tuple[_Branch, _Branch] | None:
        if node.op not in ADDITIONS:
            return None
        sides = [network.source(tensor) for tensor in node.input]
        branches = [self._branch(network, network.node(side)) for side in sides]
        found = [branch for branch in branches if branch is not None]
        if not found:
            return None
        for index in (0, 1):
            other = branches[1 - index]
            if other is not None and sides[index] == other.source:
                kernel = other.kernel
                assert kernel is not None
                if kernel.shape[2] == kernel.shape[3]:
                    return other, _Branch(other.source, None, np.zeros(1))
        first, second = branches
        if first is None or second is None or first.source != second.source or sides[0] == sides[1]:
            return None
        assert first.kernel is not None and second.kernel is not None
        return (first, second) if first.kernel.shape[2:] == second.kernel.shape[2:] else None

    def _branch(self, network: Network, node: Any) -> _Branch | None:
        """The convolution that a node ends, if nothing else uses it."""
        if network.only_user(node.name) is None:
            return None
        bias: Constant = np.zeros(1)
        if (added := added_constant(network, node)) is not None:
            bias = added[1].astype(np.float64)
            node = network.node(added[0])
            if network.only_user(node.name) is None:
                return None
        kernel = centred_kernel_of(network, node)
        if kernel is None or bias.size not in (1, kernel.shape[3]):
            return None
        return _Branch(network.source(node.input[0]), kernel, bias)
