"""What a run says of itself, as lines and tables that Readme, info file and report share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from pixelproof.printable import printable
from pixelproof.submit.course.history import BICUBIC, PSNR, PSNR_Y, SSIM, History
from pixelproof.submit.course.run_folder import Run

Fact = tuple[str, str]
_MEASURES = {
    PSNR: ("Validation PSNR", " dB"),
    PSNR_Y: ("Validation PSNR on Y", " dB"),
    SSIM: ("Validation SSIM", ""),
}
_MACHINE = {
    "cpu": "Processor", "cores": "Cores", "ram_gib": "Memory in GiB", "gpu": "GPU", "os": "System",
}  # fmt: skip
_MOST_TABLE_ROWS = 8


def hyper_parameters(run: Run) -> list[Fact]:
    """Every setting of the recipe as (dotted key, value); of a path the last part alone."""
    return [(key, _value(value)) for key, value in _flat(run.recipe)]


def loss_formula(run: Run) -> str:
    """The sum that fell: ``1 l1 + 0.1 ssim``."""
    return " + ".join(f"{_number(weight)} {name}" for name, weight in run.recipe["loss"].items())


def final_losses(history: History) -> list[Fact]:
    """Loss in the first and the last epoch, and each of its terms in the last."""
    first, last = history.rows[0], history.rows[-1]
    facts = [("Loss, first epoch", f"{first['loss']:.6g}"), ("Loss, last epoch", f"{last['loss']:.6g}")]
    return facts + [(f"{name}, last epoch", f"{last[name]:.6g}") for name in history.terms if name in last]


def measures(history: History) -> list[Fact]:
    """Best and last value of everything that was validated, and what bicubic has on the same pictures."""
    facts = []
    for column, (title, unit) in _MEASURES.items():
        best, last = history.best(column), history.last(column)
        if best is not None and last is not None:
            digits = 4 if column == SSIM else 2
            told = f"best {best[1]:.{digits}f}{unit} (epoch {best[0]}), last {last[1]:.{digits}f}{unit}"
            facts.append((title, f"{told} (epoch {last[0]})"))
    bicubic = history.last(BICUBIC)
    return facts if bicubic is None else [*facts, ("PSNR of bicubic", f"{bicubic[1]:.2f} dB")]


def machine(run: Run) -> list[Fact]:
    """Where it was trained, and how long that took."""
    facts = [(title, _value(run.machine[key])) for key, title in _MACHINE.items() if run.machine.get(key)]
    seconds = run.machine.get("seconds")
    if isinstance(seconds, int | float) and not isinstance(seconds, bool):
        facts.append(("Training time", duration(float(seconds))))
    return facts


def libraries(run: Run) -> list[Fact]:
    """(library, version), by name; versions of Python's own first."""
    listed = [(printable(name), printable(version)) for name, version in sorted(run.versions.items())]
    python = run.machine.get("python")
    return [("Python", printable(str(python))), *listed] if python else listed


def epochs_table(history: History) -> tuple[list[str], list[list[str]]]:
    """(titles, rows) of a few epochs, evenly taken, the first, the best and the last among them."""
    titles = {"epoch": "Epoch", "loss": "Loss", PSNR: "PSNR (dB)", PSNR_Y: "PSNR on Y (dB)", SSIM: "SSIM"}
    columns = [c for c in titles if any(c in row for row in history.rows)]
    rows = [row for row in history.rows if PSNR in row] or list(history.rows)
    chosen = {round(i * (len(rows) - 1) / (_MOST_TABLE_ROWS - 2)) for i in range(_MOST_TABLE_ROWS - 1)}
    best = history.best(PSNR)
    chosen |= {i for i, row in enumerate(rows) if best is not None and row["epoch"] == best[0]}
    table = [[_cell(column, rows[i].get(column)) for column in columns] for i in sorted(chosen)]
    return [titles[column] for column in columns], table


def duration(seconds: float) -> str:
    """``3 h 05 min``, ``12 min``, ``40 s``."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


def aligned(facts: list[Fact], *, indent: str = "  ") -> list[str]:
    """Facts as lines of plain text, their values below each other."""
    width = max((len(title) for title, _ in facts), default=0) + 2
    return [f"{indent}{title:<{width}}{value}" for title, value in facts]


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{printable(str(key))}.")
        else:
            yield f"{prefix}{printable(str(key))}", value


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_value(one) for one in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _number(value)
    text = str(value)
    path = PureWindowsPath(text) if "\\" in text else PurePosixPath(text)
    return printable(f".../{path.name}" if path.is_absolute() and path.name else text) or "none"


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else printable(str(value))


def _cell(column: str, value: float | None) -> str:
    if value is None:
        return "–"
    if column == "epoch":
        return str(int(value))
    return (
        f"{value:.2f}" if column in (PSNR, PSNR_Y) else f"{value:.4f}" if column == SSIM else f"{value:.5g}"
    )
