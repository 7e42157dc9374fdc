"""A team's values over its submissions as a small SVG line, with words for those who don't see it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

MOST_POINTS = 60
_EDGE = 4.0


def sparkline(
    values: Sequence[float], *, higher_is_better: bool, label: str, width: int = 96, height: int = 26
) -> Markup:
    """The last values as a line with its end marked; up is better. One value alone is a dot.

    Args:
        values: in their order; those that are not finite are left out.
        label: what they are, for screen readers; it is escaped here.
        width, height: CSS pixels.
    """
    finite = [value for value in values if math.isfinite(value)][-MOST_POINTS:]
    if not finite:
        return Markup("")
    points = _points(finite, higher_is_better=higher_is_better, width=width, height=height)
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    told = escape(f"{label}: {len(finite)} values, from {finite[0]:.4g} to {finite[-1]:.4g}")
    drawn = f'<polyline points="{line}"/>' if len(points) > 1 else ""
    return Markup(  # numbers, and what was escaped
        f'<svg class="spark" role="img" aria-label="{told}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">{drawn}<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"/></svg>'
    )


def _points(
    values: Sequence[float], *, higher_is_better: bool, width: int, height: int
) -> list[tuple[float, float]]:
    low, high = min(values), max(values)
    span = high - low
    step = (width - 2 * _EDGE) / max(len(values) - 1, 1)
    points = []
    for number, value in enumerate(values):
        share = 0.5 if span == 0 else (value - low) / span
        up = share if higher_is_better else 1 - share
        x = width / 2 if len(values) == 1 else _EDGE + number * step
        points.append((x, _EDGE + (1 - up) * (height - 2 * _EDGE)))
    return points
