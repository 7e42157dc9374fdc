"""Convolutions with few inputs, which take four pixels' channels at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from tensorflow.python.framework.dtypes import float32, int32

from pixelproof.convert.optimize.evaluate import Constant
from pixelproof.convert.optimize.network import Network
from pixelproof.convert.optimize.pack_last import packed_kernel
from pixelproof.convert.optimize.packing import BLOCK, shape_of, unpack
from pixelproof.convert.optimize.rewrite import centred_kernel_of

MOST_INPUTS = 4
SMALLEST_KERNEL = 5


class PackFirst:
    """A convolution equals depth_to_space of one that takes space_to_depth of the picture.

    The (k + 1) x (k + 1) kernel that computes 2 x 2 pixels at stride 2 begins (k - 1) / 2 rows before them. Laid on
    the grid of space_to_depth, with a row of zeros before and behind where (k - 1) / 2 is odd, it is a kernel of
    half its size and four times its inputs, centred, at stride 1. An odd size is made even by zeros, and cut again.

    It saves nothing in multiplications, and pays only where kernels of few inputs are slow.
    """

    id = "pack_first"
    title = "convolutions with few inputs on four pixels at once"

    def sites(self, network: Network) -> list[str]:
        return [node.name for node in network if self._fits(network, node)]

    def _fits(self, network: Network, node: Any) -> bool:
        kernel = centred_kernel_of(network, node)
        if kernel is None:
            return False
        return bool(kernel.shape[2] <= MOST_INPUTS and min(kernel.shape[:2]) >= SMALLEST_KERNEL)

    def apply(self, network: Network, site: str) -> None:
        convolution = next(node for node in network if node.name == site)
        kernel = centred_kernel_of(network, convolution)
        assert kernel is not None
        weights = network.add_constant(gathered_kernel(kernel), near=site, by=self.id)
        even = self._made_even(network, convolution.input[0], site)
        block = {"block_size": BLOCK, "data_format": b"NHWC"}
        gathered = network.add("SpaceToDepth", [even], near=site, by=self.id, attributes=block)
        attributes = {"strides": [1, 1, 1, 1], "padding": b"SAME", "data_format": b"NHWC"}
        packed = network.add("Conv2D", [gathered, weights], near=site, by=self.id, attributes=attributes)
        unpack(network, convolution, packed, channels=kernel.shape[3], by=self.id)

    def _made_even(self, network: Network, tensor: str, site: str) -> str:
        """A tensor with a row or column of zeros behind it where its number is odd."""

        def constant(value: Constant) -> str:
            return network.add_constant(value, near=site, by=self.id)

        def add(op: str, *inputs: str, **attributes: Any) -> str:
            return network.add(op, inputs, near=site, by=self.id, attributes={"T": int32, **attributes})

        size = shape_of(network, tensor, near=site, by=self.id)
        odd = add("FloorMod", size, constant(np.array([1, BLOCK, BLOCK, 1], np.int32)))
        column = add("Reshape", odd, constant(np.array([4, 1], np.int32)), Tshape=int32)
        axis = constant(np.array(1, np.int32))
        amounts = add("ConcatV2", constant(np.zeros((4, 1), np.int32)), column, axis, N=2, Tidx=int32)
        return add("Pad", tensor, amounts, T=float32, Tpaddings=int32)


def gathered_kernel(kernel: Constant) -> Constant:
    """Kernel on space_to_depth's channels that computes 2 x 2 pixels, in depth_to_space's order.

    Args:
        kernel: (height, width, inputs, outputs), both sides odd.

    Returns:
        (grid height, grid width, 4 * inputs, 4 * outputs); both sides odd.
    """
    packed = packed_kernel(kernel)
    margins = [(side // 2) % 2 for side in kernel.shape[:2]]
    packed = np.pad(packed, [(margins[0],) * 2, (margins[1],) * 2, (0, 0), (0, 0)])
    height, width, inputs, outputs = packed.shape
    grid = packed.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK, inputs, outputs)
    return grid.transpose(0, 2, 1, 3, 4, 5).reshape(height // BLOCK, width // BLOCK, -1, outputs)
