"""Instance normalisation, written out, as one scale and one shift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pixelproof.convert.optimize.evaluate import Constant
from pixelproof.convert.optimize.network import ADDITIONS, Network


@dataclass(frozen=True)
class _Parts:
    """What an instance normalisation is made of; ``root`` is sqrt(variance + epsilon)."""

    image: str
    mean: str
    root: str
    gain: Constant
    bias: Constant | None
    end: str


class InstanceNorm:
    """g (x - m) / r + b equals a x + c with a = g / r and c = b - a m, where m and r are of each channel alone.

    Four passes over the picture become two; a and c have one value a channel.
    """

    id = "instance_norm"
    title = "instance normalisation as one scale and one shift"

    def sites(self, network: Network) -> list[str]:
        return [node.name for node in network if self._parts(network, node) is not None]

    def apply(self, network: Network, site: str) -> None:
        parts = self._parts(network, network.node(site))
        assert parts is not None

        def add(op: str, *inputs: str) -> str:
            return network.add(op, inputs, near=site, by=self.id)

        def constant(value: Constant) -> str:
            return network.add_constant(value, near=site, by=self.id)

        scale = add("RealDiv", constant(parts.gain), parts.root)
        moved = add("Mul", scale, parts.mean)
        bias = parts.bias if parts.bias is not None else np.zeros((), parts.gain.dtype)
        shift = add("Sub", constant(bias), moved)
        network.replace(parts.end, add("AddV2", add("Mul", parts.image, scale), shift))

    def _parts(self, network: Network, node: Any) -> _Parts | None:
        """The parts of a normalisation whose division this node is."""
        if node.op != "RealDiv":
            return None
        centred, root = network.node(node.input[0]), network.node(node.input[1])
        if centred.op != "Sub" or root.op != "Sqrt" or network.only_user(centred.name) is None:
            return None
        mean = network.node(centred.input[1])
        if not _is_of_each_channel(network, mean) or not _is_of_each_channel(network, _within(network, root)):
            return None
        gain: Constant = np.ones((), np.float32)
        bias, end = None, node
        user = network.only_user(end.name)
        if user is not None and user.op == "Mul" and (value := _other(network, user, end)) is not None:
            gain, end = value, user
            user = network.only_user(end.name)
        if user is not None and user.op in ADDITIONS and (value := _other(network, user, end)) is not None:
            bias, end = value, user
        return _Parts(centred.input[0], centred.input[1], node.input[1], gain, bias, end.name)


def _within(network: Network, root: Any) -> Any:
    """The variance in sqrt(variance + epsilon)."""
    inner = network.node(root.input[0])
    if inner.op not in ADDITIONS:
        return inner
    first = network.constant(inner.input[0]) is not None
    return network.node(inner.input[1 if first else 0])


def _is_of_each_channel(network: Network, node: Any) -> bool:
    if node.op != "Mean" or not node.attr["keep_dims"].b:
        return False
    axes = network.constant(node.input[1])
    return axes is not None and sorted(axes.ravel().tolist()) == [1, 2]


def _other(network: Network, node: Any, known: Any) -> Constant | None:
    """The per-channel constant that stands beside a known input."""
    sides = [network.node(tensor).name for tensor in node.input]
    if known.name not in sides:
        return None
    value = network.constant(node.input[1 - sides.index(known.name)])
    if value is None or value.shape != (1,) * (value.ndim - 1) + value.shape[-1:]:
        return None
    return value
