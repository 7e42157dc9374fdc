"""Pixel shuffles that were written with reshape and transpose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pixelproof.convert.optimize.network import Network
from pixelproof.convert.optimize.rewrite import added_constant, kernel_of

BLOCK_FIRST = (0, 1, 3, 2, 4, 5)
CHANNEL_FIRST = (0, 1, 4, 2, 5, 3)


@dataclass(frozen=True)
class _Shuffle:
    """A shuffle's first node, its block, its channels, and whether channels stand before the block's places."""

    source: str
    block: int
    channels: int
    channel_first: bool


class DepthToSpace:
    """reshape, transpose, reshape is depth_to_space where the six axes say so.

    (n, h, w, r, r, c) turned to (n, h, r, w, r, c) is TensorFlow's own order. (n, h, w, c, r, r), PyTorch's, is the
    same after the channels are put in the other order, which the convolution before does by its outputs' order.
    """

    id = "depth_to_space"
    title = "pixel shuffles of reshape and transpose as depth_to_space"

    def sites(self, network: Network) -> list[str]:
        return [node.name for node in network if self._shuffle(network, node) is not None]

    def apply(self, network: Network, site: str) -> None:
        found = self._shuffle(network, network.node(site))
        assert found is not None
        if found.channel_first:
            self._reorder(network, found)
        attributes = {"block_size": found.block, "data_format": b"NHWC"}
        end = network.add("DepthToSpace", [found.source], near=site, by=self.id, attributes=attributes)
        network.replace(site, end)

    def _shuffle(self, network: Network, last: Any) -> _Shuffle | None:
        """The shuffle that ends in this reshape."""
        if last.op != "Reshape":
            return None
        turned = network.node(last.input[0])
        if turned.op != "Transpose" or network.only_user(turned.name) is None:
            return None
        order = network.constant(turned.input[1])
        first = network.node(turned.input[0])
        if order is None or first.op != "Reshape" or network.only_user(first.name) is None:
            return None
        axes = tuple(order.ravel().tolist())
        sizes = _sizes(network, first.input[1])
        final = _sizes(network, last.input[1])
        if axes not in (BLOCK_FIRST, CHANNEL_FIRST) or len(sizes) != 6 or len(final) != 4:
            return None
        channel_first = axes == CHANNEL_FIRST
        channels, *block = (sizes[3], sizes[4], sizes[5]) if channel_first else (sizes[5], sizes[3], sizes[4])
        if channels is None or block[0] is None or block[0] != block[1] or block[0] < 2:
            return None
        if final[3] not in (channels, -1):
            return None
        found = _Shuffle(first.input[0], block[0], channels, channel_first)
        return None if channel_first and self._convolution(network, found, first.name) is None else found

    def _convolution(self, network: Network, found: _Shuffle, user: str) -> tuple[Any, Any | None] | None:
        """(convolution, its bias' node) that computes what is shuffled, for nobody else."""
        node = network.node(found.source)
        if _readers(network, node) != [user]:
            return None
        bias = None
        if (added := added_constant(network, node)) is not None:
            bias, node = node, network.node(added[0])
            if _readers(network, node) != [bias.name]:
                return None
        kernel = kernel_of(network, node)
        if kernel is None or kernel.shape[3] != found.channels * found.block**2:
            return None
        return node, bias

    def _reorder(self, network: Network, found: _Shuffle) -> None:
        (user,) = _readers(network, network.node(found.source))
        parts = self._convolution(network, found, user)
        assert parts is not None
        node, bias = parts
        kernel = kernel_of(network, node)
        assert kernel is not None
        order = np.arange(kernel.shape[3]).reshape(found.channels, -1).T.ravel()
        network.set_input(node.name, 1, network.add_constant(kernel[..., order], near=node.name, by=self.id))
        if bias is not None:
            added = added_constant(network, bias)
            assert added is not None
            if added[1].size > 1:
                index = 0 if network.node(bias.input[1]).name == node.name else 1
                moved = network.add_constant(added[1][order], near=bias.name, by=self.id)
                network.set_input(bias.name, index, moved)


def _readers(network: Network, node: Any) -> list[str]:
    """Nodes that use a node's values, and not its shape alone."""
    return [user.name for user in network.users(node.name) if user.op != "Shape"]


def _sizes(network: Network, tensor: str) -> list[int | None]:
    """A shape's numbers, None where they depend on the input; empty where nothing is known."""
    value = network.constant(tensor)
    if value is not None:
        return [int(number) for number in value.ravel()]
    node = network.node(tensor)
    if node.op != "Pack":
        return []
    parts = [network.constant(part) for part in node.input]
    return [None if part is None else int(part) for part in parts]
