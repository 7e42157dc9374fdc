"""Who has claimed what: one name for each call, and whether the call behind a name is still there."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from contextlib import suppress

from pixelproof.submit.ledger.records import Entry


def this_owner() -> str:
    """The name of this process: machine, number, and when it started, since numbers come again."""
    pid = os.getpid()
    return f"{socket.gethostname()}/{pid}/{_started(pid)}"


def is_gone(owner: str) -> bool:
    """Whether the process of this name has ended; False of another machine's, of which nobody here knows."""
    host, pid, started = (["", "", ""] + owner.rsplit("/", 2))[-3:]
    return host == socket.gethostname() and pid.isdigit() and _started(int(pid)) != started


def gone_owners(entries: Iterable[Entry]) -> set[str]:
    """Owners that ended in the middle of their work, by what they have claimed."""
    owners = {entry.owner for entry in entries if entry.state == "running" and entry.owner is not None}
    return {owner for owner in owners if is_gone(owner)}


def _started(pid: int) -> str:
    """When a process started, in hundredths of a second; empty for none."""
    import psutil

    with suppress(psutil.Error):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return str(round(process.create_time() * 100))
    return ""
