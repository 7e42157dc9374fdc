"""The janitor's own process: waits until its parent has ended, then ends and removes what the parent left.

It is started by its path, isolated and without ``site``, so it imports nothing of ours and little else. Standard
input brings lines, each ``+`` or ``-`` and an entry; names are hexadecimal, so that any byte may be in them::

    path NAME          a file or a folder: removed
    old NAME TARGET    what stood at TARGET: goes back if nothing stands there, removed otherwise
    group PID          a process group: ended, before any name is looked at

The end of the input is the end of the parent, in whatever way: the system closes the pipe after its last thread.
"""

# Without pathlib, which takes longer to import than all the rest here.
# ruff: noqa: PTH104, PTH106, PTH108, PTH112, PTH114, PTH119, PTH123

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable

PATIENCE_S = 2.0
PAUSE_S = 0.02
SIGKILL = 9
"""The same number on every system that has groups; importing ``signal`` takes longer than starting."""


def is_ours(name: str) -> bool:
    """Whether a name is one that pixelproof gives to what doesn't stay: nothing else is ever removed."""
    last = os.path.basename(name)
    beside = last.startswith(".") and last.endswith((".part", ".old"))
    return beside or last.startswith(("pixelproof-", ".staging-"))


def as_hex(name: str) -> str:
    """A name as it travels."""
    return os.fsencode(name).hex()


def read_entries(lines: Iterable[bytes]) -> dict[str, bytes]:
    """What is still watched when the lines end; of a group also when its leader started."""
    entries: dict[str, bytes] = {}
    for line in lines:
        if not line.endswith(b"\n"):  # cut off by the end
            continue
        entry = line[1:].decode("ascii", errors="replace").strip()
        if line.startswith(b"-"):
            entries.pop(entry, None)
        elif line.startswith(b"+"):
            kind, _, rest = entry.partition(" ")
            entries[entry] = started(rest) if kind == "group" else b""
    return entries


def clean_up(entries: dict[str, bytes]) -> None:
    """End the groups, then put back or remove the names; tries again while processes are still dying."""
    words = [entry.split(" ") for entry in entries]
    for kind, *rest in words:
        if kind == "group":
            end_group(rest[0], entries[f"group {rest[0]}"])
    names = [[_from_hex(word) for word in rest] for kind, *rest in words if kind in ("path", "old")]
    left = [name for name, *target in names if is_ours(name) and not _put_back(name, *target)]
    deadline = time.monotonic() + PATIENCE_S
    while left := [name for name in left if not removed(name)]:
        if time.monotonic() > deadline:
            return
        time.sleep(PAUSE_S)


def started(pid: str) -> bytes:
    """When a process started, in the kernel's ticks (proc(5), field 22); empty if it is gone or there is no /proc."""
    try:
        with open(f"/proc/{int(pid)}/stat", "rb") as stream:
            return stream.read().rpartition(b")")[2].split()[19]
    except OSError:
        return b""


def end_group(pid: str, leader_started: bytes) -> None:
    """Kill a process group, unless its number now belongs to a process that started at another time.

    A number is not given away while a member of its group lives; so where the leader is gone, the group is still the
    same one, or empty.
    """
    now = started(pid)
    if int(pid) <= 1 or (now and now != leader_started):
        return
    try:
        os.killpg(int(pid), SIGKILL)
    except (AttributeError, OSError):  # a system without groups; a group that has ended
        return


def removed(name: str) -> bool:
    """Remove a file, a link or a folder; whether nothing stands there any more."""
    try:
        if os.path.isdir(name) and not os.path.islink(name):
            remove_folder(name)
        else:
            os.unlink(name)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def remove_folder(folder: str) -> None:
    """Remove a folder and all that is in it: no link is followed, and no depth is too deep.

    Folders inside move up to the top before they are emptied. So neither a path nor a recursion grows long, and each
    name is looked up in a folder that is held open, not by a path that somebody may turn into a link meanwhile.

    Raises:
        OSError: something can't be removed.
    """
    if os.rename not in os.supports_dir_fd or os.scandir not in os.supports_fd:
        import shutil

        shutil.rmtree(folder)
        return
    top = _opened(folder, None)
    try:
        moved = 0
        mark = os.urandom(8).hex()
        while inner_folders := _emptied(top):
            for name in inner_folders:
                inner = _opened(name, top)
                try:
                    for child in _emptied(inner):
                        os.close(_opened(child, inner))  # one that is locked can't be moved
                        moved += 1
                        os.rename(child, f"{mark}-{moved}", src_dir_fd=inner, dst_dir_fd=top)
                finally:
                    os.close(inner)
                os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(folder)


def _opened(folder: str, parent: int | None) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    try:
        descriptor = os.open(folder, flags, dir_fd=parent)
    except PermissionError:  # a model may lock its own folders
        os.chmod(folder, 0o700, dir_fd=parent)
        descriptor = os.open(folder, flags, dir_fd=parent)
    if os.geteuid() in (0, os.fstat(descriptor).st_uid):
        os.fchmod(descriptor, 0o700)
    return descriptor


def _emptied(folder: int) -> list[str]:
    """Remove all but the folders from an open folder; the folders' names."""
    with os.scandir(folder) as listing:
        entries = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in listing]
    for name, is_folder in entries:
        if not is_folder:
            os.unlink(name, dir_fd=folder)
    return [name for name, is_folder in entries if is_folder]


def _put_back(name: str, target: str = "") -> bool:
    if not target or os.path.lexists(target):
        return False
    try:
        os.rename(name, target)
    except OSError:
        return False
    return True


def _from_hex(word: str) -> str:
    return os.fsdecode(bytes.fromhex(word))


def main() -> None:
    """Serve one parent."""
    os.chdir(os.sep)  # no folder and no disk is held by us
    clean_up(read_entries(sys.stdin.buffer))


if __name__ == "__main__":
    main()
