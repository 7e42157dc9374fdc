"""Rewrites tried one after another; what isn't measured to gain is not kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pixelproof.convert.optimize.network import Network
from pixelproof.convert.optimize.rewrite import Rewrite
from pixelproof.convert.optimize.rewrites import ALTERNATIVES, REWRITES, applied_everywhere
from pixelproof.convert.optimize.trial import (
    Bench,
    Shape,
    largest_difference,
    outputs_of,
    peak_memory_mib,
    timed_ratio,
)
from pixelproof.errors import ModelFailed
from pixelproof.measure.parity import ParityRow, require, row_for
from pixelproof.measure.protocol import Array
from pixelproof.measure.runtime import Ratio

TOLERANCE = 1e-5
MOST_MEMORY = 1.05

Verdict = Literal["kept", "no gain", "less gain", "slower", "more memory", "differs", "can't run"]
Note = Callable[[str], None]


@dataclass(frozen=True)
class Trial:
    """One rewrite that found something to do.

    Attributes:
        sites: nodes at which it was applied.
        ratio: time before over time after, with its 95 % interval; None where it wasn't timed.
        max_abs: largest difference from the original at the small uneven sizes.
        memory_ratio: peak memory over the original's; measured of what gains.
        verdict: ``no gain`` is kept for the moment, and counts in the next rewrite's ratio; it stays if that gains.
            ``less gain``: the next one, an alternative to it, is faster.
    """

    id: str
    title: str
    sites: tuple[str, ...]
    verdict: Verdict
    ratio: Ratio | None = None
    max_abs: float | None = None
    memory_ratio: float | None = None


@dataclass(frozen=True)
class Optimized:
    """An optimized graph, and what each rewrite did.

    Attributes:
        graph: the original where the last run's whole interval isn't above 1.
        ratio: time of the original over this one's, timed in a run of its own; None where nothing was kept.
        original_ms, optimized_ms: medians of that run.
        rows: the comparison with the original at each of the small uneven sizes.
        memory_ratio: peak memory over the original's.
    """

    graph: Any
    trials: tuple[Trial, ...]
    shapes: tuple[Shape, ...]
    ratio: Ratio | None = None
    original_ms: float | None = None
    optimized_ms: float | None = None
    rows: tuple[ParityRow, ...] = ()
    memory_ratio: float | None = None

    @property
    def max_abs(self) -> float:
        """Largest difference from the original; 0 of the original itself."""
        return max((row.difference.max_abs for row in self.rows), default=0.0)

    @property
    def gains(self) -> bool:
        """Whether the graph is another one than the original, and faster in the last run too."""
        return self.ratio is not None and self.ratio.low > 1


def optimize(graph: Any, bench: Bench, *, shapes: Sequence[Shape], note: Note) -> Optimized:
    """The fastest graph that the rewrites find, and that computes the same picture.

    Each rewrite is applied everywhere, compared with the original on small uneven sizes, and timed in interleaved
    pairs. It is kept where the whole interval of the ratio lies above 1 and memory grows by at most 5 %. One that
    neither gains nor loses stays for the moment, since it may make room for the next; if that gains, both are kept.

    Args:
        graph: frozen GraphDef.
        shapes: small uneven shapes that it takes.
        note: told a line for each rewrite that found something to do.

    Raises:
        ParityBroken: the result computes another picture than the original; no rewrite is known to.
        ModelFailed, WorkerStopped: the original can't run.
    """
    wanted = outputs_of(bench, graph, shapes)
    names = [end.split(":")[0] for end in bench.ends]
    network = Network(graph, input_name=names[0], output_name=names[1])
    search = _Search(bench, shapes, wanted, network, note)
    for rewrite in REWRITES:
        search.attempt(rewrite)
    return _finished(search, graph)


class _Search:
    """The best network so far, the one that is being tried, and the trials between them."""

    def __init__(
        self, bench: Bench, shapes: Sequence[Shape], wanted: Sequence[Array], start: Network, note: Note
    ) -> None:
        self.bench, self.shapes, self.wanted = bench, shapes, wanted
        self.best = start
        self.trials: list[Trial] = []
        self._note = note
        self._best_file = bench.timed_file(start.graph_def(), "best")
        self.original_mib = self.best_mib = peak_memory_mib(bench, self._best_file)
        self._carried = self._before = start
        self._pending: list[int] = []

    def attempt(self, rewrite: Rewrite) -> None:
        """Try one rewrite on what is there; an alternative, on what was there before that which it would replace."""
        is_alternative = rewrite.id in ALTERNATIVES
        if not is_alternative:
            self._before = self._carried
        candidate = self._before.copy()
        sites = applied_everywhere(rewrite, candidate)
        if not sites:
            return
        trial = self._judged(Trial(rewrite.id, rewrite.title, sites, "no gain"), candidate)
        self.trials.append(trial)
        self._note(line_for(trial))
        if trial.verdict == "kept":
            self._keep(candidate, instead_of=ALTERNATIVES.get(rewrite.id))
        elif trial.verdict == "no gain" and not is_alternative:
            self._carried = candidate
            self._pending.append(len(self.trials) - 1)

    def _keep(self, candidate: Network, *, instead_of: str | None) -> None:
        for index in self._pending:
            self.trials[index] = replace(self.trials[index], verdict="kept")
        for index, trial in enumerate(self.trials):
            if trial.id == instead_of and trial.verdict == "kept":
                self.trials[index] = replace(trial, verdict="less gain")
        self._pending = []
        self.best = self._carried = candidate

    def _judged(self, trial: Trial, candidate: Network) -> Trial:
        graph = candidate.graph_def()
        try:
            difference = largest_difference(outputs_of(self.bench, graph, self.shapes), self.wanted)
            trial = replace(trial, max_abs=difference)
            if difference > TOLERANCE:
                return replace(trial, verdict="differs")
            file = self.bench.timed_file(graph, "candidate")
            ratio, _, _ = timed_ratio(self.bench, self._best_file, file, what=trial.id)
            trial = replace(trial, ratio=ratio)
            if ratio.high < 1:
                return replace(trial, verdict="slower")
            if ratio.low <= 1:
                return trial
            mib = peak_memory_mib(self.bench, file)
        except ModelFailed:
            return replace(trial, verdict="can't run")
        trial = replace(trial, memory_ratio=mib / self.original_mib)
        if mib > MOST_MEMORY * self.original_mib:
            return replace(trial, verdict="more memory")
        self.best_mib = mib
        self._best_file = file.replace(self._best_file)
        return replace(trial, verdict="kept")


def _finished(search: _Search, original: Any) -> Optimized:
    trials, shapes = tuple(search.trials), tuple(search.shapes)
    if not any(trial.verdict == "kept" for trial in trials):
        return Optimized(original, trials, shapes)
    bench = search.bench
    graph = search.best.graph_def()
    outputs = outputs_of(bench, graph, shapes)
    rows = tuple(
        row_for(
            artifact="the optimized graph",
            kind="pb",
            source=wanted,
            output=output,
            shape=shape[1:3],
            global_statistics=False,
            tolerance=TOLERANCE,
        )
        for shape, wanted, output in zip(shapes, search.wanted, outputs, strict=True)
    )
    require(rows)
    files = bench.timed_file(original, "original"), bench.timed_file(graph, "optimized")
    ratio, before, after = timed_ratio(bench, *files, what="all of it")
    return Optimized(
        graph if ratio.low > 1 else original,
        trials,
        shapes,
        ratio=ratio,
        original_ms=before,
        optimized_ms=after,
        rows=rows,
        memory_ratio=search.best_mib / search.original_mib,
    )


def line_for(trial: Trial) -> str:
    """One trial for people."""
    places = f"{len(trial.sites)} place{'s' if len(trial.sites) > 1 else ''}"
    ratio = trial.ratio
    gain = f", {ratio.value:.3f}x ({ratio.low:.3f} to {ratio.high:.3f})" if ratio else ""
    apart = f", difference {trial.max_abs:.1e}" if trial.max_abs is not None else ""
    memory = f", memory {trial.memory_ratio:.3f}" if trial.memory_ratio is not None else ""
    return f"  {trial.id:<15} {trial.verdict:<11} {places}{gain}{apart}{memory}: {trial.title}"
