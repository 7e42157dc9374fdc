"""The rankings of a track: by its scores, by its figures, or by PSNR. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

from pixelproof.challenge import Metric, Track
from pixelproof.rules import Mai2021Scores, Mai2022Scores, Scores
from pixelproof.submit.board.standing import Line, Measure, Ranking, Team
from pixelproof.submit.ledger.quota import counted
from pixelproof.submit.ledger.records import Entry
from pixelproof.validate.ranking import METRICS, Ranked, rank, shared_ranks
from pixelproof.validate.ranking import Entry as RankEntry

Counts = Literal["last", "best"]
_FIGURE_OF: dict[Metric, str] = {
    "runtime": "latency_ms",
    "params": "params",
    "flops": "flops",
    "activations": "activations",
    "memory": "model_rss_mib",
}
_TITLES: dict[Metric, str] = {
    "runtime": "Runtime [ms]",
    "params": "Parameters",
    "flops": "FLOPs",
    "activations": "Activations",
    "memory": "Memory [MiB]",
}


def rankings_of(
    track: Track, teams: Sequence[Team], *, counts: Counts, baseline: RankEntry | None = None
) -> tuple[Ranking, ...]:
    """Every ranking that a track's rules foresee.

    Args:
        baseline: whose figures a weighted ranking divides by.

    Raises:
        CallError: a weighted ranking without one.
    """
    found = [
        _by_measure(measure, "higher is better", teams, counts=counts) for measure in _score_measures(track)
    ]
    if track.ranking is not None:
        found.append(_by_figures(track, teams, counts=counts, baseline=baseline))
    if found:
        return tuple(found)
    if track.fidelity is not None:
        measure = Measure("psnr_db", "PSNR [dB]", is_score=False, higher_is_better=True)
        return (_by_measure(measure, "higher is better", teams, counts=counts),)
    lines = tuple(_unranked(team, None, "passed" if team.eligible else "") for team in teams)
    return (Ranking("passed", "Passed", "the track has no figure to rank by", None, False, lines),)


def rank_entry(entry: Entry, *, name: str) -> RankEntry:
    """A submission's figures as `validate.ranking.entry_of` takes them from a report."""
    figures = entry.figures
    low, high = figures.get("latency_low_ms"), figures.get("latency_high_ms")
    by_metric: dict[Metric, float | None] = {metric: figures.get(_FIGURE_OF[metric]) for metric in METRICS}
    by_metric["runtime"] = figures.get("mean_latency_ms", by_metric["runtime"])
    layers = figures.get("conv_layers")
    return RankEntry(
        name=name,
        psnr_db=figures.get("psnr_db"),
        figures=by_metric,
        conv_layers=None if layers is None else int(layers),
        runtime_interval_ms=None if low is None or high is None else (low, high),
    )


def _score_measures(track: Track) -> list[Measure]:
    match track.scores:
        case Scores(weights=weights):
            return [Measure(name, f"Score {name}", True, True) for name in weights]
        case Mai2021Scores() | Mai2022Scores():
            return [Measure("total", "Score", True, True)]
    return []


def _best(entries: Sequence[Entry], measure: Measure) -> Entry:
    """The first of the best."""
    sign = -1 if measure.higher_is_better else 1
    return min(entries, key=lambda entry: sign * (measure.of(entry) or 0.0))


def _by_measure(measure: Measure, by: str, teams: Sequence[Team], *, counts: Counts) -> Ranking:
    chosen: list[tuple[Team, Entry, float]] = []
    rest: list[Line] = []
    for team in teams:
        usable = [entry for entry in team.eligible if measure.of(entry) is not None]
        entry = counted(usable, counts=counts, better=partial(_best, measure=measure))
        value = None if entry is None else measure.of(entry)
        if entry is None or value is None:
            rest.append(_unranked(team, measure, f"passed, {measure.title} not measured"))
        else:
            chosen.append((team, entry, value))
    sign = -1.0 if measure.higher_is_better else 1.0
    places = shared_ranks([sign * value for _, _, value in chosen])
    lines = [
        _line(team, measure, place=place, entry=entry, value=value)
        for place, (team, entry, value) in zip(places, chosen, strict=True)
    ]
    lines = [replace(line, remark=_copied(line.entry)) for line in lines]
    lines.sort(key=lambda line: (line.place or 0, line.entry.ticket.received_at if line.entry else None))
    return Ranking(measure.name, measure.title, by, measure, False, (*lines, *rest))


def _by_figures(
    track: Track, teams: Sequence[Team], *, counts: Counts, baseline: RankEntry | None
) -> Ranking:
    rules = track.ranking
    assert rules is not None
    first = rules.metrics[0]
    measure = Measure(_FIGURE_OF[first], _TITLES[first], is_score=False, higher_is_better=False)

    def ranked(entries: Sequence[Entry]) -> tuple[Ranked, ...]:
        return rank([rank_entry(e, name=str(e.id)) for e in entries], rules, baseline=baseline)

    def best(entries: Sequence[Entry]) -> Entry:
        """First of a team's own, ranked among each other; where none can be ranked, the last."""
        if len(entries) == 1:
            return entries[0]
        foremost = ranked(entries)[0]
        by_id = {str(entry.id): entry for entry in entries}
        return entries[-1] if foremost.place is None else by_id[foremost.entry.name]

    chosen: dict[str, tuple[Team, Entry]] = {}
    rest: list[Line] = []
    for team in teams:
        entry = counted(team.eligible, counts=counts, better=best)
        if entry is None:
            rest.append(_unranked(team, measure, ""))
        else:
            chosen[str(entry.id)] = (team, entry)
    lines = []
    for item in ranked([entry for _, entry in chosen.values()]):
        team, entry = chosen[item.entry.name]
        named = replace(item, entry=replace(item.entry, name=team.label))
        line = _line(team, measure, place=item.place, entry=entry, value=item.total)
        remark = "; ".join(part for part in (_remark(item), _copied(entry)) if part)
        lines.append(replace(line, ranked=named, remark=remark))
    titles = " + ".join(_TITLES[metric] for metric in rules.metrics)
    by = f"weighted sum of {titles}" if rules.method == "weighted" else f"sum of the ranks in {titles}"
    by = f"{titles}, lower is better" if len(rules.metrics) == 1 and rules.method == "rank_sum" else by
    return Ranking("ranking", "Ranking", by, measure, True, (*lines, *rest))


def _copied(entry: Entry | None) -> str:
    if entry is None or entry.copy_of is None:
        return ""
    return f"same content as another team's submission {entry.copy_of}"


def _remark(item: Ranked) -> str:
    if item.entry.out:
        return item.entry.out
    if item.unseparated:
        return f"runtime not separable from place {', '.join(map(str, sorted(set(item.unseparated))))}"
    return ""


def _line(
    team: Team, measure: Measure, *, place: int | None, entry: Entry | None, value: float | None
) -> Line:
    trend = tuple(v for v in map(measure.of, team.eligible) if v is not None)
    choose = max if measure.higher_is_better else min
    return Line(
        place=place,
        team=team,
        entry=entry,
        value=value,
        last=trend[-1] if trend else None,
        best=choose(trend) if trend else None,
        trend=trend,
    )


def _unranked(team: Team, measure: Measure | None, passed: str) -> Line:
    """A team without a place; ``passed`` says why where something of it passed."""
    remark = passed if team.eligible else "nothing passed yet"
    return Line(None, team, None, None, None, None, (), remark)
