"""What was measured and what follows from it: frozen records that go to JSON and come back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pixelproof.errors import ReportError
from pixelproof.evidence import (
    NOISE,
    Artifact,
    Companion,
    Complexity,
    Evidence,
    Fidelity,
    ImageFidelity,
    Interface,
    LayerCost,
    Memory,
    MemoryTrace,
    Percentiles,
    RangeSample,
    RangeTrial,
    Runtime,
    RuntimeSamples,
    SizeTrial,
    TensorInfo,
)
from pixelproof.files import read_bytes
from pixelproof.safety import SandboxLayer
from pixelproof.schema import build, to_jsonable

__all__ = [
    "NOISE",
    "SCHEMA_VERSION",
    "Artifact",
    "CheckResult",
    "Companion",
    "Complexity",
    "Environment",
    "Evidence",
    "Fidelity",
    "ImageFidelity",
    "Interface",
    "LayerCost",
    "Memory",
    "MemoryTrace",
    "Percentiles",
    "RangeSample",
    "RangeTrial",
    "Report",
    "Runtime",
    "RuntimeSamples",
    "SizeTrial",
    "Status",
    "TensorInfo",
    "dump_json",
    "read_report",
]

SCHEMA_VERSION = 1
Status = Literal["passed", "warning", "failed", "not_run"]


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
    psnr_gate: float | None = None
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
