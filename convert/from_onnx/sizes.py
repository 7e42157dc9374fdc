"""Numbers that the image's size decides, as `Shape` gives them: scalar tensors in arrays of objects."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from pixelproof.measure.protocol import Array


class Side:
    """One number that is known when an image comes: int32, float32, or whether something holds."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: Any) -> None:
        self.tensor = tensor

    @property
    def is_whole(self) -> bool:
        """Whether it is an integer."""
        return bool(self.tensor.dtype.is_integer)


Number = int | float | bool | Side


def side_of(tensor: Any, axis: int) -> int | Side:
    """The length of one of a tensor's axes, as a number where it is known already."""
    known = tensor.shape[axis]
    return int(known) if known is not None else Side(tf.shape(tensor)[axis])


def is_numeric(array: Array) -> bool:
    """Whether all is known already."""
    return bool(array.dtype != object)


def settled(array: Array) -> Array:
    """An array of objects as plain numbers where no `Side` is in it."""
    if is_numeric(array) or any(isinstance(item, Side) for item in array.flat):
        return array
    if array.size and all(isinstance(item, bool | np.bool_) for item in array.flat):
        return array.astype(np.bool_)
    floats = any(isinstance(item, float) for item in array.flat)
    return array.astype(np.float32 if floats else np.int64)


def elementwise(function: Callable[..., Number], *arrays: Array) -> Array:
    """A function of numbers, on arrays that broadcast."""
    result = np.frompyfunc(function, len(arrays), 1)(*(array.astype(object) for array in arrays))
    held = np.empty(np.shape(result), dtype=object)
    held[...] = result
    return settled(held)


def as_tensor(array: Array) -> Any:
    """The array as a tensor; whole numbers become int32, truths stay what they are."""
    if is_numeric(array):
        whole = array.dtype.kind in "iu"
        return tf.constant(array.astype(np.int32) if whole else array)
    items = [item.tensor if isinstance(item, Side) else item for item in array.flat]
    floats = any(isinstance(i, float) or (tf.is_tensor(i) and i.dtype.is_floating) for i in items)
    truths = all(isinstance(i, bool) or (tf.is_tensor(i) and i.dtype.is_bool) for i in items)
    dtype = tf.bool if truths else tf.float32 if floats else tf.int32
    stacked = tf.stack([tf.cast(item, dtype) for item in items])
    return tf.reshape(stacked, array.shape)


def _raw(number: Number) -> Any:
    return number.tensor if isinstance(number, Side) else number


def _both(plain: Callable[[Any, Any], Any], in_graph: Callable[[Any, Any], Any]) -> Callable[..., Number]:
    def call(a: Number, b: Number) -> Number:
        if isinstance(a, Side) or isinstance(b, Side):
            return Side(in_graph(_raw(a), _raw(b)))
        result: Number = plain(a, b)
        return result

    return call


def _one(plain: Callable[[Any], Any], in_graph: Callable[[Any], Any]) -> Callable[..., Number]:
    def call(a: Number) -> Number:
        if isinstance(a, Side):
            return Side(in_graph(a.tensor))
        result: Number = plain(a)
        return result

    return call


def _divided(a: Any, b: Any) -> Any:
    """ONNX divides whole numbers towards zero."""
    if isinstance(a, float) or isinstance(b, float):
        return a / b
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _divided_in_graph(a: Any, b: Any) -> Any:
    whole = (a if tf.is_tensor(a) else b).dtype.is_integer
    return tf.truncatediv(a, b) if whole else a / b


add = _both(operator.add, operator.add)
subtract = _both(operator.sub, operator.sub)
multiply = _both(operator.mul, operator.mul)
divide = _both(_divided, _divided_in_graph)
modulo = _both(operator.mod, tf.math.floormod)
larger = _both(max, tf.maximum)
smaller = _both(min, tf.minimum)
negate = _one(operator.neg, operator.neg)
floor = _one(lambda a: float(math.floor(a)), tf.floor)
ceil = _one(lambda a: float(math.ceil(a)), tf.math.ceil)
to_whole = _one(int, lambda a: tf.cast(a, tf.int32))
to_real = _one(float, lambda a: tf.cast(a, tf.float32))
same = _both(operator.eq, tf.equal)
greater = _both(operator.gt, tf.greater)
greater_or_same = _both(operator.ge, tf.greater_equal)
less = _both(operator.lt, tf.less)
less_or_same = _both(operator.le, tf.less_equal)
both_hold = _both(lambda a, b: bool(a and b), tf.logical_and)
one_holds = _both(lambda a, b: bool(a or b), tf.logical_or)
holds_not = _one(operator.not_, tf.logical_not)
