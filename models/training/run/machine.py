"""Where a run was trained, as ``machine.json``."""

from __future__ import annotations

import json
import platform
from pathlib import Path

from pixelproof.environment import cpu_name, gpus, installed_versions, memory_mib, usable_cores
from pixelproof.files import write_text

_LIBRARIES = ("pixelproof", "keras", "tensorflow", "jax", "torch", "numpy", "scipy", "pillow")


def write_machine(path: Path, *, backend: str, seconds: float) -> None:
    """Write the processor, memory, GPU, versions, and how long the training has taken so far."""
    document = {
        "schema_version": 1,
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "ram_gib": round(memory_mib() / 1024, 1),
        "gpu": ", ".join(gpus()),
        "os": platform.platform(),
        "python": platform.python_version(),
        "backend": backend,
        "versions": installed_versions(_LIBRARIES),
        "seconds": round(seconds, 1),
    }
    write_text(path, json.dumps(document, indent=2) + "\n")
