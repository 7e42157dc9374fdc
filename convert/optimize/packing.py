"""Packed pixels, four to one, back to a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from tensorflow.python.framework.dtypes import float32, int32

from pixelproof.convert.optimize.network import Network
from pixelproof.convert.optimize.rewrite import added_constant, multiplied_constant

Block = tuple[int, int]
"""Pixels that one packed pixel holds: rows and columns; one row, or as many rows as columns."""

BLOCK = 2
POINTWISE = frozenset({"Relu", "Relu6", "Tanh", "Sigmoid", "LeakyRelu", "Elu", "Softplus"})


def unpack(
    network: Network,
    convolution: Any,
    packed: str,
    *,
    channels: int,
    by: str,
    block: Block = (BLOCK, BLOCK),
) -> None:
    """Let all that used a convolution use packed pixels, spread by depth_to_space and cut to its size.

    Pixels of one row lie side by side already: to spread them is another shape of the same memory.

    What follows it pointwise (bias, scale, activation) is computed before that.

    Args:
        packed: tensor (1, rows, columns, block's pixels * channels), in depth_to_space's order.
        by: the rewrite that asks.
    """
    last, end = convolution, packed
    while (user := network.only_user(last.name)) is not None:
        moved = _moved(network, user, end, channels=channels, times=block[0] * block[1], by=by)
        if moved is None:
            break
        end, last = moved, user
    site = convolution.name
    if block[0] == 1:
        whole = _side_by_side(network, end, like=convolution.input[0], channels=channels, near=site, by=by)
    else:
        attributes = {"block_size": block[0], "data_format": b"NHWC"}
        whole = network.add("DepthToSpace", [end], near=site, by=by, attributes=attributes)
    network.replace(last.name, _cut(network, whole, like=convolution.input[0], near=site, by=by))


def shape_of(network: Network, tensor: str, *, near: str, by: str) -> str:
    """A tensor's shape, as a new tensor of int32."""
    attributes = {"T": float32, "out_type": int32}
    return network.add("Shape", [tensor], near=near, by=by, attributes=attributes)


def _moved(network: Network, node: Any, before: str, *, channels: int, times: int, by: str) -> str | None:
    """A pointwise node once more, on packed pixels; None for another node."""
    if node.op in POINTWISE:
        copied = {k: node.attr[k].f for k in ("alpha",) if k in node.attr}
        return network.add(node.op, [before], near=node.name, by=by, attributes=copied)
    found = added_constant(network, node) or multiplied_constant(network, node)
    if found is None or found[1].size not in (1, channels):
        return None
    tiled = np.tile(np.broadcast_to(found[1], channels), times)
    constant = network.add_constant(tiled, near=node.name, by=by)
    return network.add(node.op, [before, constant], near=node.name, by=by)


def _side_by_side(network: Network, packed: str, *, like: str, channels: int, near: str, by: str) -> str:
    """Pixels of a row one after another: as many rows as another tensor has, columns as they come."""

    def constant(value: object) -> str:
        return network.add_constant(np.array(value, np.int32), near=near, by=by)

    size = shape_of(network, like, near=near, by=by)
    masks = {"begin_mask": 1, "end_mask": 0, "ellipsis_mask": 0, "new_axis_mask": 0, "shrink_axis_mask": 0}
    ends = [size, constant([0]), constant([2]), constant([1])]
    attributes = {"T": int32, "Index": int32, **masks}
    outer = network.add("StridedSlice", ends, near=near, by=by, attributes=attributes)
    parts = [outer, constant([-1, channels]), constant(0)]
    attributes = {"T": int32, "N": 2, "Tidx": int32}
    shape = network.add("ConcatV2", parts, near=near, by=by, attributes=attributes)
    return network.add("Reshape", [packed, shape], near=near, by=by, attributes={"Tshape": int32})


def _cut(network: Network, whole: str, *, like: str, near: str, by: str) -> str:
    """The first rows and columns of a tensor, as many as another has."""
    size = shape_of(network, like, near=near, by=by)
    start = network.add_constant(np.zeros(4, np.int32), near=near, by=by)
    step = network.add_constant(np.ones(4, np.int32), near=near, by=by)
    masks = {"begin_mask": 0b1111, "end_mask": 0b1001, "ellipsis_mask": 0, "new_axis_mask": 0}
    attributes = {"Index": int32, "shrink_axis_mask": 0, **masks}
    return network.add("StridedSlice", [whole, start, size, step], near=near, by=by, attributes=attributes)
