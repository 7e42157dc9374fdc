"""A ranking as a table: cells of text, CSV, Markdown, HTML."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from pixelproof.challenge import Metric
from pixelproof.validate.ranking import METRICS, Ranked

HEADINGS: dict[Metric, str] = {
    "runtime": "Runtime [ms]",
    "params": "Params [M]",
    "flops": "FLOPs [G]",
    "activations": "Acts [M]",
    "memory": "Mem [MiB]",
}
_SCALES: dict[Metric, float] = {
    "runtime": 1.0,
    "params": 1e-6,
    "flops": 1e-9,
    "activations": 1e-6,
    "memory": 1.0,
}
_DIGITS: dict[Metric, int] = {"runtime": 2, "params": 3, "flops": 2, "activations": 2, "memory": 1}

Row = list[str]


def headings() -> Row:
    """Columns, in the order of the published tables."""
    return [
        "Place",
        "Name",
        "PSNR [dB]",
        *(HEADINGS[metric] for metric in METRICS),
        "Convs",
        "Total",
        "Remark",
    ]


def rows(ranked: Sequence[Ranked]) -> list[Row]:
    """One row for each entry: every figure with its rank in brackets behind it."""
    return [_row(item) for item in ranked]


def as_csv(ranked: Sequence[Ranked]) -> str:
    """The table as CSV; a cell that a spreadsheet would take for a formula gets an apostrophe before it."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(headings())
    writer.writerows([_no_formula(cell) for cell in row] for row in rows(ranked))
    return stream.getvalue()


def as_markdown(ranked: Sequence[Ranked]) -> str:
    """The table as Markdown."""
    lines = [headings(), ["---"] * len(headings()), *rows(ranked)]
    return "".join(f"| {' | '.join(_in_markdown(cell) for cell in line)} |\n" for line in lines)


def as_html(ranked: Sequence[Ranked], *, title: str) -> str:
    """The table as one page without anything from outside; names are text and nothing else."""
    from jinja2 import Environment

    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(_PAGE)
    return template.render(title=title, headings=headings(), rows=rows(ranked))


def _row(item: Ranked) -> Row:
    entry = item.entry
    cells = [_cell(item, metric) for metric in METRICS]
    remark = entry.out
    if item.unseparated:
        remark = f"runtime not separable from place {', '.join(map(str, item.unseparated))}"
    return [
        "-" if item.place is None else str(item.place),
        entry.name,
        "-" if entry.psnr_db is None else f"{entry.psnr_db:.2f}",
        *cells,
        "-" if entry.conv_layers is None else str(entry.conv_layers),
        "-" if item.total is None else f"{item.total:g}",
        remark,
    ]


def _cell(item: Ranked, metric: Metric) -> str:
    value = item.entry.figures[metric]
    if value is None:
        return "-"
    text = f"{value * _SCALES[metric]:.{_DIGITS[metric]}f}"
    return f"{text}({item.ranks[metric]})" if metric in item.ranks else text


def _no_formula(cell: str) -> str:
    return (
        f"'{cell}" if cell.startswith(("=", "+", "@", "\t")) or (cell[:1] == "-" and len(cell) > 1) else cell
    )


def _in_markdown(cell: str) -> str:
    return cell.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap; }
th, td { padding: .35rem .75rem; text-align: right; }
th, td { border-bottom: 1px solid color-mix(in srgb, currentColor 25%, transparent); }
th:nth-child(2), td:nth-child(2), th:last-child, td:last-child { text-align: left; white-space: normal; }
tbody tr:hover { background: color-mix(in srgb, currentColor 8%, transparent); }
</style>
</head>
<body>
<h1>{{ title }}</h1>
<div class="wide" role="region" tabindex="0" aria-label="{{ title }}">
<table>
<thead><tr>{% for heading in headings %}<th scope="col">{{ heading }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in rows %}
<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
</div>
<p>The rank of each figure stands in brackets behind it; smaller is better, ties share a rank.</p>
</body>
</html>
"""
