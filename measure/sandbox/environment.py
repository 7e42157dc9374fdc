"""Set-up of the worker process, parent's side: what it inherits and where it may scribble."""

from __future__ import annotations

import math
import os
import site
import sys
from pathlib import Path

import pixelproof
from pixelproof.measure.device import VARIABLE, Device, visible_devices
from pixelproof.measure.sandbox.lockdown import LockPlan
from pixelproof.measure.sandbox.outer import Bubblewrap
from pixelproof.safety import SandboxLayer

KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "TZ", "VIRTUAL_ENV")


def import_root() -> Path:
    """The folder from which pixelproof is imported."""
    return Path(pixelproof.__file__).parent.parent


def worker_environment(
    scratch: Path, *, threads: int, exact_memory: bool = False, device: Device | None = None
) -> dict[str, str]:
    """A scrubbed environment: no user settings, a private HOME and TMPDIR, a fixed number of threads.

    Args:
        exact_memory: let TensorFlow take its tensors from the system. Its oneDNN allocator keeps 8 bytes for each
            256 (a tensor of 1024 MiB shows as 1056) and grows by more than is asked for, but is faster.
        device: the only one that the worker sees; None for what the user's CUDA_VISIBLE_DEVICES says.
    """
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    exact = {"TF_ONEDNN_USE_SYSTEM_ALLOCATOR": "1"} if exact_memory else {}
    return {
        **exact,
        **kept,
        VARIABLE: visible_devices(device, os.environ),
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "TEMP": str(scratch),
        "PYTHONPATH": str(import_root()),
        "PYTHONUSERBASE": site.getuserbase() or "",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "LC_ALL": "C.UTF-8",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "GRPC_VERBOSITY": "ERROR",
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
    }


def worker_command(plan: LockPlan) -> list[str]:
    """How the worker is started; -P keeps the current folder off its path."""
    return [sys.executable, "-P", "-m", "pixelproof.measure.worker_main", plan.to_argument()]


def parent_layers(*, memory_limit_mib: float | None, outer: Bubblewrap) -> tuple[SandboxLayer, ...]:
    """The walls that the parent puts up itself."""
    watched = memory_limit_mib is not None and math.isfinite(memory_limit_mib)
    memory = f"stopped at {memory_limit_mib:g} MiB" if watched else "no limit asked for"
    return (
        SandboxLayer("process", active=True, detail="own group, closed descriptors, scrubbed environment"),
        SandboxLayer("clock", active=True, detail="each answer has a time limit"),
        SandboxLayer("memory_watch", active=watched, detail=memory),
        SandboxLayer(
            "bubblewrap",
            active=outer.program is not None,
            detail=outer.reason or "own mounts, processes and network",
        ),
    )
