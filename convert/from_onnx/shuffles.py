"""DepthToSpace and SpaceToDepth, by name or written as Reshape, Transpose, Reshape.

PyTorch numbers the channels of a pixel shuffle colour first (ONNX's mode CRD), TensorFlow phase first (DCR). Where
the channels come straight from a convolution, it is made with its channels in TensorFlow's order; else they are
gathered.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from pixelproof.convert.from_onnx.node import Node, Translate, refuse
from pixelproof.convert.from_onnx.sizes import Side
from pixelproof.convert.from_onnx.values import Convolved, Moving, Regrouped, Value, image, moving, of_image
from pixelproof.measure.protocol import Array

_UP = {(0, 1, 4, 2, 5, 3): "CRD", (0, 3, 4, 1, 5, 2): "DCR"}
_DOWN = {(0, 1, 3, 5, 2, 4): "CRD", (0, 3, 5, 1, 2, 4): "DCR"}


def phase_first(colours: int, block: int) -> Array:
    """At each place of TensorFlow's order the channel of PyTorch's."""
    return np.arange(colours * block**2).reshape(colours, block**2).transpose().reshape(-1)


def depth_to_space(node: Node) -> Value:
    """DepthToSpace."""
    mode = node.text("mode", "DCR")
    refuse(mode not in ("CRD", "DCR"), f"mode {mode}")
    return enlarged(moving(node.input(0)), node.whole("blocksize", 0), mode)


def space_to_depth(node: Node) -> Value:
    """SpaceToDepth."""
    return reduced(moving(node.input(0)), node.whole("blocksize", 0), "DCR")


def enlarged(value: Moving, block: int, mode: str) -> Moving:
    """Channels to pixels."""
    channels = value.static_side(1, what="channels")
    refuse(block < 1 or channels % block**2 != 0, f"{channels} channels for blocks of {block}x{block}")
    colours = channels // block**2
    if block == 1:
        return value
    if mode == "CRD" and colours > 1:
        order = phase_first(colours, block)
        if isinstance(value.origin, Convolved):
            value = value.origin.with_channels(order)
        else:
            value = of_image(tf.gather(image(value), order, axis=3))
    return of_image(tf.nn.depth_to_space(image(value), block))


def reduced(value: Moving, block: int, mode: str) -> Moving:
    """Pixels to channels."""
    refuse(block < 1, f"blocks of {block}x{block}")
    if block == 1:
        return value
    y = tf.nn.space_to_depth(image(value), block)
    colours = value.static_side(1, what="channels")
    if mode == "CRD" and colours > 1:
        y = tf.gather(y, np.argsort(phase_first(colours, block)), axis=3)
    return of_image(y)


def as_shuffle(value: Moving, shape: Sequence[int | Side]) -> Moving | None:
    """The pixel shuffle that a reshape ends, if it does; sides that the image decides are left to the proof."""
    origin = value.origin
    if not isinstance(origin, Regrouped) or len(origin.shape) != 6 or len(shape) != 4:
        return None
    start, channels = origin.shape, origin.image.known_side(1)
    if channels is None:
        return None
    if origin.order in _UP:
        mode = _UP[origin.order]
        colours, blocks = (start[1], start[2:4]) if mode == "CRD" else (start[3], start[1:3])
        block = _block(blocks)
        if block is None or colours != channels // block**2 or not _sides_are(origin.image, start[4:], 1, 1):
            return None
        fits = _is(shape[1], channels // block**2) and _sides_are(origin.image, shape[2:], block, 1)
        return enlarged(origin.image, block, mode) if fits else None
    if origin.order in _DOWN:
        block = _block((start[3], start[5]))
        if (
            block is None
            or start[1] != channels
            or not _sides_are(origin.image, (start[2], start[4]), 1, block)
        ):
            return None
        fits = _is(shape[1], channels * block**2) and _sides_are(origin.image, shape[2:], 1, block)
        return reduced(origin.image, block, _DOWN[origin.order]) if fits else None
    return None


def _block(blocks: Sequence[int | Side]) -> int | None:
    """The side of a square block, where it is one and known."""
    first, second = blocks
    if isinstance(first, Side) or isinstance(second, Side) or first != second or first < 2:
        return None
    return first


def _sides_are(image_: Moving, sides: Sequence[int | Side], times: int, over: int) -> bool:
    """Whether two sides are the image's, times one number and over another, for all that is known."""
    known = [image_.known_side(axis) for axis in (2, 3)]
    wanted = [None if side is None else side * times // over for side in known]
    return all(want is None or _is(side, want) for side, want in zip(sides, wanted, strict=True))


def _is(side: int | Side, wanted: int) -> bool:
    return isinstance(side, Side) or side in (wanted, -1)


OPERATORS: dict[str, Translate] = {"DepthToSpace": depth_to_space, "SpaceToDepth": space_to_depth}
