"""Activations. Formulas and defaults are those of ONNX's operator schemas."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from pixelproof.convert.from_onnx.arithmetic import unary
from pixelproof.convert.from_onnx.node import Node, Translate, refuse
from pixelproof.convert.from_onnx.values import Known, Moving, Value, broadcast, moving, numbers


def leaky_relu(node: Node) -> Value:
    """LeakyRelu.

    Behind an addition it is written as a maximum: TensorFlow 2.21 makes one kernel of convolution, bias, addition and
    leaky rectification, and its slope on a CPU is 0.2 whatever was asked for.
    """
    slope = node.real("alpha", 0.01)
    if node.follows in ("Add", "Sum") and 0 <= slope <= 1:
        return unary(lambda x: tf.maximum(x, slope * x), node)
    refuse(node.follows in ("Add", "Sum"), f"a slope of {slope:g} behind {node.follows}")
    return unary(lambda x: tf.nn.leaky_relu(x, alpha=slope), node)


def prelu(node: Node) -> Value:
    """PRelu, in the form that TFLite's converter knows as one operation."""
    slope = node.input(1)
    numbers(slope, what="a slope")
    (x, factors), order = broadcast((node.input(0), slope))
    return Moving(tf.nn.relu(x) + (-factors) * tf.nn.relu(-x), order)


def clip(node: Node) -> Value:
    """Clip; 0 to 6 and 0 without end by their own operations."""
    low, high = _limit(node, 1, "min"), _limit(node, 2, "max")
    x = moving(node.input(0))
    if low == 0 and high in (None, 6):
        return Moving(tf.nn.relu(x.tensor) if high is None else tf.nn.relu6(x.tensor), x.order)
    y = x.tensor
    if high is not None:
        y = tf.minimum(y, tf.cast(high, y.dtype))
    if low is not None:
        y = tf.maximum(y, tf.cast(low, y.dtype))
    return Moving(y, x.order)


def _limit(node: Node, place: int, name: str) -> float | None:
    """A limit, None where none is set; up to opset 10 it was an attribute."""
    value = node.optional(place)
    found = (
        node.attributes.get(name) if value is None else numbers(value, what=f"a {name}").reshape(()).item()
    )
    largest = float(np.finfo(np.float32).max)
    return None if found is None or abs(float(found)) >= largest else float(found)


def hard_sigmoid(node: Node) -> Value:
    """HardSigmoid."""
    slope, shift = node.real("alpha", 0.2), node.real("beta", 0.5)
    return unary(lambda x: tf.clip_by_value(slope * x + shift, 0.0, 1.0), node)


def elu(node: Node) -> Value:
    """Elu."""
    alpha = node.real("alpha", 1.0)
    if alpha == 1:
        return unary(tf.nn.elu, node)
    return unary(lambda x: tf.nn.relu(x) + alpha * tf.minimum(tf.nn.elu(x), 0.0), node)


def selu(node: Node) -> Value:
    """Selu with its usual constants."""
    usual = math.isclose(node.real("alpha", 1.6732632), 1.6732632, rel_tol=1e-6)
    usual = usual and math.isclose(node.real("gamma", 1.0507010), 1.0507010, rel_tol=1e-6)
    refuse(not usual, "constants of its own")
    return unary(tf.nn.selu, node)


def gelu(node: Node) -> Value:
    """Gelu, exact or by tanh."""
    approximate = node.text("approximate", "none") == "tanh"
    return unary(lambda x: tf.nn.gelu(x, approximate=approximate), node)


def softmax(node: Node) -> Value:
    """Softmax over one axis; up to opset 12 over all from an axis on, which is one where it is the last."""
    x = moving(node.input(0))
    axis = node.whole("axis", -1 if node.opset >= 13 else 1) % x.rank
    refuse(node.opset < 13 and axis != x.rank - 1, "several axes at once")
    return Moving(tf.nn.softmax(x.tensor, axis=x.axis(axis)), x.order)


def mish(node: Node) -> Value:
    """Mish."""
    return unary(lambda x: x * tf.tanh(tf.nn.softplus(x)), node)


def hard_swish(x: Any) -> Any:
    """``x * relu6(x + 3) / 6``, in the form that TFLite's converter knows as one operation."""
    return x * tf.nn.relu6(x + np.float32(3.0)) * np.float32(1.0 / 6.0)


def passed_on(node: Node) -> Value:
    """Identity, and Dropout of a trained network."""
    training = node.optional(2)
    on = isinstance(training, Known) and training.is_numeric and bool(np.any(training.array))
    refuse(
        node.op == "Dropout" and training is not None and (on or not isinstance(training, Known)),
        "training mode",
    )
    refuse(node.outputs > 1, "a mask")
    return node.input(0)


OPERATORS: dict[str, Translate] = {
    "Relu": partial(unary, tf.nn.relu),
    "LeakyRelu": leaky_relu,
    "PRelu": prelu,
    "Clip": clip,
    "Sigmoid": partial(unary, tf.sigmoid),
    "Tanh": partial(unary, tf.tanh),
    "HardSigmoid": hard_sigmoid,
    "HardSwish": partial(unary, hard_swish),
    "Elu": elu,
    "Selu": selu,
    "Gelu": gelu,
    "Mish": mish,
    "Softplus": partial(unary, tf.nn.softplus),
    "Softsign": partial(unary, tf.nn.softsign),
    "Softmax": softmax,
    "Identity": passed_on,
    "Dropout": passed_on,
}
