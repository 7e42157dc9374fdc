"""PSNR, SSIM and MS-SSIM of one RGB pair, beside scikit-image, tf.image, and torchmetrics and pyiqa where installed.

    python -m benchmarks.bench_metrics [--side 512] [--rounds 21] [--torch-python PYTHON]

Each library runs in a process of its own on a pair that lies in memory, in the arrays that it takes; calls alternate,
and the ratio is the trimmed mean of the pairs'. One call of ours runs on one thread; a peer that can has all cores,
and where the row says so one thread too. The pair is part of a bundled photograph and a noisy copy, float32 in
[0, 1].
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.peer_process import PeerFailed, PeerProcess, peer_process
from benchmarks.row import Row, Skip
from benchmarks.setting import TORCH_NEEDED, Setting, setting_of
from benchmarks.table import show
from benchmarks.timing import in_turn

SSIM_TARGET = 0.7
EQUAL = 1e-6
SEED = 2018
WARM_UP = 2
PROGRAM = Path(__file__).parent / "peers" / "metrics_of.py"
Metric = Callable[[], float]


@dataclass(frozen=True)
class Library:
    """A peer: the name that ``peers/metrics_of.py`` knows, what to call it in the table, and who has it.

    Attributes:
        in_torch: whether it runs in the interpreter that has PyTorch.
    """

    name: str
    title: str
    in_torch: bool = False


SKIMAGE = Library("skimage", "scikit-image")
TF = Library("tf", "tf.image")
TRACED = Library("tf_function", "tf.image in a tf.function")
TORCHMETRICS = Library("torchmetrics", "torchmetrics", in_torch=True)
PYIQA = Library("pyiqa", "pyiqa", in_torch=True)


@dataclass(frozen=True)
class Comparison:
    """A metric of ours and its name at the peer, which has so many threads."""

    title: str
    ours: Metric
    library: Library
    theirs: str
    threads: int
    target: float | None = None


def rows(setting: Setting) -> Iterator[Row | Skip]:
    """What `make bench` runs."""
    side, rounds = (256, 5) if setting.quick else (512, 21)
    yield from measured(side=side, rounds=rounds, torch_python=setting.torch_python)


def measured(*, side: int, rounds: int, torch_python: str | None) -> Iterator[Row | Skip]:
    """Every comparison; one skip for each library that is missing."""
    from pixelproof.environment import usable_cores
    from pixelproof.temporary import temporary_folder

    output, target = pair(side)
    with temporary_folder("pixelproof-bench-") as folder:
        path = folder / "pair.npz"
        np.savez(path, output=output, target=target)
        every = comparisons(output, target, cores=usable_cores())
        for library in (SKIMAGE, TF, TRACED, TORCHMETRICS, PYIQA):
            asked = [one for one in every if one.library == library]
            yield from beside(library, asked, path, side=side, rounds=rounds, torch_python=torch_python)


def comparisons(output: np.ndarray, target: np.ndarray, *, cores: int) -> list[Comparison]:
    """What is compared; each of ours beside the variant that it reproduces, or the nearest one."""
    from pixelproof.measure import metrics

    doubles = output.astype(np.float64), target.astype(np.float64)

    def psnr() -> float:
        return metrics.psnr_db(output, target)

    def ssim() -> float:
        return metrics.ssim_gaussian(output, target)

    def ssim_tf() -> float:
        return metrics.ssim_tf(output, target)

    def ms_ssim_tf() -> float:
        return metrics.ms_ssim_tf(output, target)

    def ms_ssim() -> float:
        return metrics.ms_ssim_scipy_fft(output, target, max_value=1)

    found = [
        Comparison("psnr_db", lambda: metrics.psnr_db(*doubles), SKIMAGE, "psnr", 1),
        Comparison("ssim_gaussian", lambda: metrics.ssim_gaussian(*doubles), SKIMAGE, "ssim", 1),
        Comparison("psnr_db", psnr, TF, "psnr", cores),
        Comparison("ssim_gaussian", ssim, TF, "ssim", cores, SSIM_TARGET),
        Comparison("ssim_gaussian", ssim, TRACED, "ssim", cores, SSIM_TARGET),
        Comparison("ssim_gaussian", ssim, TRACED, "ssim", 1, SSIM_TARGET),
        Comparison("ssim_tf", ssim_tf, TRACED, "ssim", 1),
        Comparison("ms_ssim_tf", ms_ssim_tf, TRACED, "ms_ssim", 1),
    ]
    for library in (TORCHMETRICS, PYIQA):
        found += [
            Comparison("psnr_db", psnr, library, "psnr", cores),
            Comparison("ssim_gaussian", ssim, library, "ssim", cores),
            Comparison("ms_ssim_scipy_fft", ms_ssim, library, "ms_ssim", cores),
        ]
    return found


def beside(
    library: Library,
    asked: list[Comparison],
    path: Path,
    *,
    side: int,
    rounds: int,
    torch_python: str | None,
) -> Iterator[Row | Skip]:
    """The rows of one library, which is started once for each number of threads."""
    from pixelproof.environment import installed_version

    if library.in_torch and not torch_python:
        yield Skip(f"{library.title} {TORCH_NEEDED}")
        return
    if library is SKIMAGE and installed_version("scikit-image") is None:
        yield Skip("needs scikit-image: pip install scikit-image")
        return
    python = torch_python if library.in_torch and torch_python else sys.executable
    with ExitStack() as closing:
        peers: dict[int, PeerProcess] = {}
        for one in asked:
            if one.threads not in peers:
                command = [python, str(PROGRAM), library.name, str(one.threads), str(path)]
                quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": str(one.threads)}
                peers[one.threads] = closing.enter_context(peer_process(command, quiet))
            try:
                row = compared(one, peers[one.threads], side=side, rounds=rounds)
            except PeerFailed as failure:
                if not library.in_torch:
                    raise
                yield Skip(f"{library.title} does not run in {python}: {failure}")
                return
            yield row
            if one.library == SKIMAGE and one.theirs == "ssim":
                yield equality(one, peers[one.threads], side=side)


def compared(one: Comparison, peer: PeerProcess, *, side: int, rounds: int) -> Row:
    """Calls in turn."""
    from pixelproof.measure.runtime import paired_ratio

    values: list[tuple[float, float]] = []

    def ours() -> float:
        start = time.perf_counter()
        value = one.ours()
        seconds = time.perf_counter() - start
        values.append((value, peer.ask(one.theirs)[1]) if not values else values[0])
        return seconds

    pairs = in_turn(ours, lambda: peer.ask(one.theirs)[0], rounds=WARM_UP + rounds)[WARM_UP:]
    ratio = paired_ratio([theirs for _, theirs in pairs], [mine for mine, _ in pairs])
    apart = abs(values[0][0] - values[0][1])
    threads = f"{one.threads} thread{'s' if one.threads > 1 else ''}"
    figures = f"figures {apart:.0e} apart" if apart else "figures equal"
    return Row(
        f"{one.title} of {side}x{side} RGB",
        1000 * median(mine for mine, _ in pairs),
        f"{one.library.title}, {one.theirs}, {threads}",
        1000 * median(theirs for _, theirs in pairs),
        one.target,
        unit="ms",
        paired=ratio.value,
        note=f"{ratio.low:.2f} to {ratio.high:.2f}, {len(pairs)} pairs; {figures}",
    )


def equality(one: Comparison, peer: PeerProcess, *, side: int) -> Row:
    """How far our figure lies from scikit-image's."""
    apart = abs(one.ours() - peer.ask(one.theirs)[1])
    what = f"ssim_gaussian of {side}x{side} RGB: how far from scikit-image's Gaussian variant"
    return Row(what, apart, target=EQUAL, bound="ours <=", unit="")


def pair(side: int) -> tuple[np.ndarray, np.ndarray]:
    """(output, target): the middle of a photograph, repeated where it is smaller, and a noisy copy of it."""
    from benchmarks.photographs import photographs

    picture = photographs()[0]
    height, width = picture.shape[:2]
    top, left = max(0, (height - side) // 2), max(0, (width - side) // 2)
    cut = picture[top : top + side, left : left + side].astype(np.float32) / np.float32(255)
    target = np.pad(cut, ((0, side - cut.shape[0]), (0, side - cut.shape[1]), (0, 0)), mode="symmetric")
    noise = np.random.default_rng(SEED).normal(0, 0.03, target.shape)
    return np.clip(target + noise, 0, 1).astype(np.float32), target


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", type=int, default=512, help="of the square pair; at least 161")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--torch-python", default=setting_of().torch_python)
    given = parser.parse_args()
    show(list(measured(side=given.side, rounds=given.rounds, torch_python=given.torch_python)))


if __name__ == "__main__":
    main()
