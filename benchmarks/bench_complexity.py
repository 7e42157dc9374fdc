"""Complexity of a frozen graph of 5,000 nodes, over the time that TensorFlow needs to be imported.

python -m benchmarks.bench_complexity
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.row import Row, Skip
from benchmarks.setting import Setting
from benchmarks.table import show

NODES = 5000
LIMIT_S = 1.0
ROUNDS = 7
SIZE = 256


def large_graph() -> bytes:
    """Blocks of convolution, bias and LeakyReLU, every fourth with a shortcut, until there are 5,000 nodes."""
    import numpy as np

    from pixelproof.quiet import import_tensorflow

    import_tensorflow()
    import tensorflow as tf

    random = np.random.default_rng(0)
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph:
        last = shortcut = v1.placeholder(tf.float32, (1, None, None, 8), name="input")
        block = 0
        while len(graph.get_operations()) < NODES - 6:
            weights = random.random((3, 3, 8, 8), np.float32)
            last = tf.nn.bias_add(tf.nn.conv2d(last, weights, 1, "SAME"), random.random(8, np.float32))
            last = tf.nn.leaky_relu(last, 0.05)
            if block % 4 == 3:
                last = shortcut = last + shortcut
            block += 1
        tf.identity(last, name="output")
        made: Any = graph.as_graph_def()
    print(f"{len(made.node):,} nodes, {block:,} convolutions")
    data: bytes = made.SerializeToString()
    return data


def seconds(path: Path) -> tuple[float, float, float]:
    """Until the worker has imported TensorFlow; from there to the figures, the scan included; CPU time of that."""
    import psutil

    from pixelproof.measure.complexity import complexity
    from pixelproof.measure.worker import Worker

    start = time.perf_counter()
    with Worker(threads=1) as worker:
        worker.prepare("pb")
        worker.ready()
        imported = time.perf_counter()
        child = psutil.Process(worker.pid)
        before = sum(child.cpu_times()[:2])
        found = complexity(worker, path, "pb", height=SIZE, width=SIZE)
        done = time.perf_counter()
        busy = sum(child.cpu_times()[:2]) - before
    if not found.flops:
        raise RuntimeError("nothing was counted")
    return imported - start, done - imported, busy


def rows(setting: Setting) -> Iterator[Row | Skip]:
    """What `make bench` runs."""
    yield measured(rounds=3 if setting.quick else ROUNDS)


def measured(*, rounds: int) -> Row:
    """Medians of the rounds."""
    from pixelproof.temporary import temporary_folder

    with temporary_folder("pixelproof-bench-") as folder:
        path = folder / "model.pb"
        path.write_bytes(large_graph())
        times = [seconds(path) for _ in range(rounds)]
    imported, over, busy = (median(column) for column in zip(*times, strict=True))
    return Row(
        f"complexity of {NODES:,} nodes, beyond TensorFlow's import",
        over,
        "import of TensorFlow in the worker",
        imported,
        LIMIT_S,
        bound="ours <=",
        note=f"{busy:.2f} s of it on the CPU",
    )


def main() -> None:
    """Measure and print."""
    show([measured(rounds=ROUNDS)])


if __name__ == "__main__":
    main()
