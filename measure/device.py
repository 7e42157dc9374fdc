"""Where a model runs: the CPU, or one GPU, perhaps with less memory than it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

VARIABLE = "CUDA_VISIBLE_DEVICES"
NONE = "-1"


@dataclass(frozen=True)
class Device:
    """A device.

    Attributes:
        kind: of it.
        memory_mib: of a GPU: the model may take no more; None for all that it has.
        name: as its driver tells it.
    """

    kind: Literal["cpu", "gpu"] = "cpu"
    memory_mib: float | None = None
    name: str = "cpu"

    def __str__(self) -> str:
        limit = "" if self.memory_mib is None else f", limited to {self.memory_mib:g} MiB"
        return f"{self.name}{limit}"


CPU = Device()


def visible_devices(device: Device | None, environment: Mapping[str, str]) -> str:
    """What a process for a device gets as CUDA_VISIBLE_DEVICES: no GPU, or exactly one.

    Args:
        device: None for what the user's own variable says; where it says nothing, no GPU: one arithmetic on every
            machine.
        environment: the user's.
    """
    chosen = environment.get(VARIABLE, NONE)
    if device is None:
        return chosen
    if device.kind == "cpu":
        return NONE
    first = chosen.split(",")[0].strip()
    return "0" if first in ("", NONE) else first


def names_gpu(environment: Mapping[str, str]) -> bool:
    """Whether the user's CUDA_VISIBLE_DEVICES names a GPU."""
    return environment.get(VARIABLE, NONE).strip() not in ("", NONE)
