"""Convolutions with few outputs, packed so that several pixels fill the lanes of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from pixelproof.convert.optimize.evaluate import Constant
from pixelproof.convert.optimize.network import Network
from pixelproof.convert.optimize.packing import BLOCK, Block, unpack
from pixelproof.convert.optimize.rewrite import centred_kernel_of

SMALLEST_KERNEL = 3


class PackLast:
    """A convolution to c channels equals depth_to_space of a strided one to p q c channels.

    With an odd kernel K of k x k at stride 1 and padding SAME, the outputs at (p y + i, q x + j), i < p and j < q,
    are the outputs at (y, x) of a convolution of stride (p, q) with the kernel of (k + p - 1) x (k + q - 1) that
    holds K shifted down by i and right by j. CPU kernels compute outputs in blocks of 8 or 16 channels; 3 leave most
    of it idle. Here p = q = 2.

    Zeros before the picture are (k - 1) / 2, as before, and after it p - 1 or q - 1 more, whether its size needs them
    or not; for 2 x 2, SAME is the same. Rows and columns too many at the end are cut off behind the depth_to_space.
    Bias and pointwise activations move before it, where they are computed on full blocks too.
    """

    id = "pack_last"
    title = "convolutions with few outputs packed four pixels to one"
    blocks: ClassVar[Mapping[int, Block]] = dict.fromkeys((1, 2, 3, 4), (BLOCK, BLOCK))
    """(p, q) by number of channels."""

    def sites(self, network: Network) -> list[str]:
        return [node.name for node in network if self._fits(network, node)]

    def _fits(self, network: Network, node: Any) -> bool:
        kernel = centred_kernel_of(network, node)
        if kernel is None:
            return False
        return bool(kernel.shape[3] in self.blocks and min(kernel.shape[:2]) >= SMALLEST_KERNEL)

    def apply(self, network: Network, site: str) -> None:
        convolution = next(node for node in network if node.name == site)
        kernel = centred_kernel_of(network, convolution)
        assert kernel is not None
        height, width, _, outputs = kernel.shape
        block = self.blocks[outputs]
        weights = network.add_constant(packed_kernel(kernel, block), near=site, by=self.id)
        padding: dict[str, Any] = {"padding": b"SAME"}
        if block != (BLOCK, BLOCK):
            rows, columns = height // 2, width // 2
            around = [0, 0, rows, rows + block[0] - 1, columns, columns + block[1] - 1, 0, 0]
            padding = {"padding": b"EXPLICIT", "explicit_paddings": around}
        end = network.add(
            "Conv2D",
            [convolution.input[0], weights],
            near=site,
            by=self.id,
            attributes={"strides": [1, *block, 1], "data_format": b"NHWC", **padding},
        )
        unpack(network, convolution, end, channels=outputs, by=self.id, block=block)


def packed_kernel(kernel: Constant, block: Block = (BLOCK, BLOCK)) -> Constant:
    """Kernel of the strided convolution, its outputs in the order that depth_to_space takes.

    Args:
        kernel: (height, width, inputs, outputs).
        block: rows and columns of pixels that become one.

    Returns:
        (height + rows - 1, width + columns - 1, inputs, rows * columns * outputs).
    """
    height, width, inputs, outputs = kernel.shape
    grown = (height + block[0] - 1, width + block[1] - 1)
    packed = np.zeros((*grown, inputs, *block, outputs), kernel.dtype)
    for i in range(block[0]):
        for j in range(block[1]):
            packed[i : i + height, j : j + width, :, i, j] = kernel
    return packed.reshape(*grown, inputs, -1)
