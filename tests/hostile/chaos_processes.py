"""Who is still running, and what still lies about, of one command."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import psutil

PAUSE_S = 0.005


def processes_of(folder: Path) -> list[psutil.Process]:
    """Living processes that name a folder in their environment, command line or working folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and _names(process, str(folder)):
                found.append(process)
    return found


def _names(process: psutil.Process, folder: str) -> bool:
    readers: tuple[Callable[[], object], ...] = (process.environ, process.cmdline, process.cwd)
    for read in readers:
        with contextlib.suppress(psutil.AccessDenied):
            if folder in str(read()):
                return True
    return False


def workers_of(folder: Path) -> list[psutil.Process]:
    """The workers among them."""
    return [process for process in processes_of(folder) if _is(process, "worker_main")]


def janitors_of(folder: Path) -> list[psutil.Process]:
    """The janitors among them."""
    return [process for process in processes_of(folder) if _is(process, "janitor_main")]


def _is(process: psutil.Process, module: str) -> bool:
    with contextlib.suppress(psutil.Error):
        return any(module in word for word in process.cmdline())
    return False


def wait_until_clean(folder: Path, temporary: Path, *, limit_s: float) -> tuple[float, list[str]]:
    """Wait until no process of a folder runs, and nothing lies in its folder for temporaries.

    Returns:
        The seconds that it took, and what was left when the limit had passed.
    """
    start = time.monotonic()
    while True:
        left = [f"left running: {_described(process)}" for process in processes_of(folder)]
        left += [f"left in TMPDIR: {path.name}" for path in sorted(temporary.iterdir())]
        seconds = time.monotonic() - start
        if not left or seconds > limit_s:
            return seconds, left
        time.sleep(PAUSE_S)


def _described(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return f"{process.pid} {' '.join(process.cmdline())[:120]}"
    return str(process.pid)
