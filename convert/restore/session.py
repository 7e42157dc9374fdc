"""One call of ``restore-images`` from beginning to end; the command only parses and prints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from pixelproof.convert.restore.choice import Options
from pixelproof.convert.restore.crew import Crew, workers_for
from pixelproof.convert.restore.engine import Engine, Facts
from pixelproof.convert.restore.fitting import Fit, find_fit, padded_size
from pixelproof.convert.restore.fixed_pb import save_fixed_pb
from pixelproof.convert.restore.items import Item
from pixelproof.convert.restore.latency import Latency, measure_latency
from pixelproof.convert.restore.locality import Locality
from pixelproof.convert.restore.pipeline import Advance, Results, restore_all
from pixelproof.convert.restore.reading import (
    Picture,
    Sensor,
    Size,
    check_size,
    image_size,
    input_size,
    read_input,
)
from pixelproof.convert.restore.restorer import Restorer
from pixelproof.convert.restore.source import Named, Opened, opened
from pixelproof.environment import usable_cores
from pixelproof.errors import CallError
from pixelproof.measure.parity import ParityRow, probe_image

Progress = Callable[[str, int], AbstractContextManager[Advance]]


@dataclass(frozen=True)
class Request:
    """What the user asked for; lengths are in pixels of the image, which of RAW is the mosaic.

    Attributes:
        items: the images; may be empty where only time is measured.
        size: crop to it, from the top left.
        sensor: what the user says of RAW images.
        pad, tile, overlap, allow_global: see `choice.Options`.
        save_pb: where the graph bound to ``size`` goes.
        latency_runs: measure so many calls and write nothing; 0 to restore.
        threads: of the model's runtime.
        time_limit_s: for each call of the model.
        stop_on_error: whether the first image that can't be restored ends it all.
    """

    named: Named
    items: Sequence[Item]
    size: Size | None = None
    sensor: Sensor = field(default_factory=Sensor)
    pad: bool | None = None
    tile: int | None = None
    overlap: int | None = None
    allow_global: bool = False
    save_pb: Path | None = None
    latency_runs: int = 0
    threads: int | None = None
    time_limit_s: float = 600.0
    stop_on_error: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        results: None where only time was measured.
        locality: what trials told of how far the model sees, where they were needed.
        threads: of the model's runtime, in all workers together.
        workers: how many there were.
        peak_rss_mib: largest resident size of the workers together.
    """

    opened: Opened
    facts: Facts
    fit: Fit
    threads: int
    workers: int
    peak_rss_mib: float
    results: Results | None = None
    latency: Latency | None = None
    locality: Locality | None = None
    saved_pb: ParityRow | None = None


def run(request: Request, *, progress: Progress, note: Callable[[str], None]) -> Outcome:
    """Load or make the model, then restore or measure.

    Args:
        progress: ``progress(title, total)`` opens a bar.
        note: told a line for what a user should know.

    Raises:
        PixelproofError: all that concerns the call, the model or the machine, not a single image; with
            ``stop_on_error`` that too.
    """
    threads = request.threads or usable_cores()
    with opened(request.named, note=note) as artifact:

        def start(share: int) -> Engine:
            return Engine(
                artifact.path,
                artifact.kind,
                input_name=request.named.input_name,
                output_name=request.named.output_name,
                threads=share,
                time_limit_s=request.time_limit_s,
            )

        workers = 1 if request.latency_runs else workers_for(request.items, request.size, threads=threads)
        with Crew(start, threads=threads, workers=workers) as crew:
            return _outcome(request, artifact, crew, progress=progress, note=note)


def _outcome(
    request: Request, artifact: Opened, crew: Crew, *, progress: Progress, note: Callable[[str], None]
) -> Outcome:
    workers, facts = len(crew), crew.load()
    check_size(request.size, channels=facts.channels)
    fit = find_fit(crew.run, facts)
    saved, latency, results, locality = _saved(request, crew, facts, fit), None, None, None
    if request.latency_runs:
        latency = _latency(request, crew, facts, fit, progress)
    else:
        restorer = Restorer(crew, facts, fit, _options(request, facts), note=note)
        with progress("Restoring", len(request.items)) as advance:
            results = restore_all(
                request.items,
                restorer,
                read=lambda item: _read(item, request, facts),
                crops_targets=request.size is not None,
                stop_on_error=request.stop_on_error,
                advance=advance,
            )
        locality = restorer.planner.locality
    return Outcome(
        opened=artifact,
        facts=facts,
        fit=fit,
        threads=crew.threads,
        workers=workers,
        peak_rss_mib=crew.peak_mib(),
        results=results,
        latency=latency,
        locality=locality,
        saved_pb=saved,
    )


def _read(item: Item, request: Request, facts: Facts) -> Picture:
    return read_input(item.source, channels=facts.channels, sensor=request.sensor, size=request.size)


def _options(request: Request, facts: Facts) -> Options:
    """In pixels of the model's input: tiles rounded down, overlaps up."""
    factor = image_size((1, 1), channels=facts.channels)[0]
    tile, overlap = request.tile, request.overlap
    return Options(
        tile=tile if tile is None else tile // factor,
        overlap=overlap if overlap is None else -(-overlap // factor),
        pad=request.pad,
        allow_global=request.allow_global,
    )


def _saved(request: Request, crew: Crew, facts: Facts, fit: Fit) -> ParityRow | None:
    if request.save_pb is None or request.size is None:
        return None
    size = input_size(request.size, channels=facts.channels)
    _check_taken(size, facts, fit, rule="--save-pb needs a --size that the model takes")
    return save_fixed_pb(crew.alone(), facts, request.save_pb, size=size)


def _latency(request: Request, crew: Crew, facts: Facts, fit: Fit, progress: Progress) -> Latency:
    """On the first image, else on a probe of the size that is asked for, or fixed."""
    if request.items:
        image = _read(request.items[0], request, facts)
    else:
        asked = None if request.size is None else input_size(request.size, channels=facts.channels)
        height, width = asked or facts.fixed
        if height is None or width is None:
            remedy = "For example --size 1088,1920."
            raise CallError("--latency-only needs a size or images", found="neither", remedy=remedy)
        image = probe_image(height, width, facts.channels)[0]
    rule = "Latency is measured at a size that the model takes"
    _check_taken((image.shape[0], image.shape[1]), facts, fit, rule=rule)
    with progress("Measuring", request.latency_runs) as advance:
        return measure_latency(crew.alone(), image, runs=request.latency_runs, advance=advance)


def _check_taken(size: Size, facts: Facts, fit: Fit, *, rule: str) -> None:
    """Refuse a size of the input that the model doesn't take as it is."""
    taken = padded_size(size, fit)
    wanted = facts.fixed[0] or taken[0], facts.fixed[1] or taken[1]
    if wanted != size:
        found, other = (image_size(one, channels=facts.channels) for one in (size, wanted))
        remedy = f"Use --size {other[0]},{other[1]}."
        raise CallError(rule, found=f"{found[0]}x{found[1]}", remedy=remedy)
