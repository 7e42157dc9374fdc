"""bubblewrap as an outer wall, where it is installed and may make namespaces: own mounts, processes, network.

Options: bwrap(1). Inside it the worker locks itself in all the same. ``--die-with-parent`` is left out: it follows
the thread that started the worker, not the process; a worker knows its parent's end by its pipe.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pixelproof.measure.sandbox import profiles
from pixelproof.measure.sandbox.lockdown import LockPlan

PROBE_TIMEOUT_S = 10
_NOT_BOUND = ("/proc", "/dev")


@dataclass(frozen=True)
class Bubblewrap:
    """The program, or why there is no such wall."""

    program: str | None
    reason: str = ""


@functools.cache
def bubblewrap() -> Bubblewrap:
    """Whether bwrap is there and works; tried once a process."""
    program = shutil.which("bwrap") if sys.platform == "linux" else None
    if program is None:
        return Bubblewrap(None, "bwrap is not installed" if sys.platform == "linux" else "needs Linux")
    probe = [program, *_namespaces(), "--ro-bind", "/", "/", "/bin/true"]
    try:
        done = subprocess.run(probe, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Bubblewrap(None, f"bwrap doesn't start: {error}")
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or [f"code {done.returncode}"])[-1]
        return Bubblewrap(None, f"bwrap may not make namespaces here: {said}")
    return Bubblewrap(program)


def wrapped(command: list[str], plan: LockPlan, *, program: str) -> list[str]:
    """A command inside bubblewrap, which sees what the plan's profile opens and the interpreter's own files."""
    access = profiles.access(plan.profile, inbox=plan.inbox, own=plan.own)
    starting = [str(path) for path in _interpreter_files()]
    read = [p for p in (*access.read, *starting) if p != plan.inbox and not p.startswith(_NOT_BOUND)]
    bound = tuple(dict.fromkeys(read))
    binds = [word for path in bound for word in ("--ro-bind-try", path, path)]
    devices = [
        word for path in access.devices if path != "/dev/null" for word in ("--dev-bind-try", path, path)
    ]
    return [
        program,
        *_namespaces(),
        *("--proc", "/proc", "--dev", "/dev"),
        *_open_folders((*bound, plan.inbox, plan.own)),
        *binds,
        *devices,
        *("--ro-bind", plan.inbox, plan.inbox, "--bind", plan.own, plan.own, "--chdir", plan.own),
        "--",
        *command,
    ]


def _namespaces() -> list[str]:
    """All of them; but no users of its own for root, who inside could then not become another user."""
    if os.geteuid() != 0:
        return ["--unshare-all"]
    return ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]


def _open_folders(paths: Iterable[str]) -> list[str]:
    """Folders above the bound ones, which bwrap would make for its own user alone."""
    above = dict.fromkeys(str(p) for path in paths for p in reversed(Path(path).parents) if p != Path("/"))
    return [word for folder in above for word in ("--perms", "0755", "--dir", folder)]


def _interpreter_files() -> list[Path]:
    """What the interpreter reads before it runs a line: its program, and a virtual environment's settings."""
    program = Path(sys.executable)
    chain = [program]
    while chain[-1].is_symlink():
        target = chain[-1].parent / chain[-1].readlink()
        if target in chain:
            break
        chain.append(target)
    files = [path.parent for path in (*chain, program.resolve())]
    return [*files, Path(sys.prefix, "pyvenv.cfg")]
