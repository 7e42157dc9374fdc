"""Training steps beside PyTorch's, on the CPU, the same threads, in turn.

    python -m benchmarks.bench_training [--rounds 9] [--steps 8] [--threads 2] [--torch-python PYTHON]

SRCNN on 128 crops of 33x33, MSRResNet on 8 of 32x32 to 128x128. Ours is all of `train-model`'s step, the loader with
it; PyTorch's step gets a batch that is there already.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.peer_process import PeerProcess, peer_process
from benchmarks.row import Row, Skip
from benchmarks.setting import TORCH_NEEDED, TORCH_VARIABLE, Setting
from pixelproof.images import write_png

WHAT = {
    "srcnn_915": "training step, SRCNN 128x33x33",
    "msrresnet": "training step, MSRResNet 8x32x32 to 128x128",
}
TARGETS = {("srcnn_915", "default"): 0.65, ("srcnn_915", "channels_last"): 1.0, ("msrresnet", "default"): 1.0}
WARM_UP = 2


def pictures(folder: Path, *, count: int = 6) -> None:
    """Smooth random pictures of 240x320."""
    from PIL import Image

    rng = np.random.default_rng(5)
    for number in range(count):
        small = Image.fromarray(rng.integers(0, 256, (24, 32, 3), np.uint8))
        write_png(folder / f"{number}.png", np.asarray(small.resize((320, 240), Image.Resampling.BICUBIC)))


def compared(model: str, *, python: str, threads: int, rounds: int, steps: int) -> Iterator[Row]:
    """A row for each of PyTorch's layouts, and one for Keras as it comes."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        pictures(Path(folder))
        limits = {"OMP_NUM_THREADS": str(threads), "KERAS_BACKEND": "tensorflow"}
        ours = [sys.executable, "-m", "benchmarks.peers.training_keras", model, str(threads), folder]
        program = str(Path(__file__).parent / "peers" / "training_torch.py")
        commands = {"ours": ours, "Keras fit": [*ours, "bare"]}
        for layout in ("default", "channels_last"):
            commands[f"PyTorch, {layout}"] = [python, program, model, str(threads), layout]
        peers = {name: stack.enter_context(peer_process(line, limits)) for name, line in commands.items()}
        times, waiting = in_turn(peers, rounds=rounds, steps=steps)
    for name in [one for one in times if one != "ours"]:
        ratios = sorted(a / b for a, b in zip(times["ours"], times[name], strict=True))
        spread = f"middle half {ratios[len(ratios) // 4]:.3f} to {ratios[-1 - len(ratios) // 4]:.3f}"
        yield Row(
            f"{WHAT[model]}, {threads} threads",
            median(times["ours"]),
            name,
            median(times[name]),
            TARGETS.get((model, name.removeprefix("PyTorch, "))),
            paired=median(ratios),
            note=f"{spread}, {rounds} rounds of {steps} steps; waiting for data {median(waiting):.1%} of ours",
        )


def in_turn(
    peers: dict[str, PeerProcess], *, rounds: int, steps: int
) -> tuple[dict[str, list[float]], list[float]]:
    """Seconds a step of each, round by round, in changing order; and our share of waiting."""
    times: dict[str, list[float]] = {name: [] for name in peers}
    waiting = []
    for number in range(WARM_UP + rounds):
        for name in list(peers)[:: 1 if number % 2 else -1]:
            seconds, *rest = peers[name].ask(f"steps {steps}")
            if number >= WARM_UP:
                times[name].append(seconds)
                if name == "ours":
                    waiting.append(rest[0])
    return times, waiting


def rows(setting: Setting) -> Iterator[Row | Skip]:
    """The rows of `make bench`."""
    if setting.torch_python is None:
        yield Skip(TORCH_NEEDED)
        return
    rounds, steps = (2, 2) if setting.quick else (9, 8)
    for model in WHAT:
        yield from compared(model, python=setting.torch_python, threads=2, rounds=rounds, steps=steps)


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description="training steps beside PyTorch's")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--models", default=",".join(WHAT))
    parser.add_argument("--torch-python", default=os.environ.get(TORCH_VARIABLE))
    given = parser.parse_args()
    if not given.torch_python:
        sys.exit(TORCH_NEEDED)
    for model in given.models.split(","):
        for row in compared(
            model, python=given.torch_python, threads=given.threads, rounds=given.rounds, steps=given.steps
        ):
            print(
                f"{row.what}: {row.ours:.4f} s, {row.peer} {row.peer_value:.4f} s, ratio {row.ratio:.3f}; {row.note}"
            )


if __name__ == "__main__":
    main()
