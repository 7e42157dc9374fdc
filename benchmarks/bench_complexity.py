"""Complexity of a frozen graph of 5,000 nodes, over the time that TensorFlow needs to be imported.

python -m benchmarks.bench_complexity
"""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from typing import Any

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


def main() -> None:
    """Measure and print."""
    from pixelproof.console import Console
    from pixelproof.temporary import temporary_folder

    with temporary_folder("pixelproof-bench-") as folder:
        path = folder / "model.pb"
        path.write_bytes(large_graph())
        rounds = [seconds(path) for _ in range(ROUNDS)]
    imported, over, busy = (median(column) for column in zip(*rounds, strict=True))
    verdict = "met" if over <= LIMIT_S else "NOT met"
    row = [f"{imported:.2f}", f"{over:.2f}", f"{busy:.2f}", f"<= {LIMIT_S:g}", verdict]
    Console().table(
        f"Complexity of {NODES:,} nodes, s",
        ["worker and TensorFlow's import", "beyond it", "CPU of that", "target", "verdict"],
        [row],
    )


if __name__ == "__main__":
    main()
