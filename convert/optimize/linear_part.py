"""What a tensor is to an earlier one, where nothing between them bends: one convolution of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pixelproof.convert.optimize.evaluate import Constant
from pixelproof.convert.optimize.fold_affine import affine
from pixelproof.convert.optimize.merge_padding import amounts_of
from pixelproof.convert.optimize.network import ADDITIONS, Network
from pixelproof.convert.optimize.rewrite import kernel_of, shaping_of, strides_of

DEPTHWISE = "DepthwiseConv2dNative"
SUMS = frozenset({*ADDITIONS, "AddN", "Sub"})


@dataclass(frozen=True)
class LinearPart:
    """A tensor as ``kernel * pad(source) + bias``, the convolution itself padding nothing.

    Attributes:
        sides: height and width of the kernel.
        channels: (inputs, outputs); None of the source itself and its multiples by a number, which any number has.
        padding: zeros around the source: above and below, left and right.
        kernel: gives (height, width, inputs, outputs), float64, for a number of channels that is only asked of a part
            whose ``channels`` are None.
        bias: float64, (outputs,) or (1,).
        multiplications: of one pixel, by the nodes as they are.
        nodes: names of those nodes.
    """

    sides: tuple[int, int]
    channels: tuple[int, int] | None
    padding: tuple[int, int]
    kernel: Callable[[int], Constant]
    bias: Constant
    multiplications: int = 0
    nodes: frozenset[str] = frozenset()


IDENTITY = LinearPart((1, 1), None, (0, 0), lambda count: np.eye(count)[None, None], np.zeros(1))


class LinearParts:
    """The parts of a network as they are to one source.

    Args:
        source: tensor, seen through identities.
    """

    def __init__(self, network: Network, source: str) -> None:
        self._network = network
        self._known: dict[str, LinearPart | None] = {source: IDENTITY}

    def of(self, tensor: str) -> LinearPart | None:
        """The tensor as one convolution of the source; None where it is none, or of more than the source."""
        tensor = self._network.source(tensor)
        if tensor not in self._known:
            self._known[tensor] = None  # a loop ends here
            node = self._network.node(tensor)
            found = None if ":" in tensor else self._step(node)
            self._known[tensor] = found and replace(found, nodes=found.nodes | {node.name})
        return self._known[tensor]

    def _step(self, node: Any) -> LinearPart | None:
        inputs = linear_inputs(self._network, node)
        parts = [self.of(tensor) for tensor in inputs]
        known = [part for part in parts if part is not None]
        if not known or len(known) < len(parts):
            return None
        if len(known) > 1:
            return _sum(known, negative=node.op == "Sub")
        part = known[0]
        amounts = amounts_of(self._network, node)
        if amounts is not None:
            return _padded(part, amounts)
        kernel = convolution_of(self._network, node)
        if kernel is not None:
            return _convolved(part, node, kernel)
        step = affine(self._network, node, self._network.source(inputs[0]))
        return None if step is None else _scaled(part, *step)


def linear_inputs(network: Network, node: Any) -> list[str]:
    """Tensors of which a node is a linear function, one or several; none where it isn't linear, or has strides."""
    if amounts_of(network, node) is not None or convolution_of(network, node) is not None:
        return [node.input[0]]
    for tensor in node.input:
        if network.constant(tensor) is None and affine(network, node, network.source(tensor)) is not None:
            return [tensor]
    is_sum = node.op in SUMS and node.attr["T"].type == 1
    return list(node.input) if is_sum and len(node.input) > 1 else []


def convolution_of(network: Network, node: Any) -> Constant | None:
    """Constant kernel of a convolution of stride 1; a depthwise one's is (height, width, inputs, outputs of each)."""
    if node.op != DEPTHWISE:
        kernel = kernel_of(network, node)
        return kernel if kernel is not None and strides_of(node) == (1, 1) else None
    plain = strides_of(node) == (1, 1) and not set(node.attr["dilations"].list.i) - {1}
    if not plain or node.attr["data_format"].s not in (b"NHWC", b"") or node.attr["T"].type != 1:
        return None
    kernel = network.constant(node.input[1])
    return kernel if kernel is not None and kernel.ndim == 4 else None


def spread(kernel: Constant) -> Constant:
    """A depthwise kernel as one that knows all channels, with zeros between different ones."""
    height, width, inputs, each = kernel.shape
    dense = np.zeros((height, width, inputs, inputs, each), kernel.dtype)
    dense[:, :, np.arange(inputs), np.arange(inputs)] = kernel
    return dense.reshape(height, width, inputs, inputs * each)


def _convolved(part: LinearPart, node: Any, kernel: Constant) -> LinearPart | None:
    height, width, inputs, outputs = kernel.shape
    is_depthwise = node.op == DEPTHWISE
    border = _border(node, height, width)
    padded = None if border is None else _padded(part, border)
    if padded is None or not {part.bias.size, *(part.channels or ())[1:]} <= {1, inputs}:
        return None
    if part.channels is not None and part.channels[1] != inputs:
        return None
    doubled = kernel.astype(np.float64)
    total = doubled.sum((0, 1), keepdims=True)
    first = inputs if part.channels is None else part.channels[0]
    return replace(
        padded,
        sides=(part.sides[0] + height - 1, part.sides[1] + width - 1),
        channels=(first, inputs * outputs if is_depthwise else outputs),
        kernel=lambda _: composed(part.kernel(first), spread(doubled) if is_depthwise else doubled),
        bias=np.broadcast_to(part.bias, inputs) @ (spread(total) if is_depthwise else total)[0, 0],
        multiplications=part.multiplications + kernel.size,
    )


def _border(node: Any, height: int, width: int) -> Constant | None:
    """(4, 2) zeros that a convolution puts around its input; None for even kernels, where the two sides differ."""
    padding = node.attr["padding"].s
    if padding == b"VALID":
        return np.zeros((4, 2), np.int64)
    if padding == b"EXPLICIT":
        return np.array(shaping_of(node)["explicit_paddings"]).reshape(4, 2)
    if height % 2 == 0 or width % 2 == 0:
        return None
    return np.array([[0, 0], [height // 2] * 2, [width // 2] * 2, [0, 0]])


def _padded(part: LinearPart, amounts: Constant) -> LinearPart | None:
    """Zeros around a part are zeros around its source, where it has neither a bias nor neighbours."""
    (top, bottom), (left, right) = amounts[1].tolist(), amounts[2].tolist()
    if amounts[[0, 3]].any() or top != bottom or left != right or min(top, left) < 0:
        return None
    if (top or left) and (part.sides != (1, 1) or np.any(part.bias)):
        return None
    return replace(part, padding=(part.padding[0] + top, part.padding[1] + left))


def _scaled(part: LinearPart, factor: Constant, term: Constant) -> LinearPart | None:
    wide = {factor.size, term.size, part.bias.size} - {1}
    channels = part.channels
    if channels is None and len(wide) == 1:
        (count,) = wide
        channels = count, count
    if wide - set((channels or ())[1:]):
        return None
    return replace(
        part,
        channels=channels,
        kernel=lambda count: part.kernel(channels[0] if channels else count) * factor,
        bias=part.bias * factor + term,
    )


def _sum(parts: list[LinearPart], *, negative: bool) -> LinearPart | None:
    known = {part.channels for part in parts if part.channels is not None}
    if len(known) > 1:
        return None
    channels = next(iter(known), None)
    if channels is not None and channels[0] != channels[1] and any(part.channels is None for part in parts):
        return None
    sides = _largest([part.sides for part in parts])
    padding = _largest([part.padding for part in parts])
    for part in parts:
        for axis in (0, 1):
            if 2 * (padding[axis] - part.padding[axis]) != sides[axis] - part.sides[axis]:
                return None
    signs = [1.0] + [-1.0 if negative else 1.0] * (len(parts) - 1)

    def kernel(count: int) -> Constant:
        inputs = channels[0] if channels else count
        total: Constant = np.zeros(1)
        for sign, part in zip(signs, parts, strict=True):
            total = total + sign * centred(part.kernel(inputs), sides)
        return total

    biases = np.broadcast_arrays(*(sign * part.bias for sign, part in zip(signs, parts, strict=True)))
    return LinearPart(
        sides=sides,
        channels=channels,
        padding=padding,
        kernel=kernel,
        bias=np.sum(biases, axis=0),
        multiplications=sum(part.multiplications for part in parts),
        nodes=frozenset[str]().union(*(part.nodes for part in parts)),
    )


def _largest(pairs: list[tuple[int, int]]) -> tuple[int, int]:
    first, second = zip(*pairs, strict=True)
    return max(first), max(second)


def composed(first: Constant, second: Constant) -> Constant:
    """Kernel of two convolutions in a row that pad nothing.

    Args:
        first: (height, width, inputs, middle).
        second: (height, width, middle, outputs).
    """
    height, width = second.shape[:2]
    grown = (first.shape[0] + height - 1, first.shape[1] + width - 1)
    total: Constant = np.zeros((*grown, first.shape[2], second.shape[3]))
    for i in range(height):
        for j in range(width):
            total[i : i + first.shape[0], j : j + first.shape[1]] += first @ second[i, j]
    return total


def centred(kernel: Constant, sides: tuple[int, int]) -> Constant:
    """A kernel with zeros around it, the same on both sides."""
    top, left = (sides[0] - kernel.shape[0]) // 2, (sides[1] - kernel.shape[1]) // 2
    return np.pad(kernel, ((top, top), (left, left), (0, 0), (0, 0)))
