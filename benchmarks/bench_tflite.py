"""pb2tflite beside tflite_convert: converting punet, base 16, at 544x960; and inference of the two files.

    python -m benchmarks.bench_tflite [--rounds 5] [--pairs 30] [--shape 1,544,960,4]

Needs no data: the weights are random. Ours is the command as users type it, without the seconds that its proof takes,
which the second row tells; the peer proves nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.table import Row, interleaved, show, timed

CONVERSION_TARGET = 1.1
INFERENCE_TARGET = 1.0 + 0.02  # no slower, as far as twenty pairs can tell
SEED = 2021
Shape = tuple[int, int, int, int]


def write_punet(path: Path, *, num_maps_base: int) -> None:
    """A frozen punet that takes any size, from ``input`` to ``output_l0``, with random weights."""
    from pixelproof.quiet import import_tensorflow

    import_tensorflow()
    import keras
    import tensorflow as tf

    from pixelproof.convert.frozen_graph import freeze_function, tidy
    from pixelproof.models.registry import create

    keras.utils.set_random_seed(SEED)
    model = create("punet", num_maps_base=num_maps_base)
    spec = tf.TensorSpec((1, None, None, 4), tf.float32)
    frozen, start, end = freeze_function(tf.function(lambda x: model(x)).get_concrete_function(spec))
    graph = tidy(frozen, input_tensor=start, output_tensor=end, input_name="input", output_name="output_l0")
    path.write_bytes(graph.SerializeToString())


def conversion(folder: Path, *, shape: str, rounds: int) -> list[Row]:
    """Converting, the processes in turn; leaves ``ours.tflite`` and ``peer.tflite``."""
    bin_folder, graph = Path(sys.executable).parent, folder / "punet.pb"
    said = folder / "ours.json"
    ours = [str(bin_folder / "pb2tflite"), str(graph), "--input-shape", shape]
    ours += ["--out", str(folder / "ours.tflite"), "--json", str(said)]
    peer = [str(bin_folder / "tflite_convert"), "--enable_v1_converter", f"--graph_def_file={graph}"]
    peer += [f"--output_file={folder / 'peer.tflite'}", "--input_arrays=input", "--output_arrays=output_l0"]
    peer += [f"--input_shapes={shape}"]
    proofs: list[float] = []

    def without_proof() -> float:
        whole = timed([ours])
        proofs.append(float(json.loads(said.read_text())["prove_s"]))
        return whole - proofs[-1]

    ours_s, peer_s, ratios = interleaved(without_proof, lambda: timed([peer]), rounds=rounds)
    what = f"pb2tflite without its proof, punet 16 at {shape} (rounds {min(ratios):.2f} to {max(ratios):.2f})"
    return [
        Row(what, ours_s, "tflite_convert", peer_s, CONVERSION_TARGET),
        Row("pb2tflite with its proof", ours_s + median(proofs), "tflite_convert", peer_s, None),
    ]


def inference(folder: Path, *, shape: Shape, pairs: int) -> Row:
    """One run of either file in turn, in workers of one thread."""
    from pixelproof.measure import runtime
    from pixelproof.measure.worker import Worker

    image = np.random.default_rng(SEED).random(shape, np.float32)
    with Worker(threads=1) as first, Worker(threads=1) as second:
        for worker, name in ((first, "ours.tflite"), (second, "peer.tflite")):
            worker.load(folder / name, "tflite")
            worker.put(0, image)
            worker.time_ms(0)
        timing = runtime.interleaved(second.time_ms, first.time_ms, images=1, max_pairs=pairs)
    ratio = timing.ratio
    what = f"inference of our file, one thread ({ratio.low:.3f} to {ratio.high:.3f}, {len(timing.first_ms)} pairs)"
    peer_s = median(timing.first_ms) / 1000
    return Row(what, peer_s * ratio.value, "inference of its file", peer_s, INFERENCE_TARGET)


def in_a_process(call: Callable[[], None]) -> None:
    """Run something that imports TensorFlow outside of the process that measures."""
    import multiprocessing

    process = multiprocessing.get_context("spawn").Process(target=call)
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"ended with {process.exitcode}")


def main() -> None:
    """Measure and print."""
    from functools import partial

    from pixelproof.contract import parse_shape

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--shape", default="1,544,960,4")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        in_a_process(partial(write_punet, folder / "punet.pb", num_maps_base=16))
        found = conversion(folder, shape=options.shape, rounds=options.rounds)
        found.append(inference(folder, shape=parse_shape(options.shape), pairs=options.pairs))
    show(found)


if __name__ == "__main__":
    main()
