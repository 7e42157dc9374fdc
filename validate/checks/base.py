"""What a check is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, get_args

from pixelproof.challenge import Track
from pixelproof.report import CheckResult, Evidence, Status

Group = Literal["contract", "range", "resolution", "size", "fidelity", "runtime", "memory", "complexity"]
GROUPS: tuple[Group, ...] = get_args(Group)


class Check(ABC):
    """One rule, read from evidence alone, so that it can be judged again without running the model.

    Attributes:
        id: stable; reports and challenge files name it.
        title: the rule in a few words.
        group: what ``--only`` and ``--skip`` name.
        position: place in the report.
        always: whether it is judged even where its group is left out, because the others rest on it.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    group: ClassVar[Group]
    position: ClassVar[int]
    always: ClassVar[bool] = False

    def applies(self, track: Track) -> bool:
        """Whether the rule has a meaning in a track; where it has none, no report speaks of it."""
        return True

    @abstractmethod
    def run(self, evidence: Evidence, track: Track) -> CheckResult:
        """The verdict."""

    def result(self, status: Status, *, expected: str, found: str, remedy: str = "") -> CheckResult:
        """A verdict of this check; the remedy is kept only where something is to be done."""
        kept = remedy if status in ("failed", "warning") else ""
        return CheckResult(
            id=self.id, title=self.title, status=status, expected=expected, found=found, remedy=kept
        )

    def not_run(self, expected: str, why: str) -> CheckResult:
        """The verdict where there is no evidence."""
        return self.result("not_run", expected=expected, found=why)
