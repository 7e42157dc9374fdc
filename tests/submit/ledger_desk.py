"""Tickets, reports and verdicts in few words, and a PostgreSQL server of our own: what the tests of ledger and
leaderboard share."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pixelproof.challenge import load_challenge, rules_sha256
from pixelproof.report import (
    Artifact,
    CheckResult,
    Complexity,
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
from pixelproof.submit.ledger.records import Entry, SubmittedFile, Ticket, Verdict
from pixelproof.submit.ledger.store import Ledger
from pixelproof.temporary import temporary_folder
from pixelproof.validate.judgement import measured_as_sha256, scores

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PASSWORD = "s3cret/with@signs"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def ticket(content: str = "net", *, hours: float = 0, challenge: str = "pirm2018", **changes: Any) -> Ticket:
    """A submission of team 1 whose content, and so its hash, is told by a word."""
    made = Ticket(
        sha256=sha256(content),
        name=f"{content}.zip",
        path=f"/in/{content}.zip",
        team_id="1",
        team_name="One",
        received_at=NOON + timedelta(hours=hours),
        challenge=challenge,
        track="B",
        rules_sha256=rules_sha256(challenge),
        judged_as="data",
    )
    return replace(made, **changes)


def report(
    *,
    psnr_db: float = 22.0,
    ms_ssim: float = 0.92,
    speedup: float = 2.0,
    peak_mib: float = 900.0,
    failed: tuple[str, ...] = (),
    challenge: str = "pirm2018",
    track: str = "B",
    cost: Mapping[str, int] | None = None,
) -> Report:
    """A judgement of these figures; its scores are the challenge's own formula's."""
    rules = load_challenge(challenge).track(track)
    latency_ms = 100.0 / speedup
    evidence = Evidence(
        artifact=Artifact("model.pb", "pb", sha256(f"{psnr_db}"), 1000),
        fidelity=Fidelity(psnr_db, ms_ssim, (ImageFidelity("0.png", psnr_db, ms_ssim),), 1),
        runtime=Runtime(
            Percentiles(latency_ms, latency_ms),
            Percentiles(100.0, 100.0),
            speedup,
            speedup * 0.99,
            speedup * 1.01,
            converged=True,
            height=720,
            width=1280,
            threads=2,
            samples=RuntimeSamples((latency_ms,), (100.0,)),
            interval_ms=(latency_ms * 0.999, latency_ms * 1.001),
        ),
        memory=Memory(peak_mib, 300.0, peak_mib - 300, 3584.0, 720, 1280, "VmHWM"),
        complexity=None if cost is None else Complexity("ntire2022", 256, 256, **cost),
    )
    return Report(
        challenge=load_challenge(challenge).id,
        track=track,
        data="somewhere",
        official_data=True,
        created=NOON.isoformat(),
        evidence=evidence,
        checks=tuple(
            CheckResult(name, name.title(), "failed" if name in failed else "passed", "a rule", "a figure")
            for name in ("loads", "memory", "fidelity")
        ),
        scores=scores(evidence, rules, mos=None),
        environment=Environment("0.1.0", "3.11", "Linux", "cpu", 2, 8000.0),
        rules_sha256=rules_sha256(challenge),
        measured_as_sha256=measured_as_sha256(rules),
    )


def verdict(made: Report | None = None, *, outcome: str = "", **changes: Any) -> Verdict:
    """The verdict with a report; or one without, of another outcome."""
    if made is None and not outcome:
        made = report()
    told: Any = outcome or ("passed" if made is not None and made.passed else "failed")
    kept = Verdict(
        told,
        NOON,
        NOON + timedelta(minutes=3),
        made,
        files=(SubmittedFile("m.pb", 7, sha256("m")),),
        host="h",
    )
    return replace(kept, **changes)


def judged(
    ledger: Ledger, given: Ticket, ended: Verdict | None = None, *, per_day: int | None = None
) -> Entry:
    """Enter, claim and finish; the entry afterwards, whatever became of it."""
    entry = ledger.claim(ledger.enter(given).id, owner="test", per_day=per_day)
    if entry.state == "running":
        ledger.finish(entry.id, verdict() if ended is None else ended, owner="test")
    return next(e for e in ledger.entries() if e.id == entry.id)


def programs() -> Path | None:
    """Where PostgreSQL's programs are; None where they are not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def refusal() -> str:
    """Why no server can be started here, or ""."""
    if programs() is None:
        return "needs PostgreSQL's programs in /usr/lib/postgresql"
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            return "PostgreSQL refuses to run as root, and there is no setpriv"
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            return "PostgreSQL refuses to run as root, and there is no user postgres"
    return ""


@contextmanager
def postgres_server() -> Iterator[str]:
    """A server in a folder of its own, reached by a socket there alone; its URL, with DATABASE to replace."""
    folder_of_programs = programs()
    assert folder_of_programs is not None
    drop: list[str] = []
    with temporary_folder("pixelproof-postgres-") as folder:
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
            drop = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        word = folder / "password"
        word.write_text(PASSWORD)
        word.chmod(0o644)
        data = folder / "data"

        def do(program: str, *arguments: str) -> None:
            command = [*drop, str(folder_of_programs / program), "-D", str(data), *arguments]
            ended = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, timeout=120)
            assert ended.returncode == 0, ended.stdout + ended.stderr

        do("initdb", "--no-sync", "--auth=scram-sha-256", f"--pwfile={word}", "-U", "postgres", "-E", "UTF8")
        options = f"-F -c listen_addresses='' -c unix_socket_directories='{folder}'"
        do("pg_ctl", "-w", "-o", options, "-l", str(folder / "log"), "start")
        try:
            word_in_url = PASSWORD.replace("/", "%2F").replace("@", "%40")
            yield f"postgresql+psycopg://postgres:{word_in_url}@/DATABASE?host={folder}"
        finally:
            do("pg_ctl", "-w", "-m", "immediate", "stop")
