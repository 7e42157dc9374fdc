"""From what a caller asks for to `Terms`, with everything looked at that would fail each submission alike."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pixelproof.challenge import Challenge, Track, load_challenge, rules_sha256
from pixelproof.data import DataSource, find_data
from pixelproof.errors import CallError
from pixelproof.files import sha256_of
from pixelproof.measure.formats import detect_kind
from pixelproof.report import SCHEMA_VERSION
from pixelproof.submit.judging.entering import Contest, combined
from pixelproof.submit.judging.job import Terms
from pixelproof.validate.checks.base import GROUPS, Group
from pixelproof.validate.job import LOOKS_AT_IMAGES, needs_images
from pixelproof.validate.judgement import with_gate
from pixelproof.validate.pairs import find_pairs
from pixelproof.validate.runtime_evidence import images_to_time, timing_images


@dataclass(frozen=True)
class Wishes:
    """How a caller wants to have judged; see `Terms`."""

    groups: frozenset[Group] = frozenset(GROUPS)
    images: int | None = None
    max_runs: int = 60
    baseline: Path | None = None
    threads: int | None = None
    runtime_threads: int | None = None
    time_limit_s: float = 600.0
    total_time_limit_s: float = 6 * 3600.0
    require_sandbox: bool = True
    psnr_gate: float | None = None


@dataclass(frozen=True)
class Court:
    """The rules of a call, read and checked; ``images`` are all that judging looks at."""

    challenge: Challenge
    track: Track
    terms: Terms
    contest: Contest
    source: DataSource | None
    images: tuple[Path, ...]

    @property
    def per_day(self) -> int | None:
        """Passed submissions that a team may have a day."""
        return self.challenge.submission.per_day if self.challenge.submission is not None else None


def hold_court(challenge: str, track_name: str | None, *, data: Path | None, wishes: Wishes) -> Court:
    """Read the rules, and look whether there is what they need.

    Args:
        challenge: an id or a TOML file.
        track_name: may be None where there is only one.
        data: folder that the challenge's paths start from.

    Raises:
        CallError: unknown challenge or track, no data, or a gate that the rules don't foresee.
        ChallengeError: a challenge file that breaks its schema.
        ImageError: the track's images can't be used.
        ArtifactError: a baseline that is no artifact.
    """
    rules = load_challenge(challenge)
    name = _track_name(rules, track_name)
    track = with_gate(rules.model_track(name), wishes.psnr_gate)
    groups = tuple(group for group in GROUPS if group in wishes.groups)
    source = find_data(rules.data_folder, given=data) if needs_images(track, wishes.groups) else None
    used = list(_images(track, source, wishes.groups)) if source is not None else []
    if wishes.baseline is not None:
        detect_kind(wishes.baseline)
    terms = Terms(
        challenge=_absolute(challenge) if Path(challenge).suffix == ".toml" else challenge,
        track=name,
        rules_sha256=rules_sha256(challenge),
        data_root=None if source is None else _absolute(source.root),
        data_origin="given" if source is None else source.origin,
        groups=groups,
        images=wishes.images,
        max_runs=wishes.max_runs,
        baseline=None if wishes.baseline is None else _absolute(wishes.baseline),
        threads=wishes.threads,
        runtime_threads=wishes.runtime_threads,
        time_limit_s=wishes.time_limit_s,
        total_time_limit_s=wishes.total_time_limit_s,
        require_sandbox=wishes.require_sandbox,
        psnr_gate=wishes.psnr_gate,
    )
    judged_as = _judged_as(terms, source, used)
    submission, companion = rules.submission, track.companion
    contest = Contest(
        challenge=rules.id,
        track=name,
        rules_sha256=terms.rules_sha256,
        judged_as=judged_as,
        companion=None if companion is None else companion.member,
        model_stem=None if submission is None else Path(submission.model_member).stem,
    )
    return Court(rules, track, terms, contest, source, tuple(Path(_absolute(path)) for path in used))


def _track_name(rules: Challenge, given: str | None) -> str:
    if given is not None:
        rules.track(given)
        return given
    if len(rules.tracks) == 1:
        return next(iter(rules.tracks))
    listed = ", ".join(f"{name} ({track.title})" for name, track in rules.tracks.items())
    raise CallError("--track must be given", found="none", remedy=f"Tracks of {rules.id}: {listed}.")


def _images(track: Track, source: DataSource, groups: frozenset[Group]) -> Iterator[Path]:
    """Every image that judging looks at.

    Raises:
        ImageError: there are none, or they don't belong together.
    """
    if track.fidelity is not None and groups & {"fidelity", *LOOKS_AT_IMAGES}:
        for pair in find_pairs(source.root, track.fidelity):
            yield pair.target
            if pair.input is not None:
                yield pair.input
    runtime = track.runtime
    if runtime is not None and runtime.images is not None and "runtime" in groups:
        if not runtime.every_image:
            timing_images(source.root, runtime, channels=track.contract.channels[0])
        yield from images_to_time(source.root, runtime.images)


def _judged_as(terms: Terms, source: DataSource | None, used: list[Path]) -> str:
    """Hash over all that changes a verdict and is not in the rules; not over how many are judged at once."""
    seen = {} if source is None else {os.path.relpath(path, source.root): sha256_of(path) for path in used}
    return combined(
        {
            "schema_version": SCHEMA_VERSION,
            "images": seen,
            "official": source is not None and source.origin != "samples",
            "groups": terms.groups,
            "fewer_images": terms.images,
            "max_runs": terms.max_runs,
            "baseline": None if terms.baseline is None else sha256_of(Path(terms.baseline)),
            "runtime_threads": terms.runtime_threads,
            "time_limit_s": terms.time_limit_s,
            "total_time_limit_s": terms.total_time_limit_s,
            "psnr_gate": terms.psnr_gate,
        }
    )


def _absolute(path: str | Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - links stay as the caller named them
