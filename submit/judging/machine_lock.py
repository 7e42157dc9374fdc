"""One lock for all judging on a machine, so that runtime is measured while nothing else of ours runs there.

It holds across crews, clusters and calls of one user. The system lets go of it when its process ends.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pixelproof.errors import EnvironmentFault


@contextmanager
def machine(*, alone: bool) -> Iterator[None]:
    """For the length of a block, keep this machine with others, or alone; waits for its turn.

    Who wants it alone holds up those who come later, so that it gets it. Systems without ``flock`` have no such lock;
    there one call at a time must judge.

    Raises:
        EnvironmentFault: the lock's file can't be opened.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    turn, place = _opened("turn"), _opened("place")
    try:
        fcntl.flock(turn, fcntl.LOCK_EX)
        fcntl.flock(place, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(turn, fcntl.LOCK_UN)
        yield
    finally:
        os.close(turn)
        os.close(place)


def _opened(name: str) -> int:
    path = _folder() / f"pixelproof-judging-{os.getuid()}.{name}.lock"
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        found = f"{error.strerror} at {path}"
        raise EnvironmentFault("A machine that judges must have its lock", found=found) from error


def _folder() -> Path:
    own = Path(f"/run/user/{os.getuid()}")
    return own if own.is_dir() and os.access(own, os.W_OK) else Path(tempfile.gettempdir())
