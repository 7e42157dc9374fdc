"""Peak memory, fidelity, runtime: what was measured, beside what is allowed."""

from __future__ import annotations

from pixelproof.challenge import Track
from pixelproof.report import CheckResult, Evidence, Status
from pixelproof.validate.checks.base import Check


class PeakMemory(Check):
    """Resident memory on one image of the track's size."""

    id = "memory"
    title = "Peak memory"
    group = "memory"
    position = 90

    def run(self, evidence: Evidence, track: Track) -> CheckResult:
        """Failed above the cap, or where the model could not run at that size."""
        cap = track.limits.peak_memory
        if cap is None:
            return self.not_run("no limit in this track", "not limited")
        expected = f"at most {cap.total_rss_mib:g} MiB in all at {cap.height}x{cap.width}"
        remedy = "Fewer channels at full resolution; work on a space_to_depth or strided copy of the image."
        memory = evidence.memory
        if evidence.memory_error is not None:
            return self.result("failed", expected=expected, found=evidence.memory_error, remedy=remedy)
        if memory is None:
            return self.not_run(expected, evidence.stopped or "not run")
        found = (
            f"{memory.peak_rss_mib:.0f} MiB: {memory.baseline_rss_mib:.0f} the runtime's own, "
            f"{memory.model_mib:.0f} the model's ({memory.method})"
        )
        if memory.stopped is not None:
            return self.result("failed", expected=expected, found=f"{found}; {memory.stopped}", remedy=remedy)
        status: Status = "passed" if memory.peak_rss_mib <= cap.total_rss_mib else "failed"
        return self.result(status, expected=expected, found=found, remedy=remedy)


class FidelityMeasured(Check):
    """PSNR and MS-SSIM over the track's images."""

    id = "fidelity"
    title = "Fidelity"
    group = "fidelity"
    position = 100

    def run(self, evidence: Evidence, track: Track) -> CheckResult:
        """Passed where every image could be measured: the challenge ranks by it and sets no minimum."""
        expected = "PSNR and MS-SSIM on every image"
        if track.fidelity is None:
            return self.not_run("none in this track", "not measured in this track")
        if evidence.fidelity_error is not None:
            remedy = "The model must run on the track's images and keep their size."
            return self.result("failed", expected=expected, found=evidence.fidelity_error, remedy=remedy)
        fidelity = evidence.fidelity
        if fidelity is None:
            return self.not_run(expected, evidence.stopped or "not run")
        count = len(fidelity.per_image)
        if fidelity.psnr_db != fidelity.psnr_db:
            found = "not a number on some images"
            return self.result(
                "failed", expected=expected, found=found, remedy="See the check on finite output."
            )
        ssim = "" if fidelity.ms_ssim is None else f", MS-SSIM {fidelity.ms_ssim:.5f}"
        found = f"{fidelity.psnr_db:.4f} dB{ssim} ({count} images)"
        if count < fidelity.images_available:
            remedy = (
                f"Judge without --images for the challenge's figure over all {fidelity.images_available}."
            )
            return self.result("warning", expected=expected, found=found, remedy=remedy)
        return self.result("passed", expected=expected, found=found)


class RuntimeMeasured(Check):
    """Speed beside the baseline."""

    id = "runtime"
    title = "Runtime"
    group = "runtime"
    position = 110

    def run(self, evidence: Evidence, track: Track) -> CheckResult:
        """A warning where the interval of the ratio did not get narrow enough."""
        expected = "speed beside the baseline, known to ±1 %"
        if track.runtime is None:
            return self.not_run("none in this track", "not measured in this track")
        if evidence.runtime_error is not None:
            remedy = "The model must run on the track's images of full size."
            return self.result("failed", expected=expected, found=evidence.runtime_error, remedy=remedy)
        runtime = evidence.runtime
        if runtime is None:
            return self.not_run(expected, evidence.stopped or "not run")
        found = (
            f"{runtime.latency_ms.p50:.1f} ms, {runtime.speedup:.3f}x the baseline's speed "
            f"({runtime.speedup_low:.3f} to {runtime.speedup_high:.3f}, {len(runtime.samples.solution_ms)} pairs)"
        )
        remedy = "Close other programs and judge again, or allow more pairs with --max-runs."
        return self.result(
            "passed" if runtime.converged else "warning", expected=expected, found=found, remedy=remedy
        )
