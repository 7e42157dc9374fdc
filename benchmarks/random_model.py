"""A registered architecture with random weights as a frozen graph: for speed the weights hardly matter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

SEED = 2021
SPREAD = 0.05


def write_random(path: Path, name: str, *, output_name: str = "output", **options: object) -> None:
    """Write a graph that takes any size, from ``input`` to ``output_name``; imports TensorFlow."""
    from pixelproof.quiet import import_tensorflow

    import_tensorflow()
    import keras
    import tensorflow as tf

    from pixelproof.convert.frozen_graph import freeze_function, tidy
    from pixelproof.models.registry import create, spec

    keras.utils.set_random_seed(SEED)
    model = create(name, **options)
    for number, variable in enumerate(model.weights):
        _leave_its_start(variable, np.random.default_rng([SEED, number]))
    channels = spec(name).contract.channels[0]
    signature = tf.TensorSpec((1, None, None, channels), tf.float32)
    frozen, start, end = freeze_function(tf.function(lambda x: model(x)).get_concrete_function(signature))
    graph = tidy(frozen, input_tensor=start, output_tensor=end, input_name="input", output_name=output_name)
    path.write_bytes(graph.SerializeToString())


def _leave_its_start(variable: Any, random: np.random.Generator) -> None:
    """Spread biases that are all 0 and gains that are all 1: TensorFlow would leave them out of the graph."""
    value = np.array(variable)
    if np.ptp(value) == 0:
        variable.assign(value + random.normal(0, SPREAD, value.shape).astype(value.dtype))
