"""Peak memory and runtime on the track's large images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pixelproof.challenge import PeakMemory, Track
from pixelproof.challenge import Runtime as RuntimeRules
from pixelproof.contract import Contract
from pixelproof.errors import CallError, ImageError, ModelFailed, WorkerStopped
from pixelproof.images import list_images, read_rgb8, unit_from_8bit
from pixelproof.measure.formats import Kind, detect_kind
from pixelproof.measure.memory import method
from pixelproof.measure.parity import probe_image
from pixelproof.measure.protocol import Array
from pixelproof.measure.runtime import Ratio, interleaved
from pixelproof.measure.worker import Worker
from pixelproof.report import Memory, Percentiles, Runtime, RuntimeSamples, SizeTrial
from pixelproof.validate.session import ModelSession

MEMORY_RUNS = 2
WARM_UP_RUNS = 2
TIMED_IMAGES = 4
SUFFIXES: dict[Kind, str] = {"pb": ".pb", "savedmodel": "", "tflite": ".tflite", "onnx": ".onnx"}


@dataclass(frozen=True)
class MemoryOutcome:
    """Peak memory, and what came out at the large size."""

    memory: Memory
    trial: SizeTrial


def measure_memory(session: ModelSession, cap: PeakMemory, contract: Contract) -> MemoryOutcome:
    """Peak resident memory of a fresh worker that loads the model and runs it a fixed number of times.

    The peak is reset before the model is loaded; what the runtime takes without any model is its own share.

    Raises:
        ModelFailed, WorkerStopped: the model can't run at that size; passing the cap is a result, not an error.
    """
    worker = session.start()
    worker.ready()
    baseline = worker.resident_mib()
    worker.reset_peak()
    size = cap.height, cap.width
    try:
        session.load()
        worker.put(0, probe_image(*size, contract.channels[0]))
        shape: tuple[int, ...] = ()
        for _ in range(MEMORY_RUNS):
            _, shape = worker.timed(0)
        peak = worker.peak_mib()
        stopped = None
        trial = SizeTrial(height=size[0], width=size[1], output=shape)
    except WorkerStopped as error:
        if error.reason != "out_of_memory" or error.peak_rss_mib is None:
            raise
        peak, stopped = error.peak_rss_mib, error.found
        trial = SizeTrial(height=size[0], width=size[1], output=None, error=error.found)
    memory = Memory(
        peak_rss_mib=round(peak, 2),
        baseline_rss_mib=round(baseline, 2),
        model_mib=round(peak - baseline, 2),
        limit_mib=cap.total_rss_mib,
        height=size[0],
        width=size[1],
        method=method(),
        stopped=stopped,
    )
    return MemoryOutcome(memory=memory, trial=trial)


def timing_images(folder: Path) -> list[Array]:
    """Up to four images as float32 (1, height, width, 3) in [0, 1], all of one size.

    Raises:
        ImageError: none there, unreadable, or of several sizes.
    """
    paths = list(list_images(folder))[:TIMED_IMAGES]
    if not paths:
        raise ImageError("A folder of images for timing must hold images", found=f"none in {folder}")
    loaded = [unit_from_8bit(read_rgb8(path))[None] for path in paths]
    sizes = {x.shape for x in loaded}
    if len(sizes) > 1:
        found = ", ".join(sorted(f"{s[1]}x{s[2]}" for s in sizes))
        raise ImageError("Images for timing must have one size", found=f"{found} in {folder}")
    return loaded


def baseline_path(name: str, kind: Kind) -> Path:
    """The shipped baseline graph in a format.

    Raises:
        CallError: there is none of this name.
    """
    folder = Path(str(resources.files("pixelproof.validate.baselines")))
    path = folder / f"{name}{SUFFIXES[kind]}"
    if not path.exists():
        raise CallError("A runtime baseline must be one that is shipped", found=f"{name} as {kind}")
    return path


def measure_runtime(
    session: ModelSession,
    rules: RuntimeRules,
    track: Track,
    *,
    images: list[Array],
    baseline: Path,
    threads: int | None,
    time_limit_s: float,
    max_runs: int,
    note: Callable[[int, Ratio], None],
) -> Runtime:
    """Speed of the model beside the baseline, in interleaved pairs.

    Raises:
        ModelFailed, WorkerStopped: the model can't run.
    """
    with Worker(threads=threads, timeout_s=time_limit_s) as beside:
        _load_baseline(beside, baseline, track.contract)
        worker = session.worker()
        for slot, image in enumerate(images):
            worker.put(slot, image)
            beside.put(slot, image)
        for run in range(WARM_UP_RUNS):
            worker.time_ms(run % len(images))
            beside.time_ms(run % len(images))
        timing = interleaved(
            worker.time_ms, beside.time_ms, images=len(images), max_pairs=max_runs, note=note
        )
    return Runtime(
        latency_ms=percentiles(timing.first_ms),
        baseline_ms=percentiles(timing.second_ms),
        speedup=timing.ratio.value,
        speedup_low=timing.ratio.low,
        speedup_high=timing.ratio.high,
        converged=timing.ratio.converged,
        height=images[0].shape[1],
        width=images[0].shape[2],
        threads=worker.threads,
        samples=RuntimeSamples(solution_ms=timing.first_ms, baseline_ms=timing.second_ms),
    )


def percentiles(samples_ms: tuple[float, ...]) -> Percentiles:
    """Median and 90th percentile."""
    import numpy as np

    return Percentiles(p50=float(np.percentile(samples_ms, 50)), p90=float(np.percentile(samples_ms, 90)))


def _load_baseline(worker: Worker, path: Path, contract: Contract) -> None:
    try:
        worker.load(path, detect_kind(path), input_name=contract.input, output_name=contract.output)
    except (ModelFailed, WorkerStopped) as error:
        remedy = "Give a frozen SRCNN with --baseline, for example the challenge's own."
        raise CallError("The baseline must run", found=f"{path}: {error.found}", remedy=remedy) from error
