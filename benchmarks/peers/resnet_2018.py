"""resnet_12_64 as a TensorFlow 1 function, the way a participant of 2018 would write it."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def _weights(shape: list[int], name: str) -> Any:
    return tf.Variable(tf.truncated_normal(shape, stddev=0.01), name=name)


def _convolved(net: Any, number: int, size: int, channels: int) -> Any:
    depth = net.get_shape()[-1].value
    kernel = _weights([size, size, depth, channels], f"W{number}")
    bias = tf.Variable(tf.constant(0.01, shape=[channels]), name=f"b{number}")
    return tf.nn.conv2d(net, kernel, strides=[1, 1, 1, 1], padding="SAME") + bias


def _normalised(net: Any) -> Any:
    channels = [i.value for i in net.get_shape()][-1]
    mean, variance = tf.nn.moments(net, [1, 2], keep_dims=True)
    shift = tf.Variable(tf.zeros([channels]))
    scale = tf.Variable(tf.ones([channels]))
    return scale * (net - mean) / (variance + 1e-3) ** 0.5 + shift


def resnet_12_64(image: Any) -> Any:
    """Four residual blocks of 64 channels; (1, height, width, 3) in [0, 1] to the same."""
    with tf.variable_scope("generator"):
        net = tf.nn.relu(_convolved(image, 1, 9, 64))
        for block in range(4):
            inner = tf.nn.relu(_normalised(_convolved(net, 2 + 2 * block, 3, 64)))
            net = tf.nn.relu(_normalised(_convolved(inner, 3 + 2 * block, 3, 64))) + net
        net = tf.nn.relu(_convolved(net, 10, 3, 64))
        net = tf.nn.relu(_convolved(net, 11, 3, 64))
        return tf.nn.tanh(_convolved(net, 12, 9, 3)) * 0.58 + 0.5
