"""Slice, Split, Concat, Gather and Pad."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from pixelproof.convert.from_onnx.layout import without_axes
from pixelproof.convert.from_onnx.node import Node, Translate, refuse
from pixelproof.convert.from_onnx.sizes import Side, settled
from pixelproof.convert.from_onnx.values import Known, Moving, Value, arranged, known, moving, numbers, raw

END = 2**31 - 1
MOST_EDGES = 16


def slice_(node: Node) -> Value:
    """Slice."""
    value = node.input(0)
    starts, ends = (known(node.input(p), what="a limit") for p in (1, 2))
    given = [node.optional(place) for place in (3, 4)]
    axes = list(range(len(starts))) if given[0] is None else [int(n) for n in numbers(given[0], what="axes")]
    steps = [1] * len(starts) if given[1] is None else [int(n) for n in numbers(given[1], what="steps")]
    cuts: list[Any] = [slice(None)] * value.rank
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        cuts[axis % value.rank] = slice(_limit(start), _limit(end), step)
    if isinstance(value, Known):
        refuse(any(isinstance(n, Side) for n in (*starts, *ends)), "limits that the image's size decides")
        return Known(settled(value.array[tuple(cuts)]))
    return Moving(value.tensor[tuple(cuts[axis] for axis in value.order)], value.order)


def _limit(number: int | Side) -> Any:
    """A limit for TensorFlow; None is the end, on the side of which it is."""
    if isinstance(number, Side):
        return number.tensor
    return None if abs(number) >= END else number


def split(node: Node) -> list[Value]:
    """Split by listed sizes, or evenly."""
    value = node.input(0)
    axis = node.whole("axis", 0) % value.rank
    given = node.optional(1)
    if given is not None:
        listed = known(given, what="sizes")
    else:
        listed = list(node.wholes("split", ()))
    refuse(not isinstance(value, Moving), "sizes")
    assert isinstance(value, Moving)
    if not listed:
        length = value.static_side(axis, what="an axis to split evenly")
        each = -(-length // node.outputs)
        listed = [min(each, length - each * place) for place in range(node.outputs)]
    refuse(len(listed) != node.outputs, f"{node.outputs} outputs of {len(listed)} sizes")
    parts = tf.split(value.tensor, raw(listed), axis=value.axis(axis), num=len(listed))
    return [Moving(part, value.order) for part in parts]


def concat(node: Node) -> Value:
    """Concat."""
    values = [node.input(place) for place in range(len(node.inputs))]
    axis = node.whole("axis", 0) % values[0].rank
    if all(isinstance(value, Known) for value in values):
        arrays = [value.array for value in values if isinstance(value, Known)]
        mixed = any(array.dtype == object for array in arrays)
        joined = np.concatenate([array.astype(object) if mixed else array for array in arrays], axis=axis)
        return Known(settled(joined))
    lead = next(value for value in values if isinstance(value, Moving))
    tensors = [arranged(moving(value), lead.order) for value in values]
    tensors = [tf.cast(tensor, lead.tensor.dtype) for tensor in tensors]
    return Moving(tf.concat(tensors, axis=lead.axis(axis)), lead.order)


def gather(node: Node) -> Value:
    """Gather by known places: one, or a list of them."""
    value = node.input(0)
    places = numbers(node.input(1), what="places")
    axis = node.whole("axis", 0) % value.rank
    refuse(places.ndim > 1, f"places of {places.ndim} axes")
    if isinstance(value, Known):
        taken = np.take(value.array, places.astype(np.int64), axis=axis)
        return Known(_held(taken))
    along = value.axis(axis)
    length = value.known_side(axis)
    refuse(length is None and bool(np.any(places < 0)), "places counted from an end that the image decides")
    places = np.where(places < 0, places + (length or 0), places).astype(np.int32)
    y = tf.gather(value.tensor, places if places.ndim else int(places), axis=along)
    return Moving(y, value.order) if places.ndim else without_axes(y, value.order, {axis})


def _held(taken: Any) -> Any:
    """What NumPy took out of an array, as an array; it gives a single object bare."""
    if isinstance(taken, np.ndarray):
        return settled(taken)
    held = np.empty((), dtype=object)
    held[()] = taken if isinstance(taken, Side) else np.asarray(taken).item()
    return settled(held)


def pad(node: Node) -> Value:
    """Pad by zeros or another number, by reflection, or by the edge; negative amounts cut off."""
    value = moving(node.input(0))
    given = node.optional(1)
    amounts = known(given, what="amounts") if given is not None else list(node.wholes("pads", ()))
    axes = list(range(value.rank))
    if node.optional(3) is not None:
        axes = [int(n) % value.rank for n in numbers(node.optional(3), what="axes").reshape(-1)]
    refuse(len(amounts) != 2 * len(axes), f"{len(amounts)} amounts for {len(axes)} axes")
    around: list[list[Any]] = [[0, 0] for _ in range(value.rank)]
    for place, axis in enumerate(axes):
        around[axis] = [amounts[place], amounts[place + len(axes)]]
    around = [around[axis] for axis in value.order]
    tensor, around = _cut(value.tensor, around)
    mode = node.text("mode", "constant")
    if not any(isinstance(n, Side) or n for both in around for n in both):
        return Moving(tensor, value.order)
    return Moving(_padded(tensor, around, mode, _constant(node)), value.order)


def _constant(node: Node) -> float:
    given = node.optional(2)
    if given is None:
        return node.real("value", 0.0)
    return float(numbers(given, what="a value").reshape(()))


def _cut(tensor: Any, around: list[list[Any]]) -> tuple[Any, list[list[Any]]]:
    """Negative amounts as slices; what is left to pad."""
    negative = [[not isinstance(n, Side) and n < 0 for n in both] for both in around]
    if not any(any(both) for both in negative):
        return tensor, around
    cuts = tuple(
        slice(-front if is_cut[0] else None, back if is_cut[1] else None)
        for (front, back), is_cut in zip(around, negative, strict=True)
    )
    left = [
        [0 if cut else n for n, cut in zip(both, is_cut, strict=True)]
        for both, is_cut in zip(around, negative, strict=True)
    ]
    return tensor[cuts], left


def _padded(tensor: Any, around: list[list[Any]], mode: str, value: float) -> Any:
    fixed = not any(isinstance(n, Side) for both in around for n in both)
    amounts = around if fixed else tf.reshape(raw([n for both in around for n in both]), (-1, 2))
    if mode in ("constant", "reflect"):
        y = tf.pad(tensor, amounts, mode=mode.upper(), constant_values=value)
        sides = zip(tensor.shape, around, strict=True)
        y.set_shape(
            [
                None if any(isinstance(n, Side) for n in both) or side is None else side + sum(both)
                for side, both in sides
            ]
        )
        return y
    refuse(mode != "edge", f"mode {mode}")
    refuse(not fixed, "edges as wide as the image's size decides")
    most = max(n for both in around for n in both)
    refuse(most > MOST_EDGES, f"edges of {most} pixels")
    for step in range(most):  # a symmetric border of one pixel is the edge itself
        tensor = tf.pad(tensor, [[int(n > step) for n in both] for both in around], mode="SYMMETRIC")
    return tensor


OPERATORS: dict[str, Translate] = {
    "Slice": slice_,
    "Concat": concat,
    "Split": split,
    "Gather": gather,
    "Pad": pad,
}
