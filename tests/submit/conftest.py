"""A desk with a model, its report and the packer: no TensorFlow, the second judgement is a fake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from pixelproof.challenge import Challenge, load_challenge
from pixelproof.measure.formats import artifact_at
from pixelproof.report import (
    CheckResult,
    Environment,
    Evidence,
    Fidelity,
    ImageFidelity,
    Memory,
    Percentiles,
    Report,
    Runtime,
    RuntimeSamples,
    Status,
    dump_json,
)
from pixelproof.submit.package import Packed, pack
from pixelproof.submit.rules import load_rules


def check(name: str, status: Status = "passed", found: str = "as it should be") -> CheckResult:
    """One check's result."""
    return CheckResult(id=name, title=name, status=status, expected="the rule", found=found)


def report_of(model: Path, *, challenge: str = "pirm2018", track: str = "B") -> Report:
    """A report in which everything that the challenge requires ran and passed."""
    rules = load_rules(challenge)
    return Report(
        challenge=rules.challenge.id,
        track=track,
        data="ai-challenge",
        official_data=True,
        created="2026-01-02T03:04:05Z",
        evidence=Evidence(
            artifact=artifact_at(model),
            fidelity=Fidelity(21.5, 0.91, (ImageFidelity("0.jpg", 21.5, 0.91),), 1),
            runtime=Runtime(
                Percentiles(50.0, 55.0),
                Percentiles(100.0, 110.0),
                speedup=2.0,
                speedup_low=1.99,
                speedup_high=2.01,
                converged=True,
                height=720,
                width=1280,
                threads=2,
                samples=RuntimeSamples((50.0,), (100.0,)),
            ),
            memory=Memory(900.0, 300.0, 600.0, 3584.0, 720, 1280, "VmHWM"),
        ),
        checks=tuple(check(name) for name in rules.submission.required_checks),
        scores={"A": 7.0, "B": 8.5, "C": 9.8},
        environment=Environment("0.1.0", "3.11", "Linux", "cpu", 2, 8000.0),
        rules_sha256=rules.sha256,
        measured_as_sha256="0" * 64,
    )


def with_checks(report: Report, *changed: CheckResult) -> Report:
    """The report with some results replaced."""
    by_id = {result.id: result for result in changed}
    return replace(report, checks=tuple(by_id.get(result.id, result) for result in report.checks))


@dataclass
class Recheck:
    """Stands in for the contract judgement and keeps what it was given."""

    results: tuple[CheckResult, ...] = (check("loads"), check("names"), check("range", "warning"))
    error: Exception | None = None
    seen: list[tuple[bytes | list[str], str, str, str]] = field(default_factory=list)

    def __call__(self, model: Path, challenge: Challenge, track_name: str) -> tuple[CheckResult, ...]:
        """Record the model's bytes (or a folder's files) and answer."""
        if model.is_dir():
            held: bytes | list[str] = sorted(p.relative_to(model).as_posix() for p in model.rglob("*"))
        else:
            held = model.read_bytes()
        self.seen.append((held, model.name, challenge.id, track_name))
        if self.error is not None:
            raise self.error
        return self.results


@dataclass
class Desk:
    """A folder with a model and its report."""

    folder: Path
    model: Path
    report: Path
    out: Path
    recheck: Recheck

    def write_report(self, report: Report) -> None:
        """Put another report in place."""
        self.report.write_text(dump_json(report.to_json()), encoding="utf-8")

    def pack(self, **options: Any) -> Packed:
        """Pack with usable defaults."""
        given: dict[str, Any] = {
            "model": self.model,
            "report": self.report,
            "out": self.out,
            "team_id": "42",
            "team_name": "Name",
            "recheck": self.recheck,
        }
        return pack(**{**given, **options})

    def left_behind(self) -> list[str]:
        """What lies in the output folder, hidden files included."""
        return sorted(p.name for p in self.out.parent.iterdir()) if self.out.parent.exists() else []


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk whose model and report agree."""
    folder = tmp_path / "exported"
    folder.mkdir()
    model = folder / "net.pb"
    model.write_bytes(bytes(range(256)) * 20)
    made = Desk(folder, model, folder / "report.json", tmp_path / "out" / "submission.zip", Recheck())
    made.write_report(report_of(model))
    return made


@pytest.fixture
def challenge_file(tmp_path: Path) -> Callable[..., str]:
    """Write a challenge like pirm2018 under another id, pieces of its text replaced; returns its path."""

    def write(*pieces: tuple[str, str]) -> str:
        from pixelproof.challenge import challenge_text

        _, text = challenge_text("pirm2018")
        for old, new in (('id = "pirm2018"', 'id = "mine"'), *pieces):
            assert old in text, old
            text = text.replace(old, new)
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def pirm() -> Challenge:
    """The shipped challenge."""
    return load_challenge("pirm2018")
