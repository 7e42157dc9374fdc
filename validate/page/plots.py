"""The plots of a report: each one a drawing with a sentence that says what it shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from statistics import fmean, median

from markupsafe import Markup

from pixelproof.report import Memory, Runtime
from pixelproof.validate.page.svg import LEFT, RIGHT, TOP, WIDTH, Frame, drawing, joined, tag, ticks
from pixelproof.validate.page.words import mib, milliseconds, number, percent

BINS = 24
MOST_POINTS = 1500


@dataclass(frozen=True)
class Plot:
    """A drawing with its heading and, in words, what is to be seen."""

    title: str
    svg: Markup
    words: str
    keys: tuple[tuple[str, str], ...] = ()


def histogram(name: str, values: Sequence[float], *, title: str, unit: str, digits: int) -> Plot | None:
    """How often each value occurs; None where no value is finite."""
    finite = sorted(value for value in values if math.isfinite(value))
    if not finite:
        return None
    edges = _edges(finite[0], finite[-1])
    counts = [0] * (len(edges) - 1)
    step = edges[1] - edges[0]
    for value in finite:
        counts[min(int((value - edges[0]) / step), len(counts) - 1)] += 1
    frame = Frame(edges[0], edges[-1], 0, max(counts) * 1.08, counts=True)
    parts = [frame.axes(x_label=unit, y_label="images")]
    for low, times in zip(edges, counts, strict=False):
        if not times:
            continue
        left, right, top = frame.x(low), frame.x(low + step), frame.y(times)
        shape = {"x": left + 0.75, "y": top, "width": right - left - 1.5, "height": frame.y(0) - top}
        told = f"{number(low, digits)} to {number(low + step, digits)}: {_images(times)}"
        parts.append(tag("rect", tag("title", told), class_="bar", rx=1.5, **shape))
    mean = fmean(finite)
    parts.append(_upright(frame, mean, f"mean {number(mean, digits)}"))
    words = (
        f"{_images(len(finite))}: lowest {number(finite[0], digits)}, median {number(median(finite), digits)}, "
        f"mean {number(mean, digits)}, highest {number(finite[-1], digits)}."
    )
    if len(finite) < len(values):
        words += f" {_images(len(values) - len(finite))} without a finite value not drawn."
    return Plot(title, drawing(name, parts, title=f"Histogram: {title}", description=words), words)


def latency(runtime: Runtime) -> Plot | None:
    """Every timed call of the model and of the baseline, in the order of the calls."""
    solution, baseline = runtime.samples.solution_ms, runtime.samples.baseline_ms
    if not solution:
        return None
    most = max(len(solution), len(baseline))
    high = max([*solution, *baseline])
    frame = Frame(0.5, most + 0.5, 0, high * 1.08)
    parts = [frame.axes(x_label="timed call", y_label="ms")]
    for values, kind in ((baseline, "second"), (solution, "first")):
        if values:
            parts.append(_line_across(frame, median(values), f"median {kind}"))
            parts += _points(frame, values, kind)
    words = f"{len(solution)} timed calls of the model, median {milliseconds(median(solution))}"
    words += f", from {milliseconds(min(solution))} to {milliseconds(max(solution))}."
    keys = [("first", "model")]
    if baseline:
        words += f" Beside them {len(baseline)} of the baseline, median {milliseconds(median(baseline))}."
        keys.append(("second", "baseline"))
    else:
        words += " The model was timed alone."
    if max(len(solution), len(baseline)) > MOST_POINTS:
        words += f" Not more than {MOST_POINTS} points are drawn, evenly taken."
    svg = drawing("latency", parts, title="Latency of every timed call", description=words)
    return Plot("Latency, call by call", svg, words, tuple(keys))


def memory_over_time(memory: Memory) -> Plot | None:
    """Resident size of the worker while the model was loaded and run, with the cap; None without samples."""
    trace = memory.trace
    if trace is None or not trace.rss_mib:
        return None
    step_s = trace.step_ms / 1000
    has_cap = math.isfinite(memory.limit_mib)
    high = max([*trace.rss_mib, memory.peak_rss_mib, *([memory.limit_mib] if has_cap else [])])
    frame = Frame(0, len(trace.rss_mib) * step_s, 0, high * 1.1)
    parts = [frame.axes(x_label="seconds", y_label="MiB")]
    outline = "".join(
        f"L{frame.x(i * step_s):.1f} {frame.y(v):.1f}L{frame.x((i + 1) * step_s):.1f} {frame.y(v):.1f}"
        for i, v in enumerate(trace.rss_mib)
    )
    left, right, floor = frame.x(0), frame.x(frame.x_high), frame.y(0)
    parts.append(tag("path", class_="area", d=f"M{left:.1f} {floor:.1f}{outline}L{right:.1f} {floor:.1f}Z"))
    parts.append(tag("path", class_="line first", d=f"M{outline[1:]}"))
    for place, at_ms in enumerate(trace.runs_ms, start=1):
        at = frame.x(min(at_ms / 1000, frame.x_high))
        parts.append(
            tag("line", tag("title", f"run {place} begins"), class_="mark", x1=at, x2=at, y1=TOP, y2=floor)
        )
    if has_cap:
        parts.append(_line_across(frame, memory.limit_mib, "cap"))
        at = frame.y(memory.limit_mib)
        label = f"cap {mib(memory.limit_mib)}"
        parts.append(tag("text", label, class_="cap-label", x=WIDTH - RIGHT, y=at - 6, text_anchor="end"))
    words = f"Peak {mib(memory.peak_rss_mib)}"
    words += f" under a cap of {mib(memory.limit_mib)}." if has_cap else "; no cap."
    if trace.runs_ms:
        first, times = number(trace.runs_ms[0] / 1000, 2), _times(len(trace.runs_ms))
        words += f" Loaded in the first {first} s, then run {times}: dashed lines mark where a run begins."
    svg = drawing("memory", parts, title="Resident memory over time", description=words)
    return Plot("Memory over time", svg, words, (("first", "worker"), ("cap", "cap")) if has_cap else ())


def layer_shares(layers: Sequence[tuple[str, str, float]], *, more: int) -> Plot:
    """Share of all FLOPs of each layer, from top to bottom in the order of computation.

    Args:
        layers: (name, operation, share from 0 to 1).
        more: further layers that are not shown.
    """
    row, top = 22.0, 8.0
    height = top + row * len(layers) + 8
    names, bars = LEFT + 130, WIDTH - RIGHT - 48
    most = max(share for _, _, share in layers) or 1.0
    shared = _shared_folder([name for name, _, _ in layers])
    parts = []
    for place, (name, operation, share) in enumerate(layers):
        at = top + row * place
        told = f"{name} ({operation}): {percent(share)}"
        width = max(share / most * (bars - names - 10), 1)
        shown = tag("text", _shortened(name[shared:]), class_="label", x=names, y=at + 15, text_anchor="end")
        value = tag("text", percent(share), class_="label", x=names + 16 + width, y=at + 15)
        bar = tag("rect", class_="bar", x=names + 8, y=at + 4, width=width, height=row - 8, rx=1.5)
        parts.append(tag("g", tag("title", told), shown, bar, value))
    total = percent(sum(share for _, _, share in layers))
    words = f"All {len(layers)} layers with FLOPs, in the order of computation."
    if more:
        words = f"The {len(layers)} most costly layers, in the order of computation: {total} of all FLOPs. "
        words += f"{more} cheaper one{'' if more == 1 else 's'} not drawn."
    svg = drawing("layers", parts, title="Share of each layer in all FLOPs", description=words, height=height)
    return Plot("Share of compute, layer by layer", svg, words)


def meter(name: str, share: float, *, words: str, state: str) -> Markup:
    """A bar that is filled so far, for a share from 0 to 1; beyond 1 it is full."""
    told = tag("title", words, id=f"{name}-title")
    full = tag("rect", class_="track", x=0, y=0, width=100, height=6, rx=3)
    part = tag(
        "rect", class_=f"fill {state}", x=0, y=0, width=max(2.0, min(share, 1.0) * 100), height=6, rx=3
    )
    return tag(
        "svg", told, full, part, class_="meter", viewBox="0 0 100 6", preserveAspectRatio="none",
        role="img", aria_labelledby=f"{name}-title",
    )  # fmt: skip


def colour_scale(colours: Sequence[tuple[int, int, int]], *, words: str) -> Markup:
    """A bar of colours, from none to full."""
    stops = [
        tag("stop", offset=place / (len(colours) - 1), stop_color=f"rgb({red},{green},{blue})")
        for place, (red, green, blue) in enumerate(colours)
    ]
    fill = tag("defs", tag("linearGradient", *stops, id="error-colours"))
    bar = tag("rect", x=0, y=0, width=160, height=10, fill="url(#error-colours)", rx=2)
    told = tag("title", words, id="error-scale-title")
    return tag(
        "svg", told, fill, bar, class_="scale", viewBox="0 0 160 10", role="img",
        aria_labelledby="error-scale-title",
    )  # fmt: skip


def _edges(low: float, high: float) -> list[float]:
    """Borders of bins of a round width that hold all values."""
    if low == high:
        size = max(abs(low), 1.0) * 0.01
        return [low - size, low + size]
    marks = ticks(low, high, most=BINS)
    step = marks[1] - marks[0] if len(marks) > 1 else (high - low) / BINS
    first, last = math.floor(low / step), math.floor(high / step) + 1
    return [place * step for place in range(first, last + 1)]


def _points(frame: Frame, values: Sequence[float], kind: str) -> list[Markup]:
    stride = max(1, math.ceil(len(values) / MOST_POINTS))
    return [
        tag("circle", class_=f"point {kind}", cx=frame.x(place), cy=frame.y(value), r=2.6)
        for place, value in list(enumerate(values, start=1))[::stride]
    ]


def _line_across(frame: Frame, value: float, kind: str) -> Markup:
    at = frame.y(value)
    return tag("line", class_=kind, x1=LEFT, x2=WIDTH - RIGHT, y1=at, y2=at)


def _upright(frame: Frame, value: float, label: str) -> Markup:
    at = frame.x(value)
    is_right = at > (LEFT + WIDTH) / 2
    line = tag("line", class_="mean", x1=at, x2=at, y1=TOP - 6, y2=frame.y(0))
    anchor = "end" if is_right else "start"
    text = tag(
        "text", label, class_="mean-label", x=at + (-6 if is_right else 6), y=TOP - 8, text_anchor=anchor
    )
    return joined([line, text])


def _images(times: int) -> str:
    return f"{times:,} image{'' if times == 1 else 's'}"


def _times(times: int) -> str:
    return {1: "once", 2: "twice"}.get(times, f"{times} times")


def _shared_folder(names: Sequence[str]) -> int:
    """Length of the path that all names begin with."""
    folders = [name.split("/")[:-1] for name in names]
    alike = takewhile(lambda parts: len(set(parts)) == 1, zip(*folders, strict=False))
    return sum(len(parts[0]) + 1 for parts in alike) if len(names) > 1 else 0


def _shortened(name: str) -> str:
    return name if len(name) <= 26 else "…" + name[-25:]
