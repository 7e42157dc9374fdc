"""Judged pictures as people read them: the table, the remedies, the worst pictures, the verdict, what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from pixelproof.console import Console
from pixelproof.report import ImageFidelity
from pixelproof.validate.image_results.image_report import ImageReport

WORST = 5
_STYLES = {"failed": "bold red", "warning": "yellow"}


def show(console: Console, report: ImageReport) -> None:
    """Print a report."""
    rows = [[check.title, check.status, check.found, check.expected] for check in report.checks]
    console.table("", ["check", "verdict", "found", "the rule"], rows, status_column=1)
    for check in report.checks:
        if check.remedy:
            console.line(f"{check.title}: {check.remedy}", style=_STYLES.get(check.status))
    if report.fidelity is not None:
        listed = ", ".join(f"{image.name} {image.psnr_db:.2f}" for image in worst(report.fidelity.per_image))
        console.line(f"Lowest PSNR in dB: {listed}")
    text, style = verdict_of(report)
    console.line(text, style=style)


def worst(images: Sequence[ImageFidelity]) -> list[ImageFidelity]:
    """The images with the lowest PSNR, the lowest first."""
    return sorted(images, key=lambda image: (image.psnr_db, image.name))[:WORST]


def verdict_of(report: ImageReport) -> tuple[str, str]:
    """(one line, its style)."""
    failed, warned, unjudged = (
        ", ".join(check.title for check in report.checks if check.status == status)
        for status in ("failed", "warning", "not_run")
    )
    rest = f"; not judged: {unjudged}" if unjudged else ""
    if failed:
        return f"FAILED: {failed}{rest}", "bold red"
    if warned:
        return f"PASSED, with a warning: {warned}{rest}", "yellow"
    return f"PASSED{rest}", "green"


def next_step(report: ImageReport, *, how: Sequence[str], is_zip: bool) -> str:
    """What a participant does next; ``how`` are the options to repeat."""
    again = shlex.join(["pixelproof", "validate-images", report.path, *how])
    if not report.passed:
        return f"mend what failed, then {again}"
    if not is_zip:
        return "zip the folder, and judge the zip: its size and its folders are rules too"
    if not report.data:
        return f"{again} --inputs DIR judges the names too"
    return "hand the zip in"
