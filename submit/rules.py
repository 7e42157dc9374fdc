"""What a challenge's file says about handing in, and the hash that ties a report to that file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelproof.challenge import Challenge, Submission, challenge_text, parse_challenge, rules_sha256
from pixelproof.errors import CallError, ChallengeError


@dataclass(frozen=True)
class SubmissionRules:
    """A challenge that takes submissions; ``sha256`` is of its file's text, ``label`` names the file."""

    challenge: Challenge
    submission: Submission
    sha256: str
    label: str


def load_rules(name: str) -> SubmissionRules:
    """The rules of a challenge, by its id or its TOML file.

    Raises:
        CallError: unknown id.
        ChallengeError: the file breaks the schema, or says nothing of submissions.
    """
    label, text = challenge_text(name)
    challenge = parse_challenge(text, label=label)
    if challenge.submission is None:
        remedy = "Add a [submission] section: see docs/package.md."
        raise ChallengeError(f"{label} must say what is handed in", found="no [submission]", remedy=remedy)
    return SubmissionRules(challenge, challenge.submission, rules_sha256(name), label)


def check_out(out: Path, *, inputs: Sequence[Path]) -> None:
    """Refuse a name for the zip that would surprise, or would harm an input.

    Raises:
        CallError: not a ``.zip``, a folder, one of the inputs, or inside one.
    """
    remedy = "For example --out submission.zip."
    if out.suffix.lower() != ".zip" or out.is_dir():
        raise CallError("--out must be a file's name ending in .zip", found=str(out), remedy=remedy)
    place = out.resolve()
    if any(path.resolve() in (place, *place.parents) for path in inputs):
        raise CallError("--out must lie outside the inputs", found=str(out), remedy=remedy)
