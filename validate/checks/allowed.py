"""Does the file hold only what an image model needs?"""

from __future__ import annotations

from collections.abc import Sequence

from pixelproof.challenge import Track
from pixelproof.report import CheckResult, Evidence
from pixelproof.safety import Refusal
from pixelproof.validate.checks.base import Check

LISTED = 3


class Allowed(Check):
    """The scan of the file, made before anything loaded it."""

    id = "allowed"
    title = "Allowed contents"
    group = "contract"
    position = 5
    always = True

    def run(self, evidence: Evidence, track: Track) -> CheckResult:
        """Failed where the file holds what a judged model may not hold; it was not loaded then."""
        expected = "the pure tensor operations that an image model needs, and nothing else"
        scan = evidence.scan
        if scan is None:
            return self.not_run(expected, "not scanned")
        if scan.refusals:
            found = _listed(scan.refusals)
            return self.result("failed", expected=expected, found=found, remedy=scan.refusals[0].remedy)
        return self.result(
            "passed", expected=expected, found=f"{scan.nodes} nodes of {len(scan.operations)} operations"
        )


def _listed(refusals: Sequence[Refusal]) -> str:
    """The first few, each under its rule, which is said once."""
    told, rule = [], ""
    for refusal in refusals[:LISTED]:
        told.append(refusal.found if refusal.rule == rule else f"{refusal.rule}: {refusal.found}")
        rule = refusal.rule
    more = len(refusals) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more else "")
