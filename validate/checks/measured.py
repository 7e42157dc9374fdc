"""Peak memory, fidelity, runtime: what was measured, beside what is allowed."""

from __future__ import annotations

import math

from pixelproof.challenge import Track
from pixelproof.report import CheckResult, Evidence, Fidelity, Runtime, Status
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
        if math.isinf(cap.total_rss_mib):
            expected = f"no limit; measured at {cap.height}x{cap.width}"
        remedy = "Fewer channels at full resolution; work on a space_to_depth or strided copy of the image."
        memory = evidence.memory
        if evidence.memory_error is not None:
            wrong = f"The model must run at {cap.height}x{cap.width}."
            return self.result("failed", expected=expected, found=evidence.memory_error, remedy=wrong)
        if memory is None:
            return self.not_run(expected, "not measured")
        if (memory.height, memory.width) != (cap.height, cap.width):
            return self.not_run(expected, f"measured at {memory.height}x{memory.width}")
        found = (
            f"{memory.peak_rss_mib:.0f} MiB: {memory.baseline_rss_mib:.0f} the runtime's own, "
            f"{memory.model_mib:.0f} the model's"
        )
        if memory.device_peak_mib is not None:
            found += f"; {memory.device_peak_mib:.0f} MiB of {memory.device}"
        if memory.stopped is not None:
            if memory.limit_mib < cap.total_rss_mib:
                return self.not_run(expected, f"stopped at {memory.limit_mib:g} MiB: judge the model again")
            return self.result("failed", expected=expected, found=f"stopped at {found}", remedy=remedy)
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
        if track.fidelity is None:
            return self.not_run("none in this track", "not measured in this track")
        expected = "PSNR and MS-SSIM of every image" if track.fidelity.ms_ssim else "PSNR of every image"
        if evidence.fidelity_error is not None:
            remedy = "The model must run on the track's images and keep their size."
            return self.result("failed", expected=expected, found=evidence.fidelity_error, remedy=remedy)
        fidelity = evidence.fidelity
        if fidelity is None:
            return self.not_run(expected, "not measured")
        lost = _not_a_number(fidelity)
        if lost:
            found = f"not a number on {', '.join(lost[:3])}" + (
                f" and {len(lost) - 3} more" * (len(lost) > 3)
            )
            remedy = "The output is not finite there, or so unlike its target that MS-SSIM has no value."
            return self.result("failed", expected=expected, found=found, remedy=remedy)
        count = len(fidelity.per_image)
        ssim = "" if fidelity.ms_ssim is None else f", MS-SSIM {fidelity.ms_ssim:.5f}"
        found = f"{fidelity.psnr_db:.4f} dB{ssim} over {count} {'image' if count == 1 else 'images'}"
        if count < fidelity.images_available:
            found = f"{fidelity.psnr_db:.4f} dB{ssim} over {count} of {fidelity.images_available} images"
            remedy = "Judge without --images for the challenge's figure."
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
        if track.runtime is None:
            return self.not_run("none in this track", "not measured in this track")
        is_alone = track.runtime.baseline is None
        expected = "time of one image, to ±1 %" if is_alone else "speed beside the baseline, to ±1 %"
        if evidence.runtime_error is not None:
            remedy = "The model must run on the track's images of full size."
            return self.result("failed", expected=expected, found=evidence.runtime_error, remedy=remedy)
        runtime = evidence.runtime
        if runtime is None:
            stopped = evidence.memory is not None and evidence.memory.stopped is not None
            return self.not_run(expected, "not timed: it passed the memory limit" if stopped else "not timed")
        found = _speed(runtime)
        if runtime.baseline is not None:
            found += f", a baseline of your own: {runtime.baseline.path}"
        remedy = "Close other programs and judge again, or allow more pairs with --max-runs."
        return self.result(
            "passed" if runtime.converged else "warning", expected=expected, found=found, remedy=remedy
        )


def _speed(runtime: Runtime) -> str:
    count = len(runtime.samples.solution_ms)
    if runtime.mean_ms is not None:
        return (
            f"{runtime.mean_ms:.2f} ms an image, the mean over {runtime.images} images, "
            f"{_where(runtime)} ({count} runs)"
        )
    if runtime.baseline_ms is None or runtime.speedup is None:
        return (
            f"{runtime.latency_ms.p50:.1f} ms at {runtime.height}x{runtime.width} "
            f"{_where(runtime)} ({count} runs)"
        )
    return (
        f"{runtime.speedup:.3f}x the baseline's speed, {runtime.speedup_low:.3f} to {runtime.speedup_high:.3f}; "
        f"{runtime.latency_ms.p50:.1f} ms against {runtime.baseline_ms.p50:.1f} ms ({count} pairs)"
        + ("" if runtime.device == "cpu" else f" {_where(runtime)}")
    )


def _where(runtime: Runtime) -> str:
    """On what, and by which clock."""
    if runtime.device == "cpu":
        return f"with {runtime.threads} threads of this machine"
    clock = "its own events" if runtime.clock == "device events" else "the wall clock"
    return f"on {runtime.device}, by {clock}"


def _not_a_number(fidelity: Fidelity) -> list[str]:
    return [
        image.name
        for image in fidelity.per_image
        if math.isnan(image.psnr_db) or (image.ms_ssim is not None and math.isnan(image.ms_ssim))
    ]
