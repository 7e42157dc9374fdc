"""Several processes at one ledger, and processes that are killed in the middle of their work."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pixelproof.submit.ledger.store import open_ledger

_spec = importlib.util.spec_from_file_location("ledger_desk", Path(__file__).with_name("ledger_desk.py"))
assert _spec is not None and _spec.loader is not None
desk = importlib.util.module_from_spec(_spec)
sys.modules["ledger_desk"] = desk
_spec.loader.exec_module(desk)

# Enters 200 submissions, and judges those that it gets; a line for each one finished, once the ledger says so.
JUDGE = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("ledger_desk", sys.argv[1])
desk = importlib.util.module_from_spec(spec)
sys.modules["ledger_desk"] = desk
spec.loader.exec_module(desk)
from pixelproof.submit.ledger.store import open_ledger
with open_ledger(sys.argv[2], create=True) as ledger:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(sys.argv[4])):
        entry = ledger.enter(desk.ticket(f"n{number}", team_id=str(number)))
        entry = ledger.claim(entry.id, owner=sys.argv[3], per_day=2)
        if entry.state == "running":
            ledger.finish(entry.id, desk.verdict(), owner=sys.argv[3])
            print(entry.id, flush=True)
"""


def start(path: Path, owner: str, *, submissions: int) -> subprocess.Popen[str]:
    """A judge, ready to begin."""
    command = [sys.executable, "-c", JUDGE, str(Path(__file__).with_name("ledger_desk.py")), str(path), owner]
    judge = subprocess.Popen(
        [*command, str(submissions)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert judge.stdout is not None and judge.stdout.readline() == "ready\n"
    return judge


def begin(judge: subprocess.Popen[str]) -> None:
    """Let it begin."""
    assert judge.stdin is not None
    judge.stdin.write("\n")
    judge.stdin.flush()


def finished(judge: subprocess.Popen[str]) -> list[int]:
    """What it said that it finished, to its end."""
    out, _ = judge.communicate(timeout=60)
    return [int(line) for line in out.splitlines()]


def parts(path: Path) -> tuple[list[str], list[tuple[int, ...]]]:
    """What SQLite says of the file, and for each judgement how many submissions, checks, scores and files it has."""
    connection = sqlite3.connect(path)
    healthy = [row[0] for row in connection.execute("PRAGMA integrity_check")]
    counts = connection.execute(
        "SELECT (SELECT count(*) FROM submissions s WHERE s.judgement_id = j.id),"
        " (SELECT count(*) FROM checks c WHERE c.judgement_id = j.id),"
        " (SELECT count(*) FROM scores c WHERE c.judgement_id = j.id),"
        " (SELECT count(*) FROM files f WHERE f.judgement_id = j.id) FROM judgements j"
    ).fetchall()
    connection.close()
    return healthy, counts


def test_three_processes_share_the_work(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    judges = [start(path, f"owner{n}", submissions=60) for n in range(3)]
    for judge in judges:
        begin(judge)
    done = [finished(judge) for judge in judges]
    assert sorted(key for keys in done for key in keys) == list(range(1, 61))
    assert sum(bool(keys) for keys in done) > 1
    healthy, counts = parts(path)
    assert healthy == ["ok"] and counts == [(1, 3, 3, 1)] * 60


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_process_loses_nothing_that_it_finished(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "ledger.sqlite"
    noise = random.Random(seed)
    told: list[int] = []
    for attempt in range(2):
        judge = start(path, f"owner{attempt}", submissions=200)
        begin(judge)
        assert judge.stdout is not None
        for _ in range(noise.randrange(3, 12)):
            told.append(int(judge.stdout.readline()))
        time.sleep(noise.random() * 0.02)
        os.kill(judge.pid, signal.SIGKILL)
        told += finished(judge)
        assert judge.returncode == -signal.SIGKILL
        with open_ledger(str(path)) as ledger:
            entries = {entry.id: entry for entry in ledger.entries()}
            assert {entries[key].state for key in told} == {"judged"}
            running = [entry.id for entry in entries.values() if entry.state == "running"]
            assert len(running) <= 1 and ledger.release(owner=f"owner{attempt}") == len(running)
            assert all(made.passed for _, made in ledger.reports())
        healthy, counts = parts(path)
        assert healthy == ["ok"] and set(counts) == {(1, 3, 3, 1)}
        assert 0 <= len(counts) - len(told) <= 1  # the last may be finished and not yet said
    judge = start(path, "last", submissions=30)
    begin(judge)
    finished(judge)
    with open_ledger(str(path)) as ledger:
        assert {entry.state for entry in ledger.entries()[:30]} == {"judged"}


def test_a_process_killed_while_it_makes_the_ledger_leaves_none_or_a_whole_one(tmp_path: Path) -> None:
    program = "import sys; from pixelproof.submit.ledger.store import open_ledger; print(flush=True)\n"
    program += (
        "sys.stdin.readline(); open_ledger(sys.argv[1], create=True); print('made', flush=True); input()"
    )
    for attempt in range(4):
        path = tmp_path / f"ledger{attempt}.sqlite"
        maker = subprocess.Popen(
            [sys.executable, "-c", program, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert maker.stdout is not None
        maker.stdout.readline()
        begin(maker)
        time.sleep(0.012 * attempt)
        maker.kill()
        maker.communicate(timeout=60)
        with open_ledger(str(path), create=True) as ledger:
            assert desk.judged(ledger, desk.ticket()).passed


def test_a_forked_child_uses_connections_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    program = f"""
import os
from pixelproof.submit.ledger.store import open_ledger
with open_ledger({str(path)!r}, create=True) as ledger:
    assert ledger.entries() == ()
    child = os.fork()
    if child == 0:
        import json
        print(json.dumps([len(ledger.entries()), ledger.release()]), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    ledger.release()
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(ended.stdout) == [0, 0]
