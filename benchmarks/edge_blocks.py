"""A network of edge-oriented convolution blocks as they are trained, with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

SEED = 2021
CHANNELS, BLOCKS, SCALE = 16, 4, 2
SOBEL = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], np.float32)
LAPLACE = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32)
AROUND = [[0, 0], [1, 1], [1, 1], [0, 0]]
LEVEL = np.float32(0.15)


def write_edge_blocks(path: Path) -> None:
    """Write the x2 network of Zhang et al. 2021 (ECBSR, M4C16) as a graph from ``input`` to ``output``, any size.

    Each block is five branches: 3x3; 1x1 to twice the channels and 3x3 back; and 1x1 with a Sobel filter, one across
    it, or a Laplacian behind it. Imports TensorFlow.
    """
    from pixelproof.quiet import import_tensorflow

    import_tensorflow()
    import tensorflow as tf

    from pixelproof.convert.frozen_graph import freeze_function, tidy

    random = np.random.default_rng(SEED)

    def weights(*shape: int) -> Any:
        fan = np.prod(shape[:-1], initial=1)
        return (random.normal(0, 1, shape) / np.sqrt(fan)).astype(np.float32)

    def conv(x: Any, side: int, inputs: int, outputs: int) -> Any:
        """A convolution with a bias that pads nothing."""
        y = tf.nn.conv2d(x, weights(side, side, inputs, outputs), 1, "VALID")
        return tf.nn.bias_add(y, weights(outputs))

    def block(x: Any, inputs: int, outputs: int) -> Any:
        padded = tf.pad(x, AROUND)
        total = conv(padded, 3, inputs, outputs)
        total += conv(conv(padded, 1, inputs, 2 * outputs), 3, 2 * outputs, outputs)
        for mask in (SOBEL, SOBEL.T, LAPLACE):
            kernel = mask[..., None, None] * weights(outputs)[:, None]
            edges = tf.nn.depthwise_conv2d(conv(padded, 1, inputs, outputs), kernel, [1, 1, 1, 1], "VALID")
            total += tf.nn.bias_add(edges, weights(outputs))
        return total * LEVEL

    def network(image: Any) -> Any:
        maps = image
        for number in range(BLOCKS + 1):
            maps = tf.nn.relu(block(maps, CHANNELS if number else 3, CHANNELS))
        pixels = block(maps, CHANNELS, 3 * SCALE**2) + tf.tile(image, [1, 1, 1, SCALE**2])
        return tf.nn.depth_to_space(pixels, SCALE)

    signature = tf.TensorSpec((1, None, None, 3), tf.float32)
    frozen, start, end = freeze_function(tf.function(network).get_concrete_function(signature))
    graph = tidy(frozen, input_tensor=start, output_tensor=end, input_name="input", output_name="output")
    path.write_bytes(graph.SerializeToString())
