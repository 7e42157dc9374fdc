"""What the walls cost: a worker's start, and inference inside them, beside the same worker without any.

python -m benchmarks.bench_sandbox [MODEL.pb]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import resources
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.row import Row, Skip
from benchmarks.setting import Setting
from benchmarks.table import show

LIMIT_S = 0.05
ROUNDS = 15
PAIRS = 60
SHAPE = (1, 720, 1280, 3)
_UNLOCKED = (
    "from pixelproof.measure import worker_main\n"
    "worker_main.lock_down = lambda plan: ()\n"
    "worker_main.main()\n"
)


@contextmanager
def walls(*, locked: bool, outer: bool) -> Iterator[None]:
    """Within the block workers start with the child's own walls, with bubblewrap, or without."""
    from pixelproof.measure import worker_process
    from pixelproof.measure.sandbox.lockdown import LockPlan
    from pixelproof.measure.sandbox.outer import Bubblewrap

    def unlocked(plan: LockPlan) -> list[str]:
        return [sys.executable, "-P", "-c", _UNLOCKED, plan.to_argument()]

    usual = worker_process.worker_command, worker_process.bubblewrap
    if not locked:
        worker_process.worker_command = unlocked
    if not outer:
        worker_process.bubblewrap = lambda: Bubblewrap(None, "switched off")
    try:
        yield
    finally:
        worker_process.worker_command, worker_process.bubblewrap = usual


def start_s(*, locked: bool, outer: bool) -> float:
    """Seconds until a worker has greeted."""
    from pixelproof.measure.worker import Worker

    with walls(locked=locked, outer=outer):
        start = time.perf_counter()
        with Worker() as worker:
            worker.ready()
            return time.perf_counter() - start


def rows(setting: Setting) -> Iterator[Row | Skip]:
    """What `make bench` runs."""
    model = Path(str(resources.files("pixelproof.validate.baselines"))) / "srcnn.pb"
    if setting.quick:
        yield from measured(model, rounds=3, pairs=5, shape=(1, 128, 160, 3))
    else:
        yield from measured(model, rounds=ROUNDS, pairs=PAIRS, shape=SHAPE)


def measured(
    model: Path, *, rounds: int, pairs: int, shape: tuple[int, int, int, int]
) -> Iterator[Row | Skip]:
    """Start and inference with each set of walls."""
    from pixelproof.measure.sandbox.outer import bubblewrap

    variants = {"its own walls": (True, False)}
    if bubblewrap().program is not None:
        variants["its own walls and bubblewrap"] = (True, True)
    else:
        yield Skip("the second set of walls needs bubblewrap")
    kinds = {"none": (False, False), **variants}
    for locked, outer in kinds.values():
        start_s(locked=locked, outer=outer)
    times = [{name: start_s(locked=a, outer=b) for name, (a, b) in kinds.items()} for _ in range(rounds)]
    bare = median(one["none"] for one in times)
    for name in variants:
        over = median(one[name] - one["none"] for one in times)
        what = f"start of a worker, {name}: over one without"
        yield Row(what, over, target=LIMIT_S, bound="ours <=", note=f"one without starts in {bare:.3f} s")
    for name, (locked, outer) in variants.items():
        yield inference(model, name, locked=locked, outer=outer, pairs=pairs, shape=shape)


def inference(
    model: Path, name: str, *, locked: bool, outer: bool, pairs: int, shape: tuple[int, int, int, int]
) -> Row:
    """One image in turn, inside the walls and without any."""
    from pixelproof.measure.formats import detect_kind
    from pixelproof.measure.runtime import interleaved
    from pixelproof.measure.worker import Worker

    image = np.random.default_rng(0).random(shape, np.float32)
    with ExitStack() as closing:
        workers = []
        for inside, wrapped in ((locked, outer), (False, False)):
            with walls(locked=inside, outer=wrapped):
                worker = closing.enter_context(Worker(memory_limit_mib=1e6))
                worker.load(model, detect_kind(model))
            worker.put(0, image)
            worker.time_ms(0)
            workers.append(worker)
        timing = interleaved(workers[1].time_ms, workers[0].time_ms, images=1, max_pairs=pairs)
    return Row(
        f"inference of {model.name} at {shape[1]}x{shape[2]}, {name}",
        median(timing.second_ms),
        "the same worker without walls",
        median(timing.first_ms),
        unit="ms",
        paired=timing.ratio.value,
        note=f"{timing.ratio.low:.3f} to {timing.ratio.high:.3f}, {len(timing.first_ms)} pairs",
    )


def main() -> None:
    """Measure and print."""
    model = Path(sys.argv[1] if len(sys.argv) > 1 else "validate/baselines/srcnn.pb")
    show(list(measured(model, rounds=ROUNDS, pairs=PAIRS, shape=SHAPE)))


if __name__ == "__main__":
    main()
