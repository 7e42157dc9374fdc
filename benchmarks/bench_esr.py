"""Our imdn, rfdn and rlfn as .pb beside PyTorch's, seconds an image on the CPU, the same threads, in turn.

    python -m benchmarks.bench_esr --data ntire2022_esr [--torch-python PYTHON] [--sizes 256x256] [--threads 1,2]

``--data`` holds model_zoo/ and the original's outputs. PyTorch is no requirement of pixelproof: ``--torch-python``,
or the variable PIXELPROOF_TORCH_PYTHON, names an interpreter that has it. Both sides get one image that lies in
memory and are timed inside their own process; who goes first alternates; the ratio is the median of the pairs'.
Before anything is timed, both are compared with the original's output.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.row import Row, Skip
from benchmarks.setting import TORCH_NEEDED, Setting
from benchmarks.setting import TORCH_VARIABLE as VARIABLE
from benchmarks.table import show

TARGET = 0.8
WARM_UP = 2
SIZES, THREADS, ROUNDS = "256x256,339x510", "1,2", 15
CHECKPOINTS = {"imdn": "imdn_baseline", "rfdn": "rfdn_baseline", "rlfn": "team04_rlfn"}
TOLERANCE = 1e-4
HOW_TO_GET_IT = f"""bench_esr needs an interpreter with PyTorch:
    python3 -m venv torchvenv
    torchvenv/bin/pip install torch==2.13.0 numpy     # the CPU build, from the index that pytorch.org names
    {VARIABLE}=torchvenv/bin/python python -m benchmarks.bench_esr --data ntire2022_esr"""


@dataclass(frozen=True)
class Case:
    """One comparison."""

    model: str
    height: int
    width: int
    threads: int


class Peer:
    """The network in PyTorch, in a process of its own."""

    def __init__(self, python: str, model: str, checkpoint: Path, threads: int) -> None:
        program = Path(__file__).parent / "peers" / "esr_torch.py"
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self._process = subprocess.Popen(
            [python, str(program), model, str(checkpoint), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def ask(self, line: str) -> float:
        """The number that it answers."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        stdin.write(line + "\n")
        stdin.flush()
        answer = stdout.readline()
        if not answer:
            raise RuntimeError(f"the peer ended with {self._process.wait()} at {line!r}")
        return float(answer)

    def close(self) -> None:
        """End it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


@contextmanager
def peer(python: str, model: str, checkpoint: Path, threads: int) -> Iterator[Peer]:
    """A peer that ends with the block."""
    started = Peer(python, model, checkpoint, threads)
    try:
        yield started
    finally:
        started.close()


def converted(model: str, checkpoint: Path, folder: Path) -> Path:
    """The .pb that convert-model makes of the official weights."""
    out = folder / model
    command = [
        str(Path(sys.executable).parent / "convert-model"),
        "--model",
        model,
        "--ckpt",
        str(checkpoint),
    ]
    done = subprocess.run(
        [*command, "--format", "pb", "--out", str(out)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return out / "model.pb"


def compared(case: Case, graph: Path, checkpoint: Path, io: Path, *, python: str, rounds: int) -> Row:
    """A row: medians of both, and of the pairs' ratios."""
    from pixelproof.measure.worker import Worker

    with peer(python, case.model, checkpoint, case.threads) as torch, Worker(threads=case.threads) as worker:
        worker.load(graph, "pb")
        with np.load(io) as stored:
            ours_off = float(np.abs(worker.run(stored["x"]) - stored["y"]).max())
        peer_off = torch.ask(f"check {io}")
        if max(ours_off, peer_off) > TOLERANCE:
            raise RuntimeError(
                f"{case.model} is off the original: ours {ours_off:.1e}, PyTorch {peer_off:.1e}"
            )
        image = np.random.default_rng(2022).random((1, case.height, case.width, 3), np.float32)
        worker.put(0, image)
        pairs = []
        for number in range(WARM_UP + rounds):
            if number % 2:
                theirs = torch.ask(f"time {case.height} {case.width}")
                ours = worker.time_ms(0) / 1000
            else:
                ours = worker.time_ms(0) / 1000
                theirs = torch.ask(f"time {case.height} {case.width}")
            if number >= WARM_UP:
                pairs.append((ours, theirs))
    ratios = sorted(ours / theirs for ours, theirs in pairs)
    ratio = median(ratios)
    middle = f"middle half {ratios[len(ratios) // 4]:.3f} to {ratios[-1 - len(ratios) // 4]:.3f}"
    return Row(
        f"{case.model}, {case.height}x{case.width}, {case.threads} threads",
        median(ours for ours, _ in pairs),
        "PyTorch",
        median(theirs for _, theirs in pairs),
        TARGET,
        paired=ratio,
        note=f"{middle}, {len(pairs)} pairs; off the original {ours_off:.0e}, PyTorch {peer_off:.0e}",
    )


def cases(models: Sequence[str], sizes: str, threads: str) -> list[Case]:
    """Every model at every size with every number of threads."""
    sides = [tuple(map(int, size.split("x"))) for size in sizes.split(",")]
    return [Case(m, h, w, int(t)) for m in models for h, w in sides for t in threads.split(",")]


def measured(
    data: Path, *, python: str, models: Sequence[str], sizes: str, threads: str, rounds: int
) -> Iterator[Row]:
    """A row for every case."""
    zoo = data / "model_zoo"
    with tempfile.TemporaryDirectory() as folder:
        graphs = {m: converted(m, zoo / f"{CHECKPOINTS[m]}.pth", Path(folder)) for m in models}
        for case in cases(models, sizes, threads):
            name = CHECKPOINTS[case.model]
            checkpoint, io = zoo / f"{name}.pth", data / f"{name}_io.npz"
            yield compared(case, graphs[case.model], checkpoint, io, python=python, rounds=rounds)


def rows(setting: Setting) -> Iterator[Row | Skip]:
    """What `make bench` runs."""
    data, python = setting.folder("ntire2022_esr"), setting.torch_python
    if isinstance(data, Skip):
        yield data
    elif not python:
        yield Skip(TORCH_NEEDED)
    elif setting.quick:
        yield from measured(data, python=python, models=["rlfn"], sizes="64x96", threads="1", rounds=3)
    else:
        models = list(CHECKPOINTS)
        yield from measured(data, python=python, models=models, sizes=SIZES, threads=THREADS, rounds=ROUNDS)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="The folder ntire2022_esr.")
    parser.add_argument("--torch-python", default=os.environ.get(VARIABLE))
    parser.add_argument("--models", default=",".join(CHECKPOINTS))
    parser.add_argument("--sizes", default=SIZES)
    parser.add_argument("--threads", default=THREADS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    if not options.torch_python:
        raise SystemExit(HOW_TO_GET_IT)
    found = measured(
        options.data,
        python=options.torch_python,
        models=options.models.split(","),
        sizes=options.sizes,
        threads=options.threads,
        rounds=options.rounds,
    )
    show(list(found))


if __name__ == "__main__":
    main()
