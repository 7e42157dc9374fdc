"""Measure one artifact for one track: everything that the checks read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pixelproof.challenge import Track
from pixelproof.data import DataSource
from pixelproof.errors import ModelFailed, WorkerStopped
from pixelproof.measure.formats import Kind, artifact_at, detect_kind
from pixelproof.measure.protocol import Array
from pixelproof.measure.runtime import Ratio
from pixelproof.report import Evidence, RangeSample, SizeTrial
from pixelproof.validate import contract_evidence as contract_of
from pixelproof.validate.batching import usable_batch
from pixelproof.validate.checks.base import GROUPS, Group
from pixelproof.validate.fidelity import measure_fidelity
from pixelproof.validate.hd_evidence import baseline_path, measure_memory, measure_runtime, timing_images
from pixelproof.validate.pairs import Pair, find_pairs
from pixelproof.validate.session import ModelSession

Advance = Callable[[int, str], None]
Progress = Callable[[str, int], Advance]
"""Told of each stage by its name and number of steps; answers with what is told of each step."""


@dataclass(frozen=True)
class Options:
    """How to judge.

    Attributes:
        groups: what is measured.
        images: at most so many pairs; None for all.
        max_runs: at most so many timed pairs.
        baseline: the graph to time against; None for the shipped one.
        threads: of the workers; None for all cores.
        time_limit_s: wall-clock limit of each call of the model.
    """

    groups: frozenset[Group] = frozenset(GROUPS)
    images: int | None = None
    max_runs: int = 60
    baseline: Path | None = None
    threads: int | None = None
    time_limit_s: float = 600.0


def gather(
    model: Path, track: Track, data: DataSource, options: Options, progress: Progress
) -> tuple[Evidence, dict[str, str]]:
    """Measure an artifact.

    Returns:
        The evidence, and the versions of the libraries that ran the model.

    Raises:
        ArtifactError: the file is no artifact at all.
        ImageError: the track's images can't be used.
    """
    kind = detect_kind(model)
    evidence = Evidence(artifact=artifact_at(model))
    pairs = _pairs(track, data, options)
    hd_images = (
        timing_images(data.root / track.runtime.images)
        if _wants_runtime(track, options) and track.runtime
        else []
    )
    cap = track.limits.peak_memory
    limit = cap.total_rss_mib if cap is not None else None

    def session(memory_limit: float | None) -> ModelSession:
        return ModelSession(
            model,
            kind,
            track.contract,
            threads=options.threads,
            time_limit_s=options.time_limit_s,
            memory_limit_mib=memory_limit,
        )

    with session(limit) as plain, session(limit) as large:
        plain.start()
        if _wants_memory(track, options) or _wants_runtime(track, options):
            large.start()
        evidence = _contract(plain, evidence, track, pairs, options, progress)
        if evidence.load_error is None and evidence.stopped is None:
            evidence = _fidelity(plain, evidence, track, pairs, options, progress, kind)
            plain.__exit__()
            evidence = _memory(large, evidence, track, options, progress)
            evidence = _runtime(large, evidence, track, options, progress, hd_images, kind)
        return evidence, {**plain.libraries, **large.libraries}


def _pairs(track: Track, data: DataSource, options: Options) -> tuple[Pair, ...]:
    if track.fidelity is None or not options.groups & {"fidelity", "range", "contract"}:
        return ()
    return find_pairs(data.root, track.fidelity)


def _wants_memory(track: Track, options: Options) -> bool:
    return "memory" in options.groups and track.limits.peak_memory is not None


def _wants_runtime(track: Track, options: Options) -> bool:
    return "runtime" in options.groups and track.runtime is not None


def _contract(
    session: ModelSession,
    evidence: Evidence,
    track: Track,
    pairs: tuple[Pair, ...],
    options: Options,
    progress: Progress,
) -> Evidence:
    contract = track.contract
    advance = progress("contract", 4)
    try:
        loaded = session.load()
    except (ModelFailed, WorkerStopped) as error:
        return replace(evidence, load_error=error.found or error.rule)
    evidence = replace(
        evidence, interface=loaded.interface, used_input=loaded.used_input, used_output=loaded.used_output
    )
    reason = contract_of.blocking_reason(loaded, contract)
    if reason is not None:
        return replace(evidence, stopped=reason)
    advance(1, "sizes")
    if "resolution" in options.groups:
        sizes = [*contract_of.trial_sizes(contract)]
        if track.limits.peak_memory is not None and not _wants_memory(track, options):
            sizes.append((track.limits.peak_memory.height, track.limits.peak_memory.width))
        trials = tuple(contract_of.try_size(session, contract, h, w) for h, w in sizes)
        evidence = replace(evidence, size_trials=trials)
    advance(1, "range")
    if options.groups & {"contract", "range"}:
        evidence = _ranges(session, evidence, track, pairs)
    advance(2, "")
    return evidence


def _ranges(session: ModelSession, evidence: Evidence, track: Track, pairs: tuple[Pair, ...]) -> Evidence:
    contract = track.contract
    samples: tuple[RangeSample, ...] = ()
    try:
        samples = contract_of.measure_ranges(session, contract_of.range_inputs(track, pairs), contract)
        return replace(
            evidence,
            range_samples=samples,
            clips_itself=contract_of.clips_by_itself(session, contract),
            determinism_max_abs=contract_of.repeat_difference(session, contract),
        )
    except (ModelFailed, WorkerStopped) as error:
        return replace(
            evidence, range_samples=samples or None, stopped=f"not run: {error.found or error.rule}"
        )


def _fidelity(
    session: ModelSession,
    evidence: Evidence,
    track: Track,
    pairs: tuple[Pair, ...],
    options: Options,
    progress: Progress,
    kind: Kind,
) -> Evidence:
    rules = track.fidelity
    if rules is None or "fidelity" not in options.groups:
        return evidence
    try:
        chosen = pairs[: options.images]
        batch = usable_batch(session, kind, chosen, rules, scale=track.contract.scale)
        fidelity, sample = measure_fidelity(
            session.run,
            chosen,
            rules,
            scale=track.contract.scale,
            batch=batch,
            available=len(pairs),
            warn_range=track.contract.warn_range,
            advance=progress("fidelity", len(chosen)),
        )
    except (ModelFailed, WorkerStopped) as error:
        return replace(evidence, fidelity_error=f"{error.rule}; found {error.found}")
    samples = (*(evidence.range_samples or ()), sample)
    return replace(evidence, fidelity=fidelity, range_samples=samples)


def _memory(
    session: ModelSession, evidence: Evidence, track: Track, options: Options, progress: Progress
) -> Evidence:
    cap = track.limits.peak_memory
    if cap is None or not _wants_memory(track, options):
        return evidence
    advance = progress("memory", 1)
    try:
        outcome = measure_memory(session, cap, track.contract)
        trial = outcome.trial
        evidence = replace(evidence, memory=outcome.memory)
    except (ModelFailed, WorkerStopped) as error:
        trial = SizeTrial(height=cap.height, width=cap.width, output=None, error=error.found or error.rule)
        evidence = replace(evidence, memory_error=error.found or error.rule)
    advance(1, "")
    if "resolution" in options.groups:
        evidence = replace(evidence, size_trials=(*(evidence.size_trials or ()), trial))
    return evidence


def _runtime(
    session: ModelSession,
    evidence: Evidence,
    track: Track,
    options: Options,
    progress: Progress,
    images: list[Array],
    kind: Kind,
) -> Evidence:
    rules = track.runtime
    if rules is None or not images:
        return evidence
    if evidence.memory is not None and evidence.memory.stopped is not None:
        return replace(evidence, runtime_error="not timed: the model was stopped at the memory limit")
    advance = progress("runtime", options.max_runs)

    def note(done: int, ratio: Ratio) -> None:
        advance(1 if done > 2 else 2, f"{ratio.value:.3f}x, {ratio.low:.3f} to {ratio.high:.3f}")

    try:
        runtime = measure_runtime(
            session,
            rules,
            track,
            images=images,
            baseline=options.baseline or baseline_path(rules.baseline, kind),
            threads=options.threads,
            time_limit_s=options.time_limit_s,
            max_runs=options.max_runs,
            note=note,
        )
    except (ModelFailed, WorkerStopped) as error:
        return replace(evidence, runtime_error=error.found or error.rule)
    return replace(evidence, runtime=runtime)
