"""The table of all rows: as text, as Markdown, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.machine import Machine, this_machine
from benchmarks.row import Row, Skip, to_json
from benchmarks.timing import interleaved, timed
from pixelproof.console import Console

__all__ = ["Part", "Row", "Table", "cells", "interleaved", "markdown", "print_table", "show", "timed"]

COLUMNS = ("what", "ours", "peer", "peer's", "ratio", "target", "met", "note")
QUICK = "quick run: small sizes and few rounds, to see that everything works; no figures to quote"


@dataclass(frozen=True)
class Part:
    """What one benchmark said, and how long it took."""

    bench: str
    said: tuple[Row | Skip, ...]
    seconds: float

    @property
    def failed(self) -> bool:
        """Whether it ended with an error."""
        return any(row.met == "failed" for row in self.rows)

    @property
    def rows(self) -> list[Row]:
        """Without what was skipped."""
        return [one for one in self.said if isinstance(one, Row)]

    @property
    def skipped(self) -> list[str]:
        """The reasons alone."""
        return [one.reason for one in self.said if isinstance(one, Skip)]


@dataclass(frozen=True)
class Table:
    """All parts of one run, in their order."""

    machine: Machine
    parts: tuple[Part, ...]
    quick: bool = False

    @property
    def skips(self) -> list[tuple[str, str]]:
        """(benchmark, reason)."""
        return [(part.bench, reason) for part in self.parts for reason in part.skipped]

    def summary(self) -> str:
        """How many rows there are, of each verdict."""
        met = [row.met for part in self.parts for row in part.rows]
        counts = (
            f"{met.count('yes')} targets met",
            f"{met.count('no')} not met",
            f"{met.count('failed')} failed",
        )
        rest = (f"{met.count('no target')} without a target", f"{len(self.skips)} skipped")
        return ", ".join([*counts, *rest])

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "schema_version": 1,
            "quick": self.quick,
            "machine": self.machine.to_json(),
            "seconds": {part.bench: round(part.seconds, 1) for part in self.parts},
            "rows": [{"bench": part.bench, **to_json(row)} for part in self.parts for row in part.rows],
            "skipped": [{"bench": bench, "reason": reason} for bench, reason in self.skips],
        }


def cells(row: Row) -> list[str]:
    """A row as text, in the order of `COLUMNS`."""
    target = "-" if row.target is None else f"{row.bound} {row.target:g}"
    return [
        row.what,
        figure(row.ours, row.unit),
        row.peer or "-",
        figure(row.peer_value, row.unit),
        "-" if row.ratio is None else f"{row.ratio:.3f}",
        target,
        row.met,
        row.note,
    ]


def figure(value: float | None, unit: str) -> str:
    """Four digits and the unit; "-" for none."""
    if value is None:
        return "-"
    digits = f"{value:.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.4g}"
    return f"{digits} {unit}".strip()


def markdown(table: Table) -> str:
    """The same as a Markdown document without a heading."""
    lines = ["", *(f"- {line}" for line in table.machine.lines()), ""]
    lines = [f"**{QUICK}**", *lines] if table.quick else lines[1:]
    lines += [_md_line(("benchmark", *COLUMNS)), _md_line(["---"] * (len(COLUMNS) + 1))]
    lines += [_md_line([part.bench, *cells(row)]) for part in table.parts for row in part.rows]
    lines += ["", table.summary() + "."]
    if table.skips:
        lines += ["", "Skipped:", "", *(f"- {bench}: {reason}" for bench, reason in table.skips)]
    return "\n".join(lines) + "\n"


def print_table(table: Table, console: Console) -> None:
    """Print it all."""
    lines = [_text_line(part.bench, row) for part in table.parts for row in part.rows]
    console.table(QUICK if table.quick else "", COLUMNS[:-1], lines)
    if table.skips:
        console.table("Skipped", ["benchmark", "why"], [list(skip) for skip in table.skips])
    for line in table.machine.lines():
        console.line(line)
    console.line(table.summary() + ".")


def show(said: Sequence[Row | Skip]) -> None:
    """Print the rows of one benchmark with the machine that they were measured on."""
    print_table(Table(this_machine(None), (Part("", tuple(said), 0.0),)), Console())


def _text_line(bench: str, row: Row) -> list[str]:
    what, *figures, note = cells(row)
    named = f"{bench}: {what}" if bench else what
    return [f"{named}\n  {note}" if note else named, *figures]


def _md_line(row: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"
