"""A scale in front of convolutions, moved into their kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from pixelproof.convert.optimize.network import Network
from pixelproof.convert.optimize.rewrite import kernel_of, multiplied_constant


class ScaleBefore:
    """K * (s x) equals (s K) * x, for a constant s of each input channel; zero padding stays zero.

    Networks trained on 0 .. 255 begin so. (A shift can't be moved: padding would have to follow it.)
    """

    id = "scale_before"
    title = "scales in front of convolutions folded into them"

    def sites(self, network: Network) -> list[str]:
        return [node.name for node in network if self._fits(network, node)]

    def _fits(self, network: Network, node: Any) -> bool:
        found = multiplied_constant(network, node)
        users = network.users(node.name)
        if found is None or not users:
            return False
        for user in users:
            kernel = kernel_of(network, user)
            if kernel is None or network.node(user.input[0]).name != node.name:
                return False
            if found[1].size not in (1, kernel.shape[2]):
                return False
        return True

    def apply(self, network: Network, site: str) -> None:
        found = multiplied_constant(network, network.node(site))
        assert found is not None
        source, scale = found
        for user in network.users(site):
            kernel = kernel_of(network, user)
            assert kernel is not None
            scaled = kernel.astype(np.float64) * scale.astype(np.float64)[:, None]
            weights = network.add_constant(scaled.astype(kernel.dtype), near=user.name, by=self.id)
            network.set_input(user.name, 0, source)
            network.set_input(user.name, 1, weights)
