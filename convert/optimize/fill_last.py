"""Convolutions with few outputs, packed until they fill the widest lanes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pixelproof.convert.optimize.pack_last import PackLast
from pixelproof.convert.optimize.packing import Block


class FillLast(PackLast):
    """The identity of `PackLast`, with blocks that make 15 or 16 outputs, as many as AVX-512 has lanes.

    For 3 channels the block is 1 x 5: 15 outputs of a k x (k + 4) kernel, k (k + 4) 16 / 5 multiplications of a lane
    for a pixel instead of (k + 1)^2 16 / 4. Pixels of one row already lie in the order of the picture, so that
    nothing is moved behind the convolution. For one channel the block is 4 x 4: (k + 3)^2 instead of 4 (k + 1)^2.
    """

    id = "fill_last"
    title = "convolutions with few outputs packed until they fill 16 lanes"
    blocks: ClassVar[Mapping[int, Block]] = {1: (4, 4), 2: (1, 8), 3: (1, 5)}
