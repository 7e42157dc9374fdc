"""Instance normalisation, written out, as one scale and one shift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pixelproof.convert.optimize.evaluate import Constant
from pixelproof.convert.optimize.network import ADDITIONS, Network
from pixelproof.convert.optimize.packing import POINTWISE
from pixelproof.convert.optimize.rewrite import added_constant, kernel_of


@dataclass(frozen=True)
class _Parts:
    """What an instance normalisation is made of; ``root`` is sqrt(variance + epsilon), or 1 over it."""

    image: str
    mean: str
    root: str
    is_inverse: bool
    gain: Constant
    bias: Constant | None
    end: str


class InstanceNorm:
    """g (x - m) / r + b equals a x + c with a = g / r and c = b - a m, where m and r are of each channel alone.

    Four passes over the picture become two; a and c have one value a channel. oneDNN has one kernel for all of it,
    which TensorFlow's optimiser takes where it finds this form with a gain and a bias. It drops those that are
    exactly 1 and 0, and then doesn't find it: these become the next larger number.
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

        channels = parts.gain.size if parts.gain.size > 1 else channels_of(network, parts.image)
        gain, bias = _next_to_neutral(parts, channels)
        scale = add("Mul" if parts.is_inverse else "RealDiv", constant(gain), parts.root)
        moved = add("Mul", scale, parts.mean)
        network.replace(
            parts.end, add("AddV2", add("Mul", parts.image, scale), add("Sub", constant(bias), moved))
        )

    def _parts(self, network: Network, node: Any) -> _Parts | None:
        """The parts of a normalisation whose division this node is."""
        if node.op not in ("RealDiv", "Mul") or len(node.input) != 2:
            return None
        is_inverse = node.op == "Mul"
        order = (1, 0) if is_inverse and network.node(node.input[0]).op == "Rsqrt" else (0, 1)
        centred, root = (network.node(node.input[index]) for index in order)
        if centred.op != "Sub" or root.op != ("Rsqrt" if is_inverse else "Sqrt"):
            return None
        mean = network.node(centred.input[1])
        if network.only_user(centred.name) is None or not _is_of_each_channel(network, mean):
            return None
        if not _is_of_each_channel(network, _within(network, root)):
            return None
        gain: Constant = np.ones((), np.float32)
        bias, end = None, node
        user = network.only_user(end.name)
        if user is not None and user.op == "Mul" and (value := _other(network, user, end)) is not None:
            gain, end = value, user
            user = network.only_user(end.name)
        if user is not None and user.op in ADDITIONS and (value := _other(network, user, end)) is not None:
            bias, end = value, user
        image, centre = centred.input
        return _Parts(image, centre, node.input[order[1]], is_inverse, gain, bias, end.name)


def _next_to_neutral(parts: _Parts, channels: int | None) -> tuple[Constant, Constant]:
    """(gain, bias) of each channel, none of them neutral; as they are where the number of channels isn't known."""
    gain = parts.gain
    bias = np.zeros((), gain.dtype) if parts.bias is None else parts.bias
    if channels is None:
        return gain, bias
    gain, bias = (np.broadcast_to(value.reshape(-1), channels).copy() for value in (gain, bias))
    gain[gain == 1] = np.nextafter(gain.dtype.type(1), gain.dtype.type(2))
    bias[bias == 0] = np.finfo(bias.dtype).tiny
    return gain, bias


def channels_of(network: Network, tensor: str) -> int | None:
    """How many channels a tensor has, as the constants say with which it was computed; None where none does."""
    node = network.node(tensor)
    while node.input:
        kernel = kernel_of(network, node)
        if kernel is not None:
            return int(kernel.shape[3])
        added = added_constant(network, node)
        if added is not None and added[1].size > 1:
            return int(added[1].size)
        if added is None and node.op not in POINTWISE:
            return None
        node = network.node(added[0] if added is not None else node.input[0])
    return None


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
