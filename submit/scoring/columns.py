"""The leaderboard's columns, which are the keys of ``scores.json``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pixelproof.challenge import Metric, Scores, Track

CAP_DB = 100.0
"""PSNR of a picture that equals its target, which is infinite, and of any above: leaderboards take finite numbers."""


@dataclass(frozen=True)
class Column:
    """One figure; ``desc`` puts the largest first."""

    key: str
    title: str
    sorting: Literal["asc", "desc"]
    precision: int


PSNR = Column("psnr_db", "PSNR [dB]", "desc", 4)
MS_SSIM = Column("ms_ssim", "MS-SSIM", "desc", 5)
LATENCY = Column("latency_ms", "Runtime [ms]", "asc", 2)
SPEEDUP = Column("speedup", "Speed-up", "desc", 3)
MEMORY = Column("peak_rss_mib", "Peak memory [MiB]", "asc", 0)
PARAMS = Column("params", "Parameters", "asc", 0)
FLOPS = Column("flops", "FLOPs", "asc", 0)
ACTIVATIONS = Column("activations", "Activations", "asc", 0)

_OF_METRIC: dict[Metric, Column] = {
    "runtime": LATENCY,
    "params": PARAMS,
    "flops": FLOPS,
    "activations": ACTIVATIONS,
    "memory": MEMORY,
}


def columns_of(track: Track) -> tuple[Column, ...]:
    """The figures that a track publishes; by the first of them it is ranked."""
    return tuple({column.key: column for column in _listed(track)}.values())


def score_key(name: str) -> str:
    """The column of one of a formula's scores."""
    return f"score_{name}"


def _listed(track: Track) -> Iterator[Column]:
    if isinstance(track.scores, Scores):
        for name in track.scores.weights:
            yield Column(score_key(name), f"Score {name}", "desc", 3)
    elif track.scores is not None:
        yield Column(score_key("total"), "Score", "desc", 3)
    if track.ranking is not None:
        yield from (_OF_METRIC[metric] for metric in track.ranking.metrics)
    if track.fidelity is not None:
        yield PSNR
        if track.fidelity.ms_ssim is not None:
            yield MS_SSIM
    if track.runtime is not None:
        yield LATENCY
        if track.runtime.baseline is not None:
            yield SPEEDUP
    if track.limits.peak_memory is not None:
        yield MEMORY
    if track.complexity is not None:
        yield from (PARAMS, FLOPS)
