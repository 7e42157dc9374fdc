"""A challenge and its tracks: frozen dataclasses, filled from a TOML file that is checked key by key."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Literal

from pixelproof.contract import Contract
from pixelproof.errors import CallError, ChallengeError, did_you_mean
from pixelproof.schema import Fail, build
from pixelproof.toml_lines import line_of_key

Format = Literal["pb", "savedmodel", "tflite", "onnx"]


@dataclass(frozen=True)
class PeakMemory:
    """Cap of the worker's total resident memory (MiB) while it processes one height x width image."""

    total_rss_mib: float
    height: int
    width: int


@dataclass(frozen=True)
class Limits:
    """What a model may weigh."""

    model_mib: float | None = None
    peak_memory: PeakMemory | None = None


@dataclass(frozen=True)
class Degrade:
    """Inputs made from the targets: shrunk by Pillow's 8-bit BICUBIC, enlarged again where asked."""

    factor: int
    restore_size: bool = True
    filter: Literal["pillow-bicubic"] = "pillow-bicubic"


@dataclass(frozen=True)
class Psnr:
    """Variant of PSNR: pixels dropped on each side, clip to [0, 1] first, round to 8 bit first."""

    crop_border: int = 0
    clip: bool = True
    round_to_8_bit: bool = False


@dataclass(frozen=True)
class MsSsim:
    """Variant of MS-SSIM, see measure/metrics.py; border and clip as in `Psnr`."""

    variant: Literal["scipy-fft", "tf"]
    crop_border: int = 0
    clip: bool = False


@dataclass(frozen=True)
class Fidelity:
    """Which pairs are compared, and how. Folders start at the challenge's data folder."""

    targets: str
    psnr: Psnr
    inputs: str | None = None
    degrade: Degrade | None = None
    ms_ssim: MsSsim | None = None


@dataclass(frozen=True)
class Runtime:
    """Images on which speed is compared, and the baseline graph (a name under validate/baselines)."""

    images: str
    baseline: str
    height: int = 720
    width: int = 1280


@dataclass(frozen=True)
class ScoreWeights:
    """Weights of one score: fidelity in dB, MS-SSIM, speed-up."""

    alpha: float
    beta: float
    gamma: float


@dataclass(frozen=True)
class Scores:
    """total = alpha (PSNR - P0) + beta (MS-SSIM - S0) + gamma min(T_baseline / T_solution, cap)."""

    formula: Literal["pirm"]
    psnr_baseline: float
    ssim_baseline: float
    speedup_cap: float
    weights: Mapping[str, ScoreWeights]
    mos_may_replace_ms_ssim: bool = False


@dataclass(frozen=True)
class Track:
    """One ranking inside a challenge."""

    title: str
    contract: Contract
    limits: Limits = field(default_factory=Limits)
    fidelity: Fidelity | None = None
    runtime: Runtime | None = None
    scores: Scores | None = None


@dataclass(frozen=True)
class Mail:
    """A message to the organisers; {track}, {team_id}, {team_name}, {link}, {members} are filled in."""

    to: str
    subject: str
    text: str


@dataclass(frozen=True)
class Submission:
    """What is handed in: the zip, the checks that must have run, the mails that go out."""

    formats: tuple[Format, ...]
    model_member: str
    required_checks: tuple[str, ...]
    mail: Mail | None = None
    registration: Mail | None = None
    per_day: int | None = None


@dataclass(frozen=True)
class Challenge:
    """A contest's rules."""

    id: str
    title: str
    url: str
    data_folder: str
    tracks: Mapping[str, Track]
    submission: Submission | None = None

    def track(self, name: str) -> Track:
        """The track of this name.

        Raises:
            CallError: there is none.
        """
        if name not in self.tracks:
            remedy = did_you_mean(name, list(self.tracks))
            raise CallError(f"A track of {self.id} must be named", found=repr(name), remedy=remedy)
        return self.tracks[name]


def known_challenges() -> tuple[str, ...]:
    """Ids of the challenges that pixelproof ships."""
    folder = resources.files("pixelproof.challenges")
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")))


def challenge_text(name: str) -> tuple[str, str]:
    """(label, TOML text) of a shipped challenge's id or of a user's file.

    Raises:
        CallError: no such id and no such file.
        ChallengeError: the file can't be read.
    """
    if name in known_challenges():
        file = resources.files("pixelproof.challenges").joinpath(f"{name}.toml")
        return file.name, file.read_text(encoding="utf-8")
    path = Path(name)
    if path.suffix != ".toml" and not path.exists():
        remedy = did_you_mean(name, known_challenges()) + " Or give the path of a TOML file."
        raise CallError("A challenge is named by its id", found=repr(name), remedy=remedy)
    try:
        return str(path), path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ChallengeError("A challenge file must be readable UTF-8", found=f"{path}: {error}") from error


def rules_sha256(name: str) -> str:
    """SHA-256 of the rules' text, by which two reports are known to follow the same rules."""
    return hashlib.sha256(challenge_text(name)[1].encode()).hexdigest()


def load_challenge(name: str) -> Challenge:
    """The challenge with this id, or from this TOML file, checked.

    Raises:
        CallError: unknown id.
        ChallengeError: the file breaks the schema; the message names key and line.
    """
    label, text = challenge_text(name)
    return parse_challenge(text, label=label)


def parse_challenge(text: str, *, label: str) -> Challenge:
    """A challenge from TOML text; ``label`` names the file in messages."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ChallengeError("A challenge file must be TOML", found=f"{label}: {error}") from error

    def fail(path: str, rule: str, found: str, remedy: str) -> ChallengeError:
        line = line_of_key(text, path)
        where = f"{label}, line {line}" if line else label
        fallback = "See docs/challenges.md for the keys."
        return ChallengeError(f"{where}: {path} {rule}", found=found, remedy=remedy or fallback)

    challenge = build(Challenge, table, fail=fail)
    _check_meaning(challenge, fail)
    return challenge


def _check_meaning(challenge: Challenge, fail: Fail) -> None:
    if not challenge.tracks:
        raise fail("tracks", "must hold at least one track", "none", "")
    for name, track in challenge.tracks.items():
        here = f"tracks.{name}"
        _check_positive(here, track, fail)
        low, high = track.contract.warn_range
        least, most = track.contract.fail_range
        if not least <= low < high <= most:
            found = f"{track.contract.fail_range} around {track.contract.warn_range}"
            raise fail(f"{here}.contract.fail_range", "must enclose warn_range", found, "")
        fidelity = track.fidelity
        if fidelity is not None and (fidelity.inputs is None) == (fidelity.degrade is None):
            found = "both or neither"
            raise fail(f"{here}.fidelity", "must have either inputs or degrade", found, "")


def _check_positive(here: str, track: Track, fail: Fail) -> None:
    contract, cap, fidelity, scores = track.contract, track.limits.peak_memory, track.fidelity, track.scores
    numbers: dict[str, float | None] = {
        "contract.scale": contract.scale,
        "contract.minimum_size": contract.minimum_size,
        "contract.size_multiple": contract.size_multiple,
        "contract.channels": min(contract.channels),
        "limits.model_mib": track.limits.model_mib,
    }
    if cap is not None:
        numbers["limits.peak_memory"] = min(cap.total_rss_mib, cap.height, cap.width)
    if scores is not None:
        numbers["scores.speedup_cap"] = scores.speedup_cap
    if fidelity is not None and fidelity.degrade is not None:
        numbers["fidelity.degrade.factor"] = fidelity.degrade.factor
    for key, value in numbers.items():
        if value is not None and not value > 0:
            raise fail(f"{here}.{key}", "must be above 0", f"{value:g}", "")
    if fidelity is not None:
        borders = fidelity.psnr.crop_border, fidelity.ms_ssim.crop_border if fidelity.ms_ssim else 0
        if min(borders) < 0:
            raise fail(f"{here}.fidelity", "must have crop_border 0 or more", str(min(borders)), "")
