"""Nothing stays behind: a small helper process removes what this one leaves when it is killed.

No process can clean up after its own ``kill -9``. So the first temporary of a process starts a janitor
(`janitor_main`), in a session of its own, that reads from a pipe of which only we hold the other end. When that end
closes, in whatever way we ended, it ends the process groups and removes the names that are still on its list.

A janitor that can't start, or that was killed, breaks nothing: the next entry starts another one.
"""

from __future__ import annotations

import atexit
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from pixelproof import janitor_main
from pixelproof.janitor_main import as_hex, end_group, is_ours, started

HANGS_AFTER_S = 1.0
LAST_WAIT_S = 5.0
_MAKING = threading.Lock()


class Janitor:
    """The list of what must not outlive this process, and the helper that has a copy of it."""

    def __init__(self) -> None:
        self._guard = threading.RLock()  # a finalizer may come in between
        self._entries: dict[str, None] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        atexit.register(self.close)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._let_go)

    @property
    def pid(self) -> int | None:
        """Process id of the helper, if one is running."""
        return self._process.pid if self._process is not None else None

    def watch(self, entry: str) -> None:
        """Put an entry on the list; see `janitor_main`."""
        with self._guard:
            if not self._closed:
                self._entries[entry] = None
                self._tell(f"+{entry}\n")

    def forget(self, entry: str) -> None:
        """Take an entry off the list."""
        with self._guard:
            if entry in self._entries:
                del self._entries[entry]
                self._tell(f"-{entry}\n")

    def close(self) -> None:
        """Let the helper do what is left to do, and wait for it; nothing is watched afterwards."""
        with self._guard:
            process, self._process, self._closed = self._process, None, True
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(LAST_WAIT_S)

    def _tell(self, text: str) -> None:
        if self._process is not None and not _sent(self._process, text):
            self._drop()
        if self._process is None and self._entries:
            self._start()

    def _start(self) -> None:
        try:
            process = subprocess.Popen(
                [sys.executable or "", "-I", "-S", janitor_main.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except OSError:
            return
        self._process = process
        assert process.stdin is not None
        if sys.platform != "win32":
            os.set_blocking(process.stdin.fileno(), False)  # one that hangs must not hold us up
        if not _sent(process, "".join(f"+{entry}\n" for entry in self._entries)):
            self._drop()

    def _drop(self) -> None:
        """Kill a helper that doesn't listen, before its pipe ends and it takes that for our end."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            process.kill()
            process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(LAST_WAIT_S)

    def _let_go(self) -> None:
        """In a forked child: the parent's helper must not wait for us as well."""
        self._guard = threading.RLock()
        self._entries = {}
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()
            process.returncode = 0  # nobody's child here, so nothing to wait for


def watch_path(path: Path) -> None:
    """Remove a file or folder when this process has ended; call it before the name appears.

    Raises:
        ValueError: a name that isn't one of pixelproof's temporaries.
    """
    _janitor().watch(_path_entry(path))


def forget_path(path: Path) -> None:
    """The file or folder is gone, or may stay."""
    _janitor().forget(_path_entry(path))


@contextmanager
def watched_path(path: Path) -> Iterator[None]:
    """`watch_path` for the length of a block; what is still there afterwards goes when this process ends."""
    watch_path(path)
    try:
        yield
    finally:
        if not os.path.lexists(path):
            forget_path(path)


@contextmanager
def standing_aside(old: Path, target: Path) -> Iterator[None]:
    """For a block that moves ``target`` to ``old`` and another in its place: if we end in between, it goes back.

    Raises:
        ValueError: ``old`` isn't a name of one of pixelproof's temporaries.
    """
    entry = f"old {_checked(old)} {as_hex(str(target.absolute()))}"
    _janitor().watch(entry)
    try:
        yield
    finally:
        if not os.path.lexists(old):
            _janitor().forget(entry)


def watch_group(pid: int) -> None:
    """Kill a process group when this process has ended.

    Args:
        pid: of its leader, a child of ours that hasn't been waited for.
    """
    _janitor().watch(f"group {pid}")


def forget_group(pid: int) -> None:
    """The group has ended. Best before its leader is waited for: from then on the number may be another's."""
    _janitor().forget(f"group {pid}")


@contextmanager
def watched_group(leader: subprocess.Popen[bytes]) -> Iterator[None]:
    """`watch_group` for the length of a block; what of the group is still running at its end is killed.

    Args:
        leader: started with ``start_new_session``. It should do nothing before the block has begun.
    """
    watch_group(leader.pid)
    begun = started(str(leader.pid))
    try:
        yield
    finally:
        end_group(str(leader.pid), begun)
        if leader.returncode is None:
            leader.kill()  # where there are no groups
        forget_group(leader.pid)


def _path_entry(path: Path) -> str:
    return f"path {_checked(path)}"


def _checked(path: Path) -> str:
    if not is_ours(path.name):
        raise ValueError(f"not a name of a temporary: {path.name}")
    return as_hex(str(path.absolute()))


def _sent(process: subprocess.Popen[bytes], text: str) -> bool:
    """Whether a helper took it; one whose pipe is full and stays full doesn't."""
    assert process.stdin is not None
    pipe, left = process.stdin.fileno(), memoryview(text.encode())
    try:
        while left:
            try:
                left = left[os.write(pipe, left) :]
            except BlockingIOError:
                if not select.select([], [pipe], [], HANGS_AFTER_S)[1]:
                    return False
    except OSError:
        return False
    return True


def _janitor() -> Janitor:
    with _MAKING:
        return _made()


@cache
def _made() -> Janitor:
    return Janitor()
