"""Measure one artifact for one track: everything that the checks read."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from pixelproof.challenge import Track
from pixelproof.data import DataSource
from pixelproof.errors import GraphRefused, ModelFailed, WorkerStopped
from pixelproof.measure.device import CPU
from pixelproof.measure.formats import artifact_at, detect_kind
from pixelproof.measure.runtime import Ratio
from pixelproof.report import Evidence, SizeTrial
from pixelproof.safety import Refusal
from pixelproof.validate.batching import usable_batch
from pixelproof.validate.companion_evidence import (
    MEASURED_BY,
    QUANTISED,
    companion_path,
    compare_companion,
    open_companion,
)
from pixelproof.validate.complexity_evidence import measure_complexity, rules_to_look_by
from pixelproof.validate.contract_evidence import blocking_reason, gather_contract, short
from pixelproof.validate.device_choice import chosen_device, found_gpu
from pixelproof.validate.fidelity import BatchMixed, measure_fidelity
from pixelproof.validate.job import Job, Progress, prepare
from pixelproof.validate.makers_proof import rewrites_of
from pixelproof.validate.memory_evidence import measure_memory
from pixelproof.validate.options import Options, Workplace
from pixelproof.validate.pictures import save_pictures
from pixelproof.validate.read_ahead import ReadAhead
from pixelproof.validate.runtime_evidence import LEAST_ROUNDS, measure_each_image, measure_runtime
from pixelproof.validate.session import ModelSession, open_session, safe_mib

REFUSED = "refused by the scan of its file"


def gather(
    model: Path, track: Track, data: DataSource, options: Options, progress: Progress
) -> tuple[Evidence, Workplace]:
    """Measure an artifact.

    Raises:
        ArtifactError: the file, or the baseline, is no artifact at all.
        ImageError: the track's images can't be used.
        ChallengeError: the track asks for images that a model of its channels doesn't take.
        CallError: the baseline does not run, or there is no GPU where one is asked for.
        EnvironmentFault: the worker can't start, or can't be locked in as required.
    """
    kind = detect_kind(model)
    deadline = time.monotonic() + options.total_time_limit_s
    opened = partial(open_session, track=track, options=options, deadline=deadline)
    session = partial(opened, model, kind)
    device = chosen_device(kind, options, partial(found_gpu, options=options))
    with ExitStack() as closing:
        plain = closing.enter_context(session(limit_mib=safe_mib(track), thorough=True))
        plain.start()  # its imports take seconds, which the rest of the preparation uses
        job = prepare(model, kind, track, data, options, progress)
        weighed = timed = plain
        if job.wants_memory:
            weighed = closing.enter_context(session(limit_mib=job.cap_mib, exact_memory=True))
            weighed.start()
        if device != CPU or (job.wants_runtime and options.groups - {"runtime", "size"}):
            timed = closing.enter_context(session(limit_mib=safe_mib(track), device=device))
        decoded = closing.enter_context(ReadAhead(job.measured, job.read)) if job.measured else None
        artifact = artifact_at(model)
        evidence = Evidence(artifact, optimized=rewrites_of(model, artifact.sha256))
        evidence = _contract(plain, evidence, job)
        if evidence.load_error is None and evidence.stopped is None:
            looked_at: ModelSession | None = plain
            if track.companion is not None and options.groups & MEASURED_BY:
                opener = partial(opened, limit_mib=safe_mib(track), thorough=True)
                evidence, looked_at = _companion(plain, evidence, job, closing, opener)
            if decoded is not None:
                evidence = _fidelity(looked_at, evidence, job, decoded)
                _pictures(looked_at, evidence, job)
            evidence = _complexity(plain, evidence, job)
            if timed is not plain:
                plain.close()
                timed.start()  # its imports run while memory is measured
            evidence = _memory(weighed, timed, evidence, job)
            if weighed is not plain:
                weighed.close()
            evidence = _runtime(timed, evidence, job)
        libraries = {**plain.libraries, **weighed.libraries, **timed.libraries}
        return evidence, Workplace(libraries, plain.sandbox)


def _contract(session: ModelSession, evidence: Evidence, job: Job) -> Evidence:
    cap = job.track.limits.peak_memory
    advance = job.progress("contract", 3)
    try:
        scan = session.scan()
        evidence = replace(evidence, scan=scan)
        if scan.refusals:
            return replace(evidence, load_error=REFUSED)
        loaded = session.load()
    except GraphRefused as error:  # what a SavedModel's signature becomes is known only then
        refusal = Refusal(error.rule, error.found, error.remedy)
        return replace(evidence, scan=replace(scan, refusals=(refusal,)), load_error=REFUSED)
    except (ModelFailed, WorkerStopped) as error:
        return replace(evidence, load_error=short(error))
    evidence = replace(
        evidence,
        interface=loaded.interface,
        used_input=loaded.used_input,
        used_output=loaded.used_output,
        stopped=blocking_reason(loaded, job.track.contract),
    )
    advance(1, "sizes")
    if evidence.stopped is not None:
        return evidence
    more_sizes = [(cap.height, cap.width)] if cap is not None and not job.wants_memory else []
    if job.track.contract.fixed_size is not None:
        more_sizes.append(job.track.contract.fixed_size)
    return gather_contract(
        session,
        evidence,
        job.track,
        groups=job.options.groups,
        pairs=job.pairs,
        more_sizes=more_sizes,
        advance=advance,
    )


def _companion(
    judged: ModelSession,
    evidence: Evidence,
    job: Job,
    closing: ExitStack,
    opener: Callable[..., ModelSession],
) -> tuple[Evidence, ModelSession | None]:
    """The evidence with the companion's, and the session on which fidelity is measured; None where there is none."""
    rules = job.track.companion
    assert rules is not None
    advance = job.progress("companion", 1)
    path = companion_path(job.model, rules, given=job.options.companion)
    found, session = open_companion(path, lambda at, kind: closing.enter_context(opener(at, kind)))
    if evidence.scan is not None and QUANTISED & set(evidence.scan.operations):
        found = replace(found, is_quantised=True)
    if session is not None:
        found = compare_companion(found, session, judged, job.track, groups=job.options.groups)
    advance(1, "")
    return replace(evidence, companion=found), session if found.error is None else None


def _fidelity(session: ModelSession | None, evidence: Evidence, job: Job, decoded: ReadAhead) -> Evidence:
    rules, contract = job.track.fidelity, job.track.contract
    assert rules is not None
    if session is None:
        return replace(evidence, fidelity_error="no companion to measure it on")

    def measure(pairs: ReadAhead, batch: int) -> Evidence:
        measurement = measure_fidelity(
            session.run,
            pairs,
            rules,
            batch=batch,
            available=len(job.pairs),
            warn_range=contract.warn_range,
            advance=job.progress("fidelity", len(job.measured)),
        )
        samples = (*(evidence.range_samples or ()), measurement.values)
        return replace(evidence, fidelity=measurement.fidelity, range_samples=samples)

    try:
        batch = usable_batch(session.run, job.kind, job.measured, rules, scale=contract.scale)
        try:
            return measure(decoded, batch)
        except BatchMixed:
            with ReadAhead(job.measured, job.read) as again:
                return measure(again, 1)
    except (ModelFailed, WorkerStopped) as error:
        return replace(evidence, fidelity_error=short(error))


def _pictures(session: ModelSession | None, evidence: Evidence, job: Job) -> None:
    """Save them where they are wanted; a model that doesn't run once more has none."""
    folder, fidelity = job.options.pictures, evidence.fidelity
    if session is None or folder is None or fidelity is None:
        return
    advance = job.progress("pictures", 1)
    with suppress(ModelFailed, WorkerStopped):
        save_pictures(
            folder,
            run=session.run,
            read=lambda place: job.read(job.measured[place]),
            fidelity=fidelity,
            scale=job.track.contract.scale,
            artifact_sha256=evidence.artifact.sha256,
        )
    advance(1, "")


def _complexity(session: ModelSession, evidence: Evidence, job: Job) -> Evidence:
    wanted = job.track.complexity is not None or job.options.layers
    if not wanted or "complexity" not in job.options.groups:
        return evidence
    advance = job.progress("complexity", 1)
    try:
        rules = rules_to_look_by(job.track)
        found = measure_complexity(session, job.model, job.kind, rules, job.track.contract)
    except (ModelFailed, WorkerStopped) as error:
        return replace(evidence, complexity_error=short(error))
    advance(1, "")
    return replace(evidence, complexity=found)


def _memory(session: ModelSession, timed: ModelSession, evidence: Evidence, job: Job) -> Evidence:
    cap = job.track.limits.peak_memory
    if cap is None or not job.wants_memory:
        return evidence
    advance = job.progress("memory", 1)
    trial: SizeTrial | None
    try:
        on_gpu = timed if timed.device != CPU else None
        outcome = measure_memory(session, cap, job.track.contract, on_gpu=on_gpu)
        trial = outcome.trial
        evidence = replace(evidence, memory=outcome.memory)
    except (ModelFailed, WorkerStopped) as error:
        trial = SizeTrial(height=cap.height, width=cap.width, output=None, error=short(error))
        evidence = replace(evidence, memory_error=short(error))
    advance(1, "")
    if "resolution" in job.options.groups and trial is not None:
        evidence = replace(evidence, size_trials=(*(evidence.size_trials or ()), trial))
    return evidence


def _runtime(session: ModelSession, evidence: Evidence, job: Job) -> Evidence:
    if not job.wants_runtime or (evidence.memory is not None and evidence.memory.stopped is not None):
        return evidence
    if job.timed_paths:
        return _runtime_of_each(session, evidence, job)
    advance = job.progress("runtime", job.options.max_runs)

    def note(done: int, ratio: Ratio) -> None:
        advance(1 if done > 2 else 2, f"{ratio.value:.3f}x, {ratio.low:.3f} to {ratio.high:.3f}")

    try:
        runtime = measure_runtime(
            session,
            job.track.contract,
            images=job.hd_images,
            baseline=job.baseline,
            baseline_given=job.options.baseline is not None,
            threads=job.options.threads,
            time_limit_s=job.options.time_limit_s,
            max_runs=job.options.max_runs,
            note=note,
        )
    except (ModelFailed, WorkerStopped) as error:
        return replace(evidence, runtime_error=short(error))
    return replace(evidence, runtime=runtime)


def _runtime_of_each(session: ModelSession, evidence: Evidence, job: Job) -> Evidence:
    try:
        runtime = measure_each_image(
            session,
            job.timed_paths,
            max_runs=job.options.max_runs,
            note=job.progress("runtime", len(job.timed_paths) * LEAST_ROUNDS),
        )
    except (ModelFailed, WorkerStopped) as error:
        return replace(evidence, runtime_error=short(error))
    return replace(evidence, runtime=runtime)
