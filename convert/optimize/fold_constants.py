"""What doesn't depend on the input, computed once and stored."""

from __future__ import annotations

from typing import Any

from pixelproof.convert.optimize.network import PASSES, Network


class FoldConstants:
    """f(c) equals its value, for constants c: computed now, by NumPy in the tensors' own precision.

    A result that is larger than all that it is made of stays as it is, so that the file doesn't grow.
    """

    id = "fold_constants"
    title = "constant parts computed ahead"

    def sites(self, network: Network) -> list[str]:
        return [node.name for node in network if self._fits(network, node)]

    def apply(self, network: Network, site: str) -> None:
        value = network.constant(site)
        assert value is not None
        network.replace(site, network.add_constant(value, near=site, by=self.id))

    def _fits(self, network: Network, node: Any) -> bool:
        if node.op in ("Const", *PASSES):
            return False
        value = network.constant(node.name)
        if value is None or all(network.constant(user.name) is not None for user in network.users(node.name)):
            return False
        inputs = [network.constant(tensor) for tensor in node.input]
        return value.nbytes <= sum(i.nbytes for i in inputs if i is not None)
