"""Result pictures by the challenge's rules, as validate-images judges them: in a folder, and in the finished zip."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelproof.challenge import Challenge, Results, Track, load_challenge, rules_sha256
from pixelproof.environment import usable_cores
from pixelproof.errors import CallError, SubmissionRefused
from pixelproof.files import MIB
from pixelproof.images import read_rgb8
from pixelproof.submit.course.faults import Faults
from pixelproof.submit.unpack import extract
from pixelproof.submit.zip_rules import Limits
from pixelproof.temporary import temporary_folder
from pixelproof.validate.image_results.commands import ROOM, only_track_of_pictures
from pixelproof.validate.image_results.expected import Expected, expected_from
from pixelproof.validate.image_results.image_report import ImageReport
from pixelproof.validate.image_results.judgement import judge_images, results_of
from pixelproof.validate.image_results.listing import list_results

LARGEST = 5
Advance = Callable[[int, str], None]


@dataclass(frozen=True)
class PictureRules:
    """The track of a challenge that takes pictures.

    Attributes:
        parameters_below: of the network, where a track of the challenge limits it.
    """

    challenge: Challenge
    track_name: str
    track: Track
    results: Results
    sha256: str
    parameters_below: int | None


def picture_rules(name: str) -> PictureRules:
    """The rules of a challenge that takes pictures, by its id or its TOML file.

    Raises:
        CallError: no such challenge, or none that takes pictures.
        ChallengeError: the file breaks the schema.
    """
    challenge = load_challenge(name)
    chosen = only_track_of_pictures(challenge)
    track, results = results_of(challenge, chosen)
    caps = [t.limits.parameters_below for t in challenge.tracks.values() if t.limits.parameters_below]
    return PictureRules(challenge, chosen, track, results, rules_sha256(name), min(caps, default=None))


def inputs_of(rules: PictureRules, folder: Path) -> Expected:
    """Which names the results must have.

    Raises:
        ImageError: no readable folder, or not as many inputs as the rules say.
    """
    fidelity = rules.track.fidelity
    suffix = fidelity.input_suffix if fidelity is not None else ""
    scale = rules.track.contract.scale
    return expected_from(folder, rules.results, scale=scale, are_targets=False, input_suffix=suffix)


def judged_pictures(
    folder: Path, *, rules: PictureRules, expected: Expected | None, faults: Faults, advance: Advance
) -> Mapping[str, Path]:
    """Name to picture; what breaks a rule is noted.

    Args:
        expected: the inputs; without them names aren't judged.
        advance: told of each picture.
    """
    with faults.noted():
        if not folder.is_dir():
            found = f"no folder {folder}"
            raise CallError("The results must be a folder of pictures", found=found)
        report = _judge(folder, rules=rules, expected=expected, advance=advance)
        for error in _broken(report):
            faults.add(error)
        known = expected.sources if expected is not None else {}
        listing = list_results(folder, extension=rules.results.extension, expected=known)
        return dict(sorted(listing.pictures.items()))
    return {}


def judge_zip(path: Path, *, rules: PictureRules, expected: Expected, extra_members: int) -> None:
    """Unpack a zip as the organisers do, and judge it.

    Raises:
        SubmissionRefused: a rule is broken, the zip's size included.
    """
    limits = Limits(members=rules.results.count + extra_members + ROOM)
    with temporary_folder("pixelproof-course-") as folder:
        extract(path, folder, keep=lambda name: True, limits=limits)
        report = _judge(folder, rules=rules, expected=expected, zip_path=path)
    faults = Faults("The zip must keep the rules")
    for error in _broken(report):
        faults.add(error)
    faults.settle()


def check_weight(
    pictures: Mapping[str, bytes | Path], *, zip_bytes: int, rules: PictureRules, is_recompressed: bool
) -> None:
    """Refuse a zip that is too large, and name the largest pictures in it.

    Args:
        zip_bytes: what the zip weighs, or at least will.
        is_recompressed: whether the pictures are as small as PNG can make them.

    Raises:
        SubmissionRefused: too large.
    """
    limit = rules.results.zip_mib
    if limit is None or zip_bytes <= limit * MIB:
        return
    sizes = {name: len(p) if isinstance(p, bytes) else p.stat().st_size for name, p in pictures.items()}
    largest = sorted(sizes, key=lambda name: (-sizes[name], name))[:LARGEST]
    listed = ", ".join(f"{name} {sizes[name] / 1024:.1f} KiB" for name in largest)
    raise SubmissionRefused(
        f"The zip must weigh at most {limit:g} MiB",
        found=f"{zip_bytes / MIB:.2f} MiB; the largest pictures are {listed}",
        remedy="No PNG of these pixels is much smaller: they hold noise, which a longer training takes away."
        if is_recompressed
        else "--recompress packs the same pixels as small as PNG can.",
    )


def recompressed(pictures: Mapping[str, Path], *, advance: Advance) -> dict[str, bytes | Path]:
    """Each picture with its pixels packed as small as PNG can, or as it is where that is no gain.

    Raises:
        ImageError: one that can't be read.
    """

    def one(item: tuple[str, Path]) -> tuple[str, bytes | Path]:
        from PIL import Image

        name, path = item
        pixels = read_rgb8(path)
        packed = io.BytesIO()
        Image.fromarray(pixels).save(packed, format="PNG", optimize=True)
        with Image.open(packed, formats=("PNG",)) as again:
            is_equal = np.array_equal(np.array(again), pixels)
        advance(1, name)
        smaller = is_equal and len(packed.getvalue()) < path.stat().st_size
        return name, packed.getvalue() if smaller else path

    pool = ThreadPoolExecutor(usable_cores())
    try:
        return dict(pool.map(one, pictures.items()))
    finally:
        pool.shutdown(cancel_futures=True)


def _judge(
    folder: Path,
    *,
    rules: PictureRules,
    expected: Expected | None,
    zip_path: Path | None = None,
    advance: Advance = lambda steps, note: None,
) -> ImageReport:
    return judge_images(
        folder,
        challenge=rules.challenge,
        track_name=rules.track_name,
        rules_sha256=rules.sha256,
        expected=expected,
        zip_path=zip_path,
        advance=advance,
    )


def _broken(report: ImageReport) -> list[SubmissionRefused]:
    return [
        SubmissionRefused(f"{check.title}: {check.expected}", found=check.found, remedy=check.remedy)
        for check in report.checks
        if check.status == "failed"
    ]
