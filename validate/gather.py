"""Measure one artifact for one track: everything that the checks read."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from pixelproof.challenge import Track
from pixelproof.data import DataSource
from pixelproof.errors import ChallengeError, GraphRefused, ModelFailed, WorkerStopped
from pixelproof.images import Rgb8
from pixelproof.measure.formats import Kind, artifact_at, detect_kind
from pixelproof.measure.protocol import Array
from pixelproof.measure.runtime import Ratio
from pixelproof.report import Evidence, SizeTrial
from pixelproof.safety import Refusal
from pixelproof.validate.batching import usable_batch
from pixelproof.validate.checks.base import Group
from pixelproof.validate.contract_evidence import blocking_reason, gather_contract, short
from pixelproof.validate.fidelity import BatchMixed, measure_fidelity
from pixelproof.validate.memory_evidence import measure_memory
from pixelproof.validate.options import Options, Workplace
from pixelproof.validate.pairs import Pair, find_pairs, read_pair
from pixelproof.validate.read_ahead import ReadAhead
from pixelproof.validate.runtime_evidence import baseline_path, check_baseline, measure_runtime, timing_images
from pixelproof.validate.session import ModelSession, open_session, safe_mib

REFUSED = "refused by the scan of its file"
LOOKS_AT_IMAGES: frozenset[Group] = frozenset({"contract", "range"})

Advance = Callable[[int, str], None]
Progress = Callable[[str, int], Advance]
"""Told of each stage by its name and number of steps; answers with what is told of each step."""


def needs_images(track: Track, groups: frozenset[Group]) -> bool:
    """Whether what is measured takes images of the challenge."""
    of_pairs = track.fidelity is not None and bool(groups & {"fidelity", *LOOKS_AT_IMAGES})
    return of_pairs or (track.runtime is not None and "runtime" in groups)


def gather(
    model: Path, track: Track, data: DataSource, options: Options, progress: Progress
) -> tuple[Evidence, Workplace]:
    """Measure an artifact.

    Raises:
        ArtifactError: the file, or the baseline, is no artifact at all.
        ImageError: the track's images can't be used.
        ChallengeError: the track asks for images that a model of its channels doesn't take.
        CallError: the baseline does not run.
        EnvironmentFault: the worker can't start, or can't be locked in as required.
    """
    kind = detect_kind(model)
    deadline = time.monotonic() + options.total_time_limit_s
    session = partial(open_session, model, kind, track, options, deadline=deadline)
    with ExitStack() as closing:
        plain = closing.enter_context(session(limit_mib=safe_mib(track), thorough=True))
        plain.start()  # its imports take seconds, which the rest of the preparation uses
        job = _prepare(kind, track, data, options, progress)
        weighed = timed = plain
        if job.wants_memory:
            weighed = closing.enter_context(session(limit_mib=job.cap_mib, exact_memory=True))
            weighed.start()
        if job.wants_runtime and options.groups - {"runtime", "size"}:
            timed = closing.enter_context(session(limit_mib=safe_mib(track)))
        decoded = closing.enter_context(ReadAhead(job.measured, job.read)) if job.measured else None
        evidence = _contract(plain, Evidence(artifact=artifact_at(model)), job)
        if evidence.load_error is None and evidence.stopped is None:
            if decoded is not None:
                evidence = _fidelity(plain, evidence, job, decoded)
            if timed is not plain:
                plain.close()
                timed.start()  # its imports run while memory is measured
            evidence = _memory(weighed, evidence, job)
            if weighed is not plain:
                weighed.close()
            evidence = _runtime(timed, evidence, job)
        libraries = {**plain.libraries, **weighed.libraries, **timed.libraries}
        return evidence, Workplace(libraries, plain.sandbox)


@dataclass(frozen=True)
class _Job:
    """What is to be measured, and with what.

    Attributes:
        pairs: all pairs of the track, where one of the measured groups looks at any.
        hd_images: for timing.
        baseline: to time against; None where nothing is timed.
    """

    kind: Kind
    track: Track
    options: Options
    progress: Progress
    pairs: tuple[Pair, ...]
    hd_images: list[Array]
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
        return self.baseline is not None

    @property
    def cap_mib(self) -> float:
        cap = self.track.limits.peak_memory
        assert cap is not None
        return cap.total_rss_mib

    def read(self, pair: Pair) -> tuple[Rgb8, Rgb8]:
        """(input, target) of a pair."""
        assert self.track.fidelity is not None
        return read_pair(pair, self.track.fidelity, scale=self.track.contract.scale)


def _prepare(kind: Kind, track: Track, data: DataSource, options: Options, progress: Progress) -> _Job:
    if needs_images(track, options.groups) and track.contract.channels != (3, 3):
        rule = "Fidelity and runtime are measured on RGB images: channels must be [3, 3]"
        remedy = "Leave [fidelity] and [runtime] out of the track."
        raise ChallengeError(rule, found=f"{list(track.contract.channels)} in {track.title}", remedy=remedy)
    pairs: tuple[Pair, ...] = ()
    if track.fidelity is not None and options.groups & {"fidelity", *LOOKS_AT_IMAGES}:
        pairs = find_pairs(data.root, track.fidelity)
    hd_images: list[Array] = []
    baseline = None
    if track.runtime is not None and "runtime" in options.groups:
        hd_images = timing_images(data.root, track.runtime)
        baseline = baseline_path(track.runtime.baseline, kind, given=options.baseline)
        if options.baseline is not None:
            check_baseline(
                baseline, track.contract, threads=options.threads, time_limit_s=options.time_limit_s
            )
    return _Job(kind, track, options, progress, pairs, hd_images, baseline)


def _contract(session: ModelSession, evidence: Evidence, job: _Job) -> Evidence:
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
    return gather_contract(
        session,
        evidence,
        job.track,
        groups=job.options.groups,
        pairs=job.pairs,
        more_sizes=[(cap.height, cap.width)] if cap is not None and not job.wants_memory else [],
        advance=advance,
    )


def _fidelity(session: ModelSession, evidence: Evidence, job: _Job, decoded: ReadAhead) -> Evidence:
    rules, contract = job.track.fidelity, job.track.contract
    assert rules is not None

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


def _memory(session: ModelSession, evidence: Evidence, job: _Job) -> Evidence:
    cap = job.track.limits.peak_memory
    if cap is None or not job.wants_memory:
        return evidence
    advance = job.progress("memory", 1)
    trial: SizeTrial | None
    try:
        outcome = measure_memory(session, cap, job.track.contract)
        trial = outcome.trial
        evidence = replace(evidence, memory=outcome.memory)
    except (ModelFailed, WorkerStopped) as error:
        trial = SizeTrial(height=cap.height, width=cap.width, output=None, error=short(error))
        evidence = replace(evidence, memory_error=short(error))
    advance(1, "")
    if "resolution" in job.options.groups and trial is not None:
        evidence = replace(evidence, size_trials=(*(evidence.size_trials or ()), trial))
    return evidence


def _runtime(session: ModelSession, evidence: Evidence, job: _Job) -> Evidence:
    if job.baseline is None or (evidence.memory is not None and evidence.memory.stopped is not None):
        return evidence
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
