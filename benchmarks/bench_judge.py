"""Judging many: two jobs beside one, cost and memory as submissions grow in number; prints ratios.

    python -m benchmarks.bench_judge [--pairs 60] [--counts 10 100 1000] [--rounds 3]

The model is the shipped SRCNN, in other bytes for each submission. Only contract and fidelity are judged, each job on
one core: runtime is never measured by two at a time.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from statistics import median

import numpy as np
import psutil

from benchmarks.row import Row, Skip
from benchmarks.setting import Setting
from benchmarks.table import show

SUBMISSIONS = 20
SPEEDUP = 1.8
FLAT = 0.10
LOOK_EVERY_S = 0.1
RULES = """
id = "bench"
title = "For measuring"
url = "https://example.org"
data_folder = "bench"
[tracks.B]
title = "Enhancement"
[tracks.B.contract]
input = "input:0"
output = "output:0"
channels = [3, 3]
scale = 1
any_resolution = true
[tracks.B.fidelity]
inputs = "inputs"
targets = "targets"
psnr = { crop_border = 0, clip = true, round_to_8_bit = false }
ms_ssim = { variant = "scipy-fft", clip = false }
"""


@dataclass(frozen=True)
class Cost:
    """One call: seconds, and the largest resident size of its processes but the models', MiB."""

    seconds: float
    judge_mib: float
    jobs_mib: float


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(
        description="Judging many: two jobs beside one, and cost as they grow in number"
    )
    parser.add_argument("--pairs", type=int, default=60, help="of 100x100, for two jobs beside one")
    parser.add_argument("--counts", type=int, nargs="*", default=[10, 100, 1000])
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = list(compare(folder, pairs=given.pairs, rounds=given.rounds)) if given.rounds else []
        found += grow(folder, given.counts)
    show(found)


def rows(setting: Setting) -> Iterator[Row | Skip]:
    """What `make bench` runs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if setting.quick:
            yield from compare(folder, pairs=4, rounds=1)
            yield from grow(folder, [2, 4])
        else:
            yield from compare(folder, pairs=60, rounds=3)
            yield from grow(folder, [10, 100, 1000])


def compare(folder: Path, *, pairs: int, rounds: int) -> Iterator[Row]:
    """Two jobs beside one."""
    contest(folder / "compared", pairs=pairs, side=100)
    inbox(folder / "twenty", SUBMISSIONS)
    ratios, ones, twos = [], [], []
    for number in range(rounds):
        one, two = (
            call(folder, "compared", "twenty", jobs=jobs, ledger=f"{number}-{jobs}", only="fidelity")
            for jobs in (1, 2)
        )
        ratios.append(one.seconds / two.seconds)
        ones.append(one.seconds)
        twos.append(two.seconds)
    yield Row(
        f"judging {SUBMISSIONS} submissions on {pairs} pairs, fidelity, one job",
        median(ones),
        "pixelproof itself with two jobs",
        median(twos),
        SPEEDUP,
        bound="ratio >=",
        paired=median(ratios),
        note=f"median of {rounds}; {min(ratios):.2f} to {max(ratios):.2f}",
    )


def grow(folder: Path, counts: list[int]) -> Iterator[Row]:
    """Cost of each as they grow in number."""
    contest(folder / "tiny", pairs=2, side=48)
    costs = {}
    for count in counts:
        inbox(folder / f"many-{count}", count)
        cost = call(folder, "tiny", f"many-{count}", jobs=2, ledger=f"many-{count}", only="contract,fidelity")
        costs[count] = cost.seconds / count
        yield Row(
            f"judging {count} submissions, contract and fidelity of two small pairs, each",
            costs[count],
            note=f"judge {cost.judge_mib:.0f} MiB, largest job {cost.jobs_mib:.0f} MiB",
        )
    if len(costs) > 1:
        apart = max(costs.values()) / min(costs.values())
        what = f"dearest over cheapest submission, {min(counts)} to {max(counts)} of them"
        yield Row(what, apart, target=1 + FLAT, bound="ours <=", unit="")


def contest(folder: Path, *, pairs: int, side: int) -> None:
    """Rules and images."""
    from pixelproof.images import write_png
    from pixelproof.measure.parity import probe_image

    folder.mkdir()
    (folder / "rules.toml").write_text(RULES)
    rng = np.random.default_rng(1)
    for number in range(pairs):
        source = np.rint(probe_image(side, side, 3, seed=number)[0] * 255).astype(np.uint8)
        target = np.clip(source + rng.integers(-9, 10, source.shape), 0, 255).astype(np.uint8)
        write_png(folder / "data" / "inputs" / f"{number}.png", source)
        write_png(folder / "data" / "targets" / f"{number}.png", target)


def inbox(folder: Path, count: int) -> None:
    """The shipped SRCNN so many times, each with a field that no reader knows."""
    graph = (Path(str(resources.files("pixelproof.validate.baselines"))) / "srcnn.pb").read_bytes()
    folder.mkdir()
    for number in range(count):
        mark = f"{number}".encode()
        (folder / f"{number}.pb").write_bytes(graph + bytes([0x9A, 0x06, len(mark)]) + mark)


def call(folder: Path, rules: str, submissions: str, *, jobs: int, ledger: str, only: str) -> Cost:
    """The command, watched.

    Raises:
        RuntimeError: it failed, or a submission was not judged.
    """
    where = folder / rules
    command = [sys.executable, "-c", "from pixelproof.cli import main; main()", "judge-submissions"]
    command += [
        str(folder / submissions),
        "--challenge",
        str(where / "rules.toml"),
        "--data",
        str(where / "data"),
    ]
    command += ["--ledger", str(folder / f"{ledger}.sqlite"), "--only", only]
    command += ["--jobs", str(jobs), "--threads", "1"]
    begun = time.perf_counter()
    largest = {"judge": 0.0, "jobs": 0.0}
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(command, stdout=printed, stderr=subprocess.STDOUT)
        while process.poll() is None:
            watch(process.pid, largest)
            time.sleep(LOOK_EVERY_S)
        seconds = time.perf_counter() - begun
        printed.seek(0)
        text = printed.read()
    if process.returncode or " refused" in text:
        raise RuntimeError(text[-2000:])
    return Cost(seconds, largest["judge"], largest["jobs"])


def watch(pid: int, largest: dict[str, float]) -> None:
    """Note resident sizes: of the call, and of its processes for jobs."""
    try:
        judge = psutil.Process(pid)
        largest["judge"] = max(largest["judge"], judge.memory_info().rss / 2**20)
        for child in judge.children():
            if any("job_main" in word for word in child.cmdline()):
                largest["jobs"] = max(largest["jobs"], child.memory_info().rss / 2**20)
    except psutil.Error:
        pass


if __name__ == "__main__":
    main()
