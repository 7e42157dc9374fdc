"""The files of a SavedModel, looked at without opening one."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pixelproof.measure.scan.findings import Finding, shown

FILES = "A SavedModel folder holds plain files of its own, and no assets"
ASSET_FOLDERS = frozenset({"assets", "assets.extra"})

_COPY = "Copy the folder with its links followed (cp -rL), or export it again."
_NO_ASSETS = "Export the network alone, from its input image to its output image."


def folder_findings(folder: Path) -> Iterator[Finding]:
    """Links, pipes, devices and assets anywhere below the folder."""
    for parent, folders, files in os.walk(folder):
        for name in sorted([*folders, *files]):
            path = Path(parent, name)
            mode = path.lstat().st_mode
            inside = path.relative_to(folder)
            if stat.S_ISLNK(mode):
                yield Finding(FILES, "a symbolic link", shown(str(inside)), _COPY)
            elif not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                yield Finding(FILES, "what is neither file nor folder", shown(str(inside)), _COPY)
            elif stat.S_ISREG(mode) and inside.parts[0] in ASSET_FOLDERS:
                yield Finding(FILES, "an asset", shown(str(inside)), _NO_ASSETS)
