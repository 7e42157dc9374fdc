"""Small good files of every kind, of which the mutants are made."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from archives import ORDINARY
from fuzz_messages import mutated
from fuzz_mutations import mutant

SHAPE = (1, 12, 16, 3)


@dataclass(frozen=True)
class Source:
    """Good files of one kind; as messages too, where they are protobuf."""

    files: tuple[bytes, ...]
    messages: tuple[Any, ...] = ()

    def mutant(self, dice: random.Random) -> bytes:
        """One of them, mutated: its bytes, or its fields, or both."""
        if not self.messages or dice.random() < 0.4:
            return mutant(self.files, dice)
        changed = mutated(dice.choice(self.messages), dice)
        return mutant((changed,), dice) if changed and dice.random() < 0.2 else changed


def sources_by_kind() -> dict[str, Source]:
    """Frozen graphs, TFLite, ONNX, and zips."""
    from pixelproof.convert.onnx import to_onnx
    from pixelproof.quiet import import_tensorflow, native_chatter_hidden
    from pixelproof.tflite.converter import to_tflite

    with native_chatter_hidden():
        import_tensorflow()
        import onnx
        import tensorflow as tf

        graphs = tuple(_graph(tf, build) for build in _BUILDS)
        ends = {"input_name": "input:0", "output_name": "output:0"}
        tflites = tuple(to_tflite(graph, **ends, shape=SHAPE) for graph in graphs)
        onnxes = tuple(to_onnx(graph, input_name="input", output_name="output") for graph in graphs)
        return {
            "pb": Source(tuple(graph.SerializeToString() for graph in graphs), graphs),
            "tflite": Source(tflites),
            "onnx": Source(onnxes, tuple(onnx.load_from_string(data) for data in onnxes)),
            "zip": Source(tuple(build() for build in ORDINARY.values())),
        }


def _graph(tf: Any, build: Callable[[Any, Any], Any]) -> Any:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (1, None, None, 3), name="input")
        tf.identity(build(tf, x), name="output")
    return graph.as_graph_def()


def _convolution(tf: Any, x: Any) -> Any:
    kernel = tf.constant([[[[0.1 * (i + j) for i in range(3)] for j in range(3)]]])
    return tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME"), [0.1, 0.2, 0.3]))


def _shuffle(tf: Any, x: Any) -> Any:
    wide = tf.tile(x, [1, 1, 1, 4])
    return tf.nn.depth_to_space(wide, 2)[:, ::2, ::2] * 0.5 + tf.pad(
        x[:, 1:], [[0, 0], [1, 0], [0, 0], [0, 0]]
    )


def _statistics(tf: Any, x: Any) -> Any:
    mean, variance = tf.nn.moments(x, [1, 2], keepdims=True)
    pooled = tf.compat.v1.image.resize_bilinear(tf.nn.max_pool2d(x, 2, 2, "VALID"), tf.shape(x)[1:3])
    return tf.concat([(x - mean) * tf.math.rsqrt(variance + 1e-5), pooled], 3)[..., :3]


_BUILDS = (_convolution, _shuffle, _statistics)
