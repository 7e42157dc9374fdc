"""Frozen graphs made on the spot, and commands as typed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def save_graph(tf: Any) -> Callable[..., Path]:
    """``save(path, build, shape)`` writes ``build(x)`` as a frozen graph from ``x_in`` to ``y_out``."""

    def save(path: Path, build: Callable[[Any], Any], shape: tuple[int | None, ...]) -> Path:
        with tf.Graph().as_default() as graph:
            x = tf.compat.v1.placeholder(tf.float32, shape, name="x_in")
            tf.identity(build(x), name="y_out")
            path.write_bytes(graph.as_graph_def().SerializeToString())
        return path

    return save


@pytest.fixture(scope="session")
def shift(tf: Any, save_graph: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 5x3 convolution without any symmetry, any size, three channels in and out."""
    rng = tf.random.Generator.from_seed(3)
    kernel = rng.normal((5, 3, 3, 3)).numpy() * 0.1

    def build(x: Any) -> Any:
        return tf.nn.relu(tf.nn.conv2d(x, kernel, strides=1, padding="SAME") + 0.1)

    return save_graph(tmp_path_factory.mktemp("shift") / "shift.pb", build, (1, None, None, 3))
