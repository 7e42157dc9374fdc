"""A challenge: its tracks and what is handed in, filled from a TOML file that is checked key by key."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pixelproof.errors import CallError, ChallengeError, did_you_mean
from pixelproof.rules import (
    Bayer,
    Companion,
    ComplexityRules,
    Degrade,
    Fidelity,
    Format,
    Gates,
    Limits,
    Mai2021Scores,
    Mai2022Scores,
    Mail,
    Metric,
    MsSsim,
    PeakMemory,
    Psnr,
    Ranking,
    Results,
    Runtime,
    Scores,
    ScoreWeights,
    Submission,
    Track,
)
from pixelproof.schema import Fail, build
from pixelproof.toml_lines import line_of_key

__all__ = [
    "Bayer",
    "Challenge",
    "Companion",
    "ComplexityRules",
    "Degrade",
    "Fidelity",
    "Format",
    "Gates",
    "Limits",
    "Mai2021Scores",
    "Mai2022Scores",
    "Mail",
    "Metric",
    "MsSsim",
    "PeakMemory",
    "Psnr",
    "Ranking",
    "Results",
    "Runtime",
    "ScoreWeights",
    "Scores",
    "Submission",
    "Track",
    "challenge_text",
    "known_challenges",
    "load_challenge",
    "parse_challenge",
    "rules_sha256",
]


@dataclass(frozen=True)
class Challenge:
    """A contest's rules.

    Attributes:
        honour: rules that no file can show to be kept; they are told, and not judged.
    """

    id: str
    title: str
    url: str
    data_folder: str
    tracks: Mapping[str, Track]
    submission: Submission | None = None
    honour: tuple[str, ...] = ()

    def track(self, name: str) -> Track:
        """The track of this name.

        Raises:
            CallError: there is none.
        """
        if name not in self.tracks:
            remedy = did_you_mean(name, list(self.tracks))
            raise CallError(f"A track of {self.id} must be named", found=repr(name), remedy=remedy)
        return self.tracks[name]

    def model_track(self, name: str) -> Track:
        """The track of this name, if models are judged in it.

        Raises:
            CallError: there is none, or pictures are handed in.
        """
        track = self.track(name)
        if track.results is not None:
            others = [n for n, other in self.tracks.items() if other.results is None]
            where = f"; models are judged in --track {', '.join(others)}" if others else ""
            remedy = f"pixelproof validate-images judges pictures{where}."
            raise CallError(
                "A model must go into a track of models", found=f"{name}: {track.title}", remedy=remedy
            )
        return track


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
        if fidelity is not None and fidelity.bayer is not None:
            _check_bayer(f"{here}.fidelity.bayer", track, fidelity.bayer, fail)
        if track.ranking is not None:
            _check_ranking(f"{here}.ranking", track, track.ranking, fail)
        if track.results is not None:
            _check_results(here, track, track.results, fail)
        if track.limits.parameters_below is not None and track.complexity is None:
            rule = "must be counted: the track needs [complexity]"
            raise fail(f"{here}.limits.parameters_below", rule, "none", "")
        if track.contract.fixed_size is not None and track.contract.any_resolution:
            found = "any_resolution as well"
            raise fail(f"{here}.contract.fixed_size", "must be alone", found, "Set any_resolution = false.")


def _check_positive(here: str, track: Track, fail: Fail) -> None:
    contract, cap, fidelity, scores = track.contract, track.limits.peak_memory, track.fidelity, track.scores
    numbers: dict[str, float | None] = {
        "contract.scale": contract.scale,
        "contract.minimum_size": contract.minimum_size,
        "contract.size_multiple": contract.size_multiple,
        "contract.channels": min(contract.channels),
        "limits.model_mib": track.limits.model_mib,
        "limits.parameters_below": track.limits.parameters_below,
    }
    if cap is not None:
        numbers["limits.peak_memory"] = min(cap.total_rss_mib, cap.height, cap.width)
    numbers |= {f"scores.{key}": value for key, value in _score_numbers(scores).items()}
    if track.companion is not None:
        numbers["companion.tolerance"] = track.companion.tolerance
    if contract.fixed_size is not None:
        numbers["contract.fixed_size"] = min(contract.fixed_size)
    if fidelity is not None and fidelity.degrade is not None:
        numbers["fidelity.degrade.factor"] = fidelity.degrade.factor
    if track.results is not None:
        numbers |= {f"results.{key}": value for key, value in _result_numbers(track.results).items()}
    for key, value in numbers.items():
        if value is not None and not value > 0:
            raise fail(f"{here}.{key}", "must be above 0", f"{value:g}", "")
    if fidelity is not None:
        borders = fidelity.psnr.crop_border, fidelity.ms_ssim.crop_border if fidelity.ms_ssim else 0
        if min(borders) < 0:
            raise fail(f"{here}.fidelity", "must have crop_border 0 or more", str(min(borders)), "")


def _score_numbers(scores: Scores | Mai2021Scores | Mai2022Scores | None) -> dict[str, float]:
    """Keys of a formula that must be above 0."""
    match scores:
        case Scores():
            return {"speedup_cap": scores.speedup_cap}
        case Mai2021Scores():
            return {
                "shortest_s": scores.shortest_s,
                "longest_s": scores.longest_s,
                "target_s": scores.target_s,
            }
        case Mai2022Scores():
            return {"constant": scores.constant}
    return {}


def _result_numbers(results: Results) -> dict[str, float | None]:
    """Keys of a track of pictures that must be above 0."""
    return {
        "count": results.count,
        "height": results.height,
        "width": results.width,
        "zip_mib": results.zip_mib,
    }


def _check_results(here: str, track: Track, results: Results, fail: Fail) -> None:
    if (results.height is None) != (results.width is None):
        raise fail(f"{here}.results", "must have both height and width, or neither", "one of them", "")
    if results.folder_depth < 0:
        raise fail(f"{here}.results.folder_depth", "must be 0 or more", str(results.folder_depth), "")
    if track.fidelity is None:
        raise fail(f"{here}.results", "must go with fidelity, which says how they are measured", "none", "")
    of_models = ("runtime", "companion", "complexity", "ranking", "scores")
    given = [part for part in of_models if getattr(track, part) is not None]
    if given or track.limits != Limits():
        found = ", ".join(given or ["limits"])
        remedy = "Give the models a track of their own."
        raise fail(f"{here}.results", "must stand without what is asked of a model", found, remedy)


def _check_ranking(here: str, track: Track, ranking: Ranking, fail: Fail) -> None:
    if not ranking.metrics:
        raise fail(f"{here}.metrics", "must name at least one metric", "none", "")
    if ranking.method == "weighted" and set(ranking.weights) != set(ranking.metrics):
        found = ", ".join(ranking.weights) or "none"
        raise fail(f"{here}.weights", "must give one weight for each metric", found, "")
    if ranking.method == "rank_sum" and ranking.weights:
        raise fail(f"{here}.weights", "must go with method = 'weighted'", "rank_sum", "")
    if track.complexity is None and {"params", "flops", "activations"} & set(ranking.metrics):
        raise fail(f"{here}.metrics", "must be measured: the track needs [complexity]", "none", "")


def _check_bayer(here: str, track: Track, bayer: Bayer, fail: Fail) -> None:
    if track.contract.channels[0] != 4:
        found = f"contract.channels = {list(track.contract.channels)}"
        raise fail(here, "must go with 4 input channels", found, "")
    if not bayer.white_level > bayer.black_level:
        found = f"{bayer.white_level:g} and {bayer.black_level:g}"
        raise fail(here, "must have its white level above its black level", found, "")
    if track.fidelity is not None and track.fidelity.inputs is None:
        raise fail(here, "must go with a folder of inputs", "degrade", "")
