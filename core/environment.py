"""Where pixelproof runs: machine and library versions, found without importing any of the libraries."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from pixelproof import __version__
from pixelproof.files import MIB
from pixelproof.report import Environment
from pixelproof.safety import SandboxLayer

LIBRARIES = (
    "tensorflow", "keras", "numpy", "scipy", "pillow", "onnx", "onnxruntime", "tf2onnx", "ai-edge-litert",
)  # fmt: skip
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def environment() -> Environment:
    """The machine and the versions that decide what a report's figures mean; ``worker`` stays empty."""
    return Environment(
        pixelproof=__version__,
        python=platform.python_version(),
        platform=platform.platform(),
        cpu=cpu_name(),
        cores=usable_cores(),
        memory_mib=round(memory_mib(), 1),
        libraries=installed_versions(LIBRARIES),
    )


def installed_versions(names: Iterable[str]) -> dict[str, str]:
    """Versions by distribution name; those that are not installed are left out."""
    found = {name: installed_version(name) for name in names}
    return {name: version for name, version in found.items() if version is not None}


def installed_version(name: str) -> str | None:
    """Version of an installed distribution, from its metadata."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def usable_cores() -> int:
    """Cores that this process may run on: its affinity where the system has one."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_mib() -> float:
    """Memory of the machine, or of the container where that is less, in MiB."""
    import psutil

    total = psutil.virtual_memory().total
    limits = (_whole_number(Path(path)) for path in _CGROUP_LIMITS)
    return float(min([total, *(limit for limit in limits if limit)])) / MIB


def cpu_name() -> str:
    """The processor as its maker names it, else the architecture."""
    if sys.platform == "darwin":
        return _output("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()
    named = re.search(r"^model name\s*:\s*(.+)$", _text(Path("/proc/cpuinfo")), re.MULTILINE)
    return named[1].strip() if named else platform.processor() or platform.machine() or "unknown"


def gpus() -> tuple[str, ...]:
    """NVIDIA GPUs as ``nvidia-smi`` lists them: name, memory, driver; none where it isn't installed."""
    if shutil.which("nvidia-smi") is None:
        return ()
    query = ("--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
    answer = _output("nvidia-smi", *query) or "nvidia-smi is installed and lists none"
    return tuple(line.strip() for line in answer.splitlines())


def peak_memory_method() -> str:
    """How a worker's peak memory is measured on this system."""
    if sys.platform == "win32":
        return "psutil's peak_wset (the system's own peak)"
    if sys.platform == "linux" and "VmHWM:" in _text(Path("/proc/self/status")):
        if os.access("/proc/self/clear_refs", os.W_OK):
            return "VmHWM in /proc (the kernel's own peak), reset before the model loads"
        return "VmHWM in /proc (the kernel's own peak), without a reset: clear_refs is not writable"
    return "sampled resident size (short peaks between two samples are missed)"


def sandbox_layers() -> tuple[SandboxLayer, ...]:
    """The walls that a worker puts up here, tried in a process of its own; none where it can't start."""
    import json

    text = _output(sys.executable, "-P", "-m", "pixelproof.measure.sandbox.probe")
    try:
        return tuple(SandboxLayer(**layer) for layer in json.loads(text))
    except (ValueError, TypeError):
        return ()


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _whole_number(path: Path) -> int:
    text = _text(path).strip()
    return int(text) if text.isdigit() else 0
