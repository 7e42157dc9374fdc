"""Where packages come from: given by the user, kept from the last time, or downloaded by apt."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pixelproof.errors import CallError, EnvironmentFault
from pixelproof.files import make_folder

_SECONDS = 1800


def package_file(package: str, version: str, *, given: Sequence[Path], cache: Path) -> Path:
    """The .deb of a package: one that the user gave, one in the cache, or a download into the cache.

    Args:
        package, version: of Debian; another version is taken where this one isn't there.
        given: .deb files, and folders of them.
        cache: folder of earlier downloads.

    Raises:
        CallError: what was given isn't there.
        EnvironmentFault: no apt on this machine, or it can't download.
    """
    return (
        find_package(package, version, places=given)
        or find_package(package, version, places=[cache] if cache.is_dir() else [])
        or download(package, version, folder=cache)
    )


def find_package(package: str, version: str, *, places: Sequence[Path]) -> Path | None:
    """The .deb of a package among files and folders, this version rather than another.

    Raises:
        CallError: a place isn't there.
    """
    files: list[Path] = []
    for place in places:
        if not place.is_dir() and (place.suffix != ".deb" or not place.exists()):
            found = f"{'another file' if place.exists() else 'nothing'} at {place}"
            raise CallError("--debs must name .deb files, or folders of them", found=found)
        files += sorted(place.glob("*.deb")) if place.is_dir() else [place]
    mine = [file for file in files if file.name.partition("_")[0] == package]
    exact = [file for file in mine if file.name.startswith(f"{package}_{_escaped(version)}_")]
    return next(reversed(exact or mine), None)


def download(package: str, version: str, *, folder: Path) -> Path:
    """Download a package by ``apt-get download``, of the release that this machine is.

    Raises:
        EnvironmentFault: no apt on this machine, or it can't download.
    """
    remedy = (
        f"Get {package}_{_escaped(version)}_all.deb on any machine (on Debian: apt-get update, then apt-get download "
        f"{package}) and name it with --debs FILE; or leave out what can't be had with --allow-missing."
    )
    program = shutil.which("apt-get")
    if program is None:
        raise EnvironmentFault(
            "Downloading photographs needs Debian's apt-get", found="none here", remedy=remedy
        )
    make_folder(folder)
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            [program, "--quiet", "download", package],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentFault("apt-get must be able to download", found=str(error), remedy=remedy) from error
    file = find_package(package, version, places=[folder])
    if done.returncode or file is None:
        faults = [line for line in (done.stderr + done.stdout).splitlines() if line.startswith("E:")]
        found = f"{package}: {faults[0] if faults else f'exit code {done.returncode}'}"
        raise EnvironmentFault("apt-get must be able to download", found=found, remedy=remedy)
    return file


def skimage_folder() -> Path | None:
    """The pictures of an installed scikit-image, which isn't imported for that; None where there is none."""
    found = importlib.util.find_spec("skimage")
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(next(iter(found.submodule_search_locations))) / "data"
    return folder if folder.is_dir() else None


def _escaped(version: str) -> str:
    return version.replace(":", "%3a")
