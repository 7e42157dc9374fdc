"""Fidelity that must be reached to be ranked."""

from __future__ import annotations

import math

from pixelproof.challenge import Track
from pixelproof.report import CheckResult, Evidence, Status
from pixelproof.validate.checks.base import Check


class PsnrGate(Check):
    """Efficiency is ranked among models that are good enough."""

    id = "psnr_gate"
    title = "PSNR gate"
    group = "fidelity"
    position = 105

    def applies(self, track: Track) -> bool:
        """Only where the rules have a gate."""
        return track.gates is not None

    def run(self, evidence: Evidence, track: Track) -> CheckResult:
        """Failed below the gate; to the 0.01 dB that challenges publish, so 28.996 passes a gate of 29.00."""
        if track.gates is None:
            return self.not_run("none in this track", "no gate in this track")
        gate = track.gates.psnr_db
        expected = f"at least {gate:.2f} dB"
        fidelity = evidence.fidelity
        if fidelity is None:
            return self.not_run(expected, "not measured")
        found = f"{fidelity.psnr_db:.4f} dB over {len(fidelity.per_image)} images"
        reached = not math.isnan(fidelity.psnr_db) and round(fidelity.psnr_db, 2) >= gate
        status: Status = "passed" if reached else "failed"
        remedy = (
            "The gate is for the challenge's own images: on others give the PSNR that its baseline has there, "
            "with --psnr-gate. A model of 0..255 multiplies its input by 255 and divides its output, inside."
        )
        return self.result(status, expected=expected, found=found, remedy=remedy)
