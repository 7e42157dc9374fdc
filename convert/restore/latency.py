"""How long one image takes in the model, without transfers and without pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pixelproof.convert.restore.engine import Engine
from pixelproof.convert.restore.reading import Picture

WARM_UP_RUNS = 2


@dataclass(frozen=True)
class Latency:
    """Wall-clock times of one call, ms.

    Attributes:
        height, width: of the model's input.
        median_ms, p90_ms: over the runs.
        runs, warm_up_runs: how many were timed, and how many went before.
        threads: of the model's runtime.
    """

    height: int
    width: int
    median_ms: float
    p90_ms: float
    runs: int
    warm_up_runs: int
    threads: int
    samples_ms: tuple[float, ...]


def measure_latency(
    engine: Engine, image: Picture, *, runs: int, advance: Callable[[int, str], None]
) -> Latency:
    """Time a loaded model on an image that stays in the worker.

    Args:
        image: float32, (height, width, channels).
        advance: told after each timed run.

    Raises:
        ModelFailed, WorkerStopped: the model can't run at this size.
    """
    engine.worker.put(0, image[None])
    for _ in range(WARM_UP_RUNS):
        engine.worker.time_ms(0)
    samples = []
    for _ in range(runs):
        samples.append(engine.worker.time_ms(0))
        advance(1, f"{samples[-1]:.1f} ms")
    median, p90 = np.percentile(samples, (50, 90))
    return Latency(
        height=image.shape[0],
        width=image.shape[1],
        median_ms=float(median),
        p90_ms=float(p90),
        runs=runs,
        warm_up_runs=WARM_UP_RUNS,
        threads=engine.threads,
        samples_ms=tuple(samples),
    )
