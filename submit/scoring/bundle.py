"""What both platforms' bundles are made of: the program's files, the reference data, a picture for the page."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

import numpy as np

from pixelproof import __version__
from pixelproof.challenge import Challenge, Track, challenge_text, parse_challenge
from pixelproof.errors import CallError
from pixelproof.images import list_images, write_png
from pixelproof.submit.archive import Contents
from pixelproof.submit.scoring.closure import closure
from pixelproof.submit.scoring.model_scores import data_folders
from pixelproof.submit.scoring.settings import RULES, SETTINGS, Settings, settings_text
from pixelproof.validate.image_results.expected import expected_from

PACKAGE = "pixelproof.submit.scoring"
_NEEDS = {
    "image": "the image must have NumPy and Pillow",
    "model": f"the image must have pixelproof {__version__} installed",
}


@dataclass(frozen=True)
class Plan:
    """What a bundle is made for; dates are ``YYYY-MM-DD``, in UTC.

    Attributes:
        text: of the challenge's file.
        docker_image: in which a program runs, where the platform lets one choose.
        end: None for a phase that goes on.
    """

    challenge: Challenge
    text: str
    track_name: str
    start: str
    end: str | None = None
    docker_image: str | None = None
    require_sandbox: bool = True

    @property
    def track(self) -> Track:
        """The track that is scored."""
        return self.challenge.track(self.track_name)

    @property
    def kind(self) -> Literal["image", "model"]:
        """What is handed in."""
        return "model" if self.track.results is None else "image"


def load_plan_rules(name: str, track: str | None) -> tuple[Challenge, str, str]:
    """The challenge, its text, and the track: the only one where none is named.

    Raises:
        CallError: no such challenge or track, or none named of several.
    """
    label, text = challenge_text(name)
    challenge = parse_challenge(text, label=label)
    if track is None and len(challenge.tracks) > 1:
        listed = ", ".join(f"{key} ({t.title})" for key, t in challenge.tracks.items())
        raise CallError("--track must be given", found="none", remedy=f"Tracks of {challenge.id}: {listed}.")
    chosen = track if track is not None else next(iter(challenge.tracks))
    challenge.track(chosen)
    return challenge, text, chosen


def program_files(plan: Plan, *entries: str) -> dict[str, bytes | Path]:
    """Settings, rules, and for pictures the modules that the entries need.

    Args:
        entries: modules of this package that the program imports.
    """
    settings = Settings(
        track=plan.track_name,
        rules_sha256=hashlib.sha256(plan.text.encode()).hexdigest(),
        pixelproof=__version__,
        require_sandbox=plan.require_sandbox,
    )
    files: dict[str, bytes | Path] = {
        SETTINGS: settings_text(settings).encode(),
        RULES: plan.text.encode(),
    }
    if plan.kind == "image":
        files.update(closure(*(f"{PACKAGE}.{entry}" for entry in entries)))
    return files


def from_template(name: str, plan: Plan) -> bytes:
    """A script of the program, for this kind of submission."""
    text = resources.files(PACKAGE).joinpath("templates", f"{name}.txt").read_text(encoding="utf-8")
    return text.replace("{kind}", plan.kind).replace("{needs}", _NEEDS[plan.kind]).encode()


def reference_files(plan: Plan, folder: Path) -> Contents:
    """The files that a scoring reads, named as in the platform's reference folder.

    Args:
        folder: for pictures the targets themselves, for models the folder that the challenge's paths start from.

    Raises:
        CallError: no such folder, or one without the challenge's.
        ImageError: not as many targets as the rules say.
    """
    if not folder.is_dir():
        raise CallError("--reference must be a folder", found=str(folder))
    track = plan.track
    if track.results is not None:
        scale = track.contract.scale
        expected = expected_from(folder, track.results, scale=scale, are_targets=True)
        return {path.name: path for path in expected.sources.values()}
    files: dict[str, Path] = {}
    for name in data_folders(track):
        if not (folder / name).is_dir():
            remedy = "Name the folder that the challenge's paths start from."
            raise CallError(
                "--reference must hold the challenge's folders", found=f"no {name}", remedy=remedy
            )
        files |= {f"{name}/{path.name}": path for path in list_images(folder / name)}
    return files


def logo(path: Path) -> None:
    """Write a plain picture, which platforms ask for: 256x256."""
    y, x = np.mgrid[0:256, 0:256]
    checks = ((x // 32 + y // 32) % 2) * 24
    picture = np.stack([x // 2 + 60, y // 2 + 90, 255 - (x + y) // 4], axis=-1) - checks[..., None]
    write_png(path, np.clip(picture, 0, 255).astype(np.uint8))


def relative(files: Mapping[str, bytes | Path], folder: str) -> dict[str, bytes | Path]:
    """The same files inside a folder."""
    return {f"{folder}/{name}": source for name, source in files.items()}
