"""The first screen: the verdict and the figures that people look for first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from markupsafe import Markup

from pixelproof.report import CheckResult, Report
from pixelproof.safety import Refusal, missing_walls
from pixelproof.validate.judgement import LEFT_OUT
from pixelproof.validate.page.plots import meter
from pixelproof.validate.page.words import count, mib, milliseconds, number, percent

Outcome = Literal["passed", "warning", "failed", "refused"]
HEADLINES: dict[Outcome, str] = {
    "passed": "Passed",
    "warning": "Passed, with a warning",
    "failed": "Failed",
    "refused": "Refused",
}
NOT_MEASURED = "not measured"
_NEAR = 0.9


@dataclass(frozen=True)
class Tile:
    """One figure: what it is, the number, what stands below; ``why`` in place of a number that is missing."""

    label: str
    value: str = ""
    unit: str = ""
    lines: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    meter: Markup | None = None
    why: str = ""


@dataclass(frozen=True)
class Summary:
    """The verdict, what is broken, what is to be known about it."""

    outcome: Outcome
    headline: str
    name: str
    sentence: str
    broken: tuple[CheckResult, ...]
    refusals: tuple[Refusal, ...]
    warned: tuple[CheckResult, ...]
    unjudged: tuple[str, ...]
    notes: tuple[str, ...]
    tiles: tuple[Tile, ...]


def summary_of(report: Report) -> Summary:
    """What the first screen says of a report."""
    evidence = report.evidence
    broken = tuple(check for check in report.checks if check.status == "failed")
    warned = tuple(check for check in report.checks if check.status == "warning")
    unjudged = tuple(c.title for c in report.checks if c.status == "not_run" and c.found != LEFT_OUT)
    refusals = evidence.scan.refusals if evidence.scan is not None else ()
    outcome: Outcome = "passed"
    if broken:
        outcome = "refused" if refusals else "failed"
    elif warned:
        outcome = "warning"
    return Summary(
        outcome=outcome,
        headline=HEADLINES[outcome],
        name=Path(evidence.artifact.path).name,
        sentence=_sentence(report, outcome, len(broken)),
        broken=broken,
        refusals=refusals,
        warned=warned,
        unjudged=unjudged,
        notes=_notes(report),
        tiles=(_scores(report), _fidelity(report), _speed(report), _memory(report)),
    )


def _sentence(report: Report, outcome: Outcome, broken: int) -> str:
    judged = [check for check in report.checks if check.status != "not_run"]
    if outcome == "refused":
        return "The file holds what a judged model may not hold. It was read, and never loaded or run."
    if outcome == "failed":
        rules = "One rule is" if broken == 1 else f"{broken} rules are"
        return f"{rules} broken, of {len(judged)} that were judged."
    if len(judged) == 1:
        return "The one rule that was judged holds."
    return f"All {len(judged)} rules that were judged hold."


def _notes(report: Report) -> tuple[str, ...]:
    notes = []
    evidence = report.evidence
    if (evidence.fidelity is not None or evidence.runtime is not None) and not report.official_data:
        notes.append(
            "These figures are of the bundled samples, a demonstration; not the challenge's figures."
        )
    if missing := missing_walls(report.environment.sandbox):
        notes.append(f"The model ran without walls ({missing}): judge strangers' files elsewhere.")
    left_out = [check.title for check in report.checks if check.found == LEFT_OUT]
    if left_out:
        notes.append(f"Left out by --only or --skip: {', '.join(left_out)}.")
    if report.psnr_gate is not None:
        notes.append(f"The gate for PSNR was set to {report.psnr_gate:g} dB.")
    return tuple(notes)


def _scores(report: Report) -> Tile:
    found = report.evidence.complexity
    if not report.scores and found is not None and any(c.id == "complexity" for c in report.checks):
        costs = f"{count(found.flops)} FLOPs, {count(found.activations)} activations"
        return Tile("Parameters", count(found.params), lines=(costs, f"by {found.convention}"))
    if not report.scores:
        fidelity = report.evidence.fidelity
        has_figures = fidelity is not None and report.evidence.runtime is not None
        why = "this track has none" if has_figures else "they need fidelity and runtime"
        if fidelity is not None and math.isnan(fidelity.psnr_db):
            why = "they need a finite fidelity"
        return Tile("Scores", why=why)
    lines = (f"mean opinion score {report.mos:g} in place of MS-SSIM",) if report.mos is not None else ()
    if len(report.scores) == 1:
        name, value = next(iter(report.scores.items()))
        return Tile(f"Score, {name}", number(value, 3), lines=lines)
    pairs = tuple((name, number(value, 3)) for name, value in report.scores.items())
    return Tile("Scores", pairs=pairs, lines=lines)


def _fidelity(report: Report) -> Tile:
    fidelity = report.evidence.fidelity
    if fidelity is None:
        return Tile("Fidelity", why=report.evidence.fidelity_error or NOT_MEASURED)
    measured = len(fidelity.per_image)
    of = "" if measured == fidelity.images_available else f" of {fidelity.images_available:,}"
    lines = [f"MS-SSIM {number(fidelity.ms_ssim, 4)}"] if fidelity.ms_ssim is not None else []
    lines.append(f"PSNR, mean of {measured:,}{of} image{'' if measured == 1 else 's'}")
    unit = "" if math.isnan(fidelity.psnr_db) else "dB"
    return Tile("Fidelity", number(fidelity.psnr_db, 2), unit, tuple(lines))


def _speed(report: Report) -> Tile:
    runtime = report.evidence.runtime
    if runtime is None:
        return Tile("Speed", why=report.evidence.runtime_error or NOT_MEASURED)
    size = f"{runtime.height}x{runtime.width}"
    further: tuple[str, ...] = () if runtime.converged else ("not known to ±1 %",)
    if runtime.device != "cpu":
        further = (f"on {runtime.device}", *further)
    if runtime.speedup is None:
        if runtime.mean_ms is not None:
            value, what = runtime.mean_ms, f"mean over {runtime.images} images, each at its own size"
        else:
            value, what = runtime.latency_ms.p50, f"median at {size}"
        lines = [what]
        if runtime.interval_ms is not None:
            low, high = runtime.interval_ms
            lines.insert(0, f"95 % interval {number(low, 2)} to {number(high, 2)} ms")
        return Tile("Runtime", number(value, 2), "ms", (*lines, *further))
    baseline = "–" if runtime.baseline_ms is None else milliseconds(runtime.baseline_ms.p50)
    interval = f"95 % interval {number(runtime.speedup_low, 3)} to {number(runtime.speedup_high, 3)}"
    beside = f"{milliseconds(runtime.latency_ms.p50)} beside {baseline} at {size}"
    return Tile("Speed-up", number(runtime.speedup, 2), "×", (interval, beside, *further))


def _memory(report: Report) -> Tile:
    memory = report.evidence.memory
    if memory is None:
        return Tile("Peak memory", why=report.evidence.memory_error or NOT_MEASURED)
    lines = [f"at {memory.height}x{memory.width}; the model's share {mib(memory.model_mib)}"]
    if memory.device_peak_mib is not None:
        lines.append(f"{mib(memory.device_peak_mib)} of {memory.device}")
    if memory.stopped is not None:
        lines.append("stopped at the cap")
    if not math.isfinite(memory.limit_mib) or memory.limit_mib <= 0:
        return Tile("Peak memory", number(memory.peak_rss_mib, 0), "MiB", ("no cap", *lines))
    share = memory.peak_rss_mib / memory.limit_mib
    words = f"{percent(share, 0)} of the cap of {mib(memory.limit_mib)}"
    state = "failed" if share > 1 else "warning" if share > _NEAR else "passed"
    bar = meter("memory-share", share, words=words, state=state)
    return Tile("Peak memory", number(memory.peak_rss_mib, 0), "MiB", (words, *lines), meter=bar)
