"""Convolutions with few outputs, packed so that several pixels fill the lanes of one."""

from __future__ import annotations

from typing import Any

import numpy as np

from pixelproof.convert.optimize.evaluate import Constant
from pixelproof.convert.optimize.network import Network
from pixelproof.convert.optimize.packing import BLOCK, unpack
from pixelproof.convert.optimize.rewrite import centred_kernel_of

MOST_OUTPUTS = 4
SMALLEST_KERNEL = 3


class PackLast:
    """A convolution to c channels equals depth_to_space of a strided one to 4 c channels.

    With an odd kernel K of k x k at stride 1 and padding SAME, the outputs at (2y + i, 2x + j), for i, j in {0, 1},
    are the outputs at (y, x) of a convolution of stride 2 with the kernel of (k + 1) x (k + 1) that holds K shifted
    down by i and right by j. CPU kernels compute outputs in blocks of 8 or 16 channels; 3 leave most of it idle.

    SAME pads the strided one as it must be: for n rows the total is k - 1 where n is even and k where it is odd, of
    which (k - 1) / 2 go before. An odd row or column at the end is cut off behind the depth_to_space. Bias and
    pointwise activations move before the depth_to_space, where they are computed on full blocks too.
    """

    id = "pack_last"
    title = "convolutions with few outputs packed four pixels to one"

    def sites(self, network: Network) -> list[str]:
        return [node.name for node in network if self._fits(network, node)]

    def _fits(self, network: Network, node: Any) -> bool:
        kernel = centred_kernel_of(network, node)
        if kernel is None:
            return False
        return bool(kernel.shape[3] <= MOST_OUTPUTS and min(kernel.shape[:2]) >= SMALLEST_KERNEL)

    def apply(self, network: Network, site: str) -> None:
        convolution = next(node for node in network if node.name == site)
        kernel = centred_kernel_of(network, convolution)
        assert kernel is not None
        packed = network.add_constant(packed_kernel(kernel), near=site, by=self.id)
        end = network.add(
            "Conv2D",
            [convolution.input[0], packed],
            near=site,
            by=self.id,
            attributes={"strides": [1, BLOCK, BLOCK, 1], "padding": b"SAME", "data_format": b"NHWC"},
        )
        unpack(network, convolution, end, channels=kernel.shape[3], by=self.id)


def packed_kernel(kernel: Constant) -> Constant:
    """Kernel of the strided convolution, its outputs in the order that depth_to_space takes.

    Args:
        kernel: (height, width, inputs, outputs).

    Returns:
        (height + 1, width + 1, inputs, 4 * outputs).
    """
    height, width, inputs, outputs = kernel.shape
    grown = (height + BLOCK - 1, width + BLOCK - 1)
    packed = np.zeros((*grown, inputs, BLOCK, BLOCK, outputs), kernel.dtype)
    for i in range(BLOCK):
        for j in range(BLOCK):
            packed[i : i + height, j : j + width, :, i, j] = kernel
    return packed.reshape(*grown, inputs, BLOCK * BLOCK * outputs)
