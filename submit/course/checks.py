"""Rules that a run and its checkpoint must keep for a course: the number of parameters, no external data, figures."""

from __future__ import annotations

from collections.abc import Iterator

from pixelproof.challenge import Challenge
from pixelproof.errors import RuleBroken, SubmissionRefused
from pixelproof.submit.course.faults import Faults
from pixelproof.submit.course.history import PSNR
from pixelproof.submit.course.run_folder import RECIPE, Run

_NO_WEIGHTS = "near-identity"
"""A beginning that the trainer computes."""


def check_network(run: Run, *, scale: int, below: int | None, faults: Faults) -> None:
    """Its scale, its parameters and its figures; what breaks a rule is noted."""
    with faults.noted():
        check_scale(run, scale=scale)
    with faults.noted():
        check_parameters(run, below=below)
    with faults.noted():
        check_validated(run)


def check_scale(run: Run, *, scale: int) -> None:
    """Trained for the challenge's scale.

    Raises:
        SubmissionRefused: for another.
    """
    trained = run.recipe.get("scale", 1)
    if trained != scale:
        remedy = "Name the run of this challenge's network."
        found = f"{trained} in {run.path / RECIPE}"
        raise SubmissionRefused(f"The network must be trained for scale {scale}", found=found, remedy=remedy)


def check_parameters(run: Run, *, below: int | None) -> None:
    """Strictly fewer parameters than the challenge says.

    Raises:
        SubmissionRefused: as many, or more.
    """
    if below is not None and run.checkpoint.parameters >= below:
        remedy = "Train a smaller network: fewer blocks or features."
        found = f"{run.checkpoint.parameters:,} in {run.checkpoint.path}"
        raise SubmissionRefused(
            f"The network must have fewer than {below:,} parameters", found=found, remedy=remedy
        )


def check_validated(run: Run) -> None:
    """The run measured PSNR at least once.

    Raises:
        SubmissionRefused: it never did.
    """
    if run.history.last(PSNR) is None:
        remedy = "Train with a validation folder: [data] validation in the recipe."
        raise SubmissionRefused(
            "A hand-in must tell the validation PSNR", found="none in the history", remedy=remedy
        )


def check_stated(challenge: Challenge, *, is_stated: bool) -> None:
    """Rules that no file can show are the student's to state.

    Raises:
        RuleBroken: not stated.
    """
    if challenge.honour and not is_stated:
        remedy = "State it with --no-external-data if it is so; Readme.txt then says so in your name."
        rule = f"{challenge.id}: {' '.join(challenge.honour)}"
        raise RuleBroken(rule, found="no statement", remedy=remedy)


def honour_warnings(run: Run) -> Iterator[str]:
    """What in the recipe may speak against the statement."""
    if run.recipe.get("start") not in (None, "", _NO_WEIGHTS):
        yield f"{RECIPE}: the run began from weights (start). They must be from the given images alone."
    if isinstance(run.recipe.get("content"), dict):
        yield (
            f"{RECIPE}: the loss 'content' uses a network that was trained on other images. Ask your course whether "
            "that is allowed."
        )
