"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pixelproof.errors import EnvironmentFault, InputError
from pixelproof.files import (
    disk_faults,
    make_folder,
    read_bytes,
    replacing_file,
    replacing_folder,
    sha256_of,
    size_bytes,
    write_bytes,
    write_text,
)


def names(folder: Path) -> list[str]:
    """All names below a folder, hidden ones included."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


def test_a_file_is_written_with_its_folders(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "c.txt", "gemäß")
    assert (tmp_path / "a/b/c.txt").read_bytes() == "gemäß".encode()
    assert names(tmp_path) == ["a", "a/b", "a/b/c.txt"]


def test_a_written_file_has_the_usual_mode(tmp_path: Path) -> None:
    write_bytes(tmp_path / "ours", b"x")
    (tmp_path / "usual").write_bytes(b"x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, stop: type[BaseException]) -> None:
    target = tmp_path / "model.pb"
    target.write_bytes(b"old")
    with pytest.raises(stop), replacing_file(target) as temporary:
        temporary.write_bytes(b"half")
        raise stop
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["model.pb"]


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_folder_and_nothing_else(tmp_path: Path, stop: type[BaseException]) -> None:
    target = tmp_path / "saved_model"
    target.mkdir()
    (target / "old").write_bytes(b"old")
    with pytest.raises(stop), replacing_folder(target) as temporary:
        (temporary / "new").write_bytes(b"half")
        raise stop
    assert names(tmp_path) == ["saved_model", "saved_model/old"]


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "saved_model"
    for content in ("first", "second"):
        with replacing_folder(target) as temporary:
            (temporary / "variables").mkdir()
            (temporary / "variables" / content).write_text(content)
    assert names(tmp_path) == ["saved_model", "saved_model/variables", "saved_model/variables/second"]


def test_the_target_is_never_half_written(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    target.write_bytes(b"old")
    with replacing_file(target) as temporary:
        temporary.write_bytes(b"new")
        assert target.read_bytes() == b"old"
        assert temporary.parent == target.parent
    assert target.read_bytes() == b"new"


def below_a_file(tmp_path: Path) -> Path:
    """A path that can't be made, even by root: its parent is a file."""
    (tmp_path / "file").write_bytes(b"")
    return tmp_path / "file" / "out"


def test_a_folder_below_a_file_is_an_environment_fault(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="must be writable"):
        write_bytes(below_a_file(tmp_path) / "x", b"")
    with pytest.raises(EnvironmentFault, match="must be writable"), replacing_folder(below_a_file(tmp_path)):
        raise AssertionError


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_a_folder_that_nobody_may_create_is_an_environment_fault() -> None:
    with pytest.raises(EnvironmentFault, match="/proc/nothing"):
        make_folder(Path("/proc/nothing/here"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_an_environment_fault(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    with pytest.raises(EnvironmentFault, match="must be writable"):
        write_bytes(folder / "x", b"")


def test_a_name_that_is_too_long_is_an_environment_fault(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="must be writable"):
        make_folder(tmp_path / ("a" * 300))


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "model.pb"
    target.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnvironmentFault, match=r"The disk is full; found no space for .*model.pb"):
        write_bytes(target, b"new")
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["model.pb"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_device_that_is_full_is_said() -> None:
    device = Path("/dev/full")
    with pytest.raises(EnvironmentFault, match="The disk is full"), disk_faults(device):
        device.write_bytes(b"x")


def test_other_faults_are_not_renamed(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="line"), replacing_file(tmp_path / "x"):
        raise OSError(errno.EIO, "line")


def test_hash_and_size_of_a_file(tmp_path: Path) -> None:
    data = bytes(range(256)) * 9000
    (tmp_path / "x").write_bytes(data)
    assert sha256_of(tmp_path / "x") == hashlib.sha256(data).hexdigest()
    assert size_bytes(tmp_path / "x") == len(data)


def test_hash_of_a_folder_sees_names_and_contents(tmp_path: Path) -> None:
    hashes = set()
    for number, (name, content) in enumerate([("a", "1"), ("b", "1"), ("a", "2"), ("c/a", "1")]):
        folder = tmp_path / str(number)
        write_text(folder / name, content)
        hashes.add(sha256_of(folder))
        assert size_bytes(folder) == 1
    assert len(hashes) == 4
    write_text(tmp_path / "again" / "a", "1")
    assert sha256_of(tmp_path / "again") == sha256_of(tmp_path / "0")


def test_a_missing_input_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"A report must be a readable file; found .*absent"):
        read_bytes(tmp_path / "absent", what="A report")


def test_a_symbolic_link_keeps_pointing_at_its_target(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names on this system")
def test_a_pipe_is_written_to_and_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_text(pipe, "through")
        assert os.read(reader, 100) == b"through"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    with pytest.raises(EnvironmentFault, match="regular file"), replacing_file(pipe):
        pass
    assert pipe.is_fifo()


@pytest.mark.parametrize("fault", [OSError(errno.EACCES, "no"), KeyboardInterrupt()])
def test_a_folder_whose_successor_can_t_move_in_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    target = tmp_path / "saved_model"
    write_text(target / "old", "old")
    usual = Path.replace

    def move(path: Path, to: Path) -> Path:
        if path.suffix == ".part":
            raise fault
        return usual(path, to)

    monkeypatch.setattr(Path, "replace", move)
    with pytest.raises((EnvironmentFault, KeyboardInterrupt)), replacing_folder(target) as temporary:
        (temporary / "new").write_text("new")
    assert names(tmp_path) == ["saved_model", "saved_model/old"]


REPLACES = """
import os, itertools, signal, sys
from pathlib import Path
from pixelproof.files import replacing_file, replacing_folder

file, folder = Path(sys.argv[1], "model.pb"), Path(sys.argv[1], "saved_model")
moves, last_move, usual = itertools.count(), int(sys.argv[2]), Path.replace

def move(path, to):
    if next(moves) == last_move // 2:
        if last_move % 2:
            usual(path, to)
        os.kill(os.getpid(), signal.SIGKILL)
    return usual(path, to)

Path.replace = move
for number in itertools.count():
    with replacing_file(file) as temporary:
        temporary.write_text(f"{number} " * 1000)
    with replacing_folder(folder) as temporary:
        for name in ("a", "b"):
            (temporary / name).write_text(f"{number} " * 1000)
    if number == 0:
        print("both are there", flush=True)
"""


def check_whole(folder: Path) -> None:
    """Both stand there, each of one writing, and soon nothing besides."""
    deadline = time.monotonic() + 10
    while any(path.name.startswith(".") for path in folder.iterdir()):
        assert time.monotonic() < deadline, names(folder)
        time.sleep(0.01)
    assert names(folder) == ["model.pb", "saved_model", "saved_model/a", "saved_model/b"]
    written = {path: path.read_text().split() for path in folder.rglob("*") if path.is_file()}
    assert [(len(words), len(set(words))) for words in written.values()] == [(1000, 1)] * 3
    assert written[folder / "saved_model" / "a"] == written[folder / "saved_model" / "b"]


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")
@pytest.mark.parametrize("last_move", range(4, 10))
def test_a_kill_just_before_and_after_each_move(tmp_path: Path, last_move: int) -> None:
    """Of the second writing: the file in its place; the old folder aside, and the new one in its place."""
    command = [sys.executable, "-c", REPLACES, tmp_path, str(last_move)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == -signal.SIGKILL
    check_whole(tmp_path)


@pytest.mark.parametrize("seed", range(10))
def test_a_kill_at_any_moment(tmp_path: Path, seed: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", REPLACES, tmp_path, "-2"], stdout=subprocess.PIPE
    ) as running:
        assert running.stdout is not None and running.stdout.readline()
        time.sleep(random.Random(seed).uniform(0, 0.05))
        running.kill()
    check_whole(tmp_path)


def test_links_in_a_folder_are_hashed_and_weighed_as_links(tmp_path: Path) -> None:
    folder, secret = tmp_path / "model", tmp_path / "secret"
    folder.mkdir()
    (folder / "a").write_bytes(b"one")
    plain = sha256_of(folder)
    (folder / "link").symlink_to(secret)
    before, size = sha256_of(folder), size_bytes(folder)
    assert before != plain
    secret.write_bytes(b"a secret of some length" * 1000)
    assert (sha256_of(folder), size_bytes(folder)) == (before, size)
    assert size < 1000
    (folder / "link").unlink()
    (folder / "link").symlink_to("/dev/zero")
    assert sha256_of(folder) not in (plain, before)


def test_a_name_that_is_no_text_is_hashed(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff\xfe.bin")).write_bytes(b"x")
    assert len(sha256_of(tmp_path)) == 64
