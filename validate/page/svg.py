"""Small drawings as inline SVG: elements, scales, axes. Colours are the style sheet's, by class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from pixelproof.printable import printable

WIDTH, HEIGHT = 520.0, 260.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 14.0, 22.0, 42.0
_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)


def tag(name: str, *children: str | Markup, **attributes: str | float | None) -> Markup:
    """An element; text and attributes are escaped, ``Markup`` stays.

    Of an attribute's name a last ``_`` is dropped, and others become ``-``.
    """
    listed = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_value(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(str(c if isinstance(c, Markup) else escape(printable(c))) for c in children)
    return Markup(f"<{name}{listed}>{inside}</{name}>")


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return printable(value)
    return f"{value:.2f}".rstrip("0").rstrip(".")


def ticks(low: float, high: float, *, most: int = 6, least_step: float = 0.0) -> list[float]:
    """Round numbers from within [low, high], at most so many or one more."""
    if not high > low:
        return [low]
    step = max((high - low) / most, least_step)
    size = 10.0 ** math.floor(math.log10(step))
    step = next(size * nice for nice in _NICE if size * nice >= step * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [place * step for place in range(first, last + 1)]


def tick_text(value: float, step: float) -> str:
    """A tick with as many digits as its step needs."""
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    if not math.isclose(step * 10**digits, round(step * 10**digits)):
        digits += 1
    return f"{value:,.{digits}f}".replace("-", "−")


@dataclass(frozen=True)
class Frame:
    """The area of a drawing, and what its edges stand for; with ``counts`` upwards in whole numbers."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float
    height: float = HEIGHT
    counts: bool = False

    def x(self, value: float) -> float:
        """Where a value lies from the left."""
        return LEFT + (value - self.x_low) / ((self.x_high - self.x_low) or 1) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Where a value lies from the top."""
        inner = self.height - TOP - BOTTOM
        return TOP + inner - (value - self.y_low) / ((self.y_high - self.y_low) or 1) * inner

    def axes(self, *, x_label: str, y_label: str, x_most: int = 6) -> Markup:
        """Both axes with their ticks and labels."""
        parts = [self._rows()]
        values = ticks(self.x_low, self.x_high, most=x_most)
        step = values[1] - values[0] if len(values) > 1 else 1.0
        bottom = self.height - BOTTOM
        for value in values:
            at = self.x(value)
            parts.append(tag("line", class_="tick", x1=at, x2=at, y1=bottom, y2=bottom + 4))
            label = tick_text(value, step)
            parts.append(tag("text", label, class_="label", x=at, y=bottom + 17, text_anchor="middle"))
        middle = (LEFT + WIDTH - RIGHT) / 2
        parts += [
            tag("line", class_="axis", x1=LEFT, x2=WIDTH - RIGHT, y1=bottom, y2=bottom),
            tag("text", x_label, class_="name", x=middle, y=self.height - 6, text_anchor="middle"),
            tag("text", y_label, class_="name", x=4, y=12),
        ]
        return joined(parts)

    def _rows(self) -> Markup:
        values = ticks(self.y_low, self.y_high, most=4, least_step=float(self.counts))
        step = values[1] - values[0] if len(values) > 1 else 1.0
        parts = []
        for value in values:
            at = self.y(value)
            parts.append(tag("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=at, y2=at))
            label = tick_text(value, step)
            parts.append(tag("text", label, class_="label", x=LEFT - 8, y=at + 4, text_anchor="end"))
        return joined(parts)


def joined(parts: Sequence[Markup]) -> Markup:
    """Elements one after another."""
    return Markup("").join(parts)


def drawing(
    name: str, parts: Sequence[Markup], *, title: str, description: str, height: float = HEIGHT
) -> Markup:
    """A whole drawing, with what it shows in words.

    Args:
        name: unique on the page.
    """
    name = f"plot-{name}"
    told = tag("title", title, id=f"{name}-title") + tag("desc", description, id=f"{name}-desc")
    return tag(
        "svg",
        told,
        *parts,
        class_="plot",
        viewBox=f"0 0 {WIDTH:g} {height:g}",
        role="img",
        aria_labelledby=f"{name}-title",
        aria_describedby=f"{name}-desc",
    )
