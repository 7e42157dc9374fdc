"""The parent's end of a worker whose model runs on a GPU."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pixelproof.measure.device import Device
from pixelproof.measure.formats import Kind
from pixelproof.measure.worker import Worker
from pixelproof.measure.worker_answers import device_run_from, gpu_from

BY_DEVICE: tuple[Kind, ...] = ("pb", "savedmodel")
"""Formats whose runtime tells the times of a GPU's kernels, and the memory that was given out."""


class GpuWorker(Worker):
    """A worker that sees one GPU; times are those of the device's own events where the runtime tells them.

    Args:
        device: a GPU.
        options: as of `Worker`.
    """

    def __init__(self, device: Device, **options: Any) -> None:
        super().__init__(device=device, **options)
        self._gpu = asdict(device)
        self._peak_mib: float | None = None

    @property
    def device_peak_mib(self) -> float | None:
        """Most memory of the GPU that a timed call took, weights included; None where the runtime tells none."""
        return self._peak_mib

    @property
    def has_device_clock(self) -> bool:
        """Whether times are those of the device's own events."""
        return self._kind in BY_DEVICE

    def find(self, kind: Kind) -> str | None:
        """The name of the GPU that a format's runtime can use; None for none.

        Raises:
            EnvironmentFault: the child can't import what the format needs.
            WorkerStopped: the runtime ended it.
        """
        self.prepare(kind)
        header, _ = self._ask({"op": "gpu", "format": kind, "device": self._gpu})
        return self._understood(gpu_from, header)

    def timed(self, slot: int) -> tuple[float, tuple[int, ...]]:
        """Time of one call, in milliseconds, and the output's shape."""
        if not self.has_device_clock:
            return super().timed(slot)
        header, _ = self._ask({"op": "time", "slot": slot, "by_device": True})
        ms, shape, peak = self._understood(device_run_from, header)
        if peak is not None:
            self._peak_mib = max(peak, self._peak_mib or 0.0)
        return ms, shape
