"""Frozen graphs of every kind that a stranger may hand in, built with TensorFlow 1's functions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

GIB_OF_FLOATS = 2**28


def write_graphs(folder: Path) -> dict[str, Path]:
    """All graphs of `BUILDERS`, by name, as ``folder/<name>.pb``."""
    paths = {}
    for name, build in BUILDERS.items():
        paths[name] = folder / f"{name}.pb"
        paths[name].write_bytes(build())
    return paths


def graph(
    body: Callable[[Any, Any], Any],
    *,
    shape: tuple[int | None, ...] | None = (1, None, None, 3),
    dtype: str = "float32",
    names: tuple[str, str] = ("input", "output"),
) -> bytes:
    """A frozen graph of one placeholder; ``body`` takes TensorFlow and the placeholder."""
    import tensorflow as tf

    with tf.Graph().as_default() as made:
        x = tf.compat.v1.placeholder(dtype, shape, name=names[0])
        tf.identity(body(tf, x), name=names[1])
    data: bytes = made.as_graph_def().SerializeToString()
    return data


def convolved(tf: Any, x: Any) -> Any:
    """A small blur that keeps most of the picture; stays in [0, 1]."""
    taps = np.full((3, 3, 3, 1), 0.02, np.float32)
    taps[1, 1] = 0.8
    return tf.nn.depthwise_conv2d(x, taps, [1, 1, 1, 1], "SAME")


def two_inputs() -> bytes:
    """A model that wants a second picture."""
    import tensorflow as tf

    with tf.Graph().as_default() as made:
        x = tf.compat.v1.placeholder(tf.float32, (1, None, None, 3), name="input")
        y = tf.compat.v1.placeholder(tf.float32, (1, None, None, 3), name="guide")
        tf.add(x * 0.5, y * 0.5, name="output")
    data: bytes = made.as_graph_def().SerializeToString()
    return data


def two_outputs(first: str, second: str) -> bytes:
    """A model with two final nodes."""
    import tensorflow as tf

    with tf.Graph().as_default() as made:
        x = tf.compat.v1.placeholder(tf.float32, (1, None, None, 3), name="input")
        tf.identity(x, name=first)
        tf.reduce_mean(x, axis=3, keepdims=True, name=second)
    data: bytes = made.as_graph_def().SerializeToString()
    return data


def held(tf: Any, x: Any, gib: float) -> Any:
    """The picture, with so much memory filled and read on the way."""
    wide = tf.broadcast_to(tf.reduce_mean(x), [int(gib * GIB_OF_FLOATS)])
    return x + tf.reduce_max(wide) * 1e-20


def constant(tf: Any, x: Any) -> Any:
    """The picture, with 105 MiB of weights beside it."""
    weights = np.random.default_rng(0).uniform(0, 1e-20, 105 * 2**18).astype(np.float32)
    return x + tf.gather(tf.constant(weights), [3])


def endless(tf: Any, x: Any) -> Any:
    """Never answers."""
    turns, _ = tf.compat.v1.while_loop(
        lambda i, s: i < 2**62,
        lambda i, s: (i + 1, s * 0.5),
        [tf.constant(0, tf.int64), tf.reduce_sum(x)],
    )
    return x + tf.cast(turns, tf.float32) * 0


def nan_on_black(tf: Any, x: Any) -> Any:
    """0/0 where the picture is black everywhere."""
    total = tf.reduce_sum(x)
    return x * (total / total)


def shrunk(tf: Any, x: Any, *, threshold: float) -> Any:
    """A network with biases: detail below the threshold is taken for noise, the rest is made good for it."""
    blurred = tf.nn.depthwise_conv2d(x, np.full((5, 5, 3, 1), 1 / 25, np.float32), [1, 1, 1, 1], "SAME")
    detail = x - blurred
    return blurred + 1.4 * (tf.nn.relu(detail - threshold) - tf.nn.relu(-detail - threshold))


def without_biases(tf: Any, x: Any) -> Any:
    """A residual network of convolutions and rectification alone."""
    taps = np.random.default_rng(3).normal(0, 0.05, (3, 3, 3, 8)).astype(np.float32)
    back = np.random.default_rng(4).normal(0, 0.05, (3, 3, 8, 3)).astype(np.float32)
    return x + tf.nn.conv2d(tf.nn.relu(tf.nn.conv2d(x, taps, 1, "SAME")), back, 1, "SAME")


def squashed(tf: Any, x: Any) -> Any:
    """The picture with a little more contrast, ended by a tanh as PIRM's networks are."""
    return tf.tanh(x * 3 - 1.5) * 0.55 + 0.5


BUILDERS: dict[str, Callable[[], bytes]] = {
    "good": lambda: graph(convolved),
    "clipped": lambda: graph(lambda tf, x: tf.clip_by_value(x * 1.1 - 0.05, 0, 1)),
    "wrong_names": lambda: graph(convolved, names=("Placeholder", "output_l0")),
    "two_inputs": two_inputs,
    "two_outputs": lambda: two_outputs("output", "attention"),
    "two_unnamed_outputs": lambda: two_outputs("picture", "attention"),
    "four_channels": lambda: graph(lambda tf, x: x[..., :3], shape=(1, None, None, 4)),
    "one_channel_out": lambda: graph(
        lambda tf, x: tf.reshape(tf.reduce_mean(x, 3), tf.shape(x)[:3])[..., None]
    ),
    "batch_of_two": lambda: graph(convolved, shape=(2, None, None, 3)),
    "fixed_size": lambda: graph(convolved, shape=(1, 64, 96, 3)),
    "half_size": lambda: graph(lambda tf, x: x[:, ::2, ::2]),
    "nan": lambda: graph(lambda tf, x: tf.math.log(x - 2)),
    "nan_on_black": lambda: graph(nan_on_black),
    "to_255": lambda: graph(lambda tf, x: x * 255),
    "to_minus_1": lambda: graph(lambda tf, x: x * 2 - 1),
    "overshoot": lambda: graph(lambda tf, x: tf.tanh(x * 4 - 2) * 0.58 + 0.5),
    "random": lambda: graph(lambda tf, x: x + tf.random.normal(tf.shape(x), stddev=0.02)),
    "uint8_input": lambda: graph(lambda tf, x: tf.cast(x, tf.float32) / 255, dtype="uint8"),
    "heavy": lambda: graph(constant),
    "gib_0": lambda: graph(lambda tf, x: held(tf, x, 1 / 2**20)),
    "gib_1": lambda: graph(lambda tf, x: held(tf, x, 1)),
    "gib_4": lambda: graph(lambda tf, x: held(tf, x, 4)),
    "raising": lambda: graph(lambda tf, x: tf.gather(x, [0, 1, 7], axis=3)),
    "endless": lambda: graph(endless),
    "identity": lambda: graph(lambda tf, x: x * 0.5 + x * 0.5),
    "mixing": lambda: graph(lambda tf, x: x * 0.5 + tf.reduce_mean(x, 0, keepdims=True) * 0.5),
    "opposite": lambda: graph(lambda tf, x: 1 - x),
    "of_255": lambda: graph(lambda tf, x: shrunk(tf, x, threshold=8)),
    "of_255_clipped": lambda: graph(lambda tf, x: tf.clip_by_value(shrunk(tf, x, threshold=8), 0, 255)),
    "of_255_scaled": lambda: graph(lambda tf, x: shrunk(tf, x * 255, threshold=8) / 255),
    "of_unit": lambda: graph(lambda tf, x: shrunk(tf, x, threshold=8 / 255)),
    "of_unit_clipped": lambda: graph(lambda tf, x: tf.clip_by_value(shrunk(tf, x, threshold=8 / 255), 0, 1)),
    "squashed": lambda: graph(squashed),
    "squashed_scaled": lambda: graph(lambda tf, x: squashed(tf, x * 255) / 255),
    "divides_itself": lambda: graph(lambda tf, x: squashed(tf, x / 255)),
    "without_biases": lambda: graph(without_biases),
    "float64_output": lambda: graph(lambda tf, x: tf.cast(x, tf.float64)),
}
