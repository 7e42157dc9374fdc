"""What the worker gets to see: a copy of plain files, no more than was allowed."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from pixelproof.errors import ArtifactError, EnvironmentFault, GraphRefused
from pixelproof.measure import inbox as inbox_module
from pixelproof.measure.inbox import Inbox


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    """An empty inbox."""
    (tmp_path / "in").mkdir()
    return Inbox(tmp_path / "in")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A folder with the looks of a SavedModel."""
    folder = tmp_path / "model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    return folder


def test_a_file_is_copied_under_its_name(tmp_path: Path, inbox: Inbox) -> None:
    file = tmp_path / "Ünï\n[x].pb"
    file.write_bytes(b"graph")
    copy = inbox.copy_of(file)
    assert copy.name == file.name and copy.read_bytes() == b"graph"
    assert copy.stat().st_ino != file.stat().st_ino
    assert copy.stat().st_mode & 0o777 == 0o644


def test_a_copy_is_made_once_and_again_after_a_change(tmp_path: Path, inbox: Inbox, saved: Path) -> None:
    file = tmp_path / "model.pb"
    file.write_bytes(b"one")
    first = inbox.copy_of(file)
    assert inbox.copy_of(file) == first
    other = inbox.copy_of(saved)
    assert other not in (first, first.parent)
    file.write_bytes(b"another")
    second = inbox.copy_of(file)
    assert second != first and second.read_bytes() == b"another"
    assert not first.exists()
    assert (other / "variables" / "variables.index").read_bytes() == b"index"
    (saved / "saved_model.pb").write_bytes(b"another graph")
    assert (inbox.copy_of(saved) / "saved_model.pb").read_bytes() == b"another graph"


def test_a_link_to_the_artifact_is_followed_and_links_inside_stay_links(
    tmp_path: Path, inbox: Inbox, saved: Path
) -> None:
    (tmp_path / "linked").symlink_to(saved)
    (saved / "variables" / "secret").symlink_to("/etc/passwd")
    (saved / "variables" / "nowhere").symlink_to("nothing")
    copy = inbox.copy_of(tmp_path / "linked")
    assert not copy.is_symlink() and (copy / "saved_model.pb").read_bytes() == b"graph"
    assert (copy / "variables" / "secret").readlink() == Path("/etc/passwd")
    assert (copy / "variables" / "nowhere").is_symlink()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_special_files_are_refused_unopened(inbox: Inbox, saved: Path) -> None:
    os.mkfifo(saved / "variables" / "pipe")
    with pytest.raises(GraphRefused, match="plain files; found pipe, a special file"):
        inbox.copy_of(saved)


def test_too_large_is_refused_before_it_is_read(tmp_path: Path, inbox: Inbox, saved: Path) -> None:
    file = tmp_path / "large.pb"
    with file.open("wb") as stream:
        stream.truncate(5 << 30)  # sparse: nothing on the disk
    with pytest.raises(GraphRefused, match=r"at most 2048 MiB to be opened; found 5120\.0 MiB"):
        inbox.copy_of(file)
    with pytest.raises(GraphRefused, match="MiB or more"):
        inbox.copy_of(saved, max_bytes=9)
    assert inbox.copy_of(saved, max_bytes=10).is_dir()


def test_countless_files_and_levels_are_refused(
    tmp_path: Path, inbox: Inbox, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "MOST_FILES", 20)
    for n in range(21):
        (saved / f"{n}").touch()
    with pytest.raises(GraphRefused, match="few files; found more than 20"):
        inbox.copy_of(saved)
    deep = tmp_path / "deep" / "/".join("abcdefghijk")
    deep.mkdir(parents=True)
    with pytest.raises(GraphRefused, match="flat folder; found more than 8 levels"):
        inbox.copy_of(tmp_path / "deep")


def test_what_is_gone_is_told(tmp_path: Path, inbox: Inbox) -> None:
    with pytest.raises(ArtifactError, match="must be readable"):
        inbox.copy_of(tmp_path / "none.pb")


def test_a_full_disk_is_the_machines_fault(
    tmp_path: Path, inbox: Inbox, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr(inbox_module.shutil, "copyfile", full)
    with pytest.raises(EnvironmentFault, match="The disk is full"):
        inbox.copy_of(saved)
