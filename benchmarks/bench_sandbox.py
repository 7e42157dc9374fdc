"""What the walls cost: a worker's start, and inference inside them, beside the same worker without any.

python -m benchmarks.bench_sandbox [MODEL.pb]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import numpy as np

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


def main() -> None:
    """Measure and print."""
    from pixelproof.console import Console
    from pixelproof.measure.formats import detect_kind
    from pixelproof.measure.runtime import interleaved
    from pixelproof.measure.sandbox.outer import bubblewrap
    from pixelproof.measure.worker import Worker

    model = Path(sys.argv[1] if len(sys.argv) > 1 else "validate/baselines/srcnn.pb")
    variants = {"no walls": (False, False), "its own walls": (True, False)}
    if bubblewrap().program is not None:
        variants["its own and bubblewrap"] = (True, True)
    for locked, outer in variants.values():
        start_s(locked=locked, outer=outer)
    rounds = [{n: start_s(locked=a, outer=b) for n, (a, b) in variants.items()} for _ in range(ROUNDS)]
    rows = []
    for name in variants:
        over = median(r[name] - r["no walls"] for r in rounds)
        rows.append([name, f"{median(r[name] for r in rounds):.3f}", f"{over:+.3f}", f"<= {LIMIT_S}"])
    Console().table("Start of a worker, s", ["walls", "until its greeting", "over none", "target"], rows)

    image = np.random.default_rng(0).random(SHAPE, np.float32)
    kind = detect_kind(model)
    for name, (locked, outer) in variants.items():
        with ExitStack() as closing:
            workers = []
            for inside, wrapped in ((locked, outer), (False, False)):
                with walls(locked=inside, outer=wrapped):
                    worker = closing.enter_context(Worker(memory_limit_mib=1e6))
                    worker.load(model, kind)
                worker.put(0, image)
                worker.time_ms(0)
                workers.append(worker)
            result = interleaved(workers[0].time_ms, workers[1].time_ms, images=1, max_pairs=PAIRS)
            ratio = result.ratio
            print(
                f"{model.name} at {SHAPE[1]}x{SHAPE[2]}, {name}: speed {ratio.value:.3f} of one without walls "
                f"({ratio.low:.3f} to {ratio.high:.3f}, {PAIRS} pairs at most)"
            )


if __name__ == "__main__":
    main()
