"""What a submission came to: figures for the leaderboard, or why there are none."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pixelproof.report import CheckResult, Fidelity, ImageFidelity
from pixelproof.submit.scoring.columns import CAP_DB, Column
from pixelproof.submit.scoring.settings import Program


@dataclass(frozen=True)
class Outcome:
    """What is told of a judged submission.

    Attributes:
        scores: finite, by column; None where the submission is broken.
        problem: why it is broken, one line; empty where it isn't.
        per_image: what was measured; nothing of a broken one.
        figures: further lines for people.
    """

    scores: Mapping[str, float] | None
    problem: str
    checks: tuple[CheckResult, ...] = ()
    per_image: tuple[ImageFidelity, ...] = ()
    figures: tuple[str, ...] = ()


@dataclass(frozen=True)
class HandedIn:
    """A submission: the folder into which it was unpacked, and its zip where that is at hand."""

    folder: Path
    zip_path: Path | None = None


Score = Callable[[HandedIn, Path, Program], Outcome]
"""``score(submission, reference folder, program)``."""


def outcome_of(
    checks: tuple[CheckResult, ...],
    values: Mapping[str, float | None],
    columns: tuple[Column, ...],
    *,
    required: tuple[str, ...],
    per_image: tuple[ImageFidelity, ...] = (),
    figures: tuple[str, ...] = (),
) -> Outcome:
    """The outcome that follows from verdicts and figures.

    A submission that is not scored costs no try on the platforms, so it is told no fidelity either: by leaving one
    picture out anybody could otherwise try as often as they like.

    Args:
        values: by column; all columns must be there and finite.
        required: ids of checks that must have run.
    """
    hushed = tuple(_hushed(check) for check in checks)
    problem = _problem(hushed, required) or _unusable(values, columns)
    if problem:
        return Outcome(None, problem, hushed, figures=figures)
    scores = {column.key: _number(values[column.key]) for column in columns}
    return Outcome(scores, "", checks, per_image, figures)


def capped_psnr_db(fidelity: Fidelity) -> float:
    """Mean over images of each image's PSNR, none counted above `CAP_DB`; decibels."""
    capped = [min(image.psnr_db, CAP_DB) for image in fidelity.per_image]
    return math.fsum(capped) / len(capped) if capped else math.nan


def _hushed(check: CheckResult) -> CheckResult:
    if check.id != "fidelity" or check.status == "not_run":
        return check
    return replace(check, found="not told, since the submission is not scored")


def _problem(checks: tuple[CheckResult, ...], required: tuple[str, ...]) -> str:
    failed = [f"{check.title} ({check.found})" for check in checks if check.status == "failed"]
    if failed:
        return f"The submission breaks a rule: {'; '.join(failed)}"
    unjudged = [check.title for check in checks if check.status == "not_run" and check.id in required]
    return f"The submission could not be judged: {', '.join(unjudged)}" if unjudged else ""


def _unusable(values: Mapping[str, float | None], columns: tuple[Column, ...]) -> str:
    unusable = [column.title for column in columns if not math.isfinite(_number(values.get(column.key)))]
    return f"A figure is missing or no finite number: {', '.join(unusable)}" if unusable else ""


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
