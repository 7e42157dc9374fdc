"""Frozen graphs made on the spot, and commands as typed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelproof.bayer import mosaic_of


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


@pytest.fixture(scope="session")
def isp(tf: Any, save_graph: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four Bayer planes to RGB of twice the size, sides multiples of 4."""
    rng = np.random.default_rng(5)
    wide = np.asarray(rng.normal(0, 0.2, (3, 3, 4, 16)), np.float32)
    back = np.asarray(rng.normal(0, 0.08, (3, 3, 16, 12)), np.float32)

    def build(x: Any) -> Any:
        small = tf.nn.max_pool2d(x, 4, 4, "VALID")
        maps = x + 0.1 * tf.repeat(tf.repeat(small, 4, 1), 4, 2)
        maps = tf.nn.leaky_relu(tf.nn.conv2d(maps, wide, 1, "SAME"), 0.2)
        return tf.nn.depth_to_space(tf.nn.conv2d(maps, back, 1, "SAME") + 0.4, 2)

    return save_graph(tmp_path_factory.mktemp("isp") / "isp.pb", build, (1, None, None, 4))


def planes(index: int, height: int, width: int) -> np.ndarray[Any, np.dtype[np.uint16]]:
    """Four smooth planes of 10 bit without symmetry, another picture for each index."""
    y, x = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(index).normal(0, 15, (height, width, 4))
    waves = [np.sin(x / (5 + index + c)) * 260 + np.cos(y / (9 + 2 * c)) * 180 for c in range(4)]
    return np.clip(520 + np.stack(waves, -1) + noise, 0, 1020).astype(np.uint16)


@pytest.fixture(scope="session")
def raw_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven mosaics of 10 bit, 96x128 but for the last, which is 80x104; a text file beside them."""
    folder = tmp_path_factory.mktemp("raw")
    for index in range(7):
        size = (48, 64) if index < 6 else (40, 52)
        Image.fromarray(mosaic_of(planes(index, *size))).save(folder / f"{index}.png")
    (folder / "notes.txt").write_text("not an image")
    return folder


@pytest.fixture(scope="session")
def rgb_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four photographs of 64x80."""
    folder = tmp_path_factory.mktemp("rgb")
    for index in range(4):
        Image.fromarray((planes(index, 64, 80)[..., :3] >> 2).astype(np.uint8)).save(folder / f"{index}.jpg")
    return folder
