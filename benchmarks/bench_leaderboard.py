"""A leaderboard of 10,000 submissions from a synthetic ledger: HTML without report pages, and JSON.

python -m benchmarks.bench_leaderboard [--submissions 10000] [--teams 500] [--images 100] [--keep DIR]
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import insert

from benchmarks.row import Row, Skip
from benchmarks.setting import Setting
from benchmarks.table import show
from benchmarks.timing import timed
from pixelproof.challenge import rules_sha256
from pixelproof.report import (
    Artifact,
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
)
from pixelproof.submit.ledger import tables
from pixelproof.submit.ledger.address import address_of
from pixelproof.submit.ledger.engine import WRITES, make_engine
from pixelproof.submit.ledger.records import Ticket, Verdict
from pixelproof.submit.ledger.rows import row_of_ticket, row_of_verdict, rows_of_checks, rows_of_scores
from pixelproof.submit.ledger.store import open_ledger
from pixelproof.temporary import temporary_folder

LIMIT_S = 2.0
ROUNDS = 5
START = datetime(2026, 3, 1, 8, tzinfo=UTC)
TRACKS = ("A", "B")
AT_A_TIME = 500


def report_of(track: str, *, images: int, rules: str, noise: random.Random) -> Report:
    """A plausible report of pirm2018."""
    psnr_db, speedup = noise.gauss(22, 0.8), abs(noise.gauss(2.5, 1)) + 0.1
    ms_ssim, latency_ms = min(noise.gauss(0.92, 0.01), 1.0), 900 / speedup
    failed = noise.random() < 0.15
    checks = [CheckResult(f"check_{n}", f"Check {n}", "passed", "the rule", "as it is") for n in range(12)]
    if failed:
        checks[8] = replace(checks[8], status="failed", found="3712.4 MiB", remedy="Use less memory.")
    gained = min(speedup, 4)
    return Report(
        challenge="pirm2018",
        track=track,
        data="ai-challenge",
        official_data=True,
        created=START.isoformat(),
        evidence=Evidence(
            artifact=Artifact("model.pb", "pb", f"{noise.getrandbits(256):064x}", 1_000_000),
            fidelity=Fidelity(
                psnr_db,
                ms_ssim,
                tuple(ImageFidelity(f"{n}.jpg", noise.gauss(psnr_db, 2), ms_ssim) for n in range(images)),
                images,
            ),
            runtime=Runtime(
                Percentiles(latency_ms, latency_ms * 1.1),
                Percentiles(900.0, 950.0),
                speedup,
                speedup * 0.99,
                speedup * 1.01,
                converged=True,
                height=720,
                width=1280,
                threads=2,
                samples=RuntimeSamples((latency_ms,) * 30, (900.0,) * 30),
            ),
            memory=Memory(noise.uniform(600, 3500), 300.0, 600.0, 3584.0, 720, 1280, "VmHWM"),
        ),
        checks=tuple(checks),
        scores={
            name: alpha * (psnr_db - 21) + beta * (ms_ssim - 0.9) + gamma * gained
            for name, alpha, beta, gamma in (("A", 4, 100, 2.0), ("B", 1, 400, 2.0), ("C", 2, 200, 2.9))
        },
        environment=Environment("0.1.0", "3.11", "Linux", "cpu", 2, 8000.0),
        rules_sha256=rules,
        measured_as_sha256="0" * 64,
    )


def fill(path: Path, *, submissions: int, teams: int, images: int) -> None:
    """Write a ledger in large strides, with the rows that the store itself would write."""
    open_ledger(str(path), create=True).close()
    engine = make_engine(address_of(str(path)), wait_s=30)
    noise = random.Random(1)
    rules = rules_sha256("pirm2018")
    with engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
        for start in range(0, submissions, AT_A_TIME):
            rows: dict[str, list[dict[str, Any]]] = {name: [] for name in tables.metadata.tables}
            for number in range(start, min(start + AT_A_TIME, submissions)):
                for name, made in _rows(number, teams=teams, images=images, rules=rules, noise=noise):
                    rows[name] += made
            for table in (tables.judgements, tables.submissions, tables.checks, tables.scores):
                if rows[table.name]:
                    connection.execute(insert(table), rows[table.name])
    engine.dispose()


def _rows(
    number: int, *, teams: int, images: int, rules: str, noise: random.Random
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    team = number % teams
    at = START + timedelta(hours=12 * (number // teams), seconds=team)
    ticket = Ticket(
        sha256=f"{number:064x}",
        name=f"team-{team}/{number // teams}.zip",
        path=f"/in/{number}.zip",
        team_id=str(1000 + team),
        team_name=f"Team {team}",
        received_at=at,
        challenge="pirm2018",
        track=TRACKS[team % len(TRACKS)],
        rules_sha256=rules,
        judged_as="bench",
    )
    report = report_of(ticket.track, images=images, rules=rules, noise=noise)
    verdict = Verdict("passed" if report.passed else "failed", at, at, report, host="bench")
    key = number + 1
    yield "judgements", [{"id": key, **row_of_verdict(ticket, verdict)}]
    yield "submissions", [{"id": key, **row_of_ticket(ticket), "state": "judged", "judgement_id": key}]
    yield "checks", [{**row, "judgement_id": key} for row in rows_of_checks(report)]
    yield "scores", [{**row, "judgement_id": key} for row in rows_of_scores(report)]


def measured(*, submissions: int, teams: int, images: int, rounds: int, keep: Path | None) -> Iterator[Row]:
    """Each kind of leaderboard of one ledger, as a command."""
    program = str(Path(sys.executable).parent / "pixelproof")
    with temporary_folder("pixelproof-bench-leaderboard-") as folder:
        ledger, site = folder / "ledger.sqlite", folder / "site"
        fill(ledger, submissions=submissions, teams=teams, images=images)
        common = [program, "leaderboard", "--ledger", str(ledger)]
        calls = {
            "HTML without report pages": [*common, "--html", str(site), "--no-pages"],
            "JSON": [*common, "--json", str(folder / "board.json")],
            "CSV": [*common, "--csv", str(folder / "board.csv")],
        }
        size = f"{submissions} submissions of {teams} teams"
        for what, command in calls.items():
            seconds = median(timed([command]) for _ in range(rounds))
            note = f"a ledger of {ledger.stat().st_size / 2**20:.0f} MiB; median of {rounds}"
            yield Row(f"leaderboard of {size}, {what}", seconds, target=LIMIT_S, bound="ours <=", note=note)
        if keep is not None:
            shutil.copytree(folder, keep, dirs_exist_ok=True)


def rows(setting: Setting) -> Iterator[Row | Skip]:
    """What `make bench` runs."""
    if setting.quick:
        yield from measured(submissions=500, teams=50, images=20, rounds=1, keep=None)
    else:
        yield from measured(submissions=10_000, teams=500, images=100, rounds=ROUNDS, keep=None)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--submissions", type=int, default=10_000)
    parser.add_argument("--teams", type=int, default=500)
    parser.add_argument("--images", type=int, default=100, help="of each report")
    parser.add_argument("--keep", type=Path, help="leave ledger and site in this folder")
    chosen = parser.parse_args()
    size = {"submissions": chosen.submissions, "teams": chosen.teams, "images": chosen.images}
    show(list(measured(**size, rounds=ROUNDS, keep=chosen.keep)))


if __name__ == "__main__":
    main()
