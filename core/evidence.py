"""What was measured on an artifact: frozen records, which a report carries and checks read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pixelproof.safety import Scan


@dataclass(frozen=True)
class Artifact:
    """A judged file or SavedModel folder."""

    path: str
    format: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class TensorInfo:
    """One tensor of an artifact; a dimension of None is free, a shape of None has unknown rank."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True)
class Interface:
    """Inputs and outputs that an artifact declares."""

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]


@dataclass(frozen=True)
class SizeTrial:
    """One input size: what came out, or why nothing did."""

    height: int
    width: int
    output: tuple[int, ...] | None
    error: str | None = None


NOISE = "noise"
"""The `RangeSample.source` of white noise, which is no picture: deep networks amplify it."""


@dataclass(frozen=True)
class RangeSample:
    """Output values for one input: extremes of the finite, share outside the rule, count of non-finite."""

    source: str
    minimum: float
    maximum: float
    share_outside: float
    non_finite: int


@dataclass(frozen=True)
class RangeTrial:
    """Pictures of the track given to the model, and taken from it, in other ranges than [0, 1].

    Attributes:
        input_range, output_range: (low, high) that stand for [0, 1].
        images: how many pictures; the first one alone where it gains nothing.
        psnr_db: mean against their targets, outputs brought to [0, 1]; at most 100.
        mean_gain_db, least_gain_db: by so much that is better than in [0, 1].
        correlation: of output and target, the least.
    """

    input_range: tuple[float, float]
    output_range: tuple[float, float]
    images: int
    psnr_db: float
    mean_gain_db: float
    least_gain_db: float
    correlation: float


@dataclass(frozen=True)
class ImageFidelity:
    """One image pair."""

    name: str
    psnr_db: float
    ms_ssim: float | None


@dataclass(frozen=True)
class Fidelity:
    """Means over all measured pairs, of the per-image values.

    Attributes:
        images_available: how many pairs the track's folder holds; more than were measured under ``--images``.
        batch: so many images went through the model at a time.
    """

    psnr_db: float
    ms_ssim: float | None
    per_image: tuple[ImageFidelity, ...]
    images_available: int
    batch: int = 1


@dataclass(frozen=True)
class RuntimeSamples:
    """All timed calls in ms, pair by pair."""

    solution_ms: tuple[float, ...]
    baseline_ms: tuple[float, ...]


@dataclass(frozen=True)
class Percentiles:
    """Median and 90th percentile, in ms."""

    p50: float
    p90: float


@dataclass(frozen=True)
class Runtime:
    """Speed beside the baseline; ``speedup`` is T_baseline / T_solution with its 95 % interval.

    ``baseline`` is the graph that was timed against, where it was not the shipped one. A model that was timed
    alone has neither speed-up nor baseline; then ``converged`` is about its own time.

    ``interval_ms`` is the 95 % interval of the model's own time. Where each image was timed at its own size,
    ``mean_ms`` is the mean over the ``images``, and ``height`` and ``width`` are the largest one's.

    ``device`` is ``cpu`` or a GPU's name, with its limit. A time by the device's own events is from the start of the
    first kernel to the end of the last.
    """

    latency_ms: Percentiles
    baseline_ms: Percentiles | None
    speedup: float | None
    speedup_low: float | None
    speedup_high: float | None
    converged: bool
    height: int
    width: int
    threads: int
    samples: RuntimeSamples
    baseline: Artifact | None = None
    interval_ms: tuple[float, float] | None = None
    mean_ms: float | None = None
    images: int | None = None
    device: str = "cpu"
    clock: Literal["wall", "device events"] = "wall"


@dataclass(frozen=True)
class MemoryTrace:
    """Resident size of the worker over time, as a thread beside it saw it.

    Attributes:
        step_ms: what one value covers.
        rss_mib: the largest size seen in each step; what passes between two looks is not in it.
        runs_ms: when each run of the model began; before the first one it was loaded.
    """

    step_ms: float
    rss_mib: tuple[float, ...]
    runs_ms: tuple[float, ...] = ()


@dataclass(frozen=True)
class Memory:
    """Resident memory of the worker while it processed one image, MiB.

    ``baseline_rss_mib`` is the runtime's own share before the model was loaded, ``model_mib`` the rest.

    ``device_peak_mib`` is what the model took at most of the GPU ``device``, weights included.
    """

    peak_rss_mib: float
    baseline_rss_mib: float
    model_mib: float
    limit_mib: float
    height: int
    width: int
    method: str
    stopped: str | None = None
    trace: MemoryTrace | None = None
    device: str = "cpu"
    device_peak_mib: float | None = None


@dataclass(frozen=True)
class Companion:
    """The second file of the same network, on which fidelity was measured.

    Attributes:
        artifact: the file; None where there is none.
        path: where it was looked for.
        max_abs: largest absolute difference from the judged file's output on one input of its size.
        psnr_db: of the two outputs, both in [0, 1] nominally.
        is_quantised: whether one of the two computes in whole numbers.
        error: why it could not be compared, or None.
    """

    path: str
    artifact: Artifact | None = None
    scan: Scan | None = None
    interface: Interface | None = None
    size_trials: tuple[SizeTrial, ...] | None = None
    max_abs: float | None = None
    psnr_db: float | None = None
    is_quantised: bool = False
    error: str | None = None


@dataclass(frozen=True)
class LayerCost:
    """What one layer costs; ``share`` is of all FLOPs, 0 to 1."""

    name: str
    op: str
    params: int
    flops: int
    share: float


@dataclass(frozen=True)
class Complexity:
    """What the network costs at one input size, under a named convention: see measure/complexity.py.

    ``layers`` are those with FLOPs, in the order of computation; of very many, the most expensive.
    """

    convention: str
    height: int
    width: int
    params: int
    flops: int
    activations: int
    conv_layers: int
    layers: tuple[LayerCost, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """All that was measured on an artifact; None where it was not. Checks read nothing else.

    ``optimized`` are the exact rewrites in the file, as the proof beside it says; None where none is of this file.
    """

    artifact: Artifact
    optimized: tuple[str, ...] | None = None
    scan: Scan | None = None
    load_error: str | None = None
    interface: Interface | None = None
    used_input: str | None = None
    used_output: str | None = None
    size_trials: tuple[SizeTrial, ...] | None = None
    range_samples: tuple[RangeSample, ...] | None = None
    range_trials: tuple[RangeTrial, ...] | None = None
    clips_itself: bool | None = None
    determinism_max_abs: float | None = None
    fidelity: Fidelity | None = None
    fidelity_error: str | None = None
    runtime: Runtime | None = None
    runtime_error: str | None = None
    memory: Memory | None = None
    memory_error: str | None = None
    companion: Companion | None = None
    complexity: Complexity | None = None
    complexity_error: str | None = None
    stopped: str | None = None
