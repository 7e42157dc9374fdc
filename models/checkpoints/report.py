"""What was read from a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CheckpointReport:
    """How a checkpoint went into a model.

    Attributes:
        format: ``tf1-v2``, ``tf1-v1``, ``keras``, ``weights.h5``, ``torch`` or ``safetensors``.
        path: the checkpoint that was read: a file, or the prefix of ``.index`` and ``.data``.
        used: weights that went into the model, each exactly once.
        reported: optimizer slots, counters and whole numbers that the checkpoint also holds.
        surplus: other variables that were left out because the caller allowed it.
        taken: of a PyTorch file with several dictionaries, the key of the one that was taken (``params_ema``).
    """

    format: str
    path: Path
    used: int
    reported: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()
    taken: str = ""
