"""Runtime on the track's large images, beside a baseline that is timed in the same minutes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Literal, TypeVar

from pixelproof.challenge import Runtime as RuntimeRules
from pixelproof.contract import Contract
from pixelproof.errors import CallError, ImageError, ModelFailed, WorkerStopped
from pixelproof.images import list_images, read_rgb8, unit_from_8bit
from pixelproof.measure.device import Device
from pixelproof.measure.formats import Kind, artifact_at, detect_kind
from pixelproof.measure.gpu_worker import GpuWorker
from pixelproof.measure.parity import probe_image
from pixelproof.measure.protocol import Array
from pixelproof.measure.runtime import Ratio, Timing, alone, interleaved, interval_ms, paired_ratio
from pixelproof.measure.worker import Worker
from pixelproof.report import Percentiles, Runtime, RuntimeSamples
from pixelproof.validate.session import ModelSession

T = TypeVar("T")

WARM_UP_RUNS = 2
TIMED_IMAGES = 4
LEAST_ROUNDS = 3
SUFFIXES: dict[Kind, str] = {"pb": ".pb", "savedmodel": "", "tflite": ".tflite", "onnx": ".onnx"}


def timing_images(root: Path, rules: RuntimeRules, *, channels: int) -> list[Array]:
    """Up to four images as float32 (1, height, width, channels) in [0, 1], of the size that the rules name.

    Args:
        root: the challenge's data folder.
        channels: of the artificial one that is taken where the rules name no images.

    Raises:
        ImageError: none there, unreadable, or of another size.
    """
    if rules.images is None:
        return [probe_image(rules.height, rules.width, channels)]
    paths = images_to_time(root, rules.images)[:TIMED_IMAGES]
    loaded = [unit_from_8bit(read_rgb8(path))[None] for path in paths]
    for path, image in zip(paths, loaded, strict=True):
        if image.shape[1:3] != (rules.height, rules.width):
            found = f"{image.shape[1]}x{image.shape[2]}: {path}"
            raise ImageError(f"Images for timing must be {rules.height}x{rules.width}", found=found)
    return loaded


def images_to_time(root: Path, images: str) -> tuple[Path, ...]:
    """The images of a folder below the data folder, in natural order.

    Raises:
        ImageError: none there.
    """
    paths = list_images(root / images)
    if not paths:
        raise ImageError("A folder of images for timing must hold images", found=f"none in {root / images}")
    return paths


def baseline_path(name: str | None, kind: Kind, *, given: Path | None) -> Path | None:
    """The graph to time against: the given one, else the shipped one in the judged artifact's format.

    Returns:
        None where the rules name none, and none is given.

    Raises:
        CallError: there is none of this name, or the given one is missing or has another format.
        ArtifactError: the given one is no artifact.
    """
    if given is not None:
        if not given.exists():
            raise CallError("The baseline must exist", found=f"no file {given}")
        other = detect_kind(given)
        if other != kind:
            remedy = "Leave --baseline out: the shipped baseline is there in every format."
            raise CallError(
                f"The baseline must be a {kind}, as the model is", found=f"{other}: {given}", remedy=remedy
            )
        return given
    if name is None:
        return None
    path = Path(str(resources.files("pixelproof.validate.baselines"))) / f"{name}{SUFFIXES[kind]}"
    if not path.exists():
        raise CallError("A runtime baseline must be one that is shipped", found=f"{name} as {kind}")
    return path


def check_baseline(path: Path, contract: Contract, *, threads: int | None, time_limit_s: float) -> None:
    """Load a user's baseline, before minutes are spent on the model.

    Raises:
        CallError: it does not load.
        ArtifactError: it is no artifact.
    """
    with Worker(threads=threads, timeout_s=time_limit_s) as worker:
        _load_baseline(worker, path, contract)


def measure_runtime(
    session: ModelSession,
    contract: Contract,
    *,
    images: Sequence[Array],
    baseline: Path | None,
    baseline_given: bool,
    threads: int | None,
    time_limit_s: float,
    max_runs: int,
    note: Callable[[int, Ratio], None],
) -> Runtime:
    """Speed of the model, after two calls to warm up: beside the baseline in interleaved pairs, or alone.

    Args:
        images: float32 (1, height, width, channels), all of one size.
        baseline: an artifact of the same format; None to time the model alone.
        baseline_given: it is the user's own, not the shipped one.
        note: told after each pair: how many, and the ratio so far.

    Raises:
        ModelFailed, WorkerStopped: the model can't run.
        CallError: the baseline can't run.
    """
    with session.worker() as worker:
        for slot, image in enumerate(images):
            worker.put(slot, image)
        if baseline is None:
            for run in range(WARM_UP_RUNS):
                worker.time_ms(run % len(images))
            timing = alone(worker.time_ms, images=len(images), max_runs=max_runs, note=note)
        else:
            timing = _beside(
                worker,
                baseline,
                contract,
                images=images,
                threads=threads,
                time_limit_s=time_limit_s,
                max_runs=max_runs,
                device=session.device,
                note=note,
            )
        threads_used, clock = worker.threads, _clock(worker)
    ratio = timing.ratio if baseline is not None else None
    return Runtime(
        latency_ms=percentiles(timing.first_ms),
        baseline_ms=percentiles(timing.second_ms) if timing.second_ms else None,
        speedup=ratio.value if ratio else None,
        speedup_low=ratio.low if ratio else None,
        speedup_high=ratio.high if ratio else None,
        converged=timing.converged,
        height=images[0].shape[1],
        width=images[0].shape[2],
        threads=threads_used,
        samples=RuntimeSamples(solution_ms=timing.first_ms, baseline_ms=timing.second_ms),
        baseline=artifact_at(baseline) if baseline is not None and baseline_given else None,
        interval_ms=interval_ms(timing.first_ms),
        device=str(session.device),
        clock=clock,
    )


def measure_each_image(
    session: ModelSession,
    paths: Sequence[Path],
    *,
    max_runs: int,
    note: Callable[[int, str], None],
) -> Runtime:
    """Mean time over images of different sizes, each timed once a round after one call to warm up.

    Rounds go on until the 95 % interval of their means is narrower than ±1 %: at least three, and no more than make
    ``max_runs`` calls in all.

    Args:
        paths: 8-bit RGB images.
        note: told after each call: how many, and what stands so far.

    Raises:
        ModelFailed, WorkerStopped: the model can't run.
        ImageError: an image can't be used.
    """
    rounds: list[list[float]] = []
    most_rounds = max(LEAST_ROUNDS, max_runs // len(paths))
    largest = (0, 0)
    steady = 0
    with session.worker() as worker:
        while len(rounds) < LEAST_ROUNDS or (len(rounds) < most_rounds and steady < LEAST_ROUNDS):
            times = []
            for number, path in enumerate(paths):
                image = unit_from_8bit(read_rgb8(path))[None]
                largest = max(largest, (image.shape[1], image.shape[2]), key=lambda size: size[0] * size[1])
                worker.put(0, image)
                if not rounds:
                    worker.time_ms(0)
                times.append(worker.time_ms(0))
                note(1, f"round {len(rounds) + 1}, image {number + 1} of {len(paths)}")
            rounds.append(times)
            means = [sum(times) / len(times) for times in rounds]
            steady = steady + 1 if len(means) > 1 and paired_ratio(means, [1.0] * len(means)).is_narrow else 0
        threads_used, clock = worker.threads, _clock(worker)
    medians = [sorted(times)[len(times) // 2] for times in zip(*rounds, strict=True)]
    return Runtime(
        latency_ms=percentiles(medians),
        baseline_ms=None,
        speedup=None,
        speedup_low=None,
        speedup_high=None,
        converged=steady > 0,
        height=largest[0],
        width=largest[1],
        threads=threads_used,
        samples=RuntimeSamples(solution_ms=tuple(time for times in rounds for time in times), baseline_ms=()),
        interval_ms=interval_ms(means),
        mean_ms=sum(medians) / len(medians),
        images=len(paths),
        device=str(session.device),
        clock=clock,
    )


def _beside(
    worker: Worker,
    baseline: Path,
    contract: Contract,
    *,
    images: Sequence[Array],
    threads: int | None,
    time_limit_s: float,
    max_runs: int,
    device: Device,
    note: Callable[[int, Ratio], None],
) -> Timing:
    """Interleaved pairs; the worker holds the model and the images already."""
    # The same watchdog as the model has, at no limit: it takes the same share of the machine from both.
    start = Worker if device.kind == "cpu" else GpuWorker
    with start(device=device, threads=threads, timeout_s=time_limit_s, memory_limit_mib=math.inf) as beside:

        def baseline_ms(image: int) -> float:
            return _blaming_baseline(baseline, lambda: beside.time_ms(image))

        _load_baseline(beside, baseline, contract)
        for slot, image in enumerate(images):
            beside.put(slot, image)
        for run in range(WARM_UP_RUNS):
            worker.time_ms(run % len(images))
            baseline_ms(run % len(images))
        return interleaved(worker.time_ms, baseline_ms, images=len(images), max_pairs=max_runs, note=note)


def _clock(worker: Worker) -> Literal["wall", "device events"]:
    return "device events" if isinstance(worker, GpuWorker) and worker.has_device_clock else "wall"


def percentiles(samples_ms: Sequence[float]) -> Percentiles:
    """Median and 90th percentile."""
    import numpy as np

    return Percentiles(p50=float(np.percentile(samples_ms, 50)), p90=float(np.percentile(samples_ms, 90)))


def _load_baseline(worker: Worker, path: Path, contract: Contract) -> None:
    kind, input_name, output_name = detect_kind(path), contract.input, contract.output
    _blaming_baseline(path, lambda: worker.load(path, kind, input_name=input_name, output_name=output_name))


def _blaming_baseline(path: Path, call: Callable[[], T]) -> T:
    try:
        return call()
    except (ModelFailed, WorkerStopped) as error:
        remedy = "Give a frozen SRCNN with --baseline, for example the challenge's own, or leave it out."
        raise CallError(
            "The baseline must run", found=f"{path}: {error.found or error.rule}", remedy=remedy
        ) from error
