"""How many parameters the network may have."""

from __future__ import annotations

from pixelproof.challenge import Track
from pixelproof.report import CheckResult, Evidence, Status
from pixelproof.validate.checks.base import Check


class Parameters(Check):
    """Fewer parameters than the track's limit."""

    id = "parameters"
    title = "Parameters"
    group = "complexity"
    position = 130

    def applies(self, track: Track) -> bool:
        """Only where the rules limit them."""
        return track.limits.parameters_below is not None

    def run(self, evidence: Evidence, track: Track) -> CheckResult:
        """Failed at the limit and above."""
        limit, cost = track.limits.parameters_below, evidence.complexity
        if limit is None:
            return self.not_run("no limit in this track", "not limited")
        expected = f"fewer than {limit:,}"
        if cost is None:
            return self.not_run(expected, evidence.complexity_error or "not counted")
        status: Status = "passed" if cost.params < limit else "failed"
        remedy = "Fewer channels or blocks; pixelproof complexity lists what each layer has."
        return self.result(status, expected=expected, found=f"{cost.params:,}", remedy=remedy)
