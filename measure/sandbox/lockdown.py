"""Set-up of the worker process, child's side: runs before NumPy or TensorFlow is imported."""

from __future__ import annotations

import os
from io import FileIO


def take_protocol_streams() -> tuple[FileIO, FileIO]:
    """Private copies of stdin and stdout for the protocol.

    Afterwards descriptor 0 is empty and 1 writes to the log (descriptor 2), so that nothing a library
    prints can be taken for an answer.
    """
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    for descriptor in (requests, answers):
        os.set_inheritable(descriptor, False)
    return FileIO(requests, "r"), FileIO(answers, "w")


def lock_down() -> tuple[str, ...]:
    """Give up what the worker doesn't need; returns the names of the layers that are active."""
    try:
        import resource
    except ImportError:
        return ()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return ("rlimit_core",)
