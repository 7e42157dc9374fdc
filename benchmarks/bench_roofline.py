"""How far each network runs from what the processor can do, and in which operations its time goes.

    python -m benchmarks.bench_roofline [--models a,b] [--runs 10] [--threads 2] [--quick] [--json FILE]

Every registered network of a challenge, at that challenge's resolution, with random weights, as a frozen graph in a
locked worker. Its limit is TensorFlow's own rate of float32 matrix products, measured in the same run.
`docs/performance.md` says what the columns mean.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.apart import apart
from benchmarks.hardware import ROUNDS, SIDE, measured_rates, tensorflow_gflops
from benchmarks.machine import this_machine
from benchmarks.random_model import write_random
from benchmarks.row import Row, Skip
from benchmarks.setting import Setting
from benchmarks.trace import in_words, seconds_by_operation, shares

CHALLENGES = ("pirm2018", "ntire2022-esr", "mai2021-isp")
QUICK_MODELS = ("srcnn", "resnet_6_16")
QUICK_SIDE = 96
RUNS = 10
TRACED = 3
SEED = 2018


@dataclass(frozen=True)
class Place:
    """One network under the roof.

    Attributes:
        macs: multiply-accumulates of one image: half of the FLOPs of the convention ``2xmac``.
        ms: median of the runs.
        gflops: 2 x macs over the time, GFLOP/s.
        limit_gflops: TensorFlow's rate of matrix products, measured right after, so that both ran in one machine's
            mood.
        by_operation: (type of operation, share of the traced time), the largest first.
    """

    model: str
    challenge: str
    height: int
    width: int
    macs: int
    ms: float
    gflops: float
    limit_gflops: float
    by_operation: tuple[tuple[str, float], ...]

    @property
    def share(self) -> float:
        """Of the limit."""
        return self.gflops / self.limit_gflops


def models_of_challenges() -> dict[str, tuple[str, int, int, int]]:
    """(challenge, height, width, channels) by name."""
    from pixelproof.models.registry import names, spec

    known = (spec(name) for name in names())
    return {
        one.name: (one.challenge, *one.size, one.contract.channels[0])
        for one in known
        if one.challenge in CHALLENGES
    }


def place(
    name: str,
    case: tuple[str, int, int, int],
    folder: Path,
    *,
    runs: int,
    threads: int,
    product: int,
) -> Place:
    """Write the network, count it, time it and trace it."""
    from pixelproof.measure.complexity import complexity
    from pixelproof.measure.worker import Worker

    challenge, height, width, channels = case
    graph = folder / f"{name}.pb"
    apart(write_random, graph, name)
    shape = (1, height, width, channels)
    with Worker(threads=threads) as worker:
        cost = complexity(worker, graph, "pb", height=height, width=width, convention="2xmac")
    with Worker(threads=threads) as worker:
        worker.load(graph, "pb")
        worker.put(0, np.random.default_rng(SEED).random(shape, np.float32))
        times = [worker.time_ms(0) for _ in range(2 + runs)][2:]
    limit = apart(tensorflow_gflops, cores=threads, side=product, rounds=ROUNDS)
    traced = apart(seconds_by_operation, graph, shape, threads=threads, runs=min(runs, TRACED))
    ms = median(times)
    gflops = cost.flops / ms / 1e6
    by_operation = tuple(shares(traced))
    return Place(name, challenge, height, width, cost.flops // 2, ms, gflops, limit, by_operation)


def places(
    *, models: Sequence[str] | None, side: int | None, runs: int, threads: int, product: int = SIDE
) -> Iterator[Place]:
    """Each network of a challenge, or those named; ``side`` replaces the challenge's resolution."""
    from pixelproof.temporary import temporary_folder

    cases = apart(models_of_challenges)
    unknown = [name for name in models or () if name not in cases]
    if unknown:
        raise SystemExit(
            f"--models must name networks of a challenge; found {unknown}. There are: {', '.join(cases)}."
        )
    with temporary_folder("pixelproof-bench-") as folder:
        for name in models or cases:
            challenge, height, width, channels = cases[name]
            if side:
                height = width = side
            case = (challenge, height, width, channels)
            yield place(name, case, folder, runs=runs, threads=threads, product=product)


def rows(setting: Setting) -> Iterator[Row | Skip]:
    """What `make bench` runs: each network's rate beside the matrix products'."""
    from pixelproof.environment import usable_cores

    cores = usable_cores()
    if setting.quick:
        found = places(models=QUICK_MODELS, side=QUICK_SIDE, runs=3, threads=cores, product=512)
    else:
        found = places(models=None, side=None, runs=RUNS, threads=cores)
    for one in found:
        yield Row(
            f"{one.model} at {one.height}x{one.width}: {one.macs / 1e9:.2f} GMAC in {one.ms:.1f} ms",
            one.gflops,
            "TensorFlow's matrix product",
            one.limit_gflops,
            unit="GFLOP/s",
            note=in_words(one.by_operation),
        )


def main() -> None:
    """Measure and print."""
    from pixelproof.console import Console
    from pixelproof.environment import usable_cores

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", metavar="A,B", help="these alone")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK_SIDE}x{QUICK_SIDE} instead; no figures to quote"
    )
    parser.add_argument("--json", metavar="FILE", help="everything as JSON")
    given = parser.parse_args()
    console = Console(json_to=given.json)
    machine = this_machine(None)
    rates = measured_rates(cores=given.threads)
    found = []
    models = given.models.split(",") if given.models else None
    side = QUICK_SIDE if given.quick else None
    for one in places(models=models, side=side, runs=given.runs, threads=given.threads):
        console.line(f"{one.model} ... {one.ms:.1f} ms")
        found.append(one)
    title = f"{QUICK_SIDE}x{QUICK_SIDE}: no figures to quote" if given.quick else ""
    columns = ["network", "resolution", "GMAC", "ms", "GFLOP/s", "limit", "share", "where the time goes"]
    console.table(title, columns, [line_of(one) for one in found])
    console.line(f"Limit: {rates.tensorflow_gflops:.0f} GFLOP/s (TensorFlow), {rates.numpy_gflops:.0f} (NumPy), "
                 f"float32, {rates.cores} threads; a copy moves {rates.copy_gib_s:.1f} GiB/s.")  # fmt: skip
    for line in machine.lines():
        console.line(line)
    console.json(
        {
            "machine": machine.to_json(),
            "rates": asdict(rates),
            "networks": [{**asdict(one), "share": one.share} for one in found],
        }
    )


def line_of(one: Place) -> list[str]:
    """A network as a line of the table."""
    return [
        one.model,
        f"{one.height}x{one.width}",
        f"{one.macs / 1e9:.2f}",
        f"{one.ms:.1f}",
        f"{one.gflops:.0f}",
        f"{one.limit_gflops:.0f}",
        f"{one.share:.0%}",
        in_words(one.by_operation),
    ]


if __name__ == "__main__":
    main()
