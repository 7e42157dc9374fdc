"""The scoring program as EvalAI calls it: ``evaluate(test_annotation_file, user_annotation_file, phase_codename)``.

Both files are zips: the reference data, and what the participant uploaded. EvalAI calls a submission failed where
``evaluate`` raises, and shows the error to its participant (its submission worker, ``run_submission``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pixelproof.errors import SubmissionRefused
from pixelproof.files import MIB
from pixelproof.submit.scoring.outcome import HandedIn, Score
from pixelproof.submit.scoring.program import judged, summary
from pixelproof.submit.scoring.settings import Program, read_program
from pixelproof.submit.unpack import Limits, extract
from pixelproof.temporary import temporary_folder

SPLIT, PHASE = "test_split", "test"
_REFERENCE = Limits(members=100_000, total_bytes=64 * 1024 * MIB, directory_bytes=64 * MIB)


def evaluate_zip(
    reference: str | Path, submission: str | Path, *, folder: Path, score: Score
) -> dict[str, Any]:
    """Unpack, judge, and answer in EvalAI's form.

    Args:
        reference, submission: zips.
        folder: of the program.
        score: judges a submission.

    Returns:
        ``{"result": [{split: {metric: value}}], "submission_result": {metric: value}}``, finite numbers only.

    Raises:
        SubmissionRefused: the submission is broken; the message says why.
        PixelproofError: the organiser's files or the machine are at fault.
    """
    program = read_program(folder)
    with temporary_folder("pixelproof-evalai-") as place:
        extract(Path(reference), _new(place / "ref"), keep=lambda name: True, limits=_REFERENCE)
        extract(Path(submission), _new(place / "res"), keep=lambda name: True, limits=limits_of(program))
        outcome, _ = judged(HandedIn(place / "res", Path(submission)), place / "ref", program, score)
    if outcome.scores is None:
        raise SubmissionRefused(summary(outcome))
    scores = dict(outcome.scores)
    return {"result": [{SPLIT: scores}], "submission_result": scores}


def limits_of(program: Program) -> Limits:
    """How much a submission's zip may hold: for every picture two files, as macOS packs them, and some room."""
    results = program.challenge.track(program.settings.track).results
    return Limits() if results is None else Limits(members=2 * results.count + 200)


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder
