"""What was measured and what follows from it: frozen records that go to JSON and come back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pixelproof.errors import ReportError
from pixelproof.files import read_bytes
from pixelproof.safety import SandboxLayer, Scan
from pixelproof.schema import build, to_jsonable

SCHEMA_VERSION = 1
Status = Literal["passed", "warning", "failed", "not_run"]


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

    ``baseline`` is the graph that was timed against, where it was not the shipped one.
    """

    latency_ms: Percentiles
    baseline_ms: Percentiles
    speedup: float
    speedup_low: float
    speedup_high: float
    converged: bool
    height: int
    width: int
    threads: int
    samples: RuntimeSamples
    baseline: Artifact | None = None


@dataclass(frozen=True)
class Memory:
    """Resident memory of the worker while it processed one image, MiB.

    ``baseline_rss_mib`` is the runtime's own share before the model was loaded, ``model_mib`` the rest.
    """

    peak_rss_mib: float
    baseline_rss_mib: float
    model_mib: float
    limit_mib: float
    height: int
    width: int
    method: str
    stopped: str | None = None


@dataclass(frozen=True)
class Evidence:
    """All that was measured on an artifact; None where it was not. Checks read nothing else."""

    artifact: Artifact
    scan: Scan | None = None
    load_error: str | None = None
    interface: Interface | None = None
    used_input: str | None = None
    used_output: str | None = None
    size_trials: tuple[SizeTrial, ...] | None = None
    range_samples: tuple[RangeSample, ...] | None = None
    clips_itself: bool | None = None
    determinism_max_abs: float | None = None
    fidelity: Fidelity | None = None
    fidelity_error: str | None = None
    runtime: Runtime | None = None
    runtime_error: str | None = None
    memory: Memory | None = None
    memory_error: str | None = None
    stopped: str | None = None


@dataclass(frozen=True)
class CheckResult:
    """One rule and its verdict."""

    id: str
    title: str
    status: Status
    expected: str
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class Environment:
    """Where a report was made."""

    pixelproof: str
    python: str
    platform: str
    cpu: str
    cores: int
    memory_mib: float
    libraries: Mapping[str, str] = field(default_factory=dict)
    worker: Mapping[str, str] = field(default_factory=dict)
    sandbox: tuple[SandboxLayer, ...] = ()


@dataclass(frozen=True)
class Report:
    """All checks of one artifact, and the evidence under them.

    Attributes:
        rules_sha256: of the challenge file by which the verdicts were made.
        measured_as_sha256: of that part of the rules that says how to measure; judging again keeps it.
    """

    challenge: str
    track: str
    data: str
    official_data: bool
    created: str
    evidence: Evidence
    checks: tuple[CheckResult, ...]
    scores: Mapping[str, float] | None
    environment: Environment
    rules_sha256: str
    measured_as_sha256: str
    mos: float | None = None
    schema_version: int = SCHEMA_VERSION

    @property
    def passed(self) -> bool:
        """Whether no check failed; checks that did not run don't count here."""
        return all(check.status != "failed" for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """The document: evidence parts stand at the top level, under the names of docs/report.md."""
        document = to_jsonable(self)
        evidence = document.pop("evidence")
        document["artifact"] = evidence.pop("artifact")
        for part in ("fidelity", "runtime", "memory"):
            document[part] = evidence.pop(part)
        document["measurements"] = evidence
        document["passed"] = self.passed
        return dict(sorted(document.items()))

    @staticmethod
    def from_json(document: Any, *, label: str) -> Report:
        """A report from its document.

        Raises:
            ReportError: another schema version, or not a report.
        """
        if not isinstance(document, dict) or "schema_version" not in document:
            raise ReportError("A report must be pixelproof's JSON", found=f"{label} without schema_version")
        if document["schema_version"] != SCHEMA_VERSION:
            found = f"version {document['schema_version']} in {label}"
            remedy = "Judge again with this version of pixelproof, or update it."
            raise ReportError(
                f"A report must have schema version {SCHEMA_VERSION}", found=found, remedy=remedy
            )
        table = {k: v for k, v in document.items() if k != "passed"}
        measurements = table.pop("measurements", None)
        if not isinstance(measurements, dict):
            raise ReportError("A report must hold its measurements", found=f"none in {label}")
        parts = {k: table.pop(k, None) for k in ("artifact", "fidelity", "runtime", "memory")}
        return build(Report, {**table, "evidence": {**measurements, **parts}}, fail=_fail_in(label))


def _fail_in(label: str) -> Any:
    def fail(path: str, rule: str, found: str, remedy: str) -> ReportError:
        return ReportError(f"{label}: {path} {rule}", found=found, remedy=remedy)

    return fail


def dump_json(document: Any) -> str:
    """Strict JSON text, indented, ending in a newline."""
    return json.dumps(to_jsonable(document), indent=2, allow_nan=False) + "\n"


def read_report(path: Path) -> Report:
    """The report in a JSON file.

    Raises:
        InputError: unreadable, not JSON, or of another schema.
    """
    try:
        document = json.loads(read_bytes(path, what="A report").decode("utf-8"))
    except (UnicodeDecodeError, ValueError) as error:
        raise ReportError("A report must be JSON", found=f"{path}: {error}") from error
    return Report.from_json(document, label=str(path))
