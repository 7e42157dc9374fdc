"""The scoring program as Codabench runs it: ``scoring.py INPUT OUTPUT``.

Codabench unpacks the organiser's data in ``INPUT/ref`` and the submission in ``INPUT/res``, and calls a submission
failed where ``OUTPUT/scores.json`` is missing afterwards, whatever the exit code (its compute worker, `push_scores`).
So a broken submission leaves none; why, is told on standard error and in ``OUTPUT/detailed_results.html``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from pixelproof.errors import CallError, PixelproofError, RuleBroken
from pixelproof.files import make_folder, write_text
from pixelproof.printable import printable
from pixelproof.report import dump_json
from pixelproof.submit.scoring.columns import columns_of
from pixelproof.submit.scoring.outcome import HandedIn, Outcome, Score
from pixelproof.submit.scoring.page import page
from pixelproof.submit.scoring.settings import Program, read_program

SCORES, PAGE = "scores.json", "detailed_results.html"


def run(arguments: Sequence[str], *, folder: Path, score: Score) -> int:
    """Score what lies in a folder.

    Args:
        arguments: the input folder, the output folder.
        folder: of the program.
        score: judges a submission.

    Returns:
        The exit code: 0 scored; 1 the submission is broken; 2 the call or the organiser's files are wrong; 3 the
        program or the machine failed.
    """
    try:
        if len(arguments) != 2:
            found = f"{len(arguments)} arguments"
            raise CallError("The program takes an input folder and an output folder", found=found)
        given, output = (Path(argument) for argument in arguments)
        program = read_program(folder)
        make_folder(output)
        (output / SCORES).unlink(missing_ok=True)
        outcome, code = judged(HandedIn(given / "res"), given / "ref", program, score)
        write_text(output / PAGE, page_of(outcome, program))
        if outcome.scores is not None:
            write_text(output / SCORES, dump_json(outcome.scores))
    except PixelproofError as error:
        _say(sys.stderr, f"Error: {error}")
        return error.exit_code
    _say(sys.stdout if code == 0 else sys.stderr, summary(outcome))
    return code


def judged(handed_in: HandedIn, reference: Path, program: Program, score: Score) -> tuple[Outcome, int]:
    """The outcome and the exit code, whoever is at fault."""
    try:
        if not handed_in.folder.is_dir() or not any(handed_in.folder.iterdir()):
            return Outcome(None, "The submission is empty."), RuleBroken.exit_code
        outcome = score(handed_in, reference, program)
    except RuleBroken as error:
        return Outcome(None, str(error)), error.exit_code
    except PixelproofError as error:
        return Outcome(None, f"This is not the participant's fault. {error}"), error.exit_code
    return outcome, 0 if outcome.scores is not None else RuleBroken.exit_code


def page_of(outcome: Outcome, program: Program) -> str:
    """``detailed_results.html``."""
    challenge, name = program.challenge, program.settings.track
    track = challenge.track(name)
    return page(outcome, title=f"{challenge.title} | {track.title}", columns=columns_of(track))


def summary(outcome: Outcome) -> str:
    """The outcome in one line."""
    if outcome.scores is None:
        return f"Not scored. {outcome.problem}"
    return "Scored: " + ", ".join(f"{key} {value:.6g}" for key, value in outcome.scores.items())


def _say(stream: TextIO, text: str) -> None:
    stream.write(printable(text) + "\n")
