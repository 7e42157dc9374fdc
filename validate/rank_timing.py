"""All candidates of a ranking timed in one run, in turn, so that a machine that grows slower favours nobody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from pixelproof.contract import Contract
from pixelproof.errors import CallError
from pixelproof.measure.formats import artifact_at, detect_kind
from pixelproof.measure.parity import probe_image
from pixelproof.measure.runtime import interval_ms
from pixelproof.measure.worker import Worker
from pixelproof.report import Report
from pixelproof.validate.ranking import Entry

WARM_UP_RUNS = 2


def check_unchanged(reports: Sequence[Report]) -> None:
    """Refuse to time a file that is not the one of its report.

    Raises:
        CallError: it is gone, or has changed.
    """
    for report in reports:
        judged = report.evidence.artifact
        path = Path(judged.path)
        if not path.exists() or artifact_at(path).sha256 != judged.sha256:
            found = f"{'another file' if path.exists() else 'no file'} at {judged.path}"
            remedy = "Judge it again, or leave out --time."
            raise CallError("The judged files must be there to be timed", found=found, remedy=remedy)


def timed_together(
    entries: Sequence[Entry],
    reports: Sequence[Report],
    contract: Contract,
    *,
    size: tuple[int, int],
    runs: int,
    threads: int | None,
    advance: Callable[[int, str], None],
) -> tuple[Entry, ...]:
    """The entries with their runtime measured now: every candidate in a worker of its own, in rotating order.

    Args:
        reports: one for each entry, whose artifact is timed.
        size: (height, width) of the image.
        runs: timed calls of each candidate.
        advance: told of each round.

    Raises:
        ArtifactError, ModelFailed, WorkerStopped: a candidate can't be run at that size.
    """
    image = probe_image(*size, contract.channels[0])
    samples: list[list[float]] = [[] for _ in entries]
    with ExitStack() as closing:
        workers = []
        for report in reports:
            worker = closing.enter_context(Worker(threads=threads))
            path = Path(report.evidence.artifact.path)
            worker.load(path, detect_kind(path), input_name=contract.input, output_name=contract.output)
            worker.put(0, image)
            workers.append(worker)
        for run in range(WARM_UP_RUNS + runs):
            for step in range(len(workers)):
                number = (run + step) % len(workers)
                elapsed = workers[number].time_ms(0)
                if run >= WARM_UP_RUNS:
                    samples[number].append(elapsed)
            advance(1, f"run {run + 1} of {WARM_UP_RUNS + runs}")
    return tuple(
        replace(
            entry,
            figures={**entry.figures, "runtime": float(np.median(times))},
            runtime_interval_ms=interval_ms(times),
        )
        for entry, times in zip(entries, samples, strict=True)
    )
