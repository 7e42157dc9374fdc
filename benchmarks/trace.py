"""Where the time of one run of a frozen graph goes, by type of operation, as TensorFlow's own trace tells."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

_OPERATION = re.compile(r" = (?:_?Mkl(?:Native)?|_)?(\w+)\(")


def shares(seconds: Mapping[str, float]) -> list[tuple[str, float]]:
    """(operation, share of all), the largest first; empty where nothing took time."""
    total = sum(seconds.values())
    if not total:
        return []
    return sorted(((name, value / total) for name, value in seconds.items()), key=lambda one: -one[1])


def in_words(found: Iterable[tuple[str, float]], *, most: int = 3) -> str:
    """The largest shares, and the rest together; what is below half a percent goes with the rest."""
    listed = list(found)
    named = [(name, share) for name, share in listed[:most] if share >= 0.005]
    words = [f"{name} {share:.0%}" for name, share in named]
    rest = sum(share for _, share in listed[len(named) :])
    return ", ".join([*words, f"others {rest:.0%}"] if rest >= 0.005 else words)


def operation(label: str, name: str) -> str:
    """The type of an operation from a trace's label, ``[cpu] node = Type(inputs)``; without one, the node's name.

    oneDNN's kernels (``_MklNativeConv2D``) have the name of what they compute.
    """
    found = _OPERATION.search(label)
    return found[1] if found else name


def seconds_by_operation(path: Path, shape: tuple[int, ...], *, threads: int, runs: int) -> dict[str, float]:
    """Seconds of one run by type of operation, after fusing; operations one after another.

    Imports TensorFlow, and runs the graph in this process: for graphs of our own alone.

    Args:
        path: a frozen graph from ``input:0`` to ``output:0``.
        shape: of the input, float32.
        threads: inside of one operation.
        runs: the mean of so many counts, after two that warm up.
    """
    from pixelproof.quiet import import_tensorflow

    import_tensorflow()
    import numpy as np
    import tensorflow as tf

    v1 = tf.compat.v1
    definition = v1.GraphDef.FromString(path.read_bytes())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
    config = v1.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=1)
    feed = {"input:0": np.random.default_rng(0).random(shape, np.float32)}
    traced = v1.RunOptions(trace_level=v1.RunOptions.FULL_TRACE)
    found: dict[str, float] = defaultdict(float)
    with v1.Session(graph=graph, config=config) as session:
        for number in range(2 + runs):
            metadata = v1.RunMetadata()
            session.run("output:0", feed, options=traced, run_metadata=metadata)
            if number < 2:
                continue
            for device in metadata.step_stats.dev_stats:
                for node in device.node_stats:
                    kind = operation(node.timeline_label, node.node_name)
                    found[kind] += (node.op_end_rel_micros - node.op_start_rel_micros) / 1e6 / runs
    return dict(found)
