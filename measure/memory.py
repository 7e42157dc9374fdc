"""Resident memory of another process, MiB.

On Linux the peak is VmHWM of /proc/PID/status, which unlike ru_maxrss is the process's own, and which
writing 5 to /proc/PID/clear_refs resets (proc(5)). Elsewhere it comes from psutil.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

MIB = 1024 * 1024


def method() -> str:
    """How peak memory is measured on this system."""
    if sys.platform == "linux":
        return "VmHWM"
    return "psutil peak_wset" if sys.platform == "win32" else "psutil rss, sampled"


def resident_mib(pid: int) -> float:
    """Resident size now.

    Raises:
        ProcessLookupError: the process is gone.
    """
    if sys.platform == "linux":
        try:
            fields = Path(f"/proc/{pid}/statm").read_text().split()
        except FileNotFoundError as error:
            raise ProcessLookupError(pid) from error
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / MIB if len(fields) > 1 else 0.0
    return _psutil_memory(pid)[0]


def peak_resident_mib(pid: int) -> float:
    """Largest resident size since the last `reset_peak`; the present size where the system keeps no peak.

    Raises:
        ProcessLookupError: the process is gone.
    """
    if sys.platform == "linux":
        try:
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
        except FileNotFoundError as error:
            raise ProcessLookupError(pid) from error
        raise ProcessLookupError(pid)
    return _psutil_memory(pid)[1]


def reset_peak(pid: int) -> None:
    """Let the peak start again from the present size; does nothing where the system can't."""
    if sys.platform == "linux":
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def is_alive(pid: int) -> bool:
    """Whether a process runs: neither gone nor a zombie (Linux)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rpartition(")")[2].split()[0] not in "ZX"


def descendant_named(ancestor: int, own_id: int) -> int:
    """Process id, as seen from here, of the descendant that in its own namespace is ``own_id`` (Linux).

    Raises:
        ProcessLookupError: there is none.
    """
    waiting = [ancestor]
    while waiting:
        pid = waiting.pop()
        try:
            status = Path(f"/proc/{pid}/status").read_text()
            waiting += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        except FileNotFoundError:
            continue
        ids = status.partition("NSpid:")[2].partition("\n")[0].split()
        if pid != ancestor and ids and int(ids[-1]) == own_id:
            return pid
    raise ProcessLookupError(own_id)


def _psutil_memory(pid: int) -> tuple[float, float]:
    import psutil

    try:
        info = psutil.Process(pid).memory_info()
    except psutil.NoSuchProcess as error:
        raise ProcessLookupError(pid) from error
    return info.rss / MIB, getattr(info, "peak_wset", info.rss) / MIB
