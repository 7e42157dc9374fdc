"""One piece of judging, as it is told to a process that does it, and what comes back; both travel as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pixelproof.data import DataSource
from pixelproof.schema import build, to_jsonable
from pixelproof.submit.judging.finding import FoundKind
from pixelproof.submit.ledger.records import SubmittedFile
from pixelproof.validate.checks.base import Group

Phase = Literal["checks", "runtime"]


@dataclass(frozen=True)
class Terms:
    """How all submissions of a call are judged.

    Attributes:
        challenge: an id, or the absolute path of a TOML file.
        rules_sha256: of its text; another text at the same place is an error.
        data_root, data_origin: of the `DataSource`; None where no images are used.
        groups: of checks.
        images, max_runs, time_limit_s, total_time_limit_s, require_sandbox: as in `Options`.
        baseline: absolute path; None for the shipped one.
        threads: of the model's runtime in all but the measuring of runtime; None for all cores.
        runtime_threads: while runtime is measured.
        psnr_gate: in place of the track's, dB.
    """

    challenge: str
    track: str
    rules_sha256: str
    data_root: str | None
    data_origin: Literal["given", "environment", "samples"]
    groups: tuple[Group, ...]
    images: int | None = None
    max_runs: int = 60
    baseline: str | None = None
    threads: int | None = None
    runtime_threads: int | None = None
    time_limit_s: float = 600.0
    total_time_limit_s: float = 6 * 3600.0
    require_sandbox: bool = True
    psnr_gate: float | None = None

    @property
    def data(self) -> DataSource | None:
        """Where the images are."""
        return None if self.data_root is None else DataSource(Path(self.data_root), self.data_origin)


@dataclass(frozen=True)
class Job:
    """One phase of judging one submission.

    Attributes:
        number: of its entry in the ledger.
        sha256: of the file; another file at the same place is an error.
        companion: second file of an artifact that was handed in as it is.
        phase: everything but runtime, or runtime.
        alone: nothing else may run on the machine meanwhile.
        pictures: where to save pictures.
    """

    number: int
    name: str
    path: str
    kind: FoundKind
    sha256: str
    terms: Terms
    phase: Phase = "checks"
    companion: str | None = None
    alone: bool = False
    pictures: str | None = None

    def to_json(self) -> str:
        """One line."""
        return json.dumps(to_jsonable(self))

    @staticmethod
    def from_json(text: str) -> Job:
        """The job that `to_json` wrote."""
        return build(Job, json.loads(text), fail=_fail)


@dataclass(frozen=True)
class Result:
    """What a job came to.

    Attributes:
        kind: ``judged`` has a report. ``refused`` is about the submission, ``error`` about us or the machine.
        report: the report's document.
        files: members of the submission.
        started_at, finished_at: ISO 8601, UTC.
    """

    kind: Literal["judged", "refused", "error"]
    started_at: str
    finished_at: str
    host: str
    report: Any = None
    rule: str = ""
    found: str = ""
    remedy: str = ""
    files: tuple[SubmittedFile, ...] = ()

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> Result:
        """The result whose `to_jsonable` this is."""
        return build(Result, document, fail=_fail)


def _fail(path: str, rule: str, found: str, remedy: str) -> ValueError:
    return ValueError(f"{path} {rule}: {found} {remedy}")
