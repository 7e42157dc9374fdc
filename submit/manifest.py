"""What a submission says about itself: the record that lies in the zip beside the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pixelproof.errors import InputError
from pixelproof.report import Report
from pixelproof.schema import build, to_jsonable

SCHEMA_VERSION = 1
FiguresOf = Literal["challenge", "samples"]


@dataclass(frozen=True)
class Team:
    """Who submits."""

    id: str
    name: str


@dataclass(frozen=True)
class Member:
    """One file in the zip."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class PackedModel:
    """The model: its file or folder in the zip, and the hash that the report has for it."""

    member: str
    format: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Figures:
    """The report's figures in short; None where a part was not measured."""

    psnr_db: float | None = None
    ms_ssim: float | None = None
    latency_ms: float | None = None
    speedup: float | None = None
    peak_rss_mib: float | None = None
    scores: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Override:
    """A reason against packing that ``--force`` overrode; the ids are those of docs/package.md."""

    id: str
    rule: str
    found: str


@dataclass(frozen=True)
class Manifest:
    """A submission's contents; ``members`` are all files of the zip but the manifest itself.

    ``companion`` is the second file of the same network, where the challenge takes one.
    """

    challenge: str
    track: str
    rules_sha256: str
    team: Team
    model: PackedModel
    members: tuple[Member, ...]
    figures_of: FiguresOf
    figures: Figures
    forced: tuple[Override, ...]
    pixelproof: str
    companion: PackedModel | None = None
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> dict[str, Any]:
        """The document, keys sorted."""
        return dict(sorted(to_jsonable(self).items()))

    @staticmethod
    def from_json(document: Any, *, label: str) -> Manifest:
        """A manifest from its document.

        Raises:
            InputError: another schema version, or not a manifest.
        """
        version = document.get("schema_version") if isinstance(document, Mapping) else None
        if version != SCHEMA_VERSION:
            found = f"{version!r} in {label}"
            raise InputError(f"A manifest must have schema_version {SCHEMA_VERSION}", found=found)

        def fail(path: str, rule: str, found: str, remedy: str) -> InputError:
            return InputError(f"{label}: {path} {rule}", found=found, remedy=remedy)

        return build(Manifest, document, fail=fail)


def figures_of(report: Report) -> Figures:
    """The figures of a report that a manifest repeats."""
    evidence = report.evidence
    return Figures(
        psnr_db=evidence.fidelity.psnr_db if evidence.fidelity else None,
        ms_ssim=evidence.fidelity.ms_ssim if evidence.fidelity else None,
        latency_ms=evidence.runtime.latency_ms.p50 if evidence.runtime else None,
        speedup=evidence.runtime.speedup if evidence.runtime else None,
        peak_rss_mib=evidence.memory.peak_rss_mib if evidence.memory else None,
        scores=report.scores,
    )
