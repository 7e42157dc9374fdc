"""Ledgers that can't be opened, read or written: the rule, the exit code, and nothing lost."""

from __future__ import annotations

import importlib.util
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pixelproof.errors import EnvironmentFault, LedgerError
from pixelproof.submit.ledger.address import address_of
from pixelproof.submit.ledger.store import open_ledger

_spec = importlib.util.spec_from_file_location("ledger_desk", Path(__file__).with_name("ledger_desk.py"))
assert _spec is not None and _spec.loader is not None
desk = importlib.util.module_from_spec(_spec)
sys.modules["ledger_desk"] = desk
_spec.loader.exec_module(desk)
judged, ticket, verdict = desk.judged, desk.ticket, desk.verdict


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger with some submissions, closed."""
    made = tmp_path / "ledger.sqlite"
    with open_ledger(str(made), create=True) as ledger:
        for number in range(30):
            judged(ledger, ticket(f"n{number}"))
    return made


def test_the_files_of_a_closed_ledger(path: Path) -> None:
    assert [p.name for p in path.parent.iterdir()] == ["ledger.sqlite"]
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


def test_missing_ones(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="must be there; found no file"):
        open_ledger(str(tmp_path / "none.sqlite"))
    for create in (True, False):
        with pytest.raises(LedgerError, match="folder must exist"):
            open_ledger(str(tmp_path / "no" / "ledger.sqlite"), create=create)
        with pytest.raises(LedgerError, match="must be a file; found a folder"):
            open_ledger(str(tmp_path), create=create)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"no database at all\n" * 300, b"SQLite format 3\0" + b"\xff" * 5000])
def test_what_is_no_database(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(content)
    for create in (True, False):
        with pytest.raises(LedgerError, match=r"must be whole; found .*not a database"):
            open_ledger(str(path), create=create)
    assert path.read_bytes() == content


def test_an_empty_file_is_made_a_ledger_only_where_one_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.touch()
    with pytest.raises(LedgerError, match=r"must be pixelproof's database; found .* with no tables"):
        open_ledger(str(path))
    with open_ledger(str(path), create=True) as ledger:
        assert ledger.entries() == ()


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE files (name TEXT)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="found other tables: files"):
        open_ledger(str(path), create=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize("where", ["middle", "end"])
def test_damaged_ones(path: Path, where: str) -> None:
    data = bytearray(path.read_bytes())
    if where == "middle":
        data[4096 * 2 : 4096 * 12] = b"\xa5" * 4096 * 10
    else:
        del data[4096 * 3 :]
    path.write_bytes(data)
    with pytest.raises(LedgerError, match=r"must be whole; found .*malformed\. Put a backup in its place"):  # noqa: SIM117
        with open_ledger(str(path)) as ledger:
            list(ledger.reports())


def test_one_that_another_program_holds(path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with open_ledger(str(path), wait_s=0.2) as ledger:
        assert len(ledger.entries()) == 30  # readers don't wait for a writer
        with pytest.raises(EnvironmentFault, match=r"must be free; found .*locked") as told:
            ledger.enter(ticket("new"))
        assert told.value.exit_code == 3
        other.execute("ROLLBACK")
        assert ledger.enter(ticket("new")).state == "queued"
    other.close()


def test_one_that_is_held_alone(path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(EnvironmentFault, match="must be free"):
        open_ledger(str(path), wait_s=0.2)
    other.close()


def test_a_folder_where_nothing_can_be_made() -> None:
    with pytest.raises(EnvironmentFault, match="must be writable"):
        open_ledger("/sys/ledger.sqlite", create=True)


def test_a_read_only_disk_can_be_read_and_not_written(path: Path) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    folder = path.parent
    mounted = f"mount --bind '{folder}' '{folder}' && mount -o remount,ro,bind '{folder}'"
    if subprocess.run(["unshare", "-m", "sh", "-c", mounted], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount")
    program = f"""
from pixelproof.errors import EnvironmentFault
from pixelproof.submit.ledger.store import open_ledger
with open_ledger({str(path)!r}) as ledger:
    print(len(ledger.entries()))
    try:
        ledger.release()
    except EnvironmentFault as error:
        print(error.rule)
try:
    open_ledger({str(path)!r}, create=True)
except EnvironmentFault as error:
    print(error.rule)
"""
    ended = subprocess.run(
        ["unshare", "-m", "sh", "-c", f'{mounted} && exec "$0" -c "$1"', sys.executable, program],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout.splitlines() == [
        "30",
        "The ledger must be writable",
        "The ledger must be writable",
    ], ended.stderr


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("", "A ledger must be named"),
        ("ftp://host/ledger", "must begin with a known database; found ftp"),
        ("postgres://host/ledger", "It is postgresql://"),
        ("postgresql://user:s3c@ret:x@host:port/ledger", "URL must be one; found postgresql://"),
        ("sqlite://", "must be a file or on a server"),
        ("sqlite:///:memory:", "must be a file or on a server"),
        ("sqlite:///file:x?uri=true&mode=memory", "must be a file or on a server"),
    ],
)
def test_addresses_that_are_none(where: str, says: str) -> None:
    with pytest.raises(LedgerError, match=says) as told:
        open_ledger(where, create=True)
    assert told.value.exit_code == 2 and "s3c" not in str(told.value)


def test_a_missing_driver_says_which_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(EnvironmentFault, match=r"needs its driver.*pip install \"pixelproof\[postgres\]\""):
        open_ledger("postgresql+psycopg://user:s3cret@host/ledger")


def test_the_driver_is_the_extras_own_without_being_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(EnvironmentFault, match=r"no module psycopg\. Get it"):
        open_ledger("postgresql://host/ledger")


def test_labels_hold_no_password() -> None:
    address = address_of("postgresql://me:p%40ss@host/db?sslpassword=other&application_name=x")
    assert "***" in address.label and "p%40ss" not in address.label and "other" not in address.label
    assert "application_name=x" in address.label
    assert address.cleaned('no entry for "p@ss" or p%40ss or other') == 'no entry for "***" or *** or ***'


def test_a_path_with_signs_of_urls_in_it(tmp_path: Path) -> None:
    path = tmp_path / "a?b#c%20d.sqlite"
    with open_ledger(str(path), create=True) as ledger:
        judged(ledger, ticket())
    with open_ledger(f"sqlite:///{tmp_path / 'plain.sqlite'}", create=True) as ledger:
        assert ledger.label == str(tmp_path / "plain.sqlite")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a?b#c%20d.sqlite", "plain.sqlite"]
