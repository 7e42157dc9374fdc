"""``detailed_results.html``: one page of its own, without scripts, in which every stranger's text stays text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from pixelproof.printable import printable
from pixelproof.report import CheckResult, ImageFidelity
from pixelproof.submit.scoring.columns import CAP_DB, Column
from pixelproof.submit.scoring.outcome import Outcome

MOST_ROWS = 2000
_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em; }
table { border-collapse: collapse; margin: 1em 0; }
th, td { border-bottom: 1px solid #8886; padding: .3em .8em; text-align: left; vertical-align: top; }
td { overflow-wrap: anywhere; }
td.number { font-variant-numeric: tabular-nums; text-align: right; }
.failed { color: #c62828; font-weight: 600; } .passed { color: #2e7d32; } .warning { color: #b26a00; }
@media (prefers-color-scheme: dark) {
  .failed { color: #ff8a80; } .passed { color: #a5d6a7; } .warning { color: #ffcc80; }
}
""".strip()


def page(outcome: Outcome, *, title: str, columns: Sequence[Column]) -> str:
    """The whole document.

    Args:
        title: challenge and track.
        columns: titles of the scores.
    """
    parts = [f"<h1>{_text(title)}</h1>", _verdict(outcome)]
    if outcome.scores is not None:
        rows = [(column.title, f"{outcome.scores[column.key]:.{column.precision}f}") for column in columns]
        parts.append(_table(("Figure", "Value"), [f"{_cell(a)}{_cell(b, 'number')}" for a, b in rows]))
    parts += [f"<p>{_text(line)}</p>" for line in outcome.figures]
    if outcome.checks:
        parts.append("<h2>Checks</h2>")
        parts.append(_table(("Check", "Verdict", "Found", "The rule"), map(_check, outcome.checks)))
        parts += [f"<p>{_text(c.title)}: {_text(c.remedy)}</p>" for c in outcome.checks if c.remedy]
    if outcome.per_image:
        parts += _images(outcome.per_image)
    body = "\n".join(parts)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{_text(title)}</title>\n'
        f"<style>\n{_STYLE}\n</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _verdict(outcome: Outcome) -> str:
    if outcome.scores is None:
        return f'<p class="failed">Not scored. {_text(outcome.problem)}</p>'
    warned = [check.title for check in outcome.checks if check.status == "warning"]
    if warned:
        return f'<p class="warning">Scored, with a warning: {_text(", ".join(warned))}.</p>'
    return '<p class="passed">Scored: every rule is kept.</p>'


def _check(check: CheckResult) -> str:
    verdict = f'<td class="{check.status}">{check.status.replace("_", " ")}</td>'
    return f"{_cell(check.title)}{verdict}{_cell(check.found)}{_cell(check.expected)}"


def _images(images: Sequence[ImageFidelity]) -> list[str]:
    """The pictures, worst first."""
    has_ssim = any(image.ms_ssim is not None for image in images)
    ordered = sorted(images, key=lambda image: (image.psnr_db, image.name))[:MOST_ROWS]
    titles = ("Picture", "PSNR [dB]", "MS-SSIM") if has_ssim else ("Picture", "PSNR [dB]")
    rows = []
    for image in ordered:
        row = _cell(image.name) + _cell(_psnr(image.psnr_db), "number")
        rows.append(row + _cell(f"{image.ms_ssim or 0:.5f}", "number") if has_ssim else row)
    left_out = len(images) - len(ordered)
    more = [f"<p>{left_out} more pictures are not listed.</p>"] if left_out else []
    return ["<h2>Pictures, the worst first</h2>", _table(titles, rows), *more]


def _psnr(value: float) -> str:
    return f"{value:.4f}" if value <= CAP_DB else f"above {CAP_DB:g}"


def _table(titles: Sequence[str], rows: Iterable[str]) -> str:
    head = "".join(f'<th scope="col">{_text(title)}</th>' for title in titles)
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _cell(text: str, kind: str = "") -> str:
    return f'<td class="{kind}">{_text(text)}</td>' if kind else f"<td>{_text(text)}</td>"


def _text(text: str) -> str:
    return escape(printable(text), quote=True)
