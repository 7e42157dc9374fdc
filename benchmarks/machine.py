"""The machine that a table was measured on, and the versions of everything in it."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import asdict, dataclass, field
from typing import Any

from pixelproof.environment import environment, installed_versions

PEERS = ("scikit-image", "torch", "torchmetrics", "pyiqa")
BUSY_SHARE = 0.5
_VERSIONS = """
import importlib.metadata, json, platform, sys
found = {"python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Machine:
    """Where and with what.

    Attributes:
        load: processes that ran or waited for a core on average over the minute before the start; None where the
            system doesn't tell.
        libraries: versions by distribution name, the peers' that are installed beside pixelproof included.
        torch_libraries: the same of the interpreter that has PyTorch; empty without one.
    """

    cpu: str
    cores: int
    memory_gib: float
    platform: str
    python: str
    load: float | None
    libraries: dict[str, str] = field(default_factory=dict)
    torch_libraries: dict[str, str] = field(default_factory=dict)

    @property
    def busy(self) -> bool:
        """Whether something else ran at the start, so that figures are too high."""
        return self.load is not None and self.load > BUSY_SHARE * self.cores

    def lines(self) -> list[str]:
        """For people."""
        load = "load unknown" if self.load is None else f"load {self.load:.1f} at the start"
        hardware = f"{self.cpu}, {self.cores} cores, {self.memory_gib:.0f} GiB, {load}"
        lines = [hardware, f"{self.platform}; {_listed({'Python': self.python, **self.libraries})}"]
        if self.torch_libraries:
            lines.append(f"peers in PyTorch: {_listed(self.torch_libraries)}")
        if self.busy:
            lines.append("The machine was busy: other work had its share of these times.")
        return lines

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {**asdict(self), "busy": self.busy}


def this_machine(torch_python: str | None) -> Machine:
    """Look at it, before anything is run."""
    where = environment()
    return Machine(
        cpu=where.cpu,
        cores=where.cores,
        memory_gib=round(where.memory_mib / 1024, 1),
        platform=where.platform,
        python=where.python,
        load=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        libraries={"pixelproof": where.pixelproof, **where.libraries, **installed_versions(PEERS)},
        torch_libraries=versions_there(torch_python) if torch_python else {},
    )


def versions_there(python: str) -> dict[str, str]:
    """Versions in another interpreter; none where it can't be asked."""
    names = ("torch", "numpy", "torchmetrics", "pyiqa")
    try:
        done = subprocess.run([python, "-c", _VERSIONS, *names], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {}
    found: dict[str, str] = json.loads(done.stdout)
    return found


def _listed(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
