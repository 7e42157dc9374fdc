"""How to judge, and what judged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True)
class Workplace:
    """What ran the model: versions of the runtime's libraries, and the walls around it."""

    libraries: dict[str, str]
    sandbox: tuple[SandboxLayer, ...]
