"""The one exception tree.

::

    PixelproofError            exit 3
    ├── CallError              exit 2   the call is wrong: an option, a name, a combination
    ├── InputError             exit 2   an input file is not what it should be
    │   ├── CheckpointError             weights missing, surplus, of other shapes, unreadable
    │   ├── ArtifactError               unreadable, not a graph, not a supported format
    │   ├── ImageError                  unreadable, mismatched
    │   ├── ShapeMismatch               two arrays that must agree don't
    │   ├── ChallengeError              a challenge file: key, line, what it should be
    │   ├── ReportError                 a report file
    │   ├── RecipeError                 a training or degradation recipe: key, line, what it should be
    │   └── LedgerError                 a ledger: missing, damaged, of another version, no ledger
    ├── RuleBroken             exit 1   a rule of a challenge or of pixelproof itself
    │   ├── ParityBroken                an exported file computes another picture than its source
    │   ├── SubmissionRefused           the submission can't be packed, or unpacked
    │   ├── ModelFailed                 the model raised an error while it was loaded or run
    │   │   └── GraphRefused            the scan found what a judged model may not hold
    │   ├── TrainingDiverged            a loss that is NaN or infinite
    │   └── WorkerStopped               the judged model crashed, ran too long or took too much memory
    └── EnvironmentFault       exit 3   disk full, folder not writable, a part not installed

Every message says the rule, what was found, and the way out.
"""

from __future__ import annotations

from typing import Literal


class PixelproofError(Exception):
    """Base of all errors that a user may see.

    Args:
        rule: what must hold, one sentence without its full stop.
        found: what was found instead.
        remedy: the way out, one or more full sentences.
    """

    exit_code = 3

    def __init__(self, rule: str, *, found: str = "", remedy: str = "") -> None:
        self.rule = rule
        self.found = found
        self.remedy = remedy
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        text = self.rule if not self.found else f"{self.rule}; found {self.found}"
        text = text.rstrip(".") + "."
        return f"{text} {self.remedy}" if self.remedy else text


class CallError(PixelproofError):
    """The call is wrong."""

    exit_code = 2


class InputError(PixelproofError):
    """An input file is not what it should be."""

    exit_code = 2


class CheckpointError(InputError):
    """Weights are missing, surplus, of other shapes, or unreadable."""


class ArtifactError(InputError):
    """A file is no graph, is damaged, or is of a format that pixelproof doesn't read."""


class ImageError(InputError):
    """An image is unreadable, or doesn't match its partner."""


class ShapeMismatch(InputError):
    """Two arrays that must have one shape don't."""


class ChallengeError(InputError):
    """A challenge file breaks its schema."""


class ReportError(InputError):
    """A report file is damaged or of another schema."""


class RecipeError(InputError):
    """A recipe breaks its schema."""


class LedgerError(InputError):
    """A ledger is missing, damaged, of another version, or no ledger at all."""


class RuleBroken(PixelproofError):
    """A rule was broken."""

    exit_code = 1


class ParityBroken(RuleBroken):
    """An exported file computes another picture than its source."""


class SubmissionRefused(RuleBroken):
    """A submission can't be packed or unpacked as it is."""


class ModelFailed(RuleBroken):
    """The model raised an error while it was loaded or run."""


class GraphRefused(ModelFailed):
    """The scan found what a judged model may not hold; nothing of it was loaded."""


class TrainingDiverged(RuleBroken):
    """The loss is NaN or infinite; the run's checkpoints are good."""


StopReason = Literal["crashed", "timed_out", "out_of_memory", "refused"]


class WorkerStopped(RuleBroken):
    """The worker that ran a model ended before its answer; a verdict on the model.

    Args:
        reason: what happened.
        peak_rss_mib: the largest resident size that was seen, where it is known.
    """

    def __init__(
        self,
        rule: str,
        *,
        reason: StopReason,
        found: str = "",
        remedy: str = "",
        peak_rss_mib: float | None = None,
    ) -> None:
        self.reason = reason
        self.peak_rss_mib = peak_rss_mib
        super().__init__(rule, found=found, remedy=remedy)


class EnvironmentFault(PixelproofError):
    """The machine or the installation fails, not the model."""

    exit_code = 3


def did_you_mean(name: str, choices: list[str] | tuple[str, ...]) -> str:
    """A remedy that lists the choices, the nearest first where there is one."""
    import difflib

    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
    listed = ", ".join(sorted(choices)) or "none"
    return f"Did you mean {near[0]}? Choices: {listed}." if near else f"Choices: {listed}."
