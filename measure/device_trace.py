"""What TensorFlow's trace of one run says of the GPU: when its kernels ran, and how much memory was taken.

Sources, TensorFlow 2.21: `DeviceProfilerSession` and `ConvertGpuXSpaceToStepStats` (``profiler/convert/
xplane_to_step_stats.cc``) put the kernels of a GPU under ``/device:GPU:0/stream:all`` and copies to and from it under
``/device:GPU:0/memcpy``, in microseconds of the device's clock. `NodeExecStatsWrapper::AddAllocation`
(``common_runtime/step_stats_collector.cc``) notes, when a node is done, how many bytes its allocator has given out
(``allocator_bytes_in_use``) and the node's own share: at most (``peak_bytes``) and still (``live_bytes``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tensorflow.core.framework.step_stats_pb2 import StepStats

KERNELS = re.compile(r"device:GPU:\d+/stream:all$", re.IGNORECASE)
"""Devices of a trace whose events are a GPU's kernels."""

MEMORY = re.compile(r"^gpu_(?!host)", re.IGNORECASE)
"""Allocators of a GPU's own memory: ``GPU_0_bfc``; ``gpu_host_bfc`` is the machine's."""

_MIB = 1024 * 1024


@dataclass(frozen=True)
class DeviceRun:
    """One run on a GPU.

    Attributes:
        span_ms: from the start of the first kernel to the end of the last; copies to and from the GPU don't count.
        peak_mib: memory that was taken at most, weights included; None where the trace tells none.
    """

    span_ms: float
    peak_mib: float | None


def device_run(trace: StepStats) -> DeviceRun | None:
    """One run's figures; None where no kernel ran on a GPU."""
    span = span_ms(trace, devices=KERNELS)
    return None if span is None else DeviceRun(span_ms=span, peak_mib=peak_mib(trace, allocators=MEMORY))


def span_ms(trace: StepStats, *, devices: re.Pattern[str]) -> float | None:
    """From the start of the first event to the end of the last on some devices of a trace; None without events."""
    events = [
        event for device in trace.dev_stats if devices.search(device.device) for event in device.node_stats
    ]
    if not events:
        return None
    start: int = min(event.all_start_micros for event in events)
    end: int = max(event.all_start_micros + event.all_end_rel_micros for event in events)
    return (end - start) / 1000


def peak_mib(trace: StepStats, *, allocators: re.Pattern[str]) -> float | None:
    """The most that was given out at any node: what it found given out, and its own at most.

    Args:
        allocators: names of those that count.
    """
    peaks = [
        memory.allocator_bytes_in_use - memory.live_bytes + memory.peak_bytes
        for device in trace.dev_stats
        for node in device.node_stats
        for memory in node.memory
        if allocators.search(memory.allocator_name)
    ]
    return max(peaks) / _MIB if peaks else None
