"""From evidence to a report: every check, the scores, and the same again from a saved report."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pixelproof.challenge import Challenge, Track, load_challenge, rules_sha256
from pixelproof.data import DataSource
from pixelproof.environment import environment
from pixelproof.errors import ReportError
from pixelproof.report import CheckResult, Evidence, Report
from pixelproof.validate.checks import all_checks
from pixelproof.validate.checks.base import GROUPS, Group
from pixelproof.validate.gather import Options, Progress, gather
from pixelproof.validate.scoring import pirm_total

CONTRACT_GROUPS: frozenset[Group] = frozenset({"contract", "range", "resolution", "size"})


def judge(
    model: Path,
    *,
    challenge_name: str,
    track_name: str,
    data: DataSource,
    options: Options,
    progress: Progress,
    mos: float | None = None,
) -> Report:
    """Measure an artifact and judge it.

    Args:
        challenge_name: a shipped challenge's id, or the path of a TOML file.
        mos: mean opinion score that replaces MS-SSIM in the scores, where the rules foresee it.

    Raises:
        CallError: unknown challenge or track.
        ArtifactError: the file is no artifact at all.
        ImageError: the track's images can't be used.
    """
    challenge = load_challenge(challenge_name)
    track = challenge.track(track_name)
    evidence, libraries = gather(model, track, data, options, progress)
    return Report(
        challenge=challenge.id,
        track=track_name,
        data=data.label,
        official_data=data.origin != "samples",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        evidence=evidence,
        checks=verdicts(evidence, track, groups=options.groups),
        scores=scores(evidence, track, mos=mos),
        environment=replace(environment(), worker=libraries),
        rules_sha256=rules_sha256(challenge_name),
        mos=mos,
    )


def rejudge(saved: Report, *, challenge_name: str, track_name: str, mos: float | None = None) -> Report:
    """The verdicts of a saved report under other rules, from its figures alone.

    Raises:
        CallError: unknown challenge or track.
        ReportError: the report is of another track.
    """
    challenge = load_challenge(challenge_name)
    track = challenge.track(track_name)
    if (saved.challenge, saved.track) != (challenge.id, track_name):
        found = f"{saved.challenge}, track {saved.track}"
        raise ReportError(f"The report must be of {challenge.id}, track {track_name}", found=found)
    chosen = saved.mos if mos is None else mos
    return replace(
        saved,
        checks=verdicts(saved.evidence, track, groups=frozenset(GROUPS)),
        scores=scores(saved.evidence, track, mos=chosen),
        rules_sha256=rules_sha256(challenge_name),
        mos=chosen,
    )


def judge_contract(model_path: Path, challenge: Challenge, track_name: str) -> tuple[CheckResult, ...]:
    """The checks that need no images of the challenge: names, tensors, sizes, ranges, determinism, file size.

    Raises:
        ArtifactError: the file is no artifact at all.
    """
    track = replace(challenge.track(track_name), fidelity=None, runtime=None)
    options = Options(groups=CONTRACT_GROUPS)
    nowhere = DataSource(Path(), "given")
    evidence, _ = gather(model_path, track, nowhere, options, lambda stage, steps: lambda done, note: None)
    return tuple(check.run(evidence, track) for check in all_checks() if check.group in CONTRACT_GROUPS)


def verdicts(evidence: Evidence, track: Track, *, groups: Collection[Group]) -> tuple[CheckResult, ...]:
    """Every check's verdict; those that were not asked for are reported as not run."""
    results = []
    for check in all_checks():
        result = check.run(evidence, track)
        if check.group not in groups and check.id != "loads":
            result = check.not_run(result.expected, "left out by --only or --skip")
        results.append(result)
    return tuple(results)


def scores(evidence: Evidence, track: Track, *, mos: float | None) -> Mapping[str, float] | None:
    """The track's scores; None where fidelity or runtime is missing or the track has none."""
    fidelity, runtime, rules = evidence.fidelity, evidence.runtime, track.scores
    if rules is None or fidelity is None or runtime is None:
        return None
    quality = mos if mos is not None else fidelity.ms_ssim
    if quality is None:
        return None
    return pirm_total(psnr_db=fidelity.psnr_db, ms_ssim=quality, speedup=runtime.speedup, rules=rules)
