"""Reshape, Transpose and their like; pixel shuffles, also those written as reshapes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from pixelproof.convert.from_onnx.node import Node, Translate, refuse
from pixelproof.convert.from_onnx.shuffles import as_shuffle
from pixelproof.convert.from_onnx.sizes import Side
from pixelproof.convert.from_onnx.values import (
    CHANNELS_LAST,
    Known,
    Moving,
    Regrouped,
    Value,
    known,
    numbers,
    plain,
    raw,
    tensor_of,
)

ROWS = (0, 2, 1)
"""The order in which an image becomes a list of its pixels, channels last."""


def reshape(node: Node) -> Value:
    """Reshape."""
    value = node.input(0)
    asked = known(node.input(1), what="a shape")
    refuse(node.whole("allowzero", 0) != 0 and 0 in asked, "allowzero")
    if isinstance(value, Known):
        refuse(any(isinstance(n, Side) for n in asked), "sizes in a shape that the image's size decides")
        kept = [value.array.shape[i] if n == 0 else n for i, n in enumerate(asked)]
        return Known(value.array.reshape(kept))
    copied = {i for i, n in enumerate(asked) if not isinstance(n, Side) and n == 0}
    shape = [value.side(i) if i in copied else n for i, n in enumerate(asked)]
    return reshaped(value, _settled(value, shape, copied))


def _settled(value: Moving, shape: list[int | Side], copied: set[int]) -> list[int | Side]:
    """The shape with its -1 as a number, where the axes that aren't copied tell it."""
    rest = [value.known_side(axis) for axis in range(value.rank) if axis not in copied]
    stated = [n for i, n in enumerate(shape) if i not in copied and n != -1]
    whole = [n for n in rest if n is not None]
    if -1 not in shape or len(whole) != len(rest) or any(isinstance(n, Side) for n in stated):
        return shape
    number = math.prod(whole) // math.prod(n for n in stated if isinstance(n, int))
    return [number if n == -1 else n for n in shape]


def reshaped(value: Moving, shape: Sequence[int | Side]) -> Moving:
    """A value in another shape, of which one number may be -1."""
    shuffled = as_shuffle(value, shape)
    if shuffled is not None:
        return shuffled
    same_start = len(shape) > 2 and all(_equal(value, axis, shape[axis]) for axis in (0, 1))
    if same_start and value.order == CHANNELS_LAST and len(shape) == 3:
        return Moving(tf.reshape(value.tensor, raw([shape[0], shape[2], shape[1]])), ROWS)
    if same_start and value.order == ROWS and len(shape) == 4:
        return Moving(tf.reshape(value.tensor, raw([shape[i] for i in CHANNELS_LAST])), CHANNELS_LAST)
    order = plain(len(shape))
    origin = Regrouped(value, tuple(shape), order) if value.rank == 4 else None
    return Moving(tf.reshape(tensor_of(value), raw(shape)), order, origin)


def _equal(value: Moving, axis: int, asked: int | Side) -> bool:
    side = value.tensor.shape[value.axis(axis)]
    return side is not None and not isinstance(asked, Side) and int(side) == asked


def transpose(node: Node) -> Value:
    """Transpose: of a tensor only the order of its axes is told anew."""
    value = node.input(0)
    order = node.wholes("perm", tuple(reversed(range(value.rank))))
    if isinstance(value, Known):
        return Known(value.array.transpose(order))
    origin = value.origin
    if isinstance(origin, Regrouped):
        origin = Regrouped(origin.image, origin.shape, tuple(origin.order[axis] for axis in order))
    else:
        origin = None
    return Moving(value.tensor, tuple(order.index(axis) for axis in value.order), origin)


def flatten(node: Node) -> Value:
    """Flatten to two axes."""
    value = node.input(0)
    axis = node.whole("axis", 1)
    axis = axis + value.rank if axis < 0 else axis
    refuse(not isinstance(value, Moving), "sizes")
    assert isinstance(value, Moving)
    first = [value.known_side(i) for i in range(axis)]
    refuse(None in first, "axes that the image's size decides")
    return reshaped(value, [math.prod(n for n in first if n is not None), -1])


def _axes(node: Node) -> list[int] | None:
    """Axes: an attribute up to opset 12, then an input; None where none are named."""
    given = node.optional(1)
    if given is not None:
        return [int(n) for n in numbers(given, what="axes").reshape(-1)]
    listed = node.wholes("axes", ())
    return list(listed) if listed else None


def unsqueeze(node: Node) -> Value:
    """Unsqueeze."""
    value, axes = node.input(0), _axes(node) or []
    rank = value.rank + len(axes)
    new = {axis % rank for axis in axes}
    if isinstance(value, Known):
        return Known(np.expand_dims(value.array, tuple(sorted(new))))
    old = [axis for axis in range(rank) if axis not in new]
    renamed = [old[axis] for axis in value.order]
    wanted = CHANNELS_LAST if rank == 4 else plain(rank)
    if [axis for axis in wanted if axis not in new] != renamed:
        wanted = (*sorted(new), *renamed)
    tensor = value.tensor
    for place, axis in enumerate(wanted):
        if axis in new:
            tensor = tf.expand_dims(tensor, place)
    return Moving(tensor, tuple(wanted))


def squeeze(node: Node) -> Value:
    """Squeeze."""
    value, axes = node.input(0), _axes(node)
    if isinstance(value, Known):
        listed = None if axes is None else tuple(axes)
        return Known(np.squeeze(value.array, axis=listed))
    if axes is None:
        axes = [axis for axis in range(value.rank) if value.known_side(axis) == 1]
    gone = {axis % value.rank for axis in axes}
    tensor = (
        tf.squeeze(value.tensor, axis=sorted(value.axis(axis) for axis in gone)) if gone else value.tensor
    )
    return without_axes(tensor, value.order, gone)


def without_axes(tensor: Any, order: Sequence[int], gone: set[int]) -> Moving:
    """A tensor from which some of ONNX's axes were taken out, the others numbered anew."""
    left = [axis for axis in order if axis not in gone]
    numbering = {axis: new for new, axis in enumerate(sorted(left))}
    return Moving(tensor, tuple(numbering[axis] for axis in left))


def expand(node: Node) -> Value:
    """Expand: repeat along axes of length one."""
    value, asked = node.input(0), known(node.input(1), what="a shape")
    if isinstance(value, Known) and value.is_numeric and not any(isinstance(n, Side) for n in asked):
        return Known(value.array * np.ones(asked, value.array.dtype))
    tensor = tensor_of(value)
    shape = raw(asked)
    full = tf.broadcast_dynamic_shape(tf.shape(tensor), tf.cast(shape, tf.int32))
    return Moving(tf.broadcast_to(tensor, full), plain(max(value.rank, len(asked))))


def tile(node: Node) -> Value:
    """Tile."""
    value = node.input(0)
    times = known(node.input(1), what="repeats")
    refuse(not isinstance(value, Moving), "sizes")
    assert isinstance(value, Moving)
    return Moving(tf.tile(value.tensor, raw([times[axis] for axis in value.order])), value.order)


OPERATORS: dict[str, Translate] = {
    "Reshape": reshape,
    "Transpose": transpose,
    "Flatten": flatten,
    "Unsqueeze": unsqueeze,
    "Squeeze": squeeze,
    "Expand": expand,
    "Tile": tile,
}
