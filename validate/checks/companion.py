"""Is the second file there, and is it the same network?"""

from __future__ import annotations

from pixelproof.challenge import Track
from pixelproof.report import CheckResult, Companion, Evidence, SizeTrial
from pixelproof.validate.checks.base import Check


class CompanionFile(Check):
    """A challenge that times one file and looks at the pictures of another must get one network in both."""

    id = "companion"
    title = "Companion"
    group = "contract"
    position = 75

    def applies(self, track: Track) -> bool:
        """Only where the challenge takes two files."""
        return track.companion is not None

    def run(self, evidence: Evidence, track: Track) -> CheckResult:
        """Failed where it is missing, can't be run, fixes a size, or computes another picture."""
        rules = track.companion
        if rules is None:
            return self.not_run("none in this track", "no second file in this track")
        expected = f"{rules.member}: any size, the same picture within {rules.tolerance:g}"
        found = evidence.companion
        if found is None:
            return self.not_run(expected, "not looked at")
        if found.error is not None:
            told = found.error
            if found.scan is not None and found.scan.refusals:
                told = f"{told}: {found.scan.refusals[0].found}"
            remedy = (
                "pb2tflite --challenge writes both files from one graph; --companion names the second one."
            )
            return self.result("failed", expected=expected, found=f"{found.path}: {told}", remedy=remedy)
        wrong = _wrong_sizes(found, track.contract.scale)
        if wrong:
            remedy = "Convert it with pb2tflite --variable."
            return self.result("failed", expected=expected, found="; ".join(wrong), remedy=remedy)
        if found.max_abs is None:
            return self.not_run(expected, "not compared")
        told = f"largest difference {found.max_abs:.1e}"
        if found.is_quantised and found.psnr_db is not None:
            expected = (
                f"{rules.member}: any size, the same picture, quantised, to {rules.quantised_psnr_db:g} dB"
            )
            told = f"{found.psnr_db:.2f} dB apart, {told}"
            same = found.psnr_db >= rules.quantised_psnr_db
        else:
            same = found.max_abs <= rules.tolerance
        if not same:
            remedy = "Both must be made from one graph, and quantised alike."
            return self.result("failed", expected=expected, found=told, remedy=remedy)
        sizes = len(found.size_trials or ())
        return self.result(
            "passed", expected=expected, found=f"{told}; {sizes} sizes right" if sizes else told
        )


def _wrong_sizes(found: Companion, scale: int) -> list[str]:
    return [told for trial in found.size_trials or () if (told := _wrong(trial, scale))]


def _wrong(trial: SizeTrial, scale: int) -> str:
    at = f"{trial.height}x{trial.width}"
    if trial.output is None:
        return f"refused at {at}: {trial.error}"
    if len(trial.output) != 4 or trial.output[1:3] != (trial.height * scale, trial.width * scale):
        return f"{at} became {'x'.join(map(str, trial.output))}"
    return ""
