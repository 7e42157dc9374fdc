"""Operators that compute each number for itself, from one value or from several that broadcast."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
from typing import Any

import numpy as np
import tensorflow as tf

from pixelproof.convert.from_onnx import sizes
from pixelproof.convert.from_onnx.node import Node, Translate, refuse
from pixelproof.convert.from_onnx.values import Known, Moving, Value, broadcast, moving

Unary = Callable[[Any], Any]
Binary = Callable[[Any, Any], Any]


def unary(function: Unary, node: Node) -> Value:
    """A function of one number."""
    x = moving(node.input(0))
    return Moving(function(x.tensor), x.order)


def combined(function: Binary, on_sizes: Callable[..., sizes.Number] | None, node: Node) -> Value:
    """A function of two numbers, over all inputs from left to right."""
    values = [node.input(place) for place in range(len(node.inputs))]
    if on_sizes is not None and all(isinstance(value, Known) for value in values):
        arrays = [value.array for value in values if isinstance(value, Known)]
        return Known(reduce(partial(sizes.elementwise, on_sizes), arrays))
    tensors, order = broadcast(values)
    return Moving(reduce(function, tensors), order)


def divide(node: Node) -> Value:
    """Div; whole numbers towards zero. By one real number it is a product, as networks for 0..255 end in."""
    value, divisor = node.input(0), node.input(1)
    if isinstance(value, Moving) and isinstance(divisor, Known) and divisor.rank <= value.rank:
        number = divisor.array.reshape(-1)[0] if divisor.is_numeric and divisor.array.size == 1 else 0
        if number != 0 and value.tensor.dtype.is_floating:
            return Moving(value.tensor * np.float32(1 / np.float64(number)), value.order)

    def call(a: Any, b: Any) -> Any:
        return tf.truncatediv(a, b) if a.dtype.is_integer else a / b

    return combined(call, sizes.divide, node)


def modulo(node: Node) -> Value:
    """Mod with the divisor's sign."""
    refuse(node.whole("fmod", 0) != 0, "fmod")
    return combined(tf.math.floormod, sizes.modulo, node)


def mean(node: Node) -> Value:
    """Mean of several values."""
    total = combined(tf.add, None, node)
    assert isinstance(total, Moving)
    return Moving(total.tensor / float(len(node.inputs)), total.order)


def power(node: Node) -> Value:
    """Pow; squares and roots by their own operations."""
    exponent = node.input(1)
    if isinstance(exponent, Known) and exponent.is_numeric and exponent.array.size == 1:
        known = float(exponent.array.reshape(()))
        own: dict[float, Unary] = {2.0: tf.square, 0.5: tf.sqrt, 1.0: tf.identity}
        if known in own and exponent.rank <= node.input(0).rank:
            return unary(own[known], node)
    tensors, order = broadcast((node.input(0), exponent))
    return Moving(tf.pow(tensors[0], tf.cast(tensors[1], tensors[0].dtype)), order)


def where(node: Node) -> Value:
    """Where."""
    values = [node.input(place) for place in range(3)]
    if all(isinstance(value, Known) for value in values):
        condition, yes, no = (value.array for value in values if isinstance(value, Known))
        return Known(sizes.elementwise(_chosen, condition, yes, no))
    tensors, order = broadcast(values)
    return Moving(tf.where(*tensors), order)


def _chosen(condition: sizes.Number, yes: sizes.Number, no: sizes.Number) -> sizes.Number:
    if not isinstance(condition, sizes.Side):
        return yes if condition else no
    parts = [n.tensor if isinstance(n, sizes.Side) else n for n in (yes, no)]
    return sizes.Side(tf.where(condition.tensor, *parts))


def on_known(function: Callable[..., sizes.Number], of_tensors: Unary, node: Node) -> Value:
    """A function of one number that sizes go through too."""
    value = node.input(0)
    if isinstance(value, Known):
        return Known(sizes.elementwise(function, value.array))
    return unary(of_tensors, node)


OPERATORS: dict[str, Translate] = {
    "Add": partial(combined, tf.add, sizes.add),
    "Sum": partial(combined, tf.add, sizes.add),
    "Sub": partial(combined, tf.subtract, sizes.subtract),
    "Mul": partial(combined, tf.multiply, sizes.multiply),
    "Max": partial(combined, tf.maximum, sizes.larger),
    "Min": partial(combined, tf.minimum, sizes.smaller),
    "Div": divide,
    "Mod": modulo,
    "Mean": mean,
    "Pow": power,
    "Where": where,
    "Equal": partial(combined, tf.equal, sizes.same),
    "Greater": partial(combined, tf.greater, sizes.greater),
    "GreaterOrEqual": partial(combined, tf.greater_equal, sizes.greater_or_same),
    "Less": partial(combined, tf.less, sizes.less),
    "LessOrEqual": partial(combined, tf.less_equal, sizes.less_or_same),
    "And": partial(combined, tf.logical_and, sizes.both_hold),
    "Or": partial(combined, tf.logical_or, sizes.one_holds),
    "Not": partial(on_known, sizes.holds_not, tf.logical_not),
    "Neg": partial(on_known, sizes.negate, tf.negative),
    "Floor": partial(on_known, sizes.floor, tf.floor),
    "Ceil": partial(on_known, sizes.ceil, tf.math.ceil),
    "Round": partial(unary, tf.round),
    "Abs": partial(unary, tf.abs),
    "Sign": partial(unary, tf.sign),
    "Sqrt": partial(unary, tf.sqrt),
    "Reciprocal": partial(unary, tf.math.reciprocal),
    "Exp": partial(unary, tf.exp),
    "Log": partial(unary, tf.math.log),
    "Sin": partial(unary, tf.sin),
    "Cos": partial(unary, tf.cos),
    "Erf": partial(unary, tf.math.erf),
}
