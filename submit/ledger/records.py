"""What a ledger holds, as frozen records: a submission as received, its verdict, its entry."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pixelproof.report import Report

Outcome = Literal["passed", "failed", "refused", "error"]
State = Literal["queued", "running", "judged", "over_quota"]

FIGURES = (
    "psnr_db", "ms_ssim", "latency_ms", "mean_latency_ms", "latency_low_ms", "latency_high_ms", "speedup",
    "peak_rss_mib", "model_rss_mib", "params", "flops", "activations", "conv_layers",
)  # fmt: skip
"""Names that `Entry.figures` may have.

``latency_ms`` is the median of the timed calls, ``mean_latency_ms`` the mean over images where each was timed at its
own size, ``latency_low_ms`` and ``latency_high_ms`` the 95 % interval; ``model_rss_mib`` is the model's own share of
``peak_rss_mib``.
"""


@dataclass(frozen=True)
class Ticket:
    """A submission as received.

    Attributes:
        sha256: of the zip or file; of a SavedModel folder as `measure.formats.artifact_at` computes it.
        name: what people call it: its path below the folder that was given, so that two zips of one name stay apart.
        path: where it lay.
        team_id, team_name: None where nobody knows.
        received_at: aware, UTC.
        rules_sha256: of the challenge file's text.
        judged_as: hash over all else that changes a verdict: data, options, gate.
    """

    sha256: str
    name: str
    path: str
    team_id: str | None
    team_name: str | None
    received_at: datetime
    challenge: str
    track: str
    rules_sha256: str
    judged_as: str


@dataclass(frozen=True)
class SubmittedFile:
    """One file inside a submission."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Verdict:
    """How a judgement ended.

    Attributes:
        outcome: ``passed`` and ``failed`` were judged, the report is there. ``refused`` can't be judged: no model in
            it, a damaged zip. ``error`` says nothing about the submission: pixelproof or the machine failed.
        started_at, finished_at: aware, UTC.
        rule, found, remedy: of ``refused`` and ``error``.
        files: the submission's members.
        host: where it was judged.
        pictures: folder of the saved pictures.
    """

    outcome: Outcome
    started_at: datetime
    finished_at: datetime
    report: Report | None = None
    rule: str = ""
    found: str = ""
    remedy: str = ""
    files: tuple[SubmittedFile, ...] = ()
    host: str = ""
    pictures: str | None = None


@dataclass(frozen=True)
class Entry:
    """One submission in the ledger, without its report.

    Attributes:
        outcome: of the judgement; ``error`` while ``queued`` again after the machine failed, else None before it.
        passed: whether every check passed.
        figures: those of `FIGURES` that were measured.
        scores: by name, as the report has them.
        judged_at: when the judgement finished, UTC.
        rule, found, remedy: why it was refused, or what failed.
        pictures: folder of the saved pictures.
        judgement_id: shared by all submissions of the same content under the same rules.
        owner: who has it while it is ``running``.
        copy_of: id of the earliest submission with the same content by another team.
    """

    id: int
    ticket: Ticket
    state: State
    outcome: Outcome | None = None
    passed: bool = False
    figures: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    judged_at: datetime | None = None
    rule: str = ""
    found: str = ""
    remedy: str = ""
    pictures: str | None = None
    judgement_id: int | None = None
    owner: str | None = None
    copy_of: int | None = None


def figures_of(report: Report) -> dict[str, float]:
    """The figures of a report by the names of `FIGURES`; what was not measured, or is no number, is left out."""
    evidence = report.evidence
    fidelity, runtime = evidence.fidelity, evidence.runtime
    memory, cost = evidence.memory, evidence.complexity
    found: dict[str, float | None] = {}
    if fidelity is not None:
        found |= {"psnr_db": fidelity.psnr_db, "ms_ssim": fidelity.ms_ssim}
    if runtime is not None:
        low, high = runtime.interval_ms or (None, None)
        found |= {
            "latency_ms": runtime.latency_ms.p50,
            "mean_latency_ms": runtime.mean_ms,
            "latency_low_ms": low,
            "latency_high_ms": high,
            "speedup": runtime.speedup,
        }
    if memory is not None:
        found |= {"peak_rss_mib": memory.peak_rss_mib, "model_rss_mib": memory.model_mib}
    if cost is not None:
        found |= {
            "params": cost.params,
            "flops": cost.flops,
            "activations": cost.activations,
            "conv_layers": cost.conv_layers,
        }
    return {
        name: float(value) for name, value in found.items() if value is not None and not math.isnan(value)
    }


def failure_of(report: Report) -> tuple[str, str]:
    """(rule, found) of a report in which checks failed; both empty where none did."""
    failed = ", ".join(check.title for check in report.checks if check.status == "failed")
    return ("Every check must pass", f"failed: {failed}") if failed else ("", "")


def team_key(ticket: Ticket) -> tuple[str, str] | None:
    """By what a team is told from others: its id, else its name; None where nobody knows."""
    if ticket.team_id is not None:
        return "id", ticket.team_id
    return None if ticket.team_name is None else ("name", ticket.team_name)
