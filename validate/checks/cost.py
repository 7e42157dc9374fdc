"""What the network costs: counted, not limited."""

from __future__ import annotations

from pixelproof.challenge import Track
from pixelproof.report import CheckResult, Evidence
from pixelproof.validate.checks.base import Check


class ComplexityCounted(Check):
    """Parameters, FLOPs, activations and convolutions under the track's convention."""

    id = "complexity"
    title = "Complexity"
    group = "complexity"
    position = 120

    def applies(self, track: Track) -> bool:
        """Only where the rules count them."""
        return track.complexity is not None

    def run(self, evidence: Evidence, track: Track) -> CheckResult:
        """Failed where the file can't be counted."""
        rules = track.complexity
        if rules is None:
            return self.not_run("none in this track", "not counted in this track")
        expected = f"counted as {rules.convention} at {rules.height}x{rules.width}"
        if evidence.complexity_error is not None:
            remedy = "pixelproof complexity shows what it finds in the file."
            return self.result("failed", expected=expected, found=evidence.complexity_error, remedy=remedy)
        cost = evidence.complexity
        if cost is None:
            return self.not_run(expected, "not counted")
        found = (
            f"{cost.params:,} parameters, {cost.flops / 1e9:.2f} G FLOPs, "
            f"{cost.activations / 1e6:.2f} M activations, {cost.conv_layers} convolutions"
        )
        return self.result("passed", expected=expected, found=found)
