"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
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
