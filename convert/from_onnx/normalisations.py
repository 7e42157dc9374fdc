"""Normalisation, and means over axes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from pixelproof.convert.from_onnx.node import Node, Translate, refuse
from pixelproof.convert.from_onnx.values import Moving, Value, image, moving, numbers, of_image, plain
from pixelproof.measure.protocol import Array


def batch_norm(node: Node) -> Value:
    """BatchNormalization of a trained network: a factor and a shift a channel."""
    refuse(node.whole("training_mode", 0) != 0 or node.outputs > 1, "training mode")
    scale, bias, mean, variance = (numbers(node.input(p), what="a statistic") for p in (1, 2, 3, 4))
    factor = scale.astype(np.float64) / np.sqrt(variance.astype(np.float64) + node.real("epsilon", 1e-5))
    shift = bias - mean * factor
    x = moving(node.input(0))
    return Moving(
        x.tensor * _by_channel(x, factor) + _by_channel(x, shift),
        x.order,
    )


def _by_channel(x: Moving, values: Array) -> Array:
    """One number a channel (ONNX's axis 1), so that it broadcasts against the tensor."""
    shape = [1] * (x.rank - x.axis(1))
    shape[0] = -1
    return values.astype(np.float32).reshape(shape)


def instance_norm(node: Node) -> Value:
    """InstanceNormalization: each channel of each image by its own mean and variance."""
    x = moving(node.input(0))
    axes = [x.axis(axis) for axis in range(2, x.rank)]
    scale, bias = (numbers(node.input(p), what="weights") for p in (1, 2))
    y = _normalised(x.tensor, axes, node.real("epsilon", 1e-5))
    return Moving(y * _by_channel(x, scale) + _by_channel(x, bias), x.order)


def group_norm(node: Node) -> Value:
    """GroupNormalization; up to opset 20 with a factor a group, later with one a channel."""
    x = image(node.input(0))
    groups, channels = node.whole("num_groups", 1), int(x.shape[3])
    scale, bias = (numbers(node.input(p), what="weights") for p in (1, 2))
    if node.opset < 21:
        scale, bias = np.repeat(scale, channels // groups), np.repeat(bias, channels // groups)
    parts = tf.split(x, groups, axis=3)
    y = tf.concat([_normalised(part, (1, 2, 3), node.real("epsilon", 1e-5)) for part in parts], axis=3)
    return of_image(y * scale + bias)


def layer_norm(node: Node) -> Value:
    """LayerNormalization over the last axes."""
    refuse(node.outputs > 1, "mean and deviation as outputs")
    x = moving(node.input(0))
    first = node.whole("axis", -1) % x.rank
    axes = [x.axis(axis) for axis in range(first, x.rank)]
    y = _normalised(x.tensor, axes, node.real("epsilon", 1e-5))
    for place, function in ((1, tf.multiply), (2, tf.add)):
        value = node.optional(place)
        if value is not None:
            y = function(y, _last_axes(x, numbers(value, what="weights")))
    return Moving(y, x.order)


def _last_axes(x: Moving, values: Array) -> Array:
    """Numbers for ONNX's last axes, so that they broadcast against the tensor."""
    full = values.reshape((1,) * (x.rank - values.ndim) + values.shape).transpose(x.order)
    while full.ndim > 1 and full.shape[0] == 1:
        full = full[0]
    return np.ascontiguousarray(full)


def _normalised(x: Any, axes: Any, epsilon: float) -> Any:
    mean, variance = tf.nn.moments(x, axes, keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + epsilon)


def reduced(function: Callable[..., Any], node: Node) -> Value:
    """A reduction over axes, which are an attribute in older opsets and an input in newer ones."""
    x = moving(node.input(0))
    given = node.optional(1)
    if given is not None:
        listed = [int(n) for n in numbers(given, what="axes").reshape(-1)]
    else:
        listed = list(node.wholes("axes", ()))
    if not listed:
        if node.whole("noop_with_empty_axes", 0):
            return x
        listed = list(plain(x.rank))
    gone = {axis % x.rank for axis in listed}
    keep = bool(node.whole("keepdims", 1))
    y = function(x.tensor, axis=sorted(x.axis(axis) for axis in gone), keepdims=keep)
    if keep:
        return Moving(y, x.order)
    left = [axis for axis in x.order if axis not in gone]
    numbering = {axis: new for new, axis in enumerate(sorted(left))}
    return Moving(y, tuple(numbering[axis] for axis in left))


def _length(x: Any, *, axis: Any, keepdims: bool) -> Any:
    return tf.sqrt(tf.reduce_sum(tf.square(x), axis=axis, keepdims=keepdims))


def l2_norm(node: Node) -> Value:
    """LpNormalization with p = 2."""
    refuse(node.whole("p", 2) != 2, "another p than 2")
    x = moving(node.input(0))
    axis = x.axis(node.whole("axis", -1))
    return Moving(x.tensor / _length(x.tensor, axis=axis, keepdims=True), x.order)


OPERATORS: dict[str, Translate] = {
    "BatchNormalization": batch_norm,
    "InstanceNormalization": instance_norm,
    "GroupNormalization": group_norm,
    "LayerNormalization": layer_norm,
    "LpNormalization": l2_norm,
    "ReduceMean": partial(reduced, tf.reduce_mean),
    "ReduceSum": partial(reduced, tf.reduce_sum),
    "ReduceMax": partial(reduced, tf.reduce_max),
    "ReduceMin": partial(reduced, tf.reduce_min),
    "ReduceL2": partial(reduced, _length),
}
