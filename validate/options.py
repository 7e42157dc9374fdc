"""How to judge, and what judged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pixelproof.safety import SandboxLayer
from pixelproof.validate.checks.base import GROUPS, Group


@dataclass(frozen=True)
class Options:
    """How to judge.

    Attributes:
        groups: what is measured.
        images: at most so many pairs; None for all.
        max_runs: at most so many timed pairs.
        baseline: the graph to time against; None for the shipped one.
        companion: the second file of the same network, for a challenge that takes two; None for the one beside
            the model.
        threads: of the workers; None for all cores.
        time_limit_s: wall-clock limit of each call of the model.
        total_time_limit_s: after so long no further call is begun.
        require_sandbox: judge only where the worker is locked in.
        device: what runtime and memory are measured on; ``auto`` is a GPU where CUDA_VISIBLE_DEVICES names one.
        device_memory_mib: of a GPU the model may take no more; None for all that it has.
        pictures: folder for the worst, median and best image, where fidelity is measured; None for none. It is
            replaced.
        layers: look at the cost of each layer also where the track doesn't count it.
    """

    groups: frozenset[Group] = frozenset(GROUPS)
    images: int | None = None
    max_runs: int = 60
    baseline: Path | None = None
    companion: Path | None = None
    threads: int | None = None
    time_limit_s: float = 600.0
    total_time_limit_s: float = 6 * 3600.0
    require_sandbox: bool = False
    device: Literal["auto", "cpu", "gpu"] = "auto"
    device_memory_mib: float | None = None
    pictures: Path | None = None
    layers: bool = False


@dataclass(frozen=True)
class Workplace:
    """What ran the model: versions of the runtime's libraries, and the walls around it."""

    libraries: dict[str, str]
    sandbox: tuple[SandboxLayer, ...]
