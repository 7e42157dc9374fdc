"""What is to be measured on one artifact, and with what."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pixelproof.challenge import Track
from pixelproof.data import DataSource
from pixelproof.errors import ChallengeError
from pixelproof.images import Rgb8
from pixelproof.measure.formats import Kind
from pixelproof.measure.protocol import Array
from pixelproof.validate.checks.base import Group
from pixelproof.validate.options import Options
from pixelproof.validate.pairs import Image, Pair, find_pairs, read_pair
from pixelproof.validate.pictures import check_pictures_folder
from pixelproof.validate.runtime_evidence import (
    baseline_path,
    check_baseline,
    images_to_time,
    timing_images,
)
from pixelproof.validate.session import safe_mib

LOOKS_AT_IMAGES: frozenset[Group] = frozenset({"contract", "range"})

Advance = Callable[[int, str], None]
Progress = Callable[[str, int], Advance]
"""Told of each stage by its name and number of steps; answers with what is told of each step."""


def needs_images(track: Track, groups: frozenset[Group]) -> bool:
    """Whether what is measured takes images of the challenge."""
    of_pairs = track.fidelity is not None and bool(groups & {"fidelity", *LOOKS_AT_IMAGES})
    runtime = track.runtime
    return of_pairs or (runtime is not None and runtime.images is not None and "runtime" in groups)


@dataclass(frozen=True)
class Job:
    """What is to be measured, and with what.

    Attributes:
        pairs: all pairs of the track, where one of the measured groups looks at any.
        hd_images: for timing.
        timed_paths: images that are timed one by one, each at its own size, in place of ``hd_images``.
        baseline: to time against; None where nothing is timed.
    """

    model: Path
    kind: Kind
    track: Track
    options: Options
    progress: Progress
    pairs: tuple[Pair, ...]
    hd_images: list[Array]
    timed_paths: tuple[Path, ...]
    baseline: Path | None

    @property
    def measured(self) -> tuple[Pair, ...]:
        """The pairs whose fidelity is measured."""
        return self.pairs[: self.options.images] if "fidelity" in self.options.groups else ()

    @property
    def wants_memory(self) -> bool:
        return "memory" in self.options.groups and self.track.limits.peak_memory is not None

    @property
    def wants_runtime(self) -> bool:
        return self.track.runtime is not None and "runtime" in self.options.groups

    @property
    def cap_mib(self) -> float:
        cap = self.track.limits.peak_memory
        assert cap is not None
        return cap.total_rss_mib if math.isfinite(cap.total_rss_mib) else safe_mib(self.track)

    def read(self, pair: Pair) -> tuple[Image, Rgb8]:
        """(input, target) of a pair."""
        assert self.track.fidelity is not None
        return read_pair(pair, self.track.fidelity, scale=self.track.contract.scale)


def prepare(
    model: Path, kind: Kind, track: Track, data: DataSource, options: Options, progress: Progress
) -> Job:
    _check_channels(track, options.groups)
    if options.pictures is not None:
        check_pictures_folder(options.pictures)
    pairs: tuple[Pair, ...] = ()
    if track.fidelity is not None and options.groups & {"fidelity", *LOOKS_AT_IMAGES}:
        pairs = find_pairs(data.root, track.fidelity)
    hd_images: list[Array] = []
    timed_paths: tuple[Path, ...] = ()
    baseline = None
    if track.runtime is not None and "runtime" in options.groups:
        if track.runtime.every_image and track.runtime.images is not None:
            timed_paths = images_to_time(data.root, track.runtime.images)[: options.images]
        else:
            hd_images = timing_images(data.root, track.runtime, channels=track.contract.channels[0])
        baseline = baseline_path(track.runtime.baseline, kind, given=options.baseline)
        if options.baseline is not None and baseline is not None:
            check_baseline(
                baseline, track.contract, threads=options.threads, time_limit_s=options.time_limit_s
            )
    return Job(model, kind, track, options, progress, pairs, hd_images, timed_paths, baseline)


def _check_channels(track: Track, groups: frozenset[Group]) -> None:
    if not needs_images(track, groups):
        return
    has_bayer = track.fidelity is not None and track.fidelity.bayer is not None
    takes = (4, 3) if has_bayer else (3, 3)
    if track.contract.channels != takes:
        kind = "RAW" if has_bayer else "RGB"
        rule = f"Fidelity and runtime are measured on {kind} images: channels must be {list(takes)}"
        remedy = "Leave [fidelity] and the images of [runtime] out of the track, or say bayer = {}."
        raise ChallengeError(rule, found=f"{list(track.contract.channels)} in {track.title}", remedy=remedy)
