"""From evidence to a report: every check, the scores, and the same again from a saved report."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pixelproof.challenge import (
    Challenge,
    Mai2021Scores,
    Mai2022Scores,
    Scores,
    Track,
    load_challenge,
    rules_sha256,
)
from pixelproof.contract import Contract
from pixelproof.data import DataSource
from pixelproof.environment import environment
from pixelproof.errors import CallError, ReportError
from pixelproof.report import CheckResult, Evidence, Report
from pixelproof.schema import to_jsonable
from pixelproof.validate.checks import all_checks
from pixelproof.validate.checks.base import GROUPS, Group
from pixelproof.validate.gather import gather
from pixelproof.validate.job import Progress
from pixelproof.validate.options import Options
from pixelproof.validate.scoring import mai2021_total, mai2022_total, pirm_total

CONTRACT_GROUPS: frozenset[Group] = frozenset({"contract", "range", "resolution", "size"})
LEFT_OUT = "left out by --only or --skip"
NO_IMAGES = "no images used"


def judge(
    model: Path,
    *,
    challenge_name: str,
    track_name: str,
    data: DataSource | None,
    options: Options,
    progress: Progress,
    mos: float | None = None,
    psnr_gate: float | None = None,
) -> Report:
    """Measure an artifact and judge it.

    Args:
        challenge_name: a shipped challenge's id, or the path of a TOML file.
        data: where the challenge's images are; None where `job.needs_images` says that none are used.
        mos: mean opinion score that replaces MS-SSIM in the scores, where the rules foresee it.
        psnr_gate: in place of the track's, in dB: for other images than the challenge's.

    Raises:
        CallError: unknown challenge or track, or a score or a gate that the rules don't foresee.
        ArtifactError: the file is no artifact at all.
        ImageError: the track's images can't be used.
    """
    challenge = load_challenge(challenge_name)
    track = with_gate(challenge.model_track(track_name), psnr_gate)
    check_mos(mos, track)
    evidence, workplace = gather(model, track, data or DataSource(Path(), "given"), options, progress)
    return Report(
        challenge=challenge.id,
        track=track_name,
        data=NO_IMAGES if data is None else data.label,
        official_data=data is not None and data.origin != "samples",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        evidence=evidence,
        checks=verdicts(evidence, track, groups=options.groups),
        scores=scores(evidence, track, mos=mos),
        environment=replace(environment(), worker=workplace.libraries, sandbox=workplace.sandbox),
        rules_sha256=rules_sha256(challenge_name),
        measured_as_sha256=measured_as_sha256(track),
        mos=mos,
        psnr_gate=psnr_gate,
    )


def rejudge(
    saved: Report,
    *,
    challenge_name: str,
    track_name: str | None = None,
    mos: float | None = None,
    psnr_gate: float | None = None,
    groups: Collection[Group] = GROUPS,
) -> Report:
    """The verdicts of a saved report under other limits, ranges and weights, from its figures alone.

    Figures stay as they were measured. What was left out then stays left out.

    Args:
        track_name: the report's where it is None.
        mos, psnr_gate: the report's where they are None.
        groups: judged again; the others become ``not_run``.

    Raises:
        CallError: unknown challenge or track, or a score that the rules don't foresee.
        ReportError: the report is of another challenge or track, or the rules ask for other measurements.
    """
    challenge = load_challenge(challenge_name)
    track = challenge.track(saved.track if track_name is None else track_name)
    asked = challenge.id, saved.track if track_name is None else track_name
    if (saved.challenge, saved.track) != asked:
        remedy = "Name its challenge with --challenge; a copied TOML file keeps the id."
        raise ReportError(
            f"The report must be of {asked[0]}, track {asked[1]}",
            found=f"{saved.challenge}, track {saved.track}",
            remedy=remedy,
        )
    if measured_as_sha256(track) != saved.measured_as_sha256:
        remedy = "Judge the model itself by them; --recheck changes limits, ranges and weights alone."
        raise ReportError(
            "The rules must measure as the report did", found="other measurements", remedy=remedy
        )
    gate = saved.psnr_gate if psnr_gate is None else psnr_gate
    track = with_gate(track, gate)
    chosen = saved.mos if mos is None else mos
    check_mos(chosen, track)
    sha256 = rules_sha256(challenge_name)
    same_rules = sha256 == saved.rules_sha256
    evidence = saved.evidence if same_rules else _without_shares(saved.evidence)
    was_left_out = {check.id for check in saved.checks if check.found == LEFT_OUT}
    return replace(
        saved,
        checks=verdicts(evidence, track, groups=groups, left_out=was_left_out),
        scores=scores(evidence, track, mos=chosen),
        rules_sha256=sha256,
        mos=chosen,
        psnr_gate=gate,
    )


def measured_as_sha256(track: Track) -> str:
    """Hash of the rules that decide what is measured and how: no limits, ranges or weights."""
    cap, contract = track.limits.peak_memory, track.contract
    nothing = Contract()
    how = {
        "contract": replace(contract, warn_range=nothing.warn_range, fail_range=nothing.fail_range),
        "fidelity": track.fidelity,
        "runtime": track.runtime,
        "memory": None if cap is None else (cap.height, cap.width),
        "complexity": track.complexity,
        "companion": None if track.companion is None else track.companion.member,
    }
    return hashlib.sha256(json.dumps(to_jsonable(how), sort_keys=True).encode()).hexdigest()


def judge_contract(model_path: Path, challenge: Challenge, track_name: str) -> tuple[CheckResult, ...]:
    """The checks that need no images of the challenge: names, tensors, sizes, ranges, determinism, file size.

    Raises:
        ArtifactError: the file is no artifact at all.
    """
    track = replace(challenge.model_track(track_name), fidelity=None, runtime=None)
    options = Options(groups=CONTRACT_GROUPS)
    nowhere = DataSource(Path(), "given")
    evidence, _ = gather(model_path, track, nowhere, options, lambda stage, steps: lambda done, note: None)
    return tuple(
        check.run(evidence, track)
        for check in all_checks()
        if check.group in CONTRACT_GROUPS and check.applies(track)
    )


def verdicts(
    evidence: Evidence, track: Track, *, groups: Collection[Group], left_out: Collection[str] = ()
) -> tuple[CheckResult, ...]:
    """Every check's verdict; those that were not asked for are reported as not run.

    Args:
        left_out: ids of further checks that were not asked for.
    """
    results = []
    for check in all_checks():
        if not check.applies(track):
            continue
        result = check.run(evidence, track)
        if not check.always and (check.group not in groups or check.id in left_out):
            result = check.not_run(result.expected, LEFT_OUT)
        results.append(result)
    return tuple(results)


def scores(evidence: Evidence, track: Track, *, mos: float | None) -> Mapping[str, float] | None:
    """The track's scores; None where fidelity or runtime is missing or no number, or the track has none."""
    fidelity, runtime, rules = evidence.fidelity, evidence.runtime, track.scores
    if rules is None or fidelity is None or runtime is None:
        return None
    psnr_db, latency_ms = fidelity.psnr_db, runtime.latency_ms.p50
    if math.isnan(psnr_db):
        return None
    match rules:
        case Mai2021Scores():
            return {"total": mai2021_total(psnr_db=psnr_db, runtime_s=latency_ms / 1000, rules=rules)}
        case Mai2022Scores():
            return {"total": mai2022_total(psnr_db=psnr_db, runtime_ms=latency_ms, rules=rules)}
    quality = mos if mos is not None else fidelity.ms_ssim
    if quality is None or math.isnan(quality) or runtime.speedup is None:
        return None
    return pirm_total(psnr_db=psnr_db, ms_ssim=quality, speedup=runtime.speedup, rules=rules)


def with_gate(track: Track, psnr_gate: float | None) -> Track:
    """The track with another gate.

    Raises:
        CallError: it has none.
    """
    if psnr_gate is None:
        return track
    if track.gates is None:
        raise CallError("--psnr-gate must be foreseen by the rules", found="no gate in this track")
    return replace(track, gates=replace(track.gates, psnr_db=psnr_gate))


def check_mos(mos: float | None, track: Track) -> None:
    """Refuse a mean opinion score that the rules don't foresee.

    Raises:
        CallError: it is no score, or the track takes none.
    """
    if mos is None:
        return
    if not 0 <= mos <= 5:
        raise CallError("--mos must be between 0 and 5", found=f"{mos:g}")
    if not isinstance(track.scores, Scores) or not track.scores.mos_may_replace_ms_ssim:
        is_pirm = isinstance(track.scores, Scores)
        found = "mos_may_replace_ms_ssim = false" if is_pirm else "no scores with MS-SSIM"
        raise CallError("--mos must be foreseen by the rules", found=f"{found} in this track")


def _without_shares(evidence: Evidence) -> Evidence:
    """Shares of values outside were counted against the range of other rules; extremes hold under any."""
    samples = evidence.range_samples
    if samples is None:
        return evidence
    return replace(evidence, range_samples=tuple(replace(s, share_outside=math.nan) for s in samples))
