"""A place in which a hostile file is judged, and where it shows if anything beyond the file was touched."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import secrets
import socket
import stat
import struct
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import psutil

UNPRINTABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
"""What speaks to a terminal instead of the reader; a line feed doesn't."""
LARGEST_READ = 1 << 26


class Answer(NamedTuple):
    """What a command printed, its exit code, how long it took, and its report where it wrote one."""

    code: int
    out: str
    err: str
    seconds: float
    report: Mapping[str, Any] | None

    @property
    def text(self) -> str:
        """All that was printed."""
        return self.out + self.err

    def failed(self) -> dict[str, str]:
        """The checks that failed, and what they say."""
        checks = self.report["checks"] if self.report is not None else ()
        return {c["id"]: f"{c['found']}\n{c['remedy']}" for c in checks if c["status"] == "failed"}


class Row(NamedTuple):
    """A hostile file and what becomes of it.

    Attributes:
        name: of the row.
        write: makes the file; returns its path.
        code: the exit code.
        failed: the checks that fail, and no others do; none where the file is no graph.
        says: a regular expression that fits what the first of them says, or what is printed where none fails.
        only: the groups that are judged.
        time_limit_s: of each call of the model.
        within_s: the whole judgement ends in that time, also on a busy machine.
    """

    name: str
    write: Callable[[Arena], Path]
    code: int
    failed: str
    says: str
    only: str = "contract,range"
    time_limit_s: float = 20
    within_s: float = 40

    @property
    def checks(self) -> list[str]:
        """The ids in `failed`."""
        return self.failed.split()


class Arena:
    """Folders around a judgement.

    Attributes:
        box: holds what is handed in.
        outside: belongs to somebody else; it holds ``secret``.
        cwd, tmp: the current folder, and the one for temporaries.
        port: of a listener that must stay alone.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.box, self.outside, self.cwd, self.tmp = (root / n for n in ("box", "outside", "cwd", "tmp"))
        for folder in (self.box, self.outside, self.cwd, self.tmp):
            folder.mkdir(parents=True)
        self.token = secrets.token_hex(16)
        self.secret = self.outside / "secret.txt"
        self.secret.write_text(self.token)
        (self.outside / "kept").mkdir()
        (self.outside / "kept" / "file").write_text("kept")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port = int(self._listener.getsockname()[1])
        self._watch = Watch(
            [self.outside, self.secret, self.outside / "kept", self.outside / "kept" / "file"]
        )

    def close(self) -> None:
        """Let go of the listener."""
        self._listener.close()
        self._watch.close()

    def was_called(self) -> bool:
        """Whether anybody has connected to the listener."""
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return False
        connection.close()
        return True

    def seen(self) -> list[str]:
        """What was done to the folder outside since the last call: opened, read, written, listed."""
        return self._watch.events()

    def state(self) -> dict[str, tuple[Any, ...]]:
        """Names, kinds, modes, times and contents of all in the box, outside and in the current folder."""
        found = {}
        for folder in (self.box, self.outside, self.cwd):
            for path in [folder, *sorted(folder.rglob("*"))]:
                found[os.fsencode(path).hex()] = _state(path)
        return found

    def leftovers(self) -> list[str]:
        """Names in the folder for temporaries, and processes that were started with one."""
        names = sorted(path.name for path in self.tmp.iterdir())
        return names + [f"process {pid}" for pid in self._processes()]

    def settled(self, before: list[str], *, patience_s: float = 5) -> list[str]:
        """`leftovers`, once they are as before: processes that were just killed need a moment."""
        deadline = time.monotonic() + patience_s
        while (left := self.leftovers()) != before and time.monotonic() < deadline:
            time.sleep(0.02)
        return left

    def _processes(self) -> list[int]:
        found = []
        for process in psutil.process_iter(["pid", "cmdline", "status"]):
            if process.info["status"] != psutil.STATUS_ZOMBIE and any(
                str(self.tmp) in word for word in process.info["cmdline"] or ()
            ):
                found.append(process.info["pid"])
        return found


def _state(path: Path) -> tuple[Any, ...]:
    status = path.lstat()
    content: object = None
    if stat.S_ISLNK(status.st_mode):
        content = str(path.readlink())
    elif stat.S_ISREG(status.st_mode) and status.st_size < LARGEST_READ:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    return (status.st_mode, status.st_uid, status.st_size, status.st_mtime_ns, status.st_nlink, content)


class Watch:
    """inotify(7) on some paths: whoever touches them, in whatever process, is seen. Sees nothing but on Linux."""

    ALL = 0xFFF
    NAMES: Mapping[int, str] = {
        0x1: "read", 0x2: "changed", 0x4: "other attributes", 0x8: "closed after writing", 0x20: "opened",
        0x40: "moved away", 0x80: "moved here", 0x100: "made", 0x200: "removed", 0x400: "removed", 0x800: "moved",
    }  # fmt: skip

    def __init__(self, paths: list[Path]) -> None:
        self._paths: dict[int, Path] = {}
        self._descriptor: int | None = None
        if sys.platform != "linux":
            return
        library = ctypes.CDLL(None, use_errno=True)
        descriptor = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._descriptor = descriptor
        for path in paths:
            number = library.inotify_add_watch(descriptor, os.fsencode(path), self.ALL)
            if number < 0:
                raise OSError(ctypes.get_errno(), f"inotify_add_watch of {path}")
            self._paths[number] = path

    def events(self) -> list[str]:
        """What happened since the last call."""
        found: list[str] = []
        while data := self._read():
            at = 0
            while at < len(data):
                number, mask, _, length = struct.unpack_from("iIII", data, at)
                name = data[at + 16 : at + 16 + length].rstrip(b"\0").decode(errors="replace")
                at += 16 + length
                words = [word for bit, word in self.NAMES.items() if mask & bit]
                if words:
                    found.append(f"{Path(self._paths[number].name, name)} {', '.join(words)}")
        return list(dict.fromkeys(found))

    def close(self) -> None:
        """Watch no longer."""
        if self._descriptor is not None:
            os.close(self._descriptor)

    def _read(self) -> bytes:
        if self._descriptor is None:
            return b""
        try:
            return os.read(self._descriptor, 1 << 16)
        except BlockingIOError:
            return b""
