"""Disks that are full or read-only: small tmpfs mounts where we may mount, else what can be had without."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chaos_processes import wait_until_clean
from chaos_scenes import LIMIT_S, Scene, environment

CLEAN_WITHIN_S = 3.0
SHARES = (0.0, 0.3, 0.9)
"""Room on the full disks, as a share of what the outputs of a good run take."""
TEMPORARY_ROOM_KIB = 64
"""Less than one copy of the model; but not nothing, at which Python's tempfile chooses another folder."""


@dataclass(frozen=True)
class DiskRound:
    """One command on one disk.

    Attributes:
        disk: in words.
        skipped: why it wasn't run; empty where it was.
        faults: what was wrong.
    """

    command: str
    disk: str
    skipped: str = ""
    faults: tuple[str, ...] = ()


def disk_rounds(scene: Scene, folder: Path, *, short: bool) -> Iterator[DiskRound]:
    """Run a command on each kind of disk that fails.

    Args:
        folder: an empty one.
        short: one full disk only.
    """
    needs_kib = sum(path.stat().st_size for path in scene.good.rglob("*") if path.is_file()) // 1024
    for share in SHARES[:1] if short else SHARES:
        room = int(share * needs_kib)
        where = f"{room} KiB of {needs_kib} left"
        yield _one(scene, folder / f"full-{room}", f"outputs: {where}", room_kib=room)
    if not short:
        where = f"TMPDIR: {TEMPORARY_ROOM_KIB} KiB left"
        yield _one(scene, folder / "full-tmp", where, room_kib=TEMPORARY_ROOM_KIB, temporary_too=True)
    yield _one(scene, folder / "read-only", "outputs: read-only", room_kib=None)


def _one(
    scene: Scene, folder: Path, disk: str, *, room_kib: int | None, temporary_too: bool = False
) -> DiskRound:
    mount, home, temporary = folder / "mount", folder / "home", folder / "tmp"
    for needed in (mount, home, temporary):
        needed.mkdir(parents=True)
    out = temporary if temporary_too else mount
    with _failing(temporary if temporary_too else mount, room_kib) as skipped:
        if skipped:
            return DiskRound(scene.name, disk, skipped=skipped)
        done = subprocess.run(
            scene.command(mount / "out"),
            env=environment(home, temporary),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        faults = _said_wrong(done, "must be writable" if room_kib is None else "disk is full")
        before = {out / FILLER, *(() if room_kib is not None else (mount / "out",))}
        faults += [] if temporary_too else scene.faults(mount / "out", all_there=False)
        faults += [f"left: {path.name}" for path in sorted(set(out.iterdir()) - before) if path.name != "out"]
        (temporary / FILLER).unlink(missing_ok=True)
        faults += wait_until_clean(folder, temporary, limit_s=CLEAN_WITHIN_S)[1]
    return DiskRound(scene.name, disk, faults=tuple(faults))


def _said_wrong(done: subprocess.CompletedProcess[str], words: str) -> list[str]:
    said = done.stderr.strip()
    faults = [] if done.returncode == 3 else [f"exit code {done.returncode}, not 3: {said[-300:]}"]
    return faults if words in said else [*faults, f"{words!r} is not in: {said[-300:] or 'nothing'}"]


FILLER = "filler"
_BLOCK_KIB = 4


@contextmanager
def _failing(folder: Path, room_kib: int | None) -> Iterator[str]:
    """A disk with so much room, or a read-only one; yields why there is none."""
    refused = _mount(folder)
    if refused and room_kib is not None:
        yield f"a small tmpfs can't be mounted: {refused}"
        return
    try:
        if room_kib is not None:
            _fill(folder, room_kib)
        elif refused and os.geteuid() == 0:
            yield f"nothing is read-only for root, and a tmpfs can't be mounted: {refused}"
            return
        elif refused:
            folder.chmod(0o555)
        else:
            (folder / "out").mkdir()
            _run("mount", "-o", "remount,ro", str(folder))
        yield ""
    finally:
        if refused:
            folder.chmod(0o755)
        else:
            _run("umount", str(folder))


def _mount(folder: Path) -> str:
    try:
        _run("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder))
    except (OSError, subprocess.CalledProcessError) as error:
        return str(getattr(error, "stderr", "") or error).strip()
    return ""


def _fill(folder: Path, room_kib: int) -> None:
    """Fill a disk but for so much."""
    block = bytes(_BLOCK_KIB * 1024)
    with (folder / FILLER).open("wb", buffering=0) as stream:
        try:
            while stream.write(block):
                pass
        except OSError:
            os.truncate(stream.fileno(), max(0, stream.tell() - room_kib * 1024))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
