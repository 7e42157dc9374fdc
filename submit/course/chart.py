"""A curve over epochs as a drawing for print."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from pixelproof.validate.page.svg import Frame, drawing, tag

MOST_POINTS = 600
_FEW_POINTS = 40
Series = Sequence[tuple[int, float]]


def curve(name: str, series: Series, *, title: str, unit: str) -> Markup:
    """One measure over epochs.

    Args:
        name: unique on the page.
        series: (epoch, value), at least one.
    """
    shown = _thinned(series)
    values = [value for _, value in series]
    low, high = _around(min(values), max(values))
    first, last = series[0][0], series[-1][0]
    frame = Frame(first, last if last > first else first + 1, low, high)
    path = "L".join(f"{frame.x(epoch):.1f} {frame.y(value):.1f}" for epoch, value in shown)
    whole = max(1, min(6, last - first))  # no ticks between epochs
    parts = [
        frame.axes(x_label="epoch", y_label=unit, x_most=whole),
        tag("path", class_="line", d=f"M{path}"),
    ]
    if len(shown) <= _FEW_POINTS:
        parts += [tag("circle", class_="point", cx=frame.x(x), cy=frame.y(y), r=3) for x, y in shown]
    told = f"From {values[0]:.5g} in epoch {first} to {values[-1]:.5g} in epoch {last}."
    return drawing(name, parts, title=title, description=told)


def _thinned(series: Series) -> Series:
    stride = max(1, math.ceil(len(series) / MOST_POINTS))
    kept = list(series[::stride])
    return kept if kept[-1] == series[-1] else [*kept, series[-1]]


def _around(low: float, high: float) -> tuple[float, float]:
    """Limits of an axis with some room on both sides."""
    room = (high - low) * 0.06 or abs(high) * 0.05 or 1.0
    return (max(0.0, low - room) if low >= 0 else low - room), high + room
