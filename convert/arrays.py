"""Arrays between our process and the child that builds a user's model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pixelproof.measure.protocol import Array


def save_arrays(path: Path, arrays: Sequence[Array]) -> None:
    """Write arrays, of any shapes, in their order."""
    named: dict[str, Any] = {str(index): array for index, array in enumerate(arrays)}
    np.savez(path, **named)


def load_arrays(path: Path) -> list[Array]:
    """Read what `save_arrays` wrote; object arrays are refused."""
    with np.load(path, allow_pickle=False) as saved:
        return [saved[str(index)] for index in range(len(saved.files))]
