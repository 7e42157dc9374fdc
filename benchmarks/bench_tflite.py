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
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.apart import apart
from benchmarks.random_model import write_random
from benchmarks.row import Row, Skip
from benchmarks.setting import Setting
from benchmarks.table import show
from benchmarks.timing import interleaved, spread, timed

CONVERSION_TARGET = 1.1
INFERENCE_TARGET = 1.0 + 0.02  # no slower, as far as twenty pairs can tell
SEED = 2021
Shape = tuple[int, int, int, int]


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
    what = f"pb2tflite without its proof, punet 16 at {shape}"
    middle = median(ratios)
    return [
        Row(what, ours_s, "tflite_convert", peer_s, CONVERSION_TARGET, paired=middle, note=spread(ratios)),
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
    note = f"{ratio.low:.3f} to {ratio.high:.3f}, {len(timing.first_ms)} pairs"
    return Row(
        f"inference of pb2tflite's file, punet 16 at {shape[1]}x{shape[2]}, one thread",
        median(timing.second_ms),
        "inference of tflite_convert's file",
        median(timing.first_ms),
        INFERENCE_TARGET,
        unit="ms",
        paired=ratio.value,
        note=note,
    )


def rows(setting: Setting) -> Iterator[Row | Skip]:
    """What `make bench` runs."""
    if setting.quick:
        yield from measured(shape="1,64,96,4", rounds=1, pairs=5)
    else:
        yield from measured(shape="1,544,960,4", rounds=5, pairs=30)


def measured(*, shape: str, rounds: int, pairs: int) -> Iterator[Row]:
    """Converting, then the two files."""
    from pixelproof.contract import parse_shape

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        apart(write_random, folder / "punet.pb", "punet", output_name="output_l0", num_maps_base=16)
        yield from conversion(folder, shape=shape, rounds=rounds)
        yield inference(folder, shape=parse_shape(shape), pairs=pairs)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--shape", default="1,544,960,4")
    options = parser.parse_args()
    show(list(measured(shape=options.shape, rounds=options.rounds, pairs=options.pairs)))


if __name__ == "__main__":
    main()
