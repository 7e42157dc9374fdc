"""A run's ``history.csv``: a row of figures an epoch."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass

from pixelproof.errors import InputError

PSNR, PSNR_Y, SSIM = "validation_psnr_db", "validation_psnr_y_db", "validation_ssim"
BICUBIC = "bicubic_psnr_db"
_REQUIRED = ("epoch", "loss")
_NO_TERMS = frozenset({
    "epoch", "step", "samples", "seconds", "learning_rate", "loss", PSNR, PSNR_Y, SSIM, BICUBIC, "images_per_second",
    "waiting_share",
})  # fmt: skip
_MAX_ROWS = 1_000_000


@dataclass(frozen=True)
class History:
    """What was measured in each epoch.

    Attributes:
        columns: in the file's order.
        rows: column to value; a column that was not measured in an epoch is not in its row.
    """

    columns: tuple[str, ...]
    rows: tuple[Mapping[str, float], ...]

    @property
    def epochs(self) -> int:
        """The last epoch's number."""
        return int(self.rows[-1]["epoch"])

    @property
    def terms(self) -> tuple[str, ...]:
        """The single losses, where there are several."""
        return tuple(name for name in self.columns if name not in _NO_TERMS)

    def series(self, column: str) -> tuple[tuple[int, float], ...]:
        """(epoch, value) wherever the column was measured."""
        return tuple((int(row["epoch"]), row[column]) for row in self.rows if column in row)

    def best(self, column: str) -> tuple[int, float] | None:
        """(epoch, value) of the highest value, the first of equal ones; None where it was never measured."""
        return max(self.series(column), key=lambda pair: pair[1], default=None)

    def last(self, column: str) -> tuple[int, float] | None:
        """(epoch, value) of the newest value."""
        series = self.series(column)
        return series[-1] if series else None


def parse_history(data: bytes, *, label: str) -> History:
    """A history from its CSV.

    Args:
        label: the file's name for messages.

    Raises:
        InputError: no CSV of train-model, no epoch in it, a value that is no finite number, epochs out of order.
    """
    try:
        lines = list(csv.reader(io.StringIO(data.decode()), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise _wrong("must be CSV in UTF-8", f"{label}: {error}") from error
    header = tuple(lines[0]) if lines else ()
    missing = [name for name in _REQUIRED if name not in header]
    if missing or len(set(header)) != len(header):
        found = f"{label} without {' and '.join(missing)}" if missing else f"{label} with a column twice"
        raise _wrong("must have the columns that train-model writes", found)
    if len(lines) < 2:
        raise _wrong(
            "must hold an epoch", f"none in {label}", "Train first: the run has not finished an epoch."
        )
    if len(lines) > _MAX_ROWS:
        raise _wrong(f"must hold at most {_MAX_ROWS} epochs", f"{len(lines) - 1} in {label}")
    rows = tuple(_row(header, cells, f"{label}, line {n}") for n, cells in enumerate(lines[1:], start=2))
    epochs = [row["epoch"] for row in rows]
    if any(not epoch.is_integer() or epoch < 1 for epoch in epochs) or epochs != sorted(set(epochs)):
        raise _wrong("must have its epochs in order, each once, from 1", f"others in {label}")
    return History(header, rows)


def _row(header: tuple[str, ...], cells: list[str], where: str) -> Mapping[str, float]:
    if len(cells) != len(header):
        raise _wrong(f"must have {len(header)} cells a line", f"{len(cells)} ({where})")
    row = {name: _number(name, cell, where) for name, cell in zip(header, cells, strict=True) if cell.strip()}
    for name in _REQUIRED:
        if name not in row:
            raise _wrong(f"must have {name} in every line", f"an empty cell ({where})")
    return row


def _number(name: str, cell: str, where: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise _wrong("must hold numbers", f"{cell[:40]!r} for {name} ({where})") from None
    if not math.isfinite(value):
        remedy = "The training went astray there: lower the learning rate, and train again."
        raise _wrong("must be finite", f"{value} for {name} ({where})", remedy)
    return value


def _wrong(rule: str, found: str, remedy: str = "Take the file as the run wrote it.") -> InputError:
    return InputError(f"A run's history {rule}", found=found, remedy=remedy)
