"""A scheduler and its workers as processes: one is killed in the middle, and the ledger is as of one machine."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pixelproof.submit.ledger.store import open_ledger

pytest.importorskip("distributed", reason="needs the extra cluster: pip install 'pixelproof[cluster]'")

_SPEC = importlib.util.spec_from_file_location("judging_arena", Path(__file__).with_name("judging_arena.py"))
assert _SPEC is not None and _SPEC.loader is not None
arena: Any = importlib.util.module_from_spec(_SPEC)
sys.modules["judging_arena"] = arena
_SPEC.loader.exec_module(arena)

TOTAL = 4
LIMIT_S = 120


class Site:
    """A scheduler, and workers as they are added."""

    def __init__(self, folder: Path, closing: ExitStack, *tls: str) -> None:
        self._folder, self._closing, self._tls = folder, closing, tls
        self._file = folder / "scheduler.json"
        protocol = ["--protocol", "tls"] if tls else []
        self._start("scheduler", "--port", "0", "--host", "127.0.0.1", "--no-dashboard", *protocol)
        deadline = time.monotonic() + 30
        while not self._file.exists():
            assert time.monotonic() < deadline, "no scheduler"
            time.sleep(0.05)
        self.address = str(json.loads(self._file.read_text())["address"])

    def worker(self, *resources: str) -> subprocess.Popen[bytes]:
        more = ("--nworkers", "1", "--nthreads", "2", "--no-nanny", "--no-dashboard", *resources)
        return self._start("worker", *more)

    def _start(self, what: str, *more: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{what}"]
            + ["--scheduler-file", str(self._file), *self._tls, *more],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd=self._folder,
            env={**os.environ, "TMPDIR": str(self._folder), "PYTHONWARNINGS": "ignore"},
        )
        self._closing.callback(process.wait, 30)
        self._closing.callback(_kill, process)
        return process


def _kill(process: subprocess.Popen[Any]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as closing:
        yield Site(tmp_path, closing)


@pytest.fixture(scope="module")
def contest(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    made: tuple[Path, Path] = arena.write_contest(tmp_path_factory.mktemp("contest"))
    return made


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good ones, a bad one, and a zip that is none."""
    folder = tmp_path_factory.mktemp("inbox")
    models = arena.write_models(folder, "good", "nan")
    for number in range(TOTAL - 2):
        (folder / f"good{number}.pb").write_bytes(arena.marked(models["good"], f"mark {number}"))
    (folder / "nan.pb").write_bytes(models["nan"])
    (folder / "text.zip").write_text("no zip")
    return folder


def started(inbox: Path, contest: tuple[Path, Path], ledger: Path, *more: object) -> subprocess.Popen[str]:
    process: subprocess.Popen[str] = arena.start(
        inbox, "--challenge", contest[0], "--data", contest[1], "--ledger", ledger, "--max-runs", 2,
        "--only", "fidelity,runtime", "--json", ledger.with_suffix(".jsonl"), *more, temporary=ledger.parent / "tmp",
    )  # fmt: skip
    return process


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    try:
        out, err = process.communicate(timeout=LIMIT_S)
    finally:
        _kill(process)
    assert "Traceback" not in err, err
    return process.returncode, out + err


def verdicts(ledger: Path) -> dict[str, Any]:
    """All that doesn't depend on time, by name."""
    with open_ledger(str(ledger)) as book:
        kept = {}
        for entry in book.entries():
            report = book.report(entry.id)
            figures = {
                k: v for k, v in entry.figures.items() if k in ("psnr_db", "ms_ssim", "params", "flops")
            }
            checks = [(c.id, c.status == "failed", c.expected) for c in report.checks] if report else []
            pairs = report.evidence.fidelity if report else None
            kept[entry.ticket.name] = (entry.state, entry.outcome, entry.rule, figures, checks, pairs)
        return kept


def test_a_worker_that_dies_loses_nothing(
    site: Site, tmp_path: Path, inbox: Path, contest: tuple[Path, Path]
) -> None:
    alone, shared = tmp_path / "alone.sqlite", tmp_path / "shared.sqlite"
    code, printed = ended(started(inbox, contest, alone, "--jobs", 1, "--threads", 1))
    assert code == 0, printed
    first = site.worker("--resources", "timing=1")
    site.worker("--resources", "timing=1")
    process = started(inbox, contest, shared, "--scheduler", site.address)
    try:
        _wait_for_started(shared.with_suffix(".jsonl"), 3)
        _kill(first)
        code, printed = ended(process)
    finally:
        _kill(process)
    assert code == 0, printed
    assert verdicts(shared) == verdicts(alone)
    assert len(verdicts(shared)) == TOTAL
    ends = [
        h["name"] for h in arena.events(shared.with_suffix(".jsonl")) if h["event"] in ("judged", "refused")
    ]
    assert sorted(ends) == sorted(verdicts(alone))


def _wait_for_started(log: Path, count: int) -> None:
    deadline = time.monotonic() + 120
    while len([h for h in arena.events(log) if h["event"] == "started"]) < count:
        assert time.monotonic() < deadline, arena.events(log)
        time.sleep(0.02)


def test_a_scheduler_that_is_not_there(tmp_path: Path, inbox: Path, contest: tuple[Path, Path]) -> None:
    begun = time.monotonic()
    ledger = tmp_path / "l.sqlite"
    code, printed = ended(started(inbox, contest, ledger, "--scheduler", "tcp://127.0.0.1:1"))
    assert code == 3
    assert "The scheduler must be reachable; found tcp://127.0.0.1:1" in printed
    assert "dask scheduler" in printed
    assert time.monotonic() - begun < 30
    assert not ledger.exists()


def test_a_worker_that_can_not_time_alone_is_refused(
    site: Site, tmp_path: Path, inbox: Path, contest: tuple[Path, Path]
) -> None:
    code, printed = ended(started(inbox, contest, tmp_path / "l.sqlite", "--scheduler", site.address))
    assert (code, "A scheduler must have workers" in printed) == (3, True)
    site.worker()
    code, printed = ended(started(inbox, contest, tmp_path / "l.sqlite", "--scheduler", site.address))
    assert code == 3
    assert "A worker must have the resource timing once" in printed
    assert "--resources timing=1" in printed


def test_tls_passes_through(tmp_path: Path, inbox: Path, contest: tuple[Path, Path]) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
        + ["-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    files = ("--tls-ca-file", str(certificate), "--tls-cert", str(certificate), "--tls-key", str(key))
    with ExitStack() as closing:
        site = Site(tmp_path, closing, *files)
        assert site.address.startswith("tls://")
        site.worker("--resources", "timing=1")
        ledger = tmp_path / "l.sqlite"
        options = ("--scheduler", site.address)
        code, printed = ended(started(inbox / "good0.pb", contest, ledger, *options))
        assert (code, "must go together" in printed) == (2, True)
        code, printed = ended(started(inbox / "good0.pb", contest, ledger, *options, *files))
        assert code == 0, printed
        assert "1 passed" in printed


def test_without_the_extra_the_error_names_it(
    monkeypatch: pytest.MonkeyPatch, call: Any, tmp_path: Path
) -> None:
    rules, data = arena.write_contest(tmp_path)
    (tmp_path / "a.pb").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "distributed", None)
    answer = call(
        "judge-submissions", str(tmp_path / "a.pb"), "--challenge", str(rules), "--data", str(data),
        "--ledger", str(tmp_path / "l.sqlite"), "--scheduler", "local", "--no-require-sandbox",
    )  # fmt: skip
    assert answer.code == 3
    assert "pixelproof[cluster]" in answer.err
