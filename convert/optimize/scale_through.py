"""A scale behind a rearrangement, moved in front of it, where a convolution can take it up."""

from __future__ import annotations

from typing import Any

import numpy as np

from pixelproof.convert.optimize.network import Network
from pixelproof.convert.optimize.rewrite import multiplied_constant


class ScaleThrough:
    """s * depth_to_space(x) equals depth_to_space(s x), for one constant s."""

    id = "scale_through"
    title = "scales moved in front of depth_to_space"

    def sites(self, network: Network) -> list[str]:
        return [node.name for node in network if self._fits(network, node)]

    def _fits(self, network: Network, node: Any) -> bool:
        found = multiplied_constant(network, node)
        if found is None or found[1].size != 1:
            return False
        moved = network.node(found[0])
        return moved.op == "DepthToSpace" and network.only_user(moved.name) is not None

    def apply(self, network: Network, site: str) -> None:
        found = multiplied_constant(network, network.node(site))
        assert found is not None
        moved = network.node(found[0])
        scale = network.add_constant(np.asarray(found[1][0]), near=site, by=self.id)
        scaled = network.add("Mul", [moved.input[0], scale], near=site, by=self.id)
        network.set_input(moved.name, 0, scaled)
        network.replace(site, moved.name)
