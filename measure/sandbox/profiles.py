"""What a worker may open, by name of a profile: the interpreter, the libraries, its own folders, and little else.

The lists were read off `strace` runs of all four formats; what a runtime looks for besides (host names, other
programs' settings) it does without.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pixelproof
import pixelproof.measure
from pixelproof.measure.device import names_gpu
from pixelproof.measure.sandbox.landlock import Access

ProfileName = Literal["cpu", "gpu"]


@dataclass(frozen=True)
class Profile:
    """Paths beyond the interpreter and the worker's own folders."""

    read: tuple[str, ...]
    devices: tuple[str, ...]


_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")
_SETTINGS = ("/etc/localtime", "/usr/share/zoneinfo", "/usr/share/locale", "/etc/ssl/openssl.cnf")
_MACHINE = (
    "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys/kernel/osrelease",
    "/sys/devices/system/cpu", "/sys/devices/system/node", "/dev/urandom", "/dev/random", "/dev/zero",
)  # fmt: skip

PROFILES: dict[ProfileName, Profile] = {
    "cpu": Profile(read=(*_LIBRARIES, *_SETTINGS, *_MACHINE), devices=("/dev/null",)),
    "gpu": Profile(
        read=(
            *_LIBRARIES, *_SETTINGS, *_MACHINE, "/usr/local/cuda", "/etc/nvidia-container-runtime",
            "/proc/driver/nvidia", "/proc/devices", "/proc/modules", "/sys/module/nvidia", "/sys/bus/pci/devices",
            "/sys/devices", "/usr/share/nvidia",
        ),
        devices=(
            "/dev/null", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset",
            "/dev/nvidia-caps", *(f"/dev/nvidia{n}" for n in range(16)), "/dev/dxg",
        ),
    ),
}  # fmt: skip


def profile_for(environment: dict[str, str]) -> ProfileName:
    """``gpu`` where a worker's environment lets it see one, else ``cpu``."""
    return "gpu" if names_gpu(environment) else "cpu"


def library_paths() -> tuple[str, ...]:
    """Modules of installed packages, whose own folders may be closed to another user."""
    names = ("numpy", "tensorflow", "google", "onnx", "onnxruntime", "ai_edge_litert", "keras")
    folders = [
        Path(path) for path in sys.path if path and Path(path).name in ("site-packages", "dist-packages")
    ]
    return tuple(str(folder / name) for folder in folders for name in names if (folder / name).exists())


def interpreter_paths() -> tuple[str, ...]:
    """Folders of the running interpreter's standard library, its packages, and pixelproof itself."""
    own = Path(pixelproof.__file__), Path(pixelproof.measure.__file__ or "")
    packages = [path for path in sys.path if path and _is_package_folder(Path(path))]
    paths = [
        Path(os.__file__).parent,
        *(Path(prefix, "lib") for prefix in (sys.base_prefix, sys.prefix)),
        *(Path(path) for path in packages),
        *(file.parent for file in own),
        *(file.resolve().parent for file in own),
        *(Path(path) for path in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep) if path),
    ]
    return tuple(dict.fromkeys(str(path) for path in paths))


def access(profile: ProfileName, *, inbox: str, own: str) -> Access:
    """All that a worker may open.

    Args:
        inbox: where the parent puts the model.
        own: home, temporary and working folder of the worker.
    """
    chosen = PROFILES[profile]
    return Access(
        read=(*_existing(interpreter_paths()), *_existing(chosen.read), inbox),
        write=(own,),
        devices=tuple(_existing(chosen.devices)),
    )


def _is_package_folder(path: Path) -> bool:
    """Whether a folder on the path holds packages; a checkout or a home that is merely on it stays closed."""
    if path == Path(os.__file__).parent or path.name in ("lib-dynload", "site-packages", "dist-packages"):
        return True
    return (path / "pixelproof" / "__init__.py").exists() or path.suffix == ".zip"


def _existing(paths: Iterable[str]) -> list[str]:
    return [path for path in paths if Path(path).exists()]
