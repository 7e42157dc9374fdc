"""The command on real folders: strangers' files of every kind, a kill in the middle, a team's limit a day."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pixelproof.submit.ledger.records import Entry
from pixelproof.submit.ledger.store import open_ledger

_SPEC = importlib.util.spec_from_file_location("judging_arena", Path(__file__).with_name("judging_arena.py"))
assert _SPEC is not None and _SPEC.loader is not None
arena: Any = importlib.util.module_from_spec(_SPEC)
sys.modules["judging_arena"] = arena
_SPEC.loader.exec_module(arena)

LIMIT_S = 150


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    written: dict[str, bytes] = arena.write_models(
        tmp_path_factory.mktemp("models"), "good", "clipped", "nan", "raising", "endless"
    )
    return written


@pytest.fixture(scope="module")
def contest(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    made: tuple[Path, Path] = arena.write_contest(tmp_path_factory.mktemp("contest"))
    return made


class Call:
    """The command on one inbox and one ledger."""

    def __init__(self, folder: Path, contest: tuple[Path, Path]) -> None:
        self.inbox, self.ledger, self.log = (
            folder / "inbox",
            folder / "ledger.sqlite",
            folder / "events.jsonl",
        )
        self.temporary = folder / "tmp"
        self.rules, self.data = contest
        self.inbox.mkdir()

    def start(self, *more: object) -> subprocess.Popen[str]:
        where = ("--challenge", self.rules, "--track", "B", "--data", self.data, "--ledger", self.ledger)
        started: subprocess.Popen[str] = arena.start(
            self.inbox, *where, "--json", self.log, *more, temporary=self.temporary
        )
        return started

    def run(self, *more: object) -> tuple[int, str, list[dict[str, Any]]]:
        """(exit code, what was printed, the events)."""
        process = self.start(*more)
        try:
            out, err = process.communicate(timeout=LIMIT_S)
        finally:
            _kill(process)
        assert "Traceback" not in err, err
        return process.returncode, out + err, arena.events(self.log)

    def entries(self) -> dict[str, Entry]:
        """By name."""
        with open_ledger(str(self.ledger)) as ledger:
            return {entry.ticket.name: entry for entry in ledger.entries()}


def _kill(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def judge(tmp_path: Path, contest: tuple[Path, Path]) -> Iterator[Call]:
    call = Call(tmp_path, contest)
    yield call
    deadline = time.monotonic() + 10
    while (left := _left(call.temporary)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []


def _left(folder: Path) -> list[str]:
    """What lies in the folder for temporaries; the machine's lock stays there, where there is no better place."""
    if not folder.exists():
        return []
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_each_stranger_gets_its_verdict_and_stops_no_other(judge: Call, models: dict[str, bytes]) -> None:
    archives = arena.module("hostile/archives.py")
    bomb = next(hostile for hostile in archives.HOSTILE.values() if hostile.rule == "RATIO")
    inbox = judge.inbox
    arena.packed(inbox / "packed.zip", models["good"], team="42")
    arena.packed(inbox / "other_track.zip", models["good"], team="42", track="A")
    arena.write_zip(inbox / "no_model.zip", {"readme.txt": b"soon"})
    arena.write_zip(inbox / "two_models.zip", {"a.pb": b"x", "b.pb": b"y"})
    arena.write_zip(inbox / "bad_manifest.zip", {"model.pb": models["good"], "manifest.json": b"{"})
    (inbox / "bomb.zip").write_bytes(bomb.build())
    (inbox / "text.zip").write_text("no zip")
    (inbox / "empty.pb").write_bytes(b"")
    (inbox / "noise.pb").write_bytes(bytes(range(256)) * 8)
    (inbox / "net.onnx").write_bytes(b"x" * 100)
    for name in ("clipped", "nan", "raising", "endless"):
        (inbox / f"{name}.pb").write_bytes(models[name])
    (inbox / "link.zip").symlink_to(inbox / "packed.zip")
    (inbox / "x.zip").mkdir()
    (inbox / "teams.txt").write_text("notes")
    code, printed, log = judge.run(
        "--time-limit", 3, "--total-time-limit", 20, "--max-runs", 2, "--reports", judge.inbox / "reports"
    )
    assert code == 0, printed
    outcomes = {name: entry.outcome for name, entry in judge.entries().items()}
    assert outcomes == {
        "packed.zip": "passed",
        "clipped.pb": "passed",
        "nan.pb": "failed",
        "raising.pb": "failed",
        "endless.pb": "failed",
        "noise.pb": "refused",
        **dict.fromkeys(
            ("other_track.zip", "no_model.zip", "two_models.zip", "bad_manifest.zip", "bomb.zip"), "refused"
        ),
        **dict.fromkeys(("text.zip", "empty.pb", "net.onnx"), "refused"),
    }
    entries = judge.entries()
    assert entries["packed.zip"].ticket.team_name == "Team 42"
    assert entries["packed.zip"].figures["latency_ms"] > 0
    assert "track 'A'" in entries["other_track.zip"].found
    assert "2 files and folders are no submission" in printed
    assert "link.zip (a link)" in printed
    assert [happened["event"] for happened in log][-1] == "finished"
    assert log[-1]["total"] == len(outcomes)
    _runtime_was_alone(log)
    reports = sorted((judge.inbox / "reports").glob("*/report.json"))
    assert [path.parent.name[5:] for path in reports] == sorted(
        (n for n, outcome in outcomes.items() if outcome in ("passed", "failed")),
        key=lambda name: entries[name].id,
    )
    document = json.loads(next(p for p in reports if "packed" in str(p)).read_text())
    assert document["artifact"]["path"] == "packed.zip/model.pb"
    assert {c["id"]: c["status"] for c in document["checks"]}["runtime"] in ("passed", "warning")
    assert str(judge.temporary) not in json.dumps(document)
    again, printed, log = judge.run(
        "--time-limit", 3, "--total-time-limit", 20, "--max-runs", 2, "--reports", judge.inbox / "reports"
    )
    assert again == 0, printed
    assert {happened["event"] for happened in log} == {"found", "skipped", "entered", "known", "finished"}


def _runtime_was_alone(log: list[dict[str, Any]]) -> None:
    """While runtime was measured nothing else was going on."""
    running: dict[int, str] = {}
    timed = 0
    for happened in log:
        if happened["event"] == "started":
            if happened["phase"] == "runtime":
                timed += 1
                assert running == {}
            assert "runtime" not in running.values()
            running[happened["id"]] = happened["phase"]
        elif happened["event"] == "ended":
            running.pop(happened["id"], None)
    assert timed >= 2


def test_killed_in_the_middle_it_goes_on_where_it_was(judge: Call, models: dict[str, bytes]) -> None:
    total = 6
    for number in range(total):
        (judge.inbox / f"t{number}.pb").write_bytes(arena.marked(models["good"], f"mark {number}"))
    options = ("--only", "contract,fidelity", "--jobs", 2)
    process = judge.start(*options)
    _wait_for(judge.log, "judged", 2)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    with open_ledger(str(judge.ledger)) as ledger:
        before = ledger.entries()
    done = {entry.id: entry.judged_at for entry in before if entry.state == "judged"}
    assert 2 <= len(done) < total
    code, printed, log = judge.run(*options)
    assert code == 0, printed
    after = {entry.id: entry for entry in judge.entries().values()}
    assert len(after) == total
    assert {entry.outcome for entry in after.values()} == {"passed"}
    assert {number: after[number].judged_at for number in done} == done
    assert len({entry.judgement_id for entry in after.values()}) == total
    assert len([happened for happened in log if happened["event"] == "judged"]) == total - len(done)


def test_interrupted_it_lets_go_of_what_it_had(judge: Call, models: dict[str, bytes]) -> None:
    for number in range(3):
        (judge.inbox / f"t{number}.pb").write_bytes(arena.marked(models["good"], f"mark {number}"))
    process = judge.start("--only", "contract,fidelity", "--jobs", 1)
    _wait_for(judge.log, "started", 1)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "running" not in {entry.state for entry in judge.entries().values()}


def test_a_failed_run_does_not_use_up_the_day(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, models: dict[str, bytes]
) -> None:
    judge = Call(tmp_path, arena.write_contest(tmp_path_factory.mktemp("limited"), per_day=1))
    noon = 1_777_636_800
    for number, name in enumerate(("nan", "good", "clipped")):
        path = arena.packed(judge.inbox / f"{3 - number}-{name}.zip", models[name], team="42")
        os.utime(path, (noon + number, noon + number))
    other = arena.packed(judge.inbox / "other.zip", arena.marked(models["good"], "other"), team="7")
    tomorrow = arena.packed(judge.inbox / "tomorrow.zip", arena.marked(models["good"], "next"), team="42")
    os.utime(other, (noon, noon))
    os.utime(tomorrow, (noon + 86_400, noon + 86_400))
    code, printed, _ = judge.run("--only", "range,fidelity", "--jobs", 2)
    assert code == 0, printed
    entries = judge.entries()
    assert {name: entry.outcome or entry.state for name, entry in entries.items()} == {
        "3-nan.zip": "failed",
        "2-good.zip": "passed",
        "1-clipped.zip": "over_quota",
        "other.zip": "passed",
        "tomorrow.zip": "passed",
    }


def test_who_is_not_on_the_list_is_refused_until_he_is(judge: Call, tmp_path: Path) -> None:
    (judge.inbox / "a.zip").write_text("no zip")
    teams = tmp_path / "teams.csv"
    teams.write_text("id,name\n7,Bob\n")
    code, printed, _ = judge.run("--teams", teams)
    assert code == 0, printed
    entry = judge.entries()["a.zip"]
    assert (entry.outcome, entry.rule) == ("refused", "A submission must be of a team that is on the list")
    teams.write_text("id,name,file\n7,Bob,a.zip\n")
    code, printed, _ = judge.run("--teams", teams)
    assert code == 0, printed
    with open_ledger(str(judge.ledger)) as ledger:
        both = ledger.entries()
    assert sorted((e.ticket.team_id or "", e.rule == entry.rule) for e in both) == [("", True), ("7", False)]


def test_two_zips_of_one_name_stay_apart(judge: Call) -> None:
    for place in ("monday", "tuesday"):
        (judge.inbox / place).mkdir()
        (judge.inbox / place / "a.zip").write_text(f"no zip, {place}")
    code, printed, _ = judge.run()
    assert code == 0, printed
    assert sorted(judge.entries()) == ["monday/a.zip", "tuesday/a.zip"]


def test_a_ledger_that_is_locked_is_a_fault_of_the_machine(
    judge: Call, monkeypatch: pytest.MonkeyPatch, call: Any
) -> None:
    (judge.inbox / "a.zip").write_text("no zip")
    assert judge.run()[0] == 0
    monkeypatch.setattr("pixelproof.submit.ledger.store.WAIT_S", 0.2)
    monkeypatch.setattr(
        "pixelproof.submit.ledger.store.open_ledger.__kwdefaults__", {"create": False, "wait_s": 0.2}
    )
    lock = sqlite3.connect(judge.ledger, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    where = ("--challenge", str(judge.rules), "--data", str(judge.data), "--ledger", str(judge.ledger))
    try:
        locked = call("judge-submissions", str(judge.inbox), *where, "--no-require-sandbox")
    finally:
        lock.close()
    assert locked.code == 3, locked.err
    with sqlite3.connect(judge.ledger) as other:
        other.execute("UPDATE meta SET value = '99' WHERE key = 'version'")
    other.close()
    newer = call("judge-submissions", str(judge.inbox), *where, "--no-require-sandbox")
    assert (newer.code, "version 99" in newer.err) == (2, True)


def _wait_for(log: Path, kind: str, count: int) -> None:
    deadline = time.monotonic() + 120
    while len([h for h in arena.events(log) if h["event"] == kind]) < count:
        assert time.monotonic() < deadline, f"no {count} times {kind}"
        time.sleep(0.02)
