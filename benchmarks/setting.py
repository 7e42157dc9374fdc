"""What benchmarks are given: how much to do, and where things lie."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.row import Skip

DATA_VARIABLE = "PIXELPROOF_DATA"
TORCH_VARIABLE = "PIXELPROOF_TORCH_PYTHON"
TORCH_NEEDED = f"needs an interpreter with PyTorch: {TORCH_VARIABLE}"


@dataclass(frozen=True)
class Setting:
    """How a benchmark is run.

    Attributes:
        quick: smaller sizes and fewer rounds: to see that everything works, not for figures.
        data: the folder that holds ai-challenge, ntire2022_esr and others; None without one.
        torch_python: an interpreter that has PyTorch, of which pixelproof needs none; None without one.
    """

    quick: bool = False
    data: Path | None = None
    torch_python: str | None = None

    def folder(self, name: str) -> Path | Skip:
        """A folder of the data, or what to do to have it."""
        if self.data is None:
            return Skip(f"needs {name}: set {DATA_VARIABLE} (README, 'Real data')")
        folder = self.data / name
        return folder if folder.is_dir() else Skip(f"needs {name} in {DATA_VARIABLE}")


def setting_of(environment: Mapping[str, str] = os.environ, *, quick: bool = False) -> Setting:
    """The setting that environment variables describe; an empty one counts as unset."""
    data = environment.get(DATA_VARIABLE)
    return Setting(quick, Path(data) if data else None, environment.get(TORCH_VARIABLE) or None)
