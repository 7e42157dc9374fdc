"""Shape, Size, Cast and what else computes sizes out of an image's size."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from pixelproof.convert.from_onnx import sizes
from pixelproof.convert.from_onnx.node import Node, Translate, refuse
from pixelproof.convert.from_onnx.values import Known, Moving, Value, known, moving, plain, raw
from pixelproof.measure.protocol import Array

_FLOAT, _INT32, _INT64, _BOOL = 1, 6, 7, 9
_NAMES = {
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    8: "string",
    10: "float16",
    11: "double",
    16: "bfloat16",
}


def _objects(items: list[sizes.Number]) -> Array:
    held = np.empty(len(items), dtype=object)
    for place, item in enumerate(items):
        held[place] = item
    return sizes.settled(held)


def shape(node: Node) -> Value:
    """Shape, or a part of it."""
    value = node.input(0)
    if isinstance(value, Known):
        sides: list[sizes.Number] = list(value.array.shape)
    else:
        sides = [value.side(axis) for axis in range(value.rank)]
    start, end = node.whole("start", 0), node.whole("end", value.rank)
    if not sides[start:end]:
        return Known(np.zeros(0, np.int64))
    return Known(_objects(sides[start:end]))


def size(node: Node) -> Value:
    """Size: the product of all sides."""
    value = moving(node.input(0))
    total: sizes.Number = 1
    for axis in range(value.rank):
        total = sizes.multiply(total, value.side(axis))
    return Known(_objects([total]).reshape(()))


def cast(node: Node) -> Value:
    """Cast between float32, whole numbers and truth values."""
    value, to = node.input(0), node.whole("to", _FLOAT)
    refuse(to not in (_FLOAT, _INT32, _INT64, _BOOL), f"{_NAMES.get(to, f'type {to}')}")
    if isinstance(value, Known):
        refuse(to == _BOOL, "truth values of sizes")
        return Known(sizes.elementwise(sizes.to_real if to == _FLOAT else sizes.to_whole, value.array))
    kinds = {_FLOAT: tf.float32, _BOOL: tf.bool}
    return Moving(tf.cast(value.tensor, kinds.get(to, tf.int32)), value.order)


def constant_of_shape(node: Node) -> Value:
    """ConstantOfShape, of a shape that the image's size decides."""
    asked = known(node.input(0), what="a shape")
    number = node.attributes.get("value")
    fill = np.float32(0) if number is None else np.asarray(number).reshape(())
    whole = fill.dtype.kind in "iu"
    return Moving(tf.fill(raw(asked), tf.cast(fill, tf.int32 if whole else tf.float32)), plain(len(asked)))


OPERATORS: dict[str, Translate] = {
    "Shape": shape,
    "Size": size,
    "Cast": cast,
    "ConstantOfShape": constant_of_shape,
}
