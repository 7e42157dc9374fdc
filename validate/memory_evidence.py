"""Peak memory on one image of the track's size."""

from __future__ import annotations

from dataclasses import dataclass

from pixelproof.challenge import PeakMemory
from pixelproof.contract import Contract
from pixelproof.errors import WorkerStopped
from pixelproof.measure.gpu_worker import GpuWorker
from pixelproof.measure.memory import method
from pixelproof.measure.parity import probe_image
from pixelproof.report import Memory, SizeTrial
from pixelproof.validate.session import ModelSession

MEMORY_RUNS = 2


@dataclass(frozen=True)
class MemoryOutcome:
    """Peak memory, and what came out at that size; no trial where the model was stopped at the cap."""

    memory: Memory
    trial: SizeTrial | None


def measure_memory(
    session: ModelSession, cap: PeakMemory, contract: Contract, *, on_gpu: ModelSession | None = None
) -> MemoryOutcome:
    """Peak resident memory of a fresh worker that loads the model and runs it a fixed number of times.

    The peak is reset before the model is loaded; what the runtime and the image take without any model is their
    own share.

    Args:
        session: of a worker on the CPU that has not loaded the model, and is stopped at the cap.
        on_gpu: of a worker on a GPU, whose memory is measured besides.

    Raises:
        ModelFailed, WorkerStopped: the model can't run at that size; passing the cap is a result, not an error.
    """
    worker = session.start()
    size = cap.height, cap.width
    baseline = 0.0
    trial: SizeTrial | None = None
    stopped: str | None = None
    try:
        worker.ready()
        worker.put(0, probe_image(*size, contract.channels[0]))
        baseline = worker.resident_mib()
        worker.reset_peak()
        with session.worker() as loaded:
            shape: tuple[int, ...] = ()
            for _ in range(MEMORY_RUNS):
                loaded.recorder.mark()
                _, shape = loaded.timed(0)
            peak = loaded.peak_mib()
        trial = SizeTrial(height=size[0], width=size[1], output=shape)
    except WorkerStopped as error:
        session.close()
        if error.reason != "out_of_memory" or error.peak_rss_mib is None:
            raise
        peak, stopped = error.peak_rss_mib, error.found
    memory = Memory(
        device="cpu" if on_gpu is None else str(on_gpu.device),
        device_peak_mib=None if on_gpu is None or stopped else _device_peak_mib(on_gpu, size, contract),
        peak_rss_mib=round(peak, 2),
        baseline_rss_mib=round(baseline, 2),
        model_mib=round(peak - baseline, 2),
        limit_mib=cap.total_rss_mib,
        height=size[0],
        width=size[1],
        method=method(),
        stopped=stopped,
        trace=worker.recorder.trace(),
    )
    return MemoryOutcome(memory=memory, trial=trial)


def _device_peak_mib(session: ModelSession, size: tuple[int, int], contract: Contract) -> float | None:
    """Memory of the GPU that the model takes at most, MiB; None where its runtime doesn't tell."""
    with session.worker() as worker:
        worker.put(0, probe_image(*size, contract.channels[0]))
        for _ in range(MEMORY_RUNS):
            worker.timed(0)
        peak = worker.device_peak_mib if isinstance(worker, GpuWorker) else None
    return None if peak is None else round(peak, 2)
