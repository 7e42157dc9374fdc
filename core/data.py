"""Where a challenge's images are: given, in PIXELPROOF_DATA, or the bundled samples."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from pixelproof.errors import CallError


@dataclass(frozen=True)
class DataSource:
    """The folder that a challenge's paths start from, and how it was found."""

    root: Path
    origin: Literal["given", "environment", "samples"]

    @property
    def label(self) -> str:
        """For people: what the figures are of."""
        if self.origin == "samples":
            return "bundled samples (a demonstration: the figures are not the challenge's)"
        return str(self.root)


def samples_folder(data_folder: str) -> Path:
    """The bundled samples, laid out as the challenge's data folder."""
    return Path(str(resources.files("pixelproof.samples"))) / data_folder


def find_data(data_folder: str, *, given: Path | None) -> DataSource:
    """The folder that the challenge's paths start from.

    Args:
        data_folder: the challenge's own folder name, as in its TOML.
        given: what the user named with ``--data``.

    Raises:
        CallError: the named folder, or the one PIXELPROOF_DATA points to, does not exist; or none is named
            and there are no samples.
    """
    if given is not None:
        if not given.is_dir():
            raise CallError("--data must be a folder", found=str(given))
        return DataSource(given, "given")
    root = os.environ.get("PIXELPROOF_DATA")
    if root:
        folder = Path(root) / data_folder
        if not folder.is_dir():
            remedy = "Name its folder with --data, or bring it: pixelproof fetch."
            if samples_folder(data_folder).is_dir():
                remedy += " Without PIXELPROOF_DATA the bundled samples are taken."
            raise CallError(f"PIXELPROOF_DATA must hold {data_folder}", found=f"no {folder}", remedy=remedy)
        return DataSource(folder, "environment")
    samples = samples_folder(data_folder)
    if not samples.is_dir():
        remedy = "Name the folder with --data, or set PIXELPROOF_DATA to the folder that holds it."
        raise CallError(
            "A challenge without bundled samples needs its data", found="none named", remedy=remedy
        )
    return DataSource(samples, "samples")
