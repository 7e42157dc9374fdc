"""What a ranking's table shows: one column after the other, as text, and as the number that it is sorted by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pixelproof.submit.board.standing import Line, Measure, Ranking
from pixelproof.validate.rank_table import headings, rows

DASH = "–"
FIGURE_COLUMNS = {
    "psnr_db": ("PSNR [dB]", 3),
    "ms_ssim": ("MS-SSIM", 4),
    "latency_ms": ("Runtime [ms]", 1),
    "speedup": ("Speed-up", 2),
    "peak_rss_mib": ("Peak memory [MiB]", 0),
}
_DIGITS = {"psnr_db": 3, "ms_ssim": 4, "speedup": 3, "latency_ms": 2, "peak_rss_mib": 0, "model_rss_mib": 1}


@dataclass(frozen=True)
class Cell:
    """What stands in a cell, and by what number its column is sorted (None: by the text)."""

    text: str
    number: float | None = None


@dataclass(frozen=True)
class Column:
    """One column of a table; ``kind`` says how a page shows it."""

    title: str
    kind: str
    cell: Callable[[Line], Cell]

    @property
    def is_number(self) -> bool:
        """Whether it stands at the right."""
        return self.kind not in ("team", "text")


def columns_of(ranking: Ranking) -> tuple[Column, ...]:
    """The columns of a ranking; figures that nobody has are left out."""
    middle = _by_figures(ranking) if ranking.by_figures else _by_value(ranking)
    remarks = any(line.remark for line in ranking.lines)
    return (
        Column("Rank", "place", lambda line: Cell(_whole(line.place), line.place)),
        Column("Team", "team", lambda line: Cell(line.team.label)),
        *middle,
        Column("Passed / all", "entries", _entries),
        *(_history(ranking.measure) if ranking.measure is not None else ()),
        *((Column("Remark", "text", lambda line: Cell(line.remark)),) if remarks else ()),
    )


def table(ranking: Ranking) -> tuple[list[str], list[list[str]]]:
    """(headings, rows) as text."""
    columns = columns_of(ranking)
    return [c.title for c in columns], [[c.cell(line).text for c in columns] for line in ranking.lines]


def number(value: float | None, measure: Measure | None) -> str:
    """A measure's value with as many digits as it deserves."""
    if value is None:
        return DASH
    if measure is not None and measure.name in ("params", "flops", "activations", "conv_layers"):
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.{_DIGITS.get(measure.name, 3) if measure is not None else 3}f}"


def moment(at: datetime | None) -> str:
    """A time for people: UTC, to the minute."""
    return DASH if at is None else at.strftime("%Y-%m-%d %H:%M")


def _by_value(ranking: Ranking) -> list[Column]:
    measure = ranking.measure
    shown = [
        _figure(name, title, digits)
        for name, (title, digits) in FIGURE_COLUMNS.items()
        if (measure is None or name != measure.name)
        and any(line.entry is not None and name in line.entry.figures for line in ranking.lines)
    ]
    if measure is None:
        return shown
    value = Column(measure.title, "value", lambda line: Cell(number(line.value, measure), line.value))
    return [value, *shown]


def _figure(name: str, title: str, digits: int) -> Column:
    def cell(line: Line) -> Cell:
        value = line.entry.figures.get(name) if line.entry is not None else None
        return Cell(DASH) if value is None else Cell(f"{value:.{digits}f}", value)

    return Column(title, "figure", cell)


def _by_figures(ranking: Ranking) -> list[Column]:
    """The columns of `validate.rank_table`, between its name and its remark."""
    ranked = [line.ranked for line in ranking.lines if line.ranked is not None]
    cells = {id(item): row for item, row in zip(ranked, rows(ranked), strict=True)}
    return [
        _ready(title, position, cells)
        for position, title in enumerate(headings())
        if title not in ("Place", "Name", "Remark")
    ]


def _ready(title: str, position: int, cells: dict[int, list[str]]) -> Column:
    def cell(line: Line) -> Cell:
        text = cells[id(line.ranked)][position] if line.ranked is not None else "-"
        return Cell(DASH) if text == "-" else Cell(text.replace("(", " ("), float(text.split("(")[0]))

    return Column(title, "value" if title == "Total" else "figure", cell)


def _entries(line: Line) -> Cell:
    team = line.team
    return Cell(f"{team.passed} / {len(team.entries)}", len(team.entries))


def _history(measure: Measure) -> Sequence[Column]:
    return (
        Column("Last", "figure", lambda line: Cell(number(line.last, measure), line.last)),
        Column("Best", "figure", lambda line: Cell(number(line.best, measure), line.best)),
        Column("Trend", "trend", lambda line: Cell("", float(len(line.trend)))),
    )


def _whole(value: int | None) -> str:
    return DASH if value is None else str(value)
