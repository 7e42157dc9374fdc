"""What ``restore-images`` tells: a document for machines, lines for people."""

from __future__ import annotations

import os
from typing import Any

from pixelproof.console import Console
from pixelproof.convert.restore.locality import shown_levels
from pixelproof.convert.restore.pipeline import Done, Failed, Results
from pixelproof.convert.restore.reading import image_size
from pixelproof.convert.restore.session import Outcome, Request
from pixelproof.environment import environment
from pixelproof.errors import RuleBroken
from pixelproof.measure.memory import peak_resident_mib
from pixelproof.measure.metrics import mean_of_image_psnr_db

LISTED = 20
WARN_SEAM_LEVELS = 1.0


def exit_code(outcome: Outcome) -> int:
    """0 where all images were restored; 1 where the model failed on one; 2 where an image couldn't be used."""
    failed = outcome.results.failed if outcome.results else ()
    if any(isinstance(one.error, RuleBroken) for one in failed):
        return 1
    return 2 if failed else 0


def document(outcome: Outcome, request: Request) -> dict[str, Any]:
    """The report; lengths are in pixels of the image, which of RAW is the mosaic."""
    facts, results = outcome.facts, outcome.results
    return {
        "schema_version": 1,
        "artifact": outcome.opened.record,
        "model": {
            "input": facts.input_name,
            "output": facts.output_name,
            "channels": facts.channels,
            "fixed_size": None if None in facts.fixed else _scaled(outcome, *_both(facts.fixed)),
            "size_multiple": _scaled(outcome, outcome.fit.multiple)[0] or None,
            "scale": outcome.fit.scale or None,
        },
        "size": request.size,
        "locality": _locality(outcome),
        "images": [] if results is None else [_image(done, outcome) for done in results.done],
        "failed": [] if results is None else [_failure(failed) for failed in results.failed],
        "totals": None if results is None else _totals(results),
        "latency": outcome.latency,
        "saved_pb": None
        if outcome.saved_pb is None
        else {"path": str(request.save_pb), "proof": outcome.saved_pb},
        "threads": outcome.threads,
        "workers": outcome.workers,
        "worker_peak_rss_mib": round(outcome.peak_rss_mib, 1),
        "parent_peak_rss_mib": round(peak_resident_mib(os.getpid()), 1),
        "passed": exit_code(outcome) == 0,
        "environment": environment(),
    }


def show(console: Console, outcome: Outcome, request: Request) -> None:
    """Lines for people."""
    if outcome.saved_pb is not None:
        d = outcome.saved_pb.difference
        console.line(f"Written: {request.save_pb}, equal to its source (largest difference {d.max_abs:.1e})")
    if outcome.latency is not None:
        t = outcome.latency
        height, width = _scaled(outcome, t.height, t.width)
        console.line(
            f"{request.named.label} at {height}x{width}: median {t.median_ms:.1f} ms an image, "
            f"90 % within {t.p90_ms:.1f} ms ({t.runs} runs, {t.threads} threads, without transfers)"
        )
    if outcome.results is not None:
        _show_results(console, outcome.results, outcome, request)


def _show_results(console: Console, results: Results, outcome: Outcome, request: Request) -> None:
    measured = [done for done in results.done if done.psnr_db is not None]
    if measured and len(results.done) <= LISTED:
        rows = [
            [d.item.name, f"{d.height}x{d.width}", f"{d.seconds:.3f}", _decibels(d.psnr_db)]
            for d in results.done
        ]
        console.table("", ["image", "result", "inference, s", "PSNR, dB"], rows)
    if measured:
        mean = mean_of_image_psnr_db([d.psnr_db for d in measured if d.psnr_db is not None])
        console.line(f"PSNR: {_decibels(mean)} dB, the mean over {len(measured)} images with a target")
    seam = max((d.seam_levels for d in results.done if d.seam_levels is not None), default=0.0)
    if seam > WARN_SEAM_LEVELS:
        console.line(
            f"Warning: neighbouring tiles differ by up to {shown_levels(seam)} where they meet.",
            style="yellow",
        )
    total = len(results.done) + len(results.failed)
    shares = f"{_many(outcome.workers, 'worker')}, {_many(outcome.threads, 'thread')}"
    seconds = sum(d.seconds for d in results.done) / max(len(results.done), 1)
    each = f"{1000 * seconds:.0f} ms an image in the model; "
    console.line(
        f"Restored {len(results.done)} of {total} in {results.seconds:.1f} s ({each if results.done else ''}{shares})"
    )
    _show_failures(console, results)


def _show_failures(console: Console, results: Results) -> None:
    names: dict[str, list[str]] = {}
    for failed in results.failed:
        names.setdefault(str(failed.error), []).append(failed.item.name)
    for error, which in list(names.items())[:LISTED]:
        listed = ", ".join(which[:3]) + (f" and {len(which) - 3} more" if len(which) > 3 else "")
        console.line(f"Failed: {listed}: {error}", style="bold red")
    if len(names) > LISTED:
        console.line(f"... and {len(names) - LISTED} other errors", style="bold red")


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _image(done: Done, outcome: Outcome) -> dict[str, Any]:
    tiles = done.tiling
    return {
        "name": done.item.name,
        "output": None if done.item.output is None else str(done.item.output),
        "height": done.height,
        "width": done.width,
        "seconds": done.seconds,
        "psnr_db": done.psnr_db,
        "continued_to": None if done.continued_to is None else _scaled(outcome, *done.continued_to),
        "tiling": None
        if tiles is None
        else {
            "tiles": len(tiles),
            "size": _scaled(outcome, tiles.height, tiles.width),
            "overlap": _scaled(outcome, tiles.overlap)[0],
            "grid": _scaled(outcome, tiles.grid)[0],
            "seam_levels": done.seam_levels,
        },
    }


def _failure(failed: Failed) -> dict[str, Any]:
    return {"name": failed.item.name, "error": str(failed.error)}


def _totals(results: Results) -> dict[str, Any]:
    decibels = [done.psnr_db for done in results.done if done.psnr_db is not None]
    return {
        "restored": len(results.done),
        "failed": len(results.failed),
        "seconds": results.seconds,
        "inference_seconds": sum(done.seconds for done in results.done),
        "mean_of_image_psnr_db": mean_of_image_psnr_db(decibels) if decibels else None,
        "images_with_target": len(decibels),
    }


def _locality(outcome: Outcome) -> dict[str, Any] | None:
    found = outcome.locality
    if found is None:
        return None
    return {
        "is_local": found.is_local,
        "overlap": None if found.overlap is None else _scaled(outcome, found.overlap)[0],
        "grid": None if found.grid is None else _scaled(outcome, found.grid)[0],
        "looked_as_far_as": _scaled(outcome, found.reach)[0],
        "far_levels": found.far_levels,
    }


def _scaled(outcome: Outcome, *lengths: int) -> tuple[int, ...]:
    """Lengths of the model's input as lengths of the image."""
    factor = image_size((1, 1), channels=outcome.facts.channels)[0]
    return tuple(length * factor for length in lengths)


def _both(fixed: tuple[int | None, int | None]) -> tuple[int, ...]:
    return tuple(length for length in fixed if length is not None)


def _decibels(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
