"""From a folder of results to a report: found, looked at, measured, judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from pixelproof.challenge import Challenge, Results, Track
from pixelproof.environment import usable_cores
from pixelproof.errors import CallError
from pixelproof.files import sha256_of
from pixelproof.measure import metrics
from pixelproof.report import CheckResult, Fidelity
from pixelproof.validate.image_results import checks
from pixelproof.validate.image_results.expected import Expected, Size, size_of
from pixelproof.validate.image_results.image_report import ImageReport
from pixelproof.validate.image_results.listing import Listing, list_results
from pixelproof.validate.image_results.look import Look, look_at

Advance = Callable[[int, str], None]


def results_of(challenge: Challenge, track_name: str) -> tuple[Track, Results]:
    """A track of pictures, and what is handed in.

    Raises:
        CallError: no such track, or one that judges models.
    """
    track = challenge.track(track_name)
    if track.results is None or track.fidelity is None:
        others = [name for name, other in challenge.tracks.items() if other.results is not None]
        remedy = (
            f"Tracks of pictures: {', '.join(others)}." if others else "Judge the model with validate-pb."
        )
        raise CallError(
            "A track must take pictures",
            found=f"{track_name} of {challenge.id}, which takes models",
            remedy=remedy,
        )
    return track, track.results


def judge_images(
    folder: Path,
    *,
    challenge: Challenge,
    track_name: str,
    rules_sha256: str,
    expected: Expected | None,
    zip_path: Path | None = None,
    advance: Advance = lambda steps, note: None,
) -> ImageReport:
    """Judge a folder of result pictures.

    Args:
        folder: the results, or the folder into which their zip was unpacked.
        expected: targets or inputs; without them names and fidelity are not judged.
        zip_path: the zip where one was handed in.
        advance: told of each picture.

    Raises:
        CallError: no readable folder, or a track of models.
        SubmissionRefused: more files or folders than any honest submission has.
        ImageError: a target or an input can't be used.
    """
    track, rules = results_of(challenge, track_name)
    known = expected.sources if expected is not None else {}
    listing = list_results(folder, extension=rules.extension, expected=known)
    looks = _look(listing, track, rules, expected, advance)
    measured = _summed_up(looks, expected)
    handed_in = folder if zip_path is None else zip_path
    return ImageReport(
        challenge=challenge.id,
        track=track_name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        path=str(handed_in),
        sha256=sha256_of(handed_in),
        rules_sha256=rules_sha256,
        data="" if expected is None else expected.label,
        pictures=len(listing.pictures),
        checks=_verdicts(listing, looks, measured, track, rules, expected, zip_path),
        fidelity=measured,
    )


def _look(
    listing: Listing, track: Track, rules: Results, expected: Expected | None, advance: Advance
) -> tuple[Look, ...]:
    """Every picture under an expected name, in the order of the targets; all of them where no names are known."""
    fidelity = track.fidelity
    assert fidelity is not None
    order = list(expected.sources) if expected is not None else sorted(listing.pictures)

    def one(name: str) -> Look:
        source = expected.sources[name] if expected is not None else None
        target = source if expected is not None and expected.are_targets else None
        size = _size(rules, source, scale=1 if expected is None else expected.scale)
        look = look_at(listing.pictures[name], size=size, target=target, rules=fidelity)
        advance(1, name)
        return look

    pool = ThreadPoolExecutor(usable_cores())
    try:
        return tuple(pool.map(one, [name for name in order if name in listing.pictures]))
    finally:
        pool.shutdown(cancel_futures=True)


def _size(rules: Results, source: Path | None, *, scale: int) -> Size | None:
    if rules.height is not None and rules.width is not None:
        return rules.height, rules.width
    if source is None:
        return None
    height, width = size_of(source)
    return height * scale, width * scale


def _summed_up(looks: Sequence[Look], expected: Expected | None) -> Fidelity | None:
    per_image = tuple(look.figures for look in looks if look.figures is not None)
    if expected is None or not per_image:
        return None
    ssims = [image.ms_ssim for image in per_image if image.ms_ssim is not None]
    return Fidelity(
        psnr_db=metrics.mean_of_image_psnr_db([image.psnr_db for image in per_image]),
        ms_ssim=metrics.mean_of_image_ms_ssim(ssims) if ssims else None,
        per_image=per_image,
        images_available=len(expected.sources),
    )


def _verdicts(
    listing: Listing,
    looks: Sequence[Look],
    measured: Fidelity | None,
    track: Track,
    rules: Results,
    expected: Expected | None,
    zip_path: Path | None,
) -> tuple[CheckResult, ...]:
    zip_bytes = None if zip_path is None else zip_path.stat().st_size
    results = [
        checks.layout(listing, rules),
        checks.count(listing, rules),
        checks.names(listing, expected),
        checks.formats(looks, rules),
        checks.sizes(looks, rules, expected),
        checks.fidelity(measured, expected),
    ]
    if rules.zip_mib is not None:
        results.insert(1, checks.weight(listing, limit_mib=rules.zip_mib, zip_bytes=zip_bytes))
    if track.gates is not None:
        results.append(checks.gate(measured, track.gates))
    return tuple(results)
