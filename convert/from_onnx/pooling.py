"""Pooling over windows, and over the whole image."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from pixelproof.convert.from_onnx.convolutions import pads_of, pair
from pixelproof.convert.from_onnx.node import Node, refuse
from pixelproof.convert.from_onnx.sizes import Side
from pixelproof.convert.from_onnx.values import Value, image, of_image, raw

LOWEST = float(np.finfo(np.float32).min)


def max_pool(node: Node) -> Value:
    """MaxPool without indices."""
    refuse(node.outputs > 1, "indices")
    refuse(pair(node, "dilations") != (1, 1), "dilations")
    window, strides, mode, borders = _window(node)
    x = _bordered(image(node.input(0)), borders, LOWEST)
    return of_image(tf.nn.max_pool2d(x, window, strides, mode))


def average_pool(node: Node) -> Value:
    """AveragePool: pads count as zeros, or not at all."""
    refuse(pair(node, "dilations") != (1, 1), "dilations")
    refuse(node.whole("ceil_mode", 0) != 0, "ceil_mode")
    window, strides, mode, borders = _window(node)
    x = image(node.input(0))
    y = tf.nn.avg_pool2d(_bordered(x, borders, 0.0), window, strides, mode)
    counted = node.whole("count_include_pad", 0)
    refuse(bool(counted) and mode == "SAME", "count_include_pad with auto_pad")
    if counted or mode == "SAME" or not _any(borders):
        return of_image(y)
    share = tf.nn.avg_pool2d(_bordered(tf.ones_like(x[..., :1]), borders, 0.0), window, strides, mode)
    return of_image(y / share)


def _window(node: Node) -> tuple[tuple[int, int], tuple[int, int], str, list[list[Any]]]:
    window, strides = pair(node, "kernel_shape"), pair(node, "strides")
    if node.text("auto_pad", "NOTSET") == "NOTSET":
        pads = node.wholes("pads", (0, 0, 0, 0))
        refuse(len(pads) != 4 or min(pads) < 0, f"pads {pads}")
        borders: list[list[Any]] = [[pads[0], pads[2]], [pads[1], pads[3]]]
        if node.whole("ceil_mode", 0):
            x = of_image(image(node.input(0)))
            for place in range(2):
                borders[place][1] = _up(x.side(place + 2), window[place], strides[place], borders[place])
        return window, strides, "VALID", borders
    mode, pads = pads_of(node, window, strides)
    refuse(node.whole("ceil_mode", 0) != 0, "ceil_mode with auto_pad")
    return window, strides, mode, [[pads[0], pads[2]], [pads[1], pads[3]]]


def _up(side: int | Side, window: int, stride: int, border: list[Any]) -> int | Side:
    """The border behind with which the last, incomplete window counts too.

    A window that would begin behind the image and its border in front is left out, as onnxruntime does.
    """
    before, after = border
    refuse(window < stride, "ceil_mode with windows apart from each other")
    refuse(before >= stride or after >= stride, "ceil_mode with wide pads")
    rest = (
        side.tensor + (before + after - window) if isinstance(side, Side) else side + before + after - window
    )
    missing = tf.math.floormod(-rest, stride) if isinstance(side, Side) else -rest % stride
    refuse(bool(before or after), "ceil_mode with pads")
    return Side(missing + after) if isinstance(side, Side) else missing + after


def _any(borders: list[list[Any]]) -> bool:
    return any(isinstance(n, Side) or n for border in borders for n in border)


def _bordered(x: Any, borders: list[list[Any]], value: float) -> Any:
    if not _any(borders):
        return x
    (top, bottom), (left, right) = borders
    amounts = tf.reshape(raw([0, 0, top, bottom, left, right, 0, 0]), (4, 2))
    if not any(isinstance(n, Side) for n in (top, bottom, left, right)):
        amounts = [[0, 0], [top, bottom], [left, right], [0, 0]]
    return tf.pad(x, amounts, constant_values=value)


def global_average_pool(node: Node) -> Value:
    """GlobalAveragePool."""
    return of_image(tf.reduce_mean(image(node.input(0)), axis=(1, 2), keepdims=True))


def global_max_pool(node: Node) -> Value:
    """GlobalMaxPool."""
    return of_image(tf.reduce_max(image(node.input(0)), axis=(1, 2), keepdims=True))


OPERATORS = {
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": global_average_pool,
    "GlobalMaxPool": global_max_pool,
}
