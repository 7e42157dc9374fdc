"""All that the templates show, made from a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from pixelproof.report import Complexity, Report
from pixelproof.validate.page.parity_rows import Parity, parity_of
from pixelproof.validate.page.plots import (
    Plot,
    colour_scale,
    histogram,
    latency,
    layer_shares,
    memory_over_time,
)
from pixelproof.validate.page.stored_pictures import ShownPicture
from pixelproof.validate.page.summary import Summary, summary_of
from pixelproof.validate.page.words import count, file_size
from pixelproof.validate.picture_maps import ERROR_STOPS, MARKS

LAYERS_DRAWN = 16
LEAST_DRAWN = 0.001
ROLES = {
    "worst": "Worst image",
    "median": "Median image",
    "best": "Best image",
    "only": "The one image",
}
PLACES = {
    "largest_error": "where the error is largest",
    "centre": "from the centre",
    "whole": "the whole image",
}
STATUS_WORDS = {"failed": "failed", "warning": "warning", "not_run": "not run", "passed": "passed"}


@dataclass(frozen=True)
class View:
    """What the page shows; None or empty where the report holds nothing of the kind."""

    report: Report
    title: str
    summary: Summary
    statuses: Mapping[str, int]
    gallery: tuple[ShownPicture, ...]
    error_scale: Markup
    fidelity_plots: tuple[Plot, ...]
    runtime_plot: Plot | None
    memory_plot: Plot | None
    layers_plot: Plot | None
    complexity: tuple[tuple[str, str], ...]
    parity: Parity
    file: tuple[tuple[str, str], ...]
    hashes: tuple[tuple[str, str], ...]
    machine: tuple[tuple[str, str], ...]


def view_of(report: Report, gallery: tuple[ShownPicture, ...]) -> View:
    """What there is to show of a report."""
    evidence = report.evidence
    summary = summary_of(report)
    return View(
        report=report,
        title=f"{summary.headline}: {summary.name}, {report.challenge} track {report.track}",
        summary=summary,
        statuses={s: sum(c.status == s for c in report.checks) for s in STATUS_WORDS},
        gallery=gallery,
        error_scale=colour_scale(
            ERROR_STOPS, words="Colours of the error maps, from no error to the largest"
        ),
        fidelity_plots=_fidelity_plots(report),
        runtime_plot=None if evidence.runtime is None else latency(evidence.runtime),
        memory_plot=None if evidence.memory is None else memory_over_time(evidence.memory),
        layers_plot=None if evidence.complexity is None else _layers(evidence.complexity),
        complexity=() if evidence.complexity is None else _complexity(evidence.complexity),
        parity=parity_of(report),
        file=_file(report),
        hashes=_hashes(report),
        machine=_machine(report),
    )


def marks() -> dict[str, str]:
    """Colours of marked pixels, as CSS names them."""
    return {name: f"rgb{colour}" for name, colour in MARKS.items()}


def _fidelity_plots(report: Report) -> tuple[Plot, ...]:
    fidelity = report.evidence.fidelity
    if fidelity is None:
        return ()
    psnr = [item.psnr_db for item in fidelity.per_image]
    ssim = [item.ms_ssim for item in fidelity.per_image if item.ms_ssim is not None]
    plots = (
        histogram("psnr", psnr, title="PSNR of the images", unit="dB", digits=2),
        histogram("ssim", ssim, title="MS-SSIM of the images", unit="MS-SSIM", digits=4),
    )
    return tuple(plot for plot in plots if plot is not None)


def _layers(complexity: Complexity) -> Plot | None:
    if not complexity.layers:
        return None
    ranked = sorted(range(len(complexity.layers)), key=lambda i: -complexity.layers[i].flops)
    costly = [i for i in ranked[:LAYERS_DRAWN] if complexity.layers[i].share >= LEAST_DRAWN]
    drawn = [complexity.layers[i] for i in sorted(costly)]
    shares = [(layer.name, layer.op, layer.share) for layer in drawn]
    return layer_shares(shares, more=len(complexity.layers) - len(drawn))


def _complexity(found: Complexity) -> tuple[tuple[str, str], ...]:
    return (
        ("Parameters", f"{found.params:,} ({count(found.params)})"),
        ("FLOPs", f"{found.flops:,} ({count(found.flops)})"),
        ("Activations", f"{found.activations:,} ({count(found.activations)})"),
        ("Convolutions", f"{found.conv_layers:,}"),
        ("Input", f"{found.height}x{found.width}"),
        ("Convention", found.convention),
    )


def _file(report: Report) -> tuple[tuple[str, str], ...]:
    evidence = report.evidence
    rows = [
        ("File", evidence.artifact.path),
        ("Format", evidence.artifact.format),
        ("Size", f"{file_size(evidence.artifact.size_bytes)} ({evidence.artifact.size_bytes:,} bytes)"),
    ]
    if evidence.scan is not None:
        rows += [
            ("Nodes", f"{evidence.scan.nodes:,}"),
            ("Functions", f"{evidence.scan.functions:,}"),
            ("Constants", file_size(evidence.scan.constant_bytes)),
        ]
    if evidence.interface is not None:
        for what, tensors in (("Input", evidence.interface.inputs), ("Output", evidence.interface.outputs)):
            rows += [(what, f"{t.name}, {t.dtype}, {_shape(t.shape)}") for t in tensors]
    return tuple(rows)


def _shape(shape: tuple[int | None, ...] | None) -> str:
    if shape is None:
        return "of any rank"
    return " x ".join("free" if side is None else str(side) for side in shape)


def _hashes(report: Report) -> tuple[tuple[str, str], ...]:
    rows = [("Model", report.evidence.artifact.sha256)]
    companion, runtime = report.evidence.companion, report.evidence.runtime
    if companion is not None and companion.artifact is not None:
        rows.append(("Companion", companion.artifact.sha256))
    if runtime is not None and runtime.baseline is not None:
        rows.append(("Baseline", runtime.baseline.sha256))
    rows += [("Rules", report.rules_sha256), ("Way of measuring", report.measured_as_sha256)]
    return tuple(rows)


def _machine(report: Report) -> tuple[tuple[str, str], ...]:
    where = report.environment
    threads = report.evidence.runtime.threads if report.evidence.runtime is not None else None
    rows = [
        ("Measured", report.created),
        ("Images", report.data),
        ("pixelproof", where.pixelproof),
        ("Python", where.python),
        ("System", where.platform),
        ("Processor", f"{where.cpu}, {where.cores} cores"),
        ("Memory", f"{where.memory_mib:,.0f} MiB"),
    ]
    if threads is not None:
        rows.append(("Threads of the model", str(threads)))
    return tuple(rows)
