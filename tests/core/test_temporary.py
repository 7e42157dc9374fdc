"""Temporary folders end with their block, with the process, or with the janitor."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from pixelproof.errors import EnvironmentFault
from pixelproof.temporary import make_temporary, private_tempdir, remove_temporary, temporary_folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's folder for temporaries, for the length of a test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("stop", [None, ValueError, KeyboardInterrupt])
def test_it_ends_with_its_block(folder: Path, stop: type[BaseException] | None) -> None:
    ends: AbstractContextManager[object] = nullcontext() if stop is None else pytest.raises(stop)
    with ends, temporary_folder("pixelproof-a-") as path:
        assert path.parent == folder and path.name.startswith("pixelproof-a-")
        assert path.stat().st_mode & 0o777 == 0o700
        (path / "inner").mkdir()
        (path / "inner" / "file").write_text("x")
        if stop is not None:
            raise stop
    assert list(folder.iterdir()) == []


def test_each_has_a_name_of_its_own_where_it_was_asked_for(tmp_path: Path) -> None:
    paths = {make_temporary(".staging-1-", parent=tmp_path) for _ in range(20)}
    assert len(paths) == 20 and {path.parent for path in paths} == {tmp_path}
    for path in paths:
        remove_temporary(path)
        remove_temporary(path)  # a second time does nothing
    assert list(tmp_path.iterdir()) == []


def test_a_parent_that_isn_t_there_is_an_environment_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(EnvironmentFault, match="must be writable"),
        temporary_folder("pixelproof-", parent=tmp_path / "file"),
    ):
        raise AssertionError


def test_a_disk_that_fills_is_said(folder: Path) -> None:
    with (
        pytest.raises(EnvironmentFault, match=r"The disk is full; found no space for .*pixelproof-a-"),
        temporary_folder("pixelproof-a-"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(folder.iterdir()) == []


def test_room_that_a_library_needs_is_asked_for_before(folder: Path) -> None:
    with temporary_folder("pixelproof-a-", room_bytes=1000) as path:
        assert path.is_dir()
    with (
        pytest.raises(EnvironmentFault, match=r"The disk is full; found .* MiB free for .* Free some space"),
        temporary_folder("pixelproof-a-", room_bytes=10**18),
    ):
        raise AssertionError
    assert list(folder.iterdir()) == []


def test_libraries_write_into_a_folder_of_ours(folder: Path) -> None:
    with private_tempdir():
        (own,) = folder.iterdir()
        assert tempfile.gettempdir() == str(own)
        handle, _ = tempfile.mkstemp()
        os.close(handle)
        tempfile.mkdtemp()
    assert tempfile.gettempdir() == str(folder)
    assert list(folder.iterdir()) == []


def test_a_kill_leaves_none(tmp_path: Path) -> None:
    script = (
        "import sys, tempfile, time; from pathlib import Path; from pixelproof.temporary import *\n"
        "tempfile.tempdir = sys.argv[1]\n"
        "with temporary_folder('pixelproof-a-') as a, private_tempdir():\n"
        "    tempfile.mkdtemp(); (a / 'x').write_text('x'); print('up', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script, tmp_path], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None and running.stdout.readline() == b"up\n"
        assert len(list(tmp_path.iterdir())) == 2
        running.kill()
    deadline = time.monotonic() + 10
    while list(tmp_path.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
