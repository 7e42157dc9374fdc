"""Reports ranked among each other: pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pixelproof.challenge import Metric, Ranking
from pixelproof.errors import CallError
from pixelproof.report import Memory, Report

METRICS: tuple[Metric, ...] = ("runtime", "params", "flops", "activations", "memory")


@dataclass(frozen=True)
class Entry:
    """One report in a ranking.

    Attributes:
        name: of the team or of the model.
        figures: by metric; runtime in ms, memory in MiB (the model's own share), None where not measured.
        runtime_interval_ms: 95 % interval of the runtime.
        out: why it is not ranked, or "".
    """

    name: str
    psnr_db: float | None
    figures: Mapping[Metric, float | None]
    conv_layers: int | None
    runtime_interval_ms: tuple[float, float] | None
    out: str = ""


@dataclass(frozen=True)
class Ranked:
    """An entry with its place.

    Attributes:
        ranks: by metric, ties sharing the better one; empty where it is not ranked.
        total: by which it was placed: a rank, a sum of ranks, or a weighted score.
        place: 1 is best; None where it is not ranked.
        unseparated: places whose runtime intervals overlap with this one's.
    """

    entry: Entry
    ranks: Mapping[Metric, int]
    total: float | None
    place: int | None
    unseparated: tuple[int, ...] = ()


def entry_of(report: Report, *, name: str) -> Entry:
    """The figures of a report by which it is ranked.

    A report that failed a check is not ranked.
    """
    evidence = report.evidence
    runtime, memory, cost = evidence.runtime, evidence.memory, evidence.complexity
    latency = None
    if runtime is not None:
        latency = runtime.mean_ms if runtime.mean_ms is not None else runtime.latency_ms.p50
    figures: dict[Metric, float | None] = {
        "runtime": latency,
        "params": cost.params if cost else None,
        "flops": cost.flops if cost else None,
        "activations": cost.activations if cost else None,
        "memory": _memory_mib(memory),
    }
    failed = [check.title for check in report.checks if check.status == "failed"]
    return Entry(
        name=name,
        psnr_db=evidence.fidelity.psnr_db if evidence.fidelity else None,
        figures=figures,
        conv_layers=cost.conv_layers if cost else None,
        runtime_interval_ms=runtime.interval_ms if runtime else None,
        out=f"failed: {', '.join(failed)}" if failed else "",
    )


def _memory_mib(memory: Memory | None) -> float | None:
    """The model's own: of the GPU where that was measured, as the challenges do."""
    if memory is None:
        return None
    return memory.model_mib if memory.device_peak_mib is None else memory.device_peak_mib


def shared_ranks(values: Sequence[float]) -> list[int]:
    """1 for the smallest; equal values share the better rank, and the next one counts on (1, 2, 2, 4)."""
    first: dict[float, int] = {}
    for rank, value in enumerate(sorted(values), start=1):
        first.setdefault(value, rank)
    return [first[value] for value in values]


def rank(entries: Sequence[Entry], rules: Ranking, *, baseline: Entry | None = None) -> tuple[Ranked, ...]:
    """The entries by place, those that are not ranked at the end.

    Args:
        baseline: whose figures the weighted method divides by.

    Raises:
        CallError: the weighted method without a baseline that has every figure.
    """
    known = [_with_reason(entry, rules) for entry in entries]
    inside = [entry for entry in known if not entry.out]
    by_metric: dict[Metric, list[int]] = {}
    for metric in METRICS:
        values = [entry.figures[metric] for entry in inside]
        if all(value is not None for value in values):
            by_metric[metric] = shared_ranks([value for value in values if value is not None])
    totals = [
        _weighted(entry, rules, baseline)
        if rules.method == "weighted"
        else float(sum(by_metric[metric][number] for metric in rules.metrics))
        for number, entry in enumerate(inside)
    ]
    places = shared_ranks(totals)
    ranked = [
        Ranked(
            entry=entry,
            ranks={metric: ranks[number] for metric, ranks in by_metric.items()},
            total=totals[number],
            place=places[number],
            unseparated=_unseparated(number, inside, places),
        )
        for number, entry in enumerate(inside)
    ]
    ranked.sort(key=lambda item: (item.place or 0, item.entry.name))
    return (*ranked, *(Ranked(entry, {}, None, None) for entry in known if entry.out))


def _with_reason(entry: Entry, rules: Ranking) -> Entry:
    """The entry; out of the ranking where a figure is missing by which it is ranked."""
    missing = [
        metric
        for metric in rules.metrics
        if entry.figures[metric] is None or math.isnan(entry.figures[metric] or 0)
    ]
    if entry.out or not missing:
        return entry
    return Entry(
        entry.name,
        entry.psnr_db,
        entry.figures,
        entry.conv_layers,
        entry.runtime_interval_ms,
        out=f"not measured: {', '.join(missing)}",
    )


def _weighted(entry: Entry, rules: Ranking, baseline: Entry | None) -> float:
    """Sum of ``weight * exp(2 x / x of the baseline)``: NTIRE's final score from 2024 on (arXiv 2404.10343)."""
    if baseline is None:
        remedy = "Name it: --baseline REPORT.json."
        raise CallError("This ranking divides by a baseline's figures", found="no baseline", remedy=remedy)
    total = 0.0
    for metric in rules.metrics:
        value, reference = entry.figures[metric], baseline.figures[metric]
        if not reference or value is None:
            found = f"{baseline.name} without {metric}"
            raise CallError("The baseline must have every figure of the ranking", found=found)
        total += rules.weights[metric] * math.exp(2 * value / reference)
    return total


def _unseparated(number: int, entries: Sequence[Entry], places: Sequence[int]) -> tuple[int, ...]:
    own = entries[number].runtime_interval_ms
    if own is None:
        return ()
    return tuple(
        sorted(
            places[other]
            for other, entry in enumerate(entries)
            if other != number
            and entry.runtime_interval_ms is not None
            and entry.runtime_interval_ms[0] <= own[1]
            and own[0] <= entry.runtime_interval_ms[1]
        )
    )
