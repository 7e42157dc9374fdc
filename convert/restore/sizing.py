"""How large a tile may be: measured, so that the worker stays within a budget of memory."""

from __future__ import annotations

from dataclasses import dataclass

from pixelproof.convert.restore.engine import Engine, Facts
from pixelproof.convert.restore.fitting import Fit, padded_size, probe_size
from pixelproof.convert.restore.reading import Size
from pixelproof.environment import memory_mib
from pixelproof.measure.parity import probe_image

BUDGET_MIB = 2048.0
"""Leaves the parent, with TensorFlow where it has converted a checkpoint, its share of 3.5 GB."""
MOST_SHARE = 0.5
MARGIN = 1.5
TRIAL_SIDE = 512
TRIAL_RUNS = 2
"""oneDNN's allocator grows on the second."""
SMALL_PIXELS = TRIAL_SIDE * TRIAL_SIDE
FALLBACK_SIDE = 512
FALLBACK_PIXELS = 2_000_000
LARGEST_SIDE = 2048
STEP = 64
MIB = 2.0**20


@dataclass(frozen=True)
class Appetite:
    """Memory of the worker: ``fixed_mib``, and so many bytes for each pixel of the input beyond."""

    fixed_mib: float
    pixel_bytes: float

    def predicted_mib(self, size: Size) -> float:
        """Peak for an input of this size, with room for allocators that take more than they need."""
        return self.fixed_mib + MARGIN * self.pixel_bytes * size[0] * size[1] / MIB

    def largest_side(self) -> int:
        """Side of the largest square tile within the budget, in whole steps of 64."""
        room = (budget_mib() - self.fixed_mib) * MIB
        side = (max(room, 0.0) / (MARGIN * self.pixel_bytes)) ** 0.5
        return min(LARGEST_SIDE, max(STEP, int(side) // STEP * STEP))


def budget_mib() -> float:
    """What the worker may take: 2 GiB, or half of a smaller machine's memory."""
    return min(BUDGET_MIB, MOST_SHARE * memory_mib())


def measured_appetite(engine: Engine, facts: Facts, fit: Fit) -> Appetite | None:
    """Run a larger probe and see what it takes beyond the engine's first run, which was a small one.

    Where larger images went through before, the figure is larger than it need be: memory that was taken stays.

    Returns:
        None where the system tells no peak that grows.

    Raises:
        ModelFailed, WorkerStopped: the model can't be run at the probes' sizes.
    """
    small = padded_size(probe_size(fit.multiple or 1), fit)
    if not engine.first_peak_mib:
        engine.run(probe_image(*small, facts.channels)[0])
    large = probe_image(TRIAL_SIDE, TRIAL_SIDE, facts.channels)[0]
    for _ in range(TRIAL_RUNS):
        engine.run(large)
    grown = (engine.peak_mib() - engine.first_peak_mib) * MIB / (TRIAL_SIDE**2 - small[0] * small[1])
    return Appetite(fixed_mib=engine.first_peak_mib, pixel_bytes=grown) if grown > 0 else None
