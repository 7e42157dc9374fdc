"""Conv and ConvTranspose. Padding and output sizes as in ONNX's operator schemas (onnx.ai/onnx/operators)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from pixelproof.convert.from_onnx.node import Node, refuse
from pixelproof.convert.from_onnx.sizes import Side
from pixelproof.convert.from_onnx.values import (
    Convolved,
    Moving,
    Value,
    image,
    moving,
    numbers,
    of_image,
    raw,
)
from pixelproof.measure.protocol import Array

Pair = tuple[int, int]
NONE = (0, 0, 0, 0)


def pads_of(node: Node, kernel: Pair, strides: Pair, dilations: Pair = (1, 1)) -> tuple[str, tuple[int, ...]]:
    """How TensorFlow pads: ``SAME`` or ``VALID``, and what is to be put around before, in ONNX's order.

    Raises:
        Untranslatable: negative paddings, or SAME_LOWER where it differs from SAME_UPPER.
    """
    automatic = node.text("auto_pad", "NOTSET")
    reach = [(k - 1) * d for k, d in zip(kernel, dilations, strict=True)]
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        even = strides == (1, 1) and not any(r % 2 for r in reach)
        refuse(automatic == "SAME_LOWER" and not even, "auto_pad SAME_LOWER")
        return "SAME", NONE
    pads = NONE if automatic == "VALID" else node.wholes("pads", NONE)
    refuse(len(pads) != len(NONE), f"pads for {len(pads) // 2} axes")
    refuse(min(pads) < 0, "negative pads")
    same = all(2 * pads[i] == reach[i] and 2 * pads[i + 2] == reach[i] for i in range(2))
    if same and strides == (1, 1) and any(pads):
        return "SAME", NONE
    return "VALID", pads


def padded(x: Any, pads: Sequence[int], value: float = 0.0) -> Any:
    """An image with channels last, with a border."""
    if not any(pads):
        return x
    top, left, bottom, right = pads
    return tf.pad(x, [[0, 0], [top, bottom], [left, right], [0, 0]], constant_values=value)


def pair(node: Node, name: str, default: Pair = (1, 1)) -> Pair:
    """An attribute of two numbers, for height and width.

    Raises:
        Untranslatable: it has another length, as for signals and volumes.
    """
    found = node.wholes(name, default)
    refuse(len(found) != 2, f"{name} for {len(found)} axes")
    return found[0], found[1]


def conv(node: Node) -> Value:
    """Conv."""
    kernel, bias = _weights(node)
    x = image(node.input(0))
    scope = tf.get_current_name_scope()

    def with_channels(order: Array) -> Moving:
        with tf.name_scope(f"{scope}/"):
            return of_image(_conv(node, x, kernel[order], None if bias is None else bias[order]))

    again = Convolved(with_channels) if node.whole("group", 1) == 1 else None
    return of_image(_conv(node, x, kernel, bias), again)


def _weights(node: Node) -> tuple[Array, Array | None]:
    kernel = numbers(node.input(1), what="weights")
    refuse(kernel.ndim != 4, f"weights of {kernel.ndim} axes")
    bias = node.optional(2)
    return kernel, None if bias is None else numbers(bias, what="a bias")


def _conv(node: Node, x: Any, kernel: Array, bias: Array | None) -> Any:
    strides, dilations = pair(node, "strides"), pair(node, "dilations")
    size = (kernel.shape[2], kernel.shape[3])
    mode, pads = pads_of(node, size, strides, dilations)
    x = padded(x, pads)
    groups, channels = node.whole("group", 1), int(x.shape[3])
    refuse(
        kernel.shape[1] * groups != channels,
        f"weights for other channels than the {channels} that there are",
    )
    if groups == channels > 1 and strides[0] == strides[1]:
        y = _depthwise(x, kernel, strides, mode, dilations)
    else:
        y = _plain(x, kernel, strides, mode, dilations)
    return y if bias is None else tf.nn.bias_add(y, bias)


def _plain(x: Any, kernel: Array, strides: Pair, mode: str, dilations: Pair) -> Any:
    """A convolution; TensorFlow tells the groups from the channels of the weights."""
    weights = np.ascontiguousarray(kernel.transpose(2, 3, 1, 0))
    return tf.nn.conv2d(x, weights, strides=strides, padding=mode, dilations=dilations)


def _depthwise(x: Any, kernel: Array, strides: Pair, mode: str, dilations: Pair) -> Any:
    out, _, height, width = kernel.shape
    channels = int(x.shape[3])
    weights = kernel.reshape(channels, out // channels, height, width).transpose(2, 3, 0, 1)
    return tf.nn.depthwise_conv2d(
        x, np.ascontiguousarray(weights), strides=(1, *strides, 1), padding=mode, dilations=dilations
    )


def conv_transpose(node: Node) -> Value:
    """ConvTranspose: the whole result, and its pads cut off."""
    kernel, bias = _weights(node)
    strides, more = pair(node, "strides"), pair(node, "output_padding", (0, 0))
    refuse(pair(node, "dilations") != (1, 1), "dilations")
    refuse(node.text("auto_pad", "NOTSET") != "NOTSET", "auto_pad")
    refuse("output_shape" in node.attributes, "output_shape")
    pads = node.wholes("pads", NONE)
    refuse(len(pads) != 4 or min(pads) < 0, f"pads {pads}")
    refuse(
        any(extra >= stride for extra, stride in zip(more, strides, strict=True)), f"output_padding {more}"
    )
    x = image(node.input(0))
    groups = node.whole("group", 1)
    parts = (
        zip(tf.split(x, groups, axis=3), np.split(kernel, groups), strict=True)
        if groups > 1
        else ((x, kernel),)
    )
    made = [_transposed(part, weights, strides, more, pads) for part, weights in parts]
    y = tf.concat(made, axis=3) if groups > 1 else made[0]
    return of_image(y if bias is None else tf.nn.bias_add(y, bias))


def _transposed(x: Any, kernel: Array, strides: Pair, more: Pair, pads: Sequence[int]) -> Any:
    weights = np.ascontiguousarray(kernel.transpose(2, 3, 1, 0))
    sides = [moving(of_image(x)).side(axis) for axis in (2, 3)]
    size = kernel.shape[2:]
    whole = [
        _plus(side, stride, k - stride + extra)
        for side, stride, k, extra in zip(sides, strides, size, more, strict=True)
    ]
    if _is_same(size, strides, more, pads):
        shape = [
            1,
            *(_plus(side, stride, 0) for side, stride in zip(sides, strides, strict=True)),
            kernel.shape[1],
        ]
        return tf.nn.conv2d_transpose(x, weights, raw(shape), strides=strides, padding="SAME")
    y = tf.nn.conv2d_transpose(
        x, weights, raw([1, *whole, kernel.shape[1]]), strides=strides, padding="VALID"
    )
    top, left, bottom, right = pads
    return y[:, top : -bottom or None, left : -right or None, :] if any(pads) else y


def _plus(side: int | Side, factor: int, more: int) -> int | Side:
    return Side(side.tensor * factor + more) if isinstance(side, Side) else side * factor + more


def _is_same(size: Sequence[int], strides: Pair, more: Pair, pads: Sequence[int]) -> bool:
    """Whether TensorFlow's SAME cuts off as much on each side."""
    cut = [k - s for k, s in zip(size, strides, strict=True)]
    wanted = [(c // 2, c - c // 2) for c in cut]
    found = [(pads[0], pads[2]), (pads[1], pads[3])]
    return min(cut) >= 0 and more == (0, 0) and wanted == found


OPERATORS = {"Conv": conv, "ConvTranspose": conv_transpose}
