"""Numbers and times as the page shows them."""

from __future__ import annotations

import math

GIGA, MEGA, KILO = 10**9, 10**6, 10**3
LEAST_LEVELS = 0.0001
_KIB = 1024


def number(value: float | None, digits: int) -> str:
    """A number with so many digits behind the point, with commas between thousands; a dash for None."""
    if value is None:
        return "–"
    if math.isnan(value):
        return "no number"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:,.{digits}f}".replace("-", "−")


def significant(value: float | None, digits: int = 3) -> str:
    """A number with so many significant digits."""
    if value is None or not math.isfinite(value) or value == 0:
        return "0" if value == 0 else number(value, 0)
    behind = digits - 1 - math.floor(math.log10(abs(value)))
    if behind > 6:
        return f"{value:.{digits - 1}e}".replace("-", "−")
    return number(value, max(0, behind))


def levels(value: float | None) -> str:
    """A difference in 8-bit levels: ``0.0134``, ``< 0.0001``."""
    if value is not None and 0 < value < LEAST_LEVELS:
        return f"< {LEAST_LEVELS:.4f}"
    return significant(value)


def milliseconds(value: float | None) -> str:
    """``12.3 ms``."""
    return "–" if value is None else f"{significant(value)} ms"


def mib(value: float | None) -> str:
    """``1,234 MiB``, or of small sizes with a digit more."""
    return "–" if value is None else f"{number(value, 0 if abs(value) >= 100 else 1)} MiB"


def file_size(size_bytes: int) -> str:
    """``77.2 KiB``."""
    if size_bytes < _KIB:
        return f"{size_bytes} bytes"
    if size_bytes < _KIB**2:
        return f"{size_bytes / _KIB:.1f} KiB"
    return f"{size_bytes / _KIB**2:,.1f} MiB"


def count(value: int) -> str:
    """``1.23 G``, ``4.56 M``, ``7.89 k``, ``123``."""
    for unit, size in (("G", GIGA), ("M", MEGA), ("k", KILO)):
        if value >= size:
            return f"{significant(value / size)} {unit}"
    return str(value)


def percent(share: float, digits: int = 1) -> str:
    """``12.3 %``; what is there and would be rounded to nothing is ``< 0.1 %``."""
    least = 10.0**-digits
    if math.isnan(share):
        return "not known"
    if 0 < share * 100 < least:
        return f"< {least:.{digits}f} %"
    return f"{share * 100:.{digits}f} %"


def sort_key(value: float | None) -> str:
    """What the page sorts a cell by: a number as JavaScript reads it, nothing where there is none."""
    if value is None or math.isnan(value):
        return ""
    return ("Infinity" if value > 0 else "-Infinity") if math.isinf(value) else repr(float(value))
