"""The TFLite files that a challenge takes, made from one graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pixelproof.challenge import Challenge, load_challenge
from pixelproof.contract import parse_shape
from pixelproof.data import samples_folder
from pixelproof.errors import CallError

Shape = tuple[int, int, int, int]


@dataclass(frozen=True)
class WantedFile:
    """One file: its path, the shape that it has or is proven at, and whether its height and width stay open."""

    path: Path
    shape: Shape
    variable: bool


def wanted_files(
    challenge: Challenge, track_name: str | None, *, folder: Path, input_shape: str | None
) -> tuple[str, tuple[WantedFile, ...]]:
    """The track, and the files that it takes: one of fixed size, and its companion of any size.

    Args:
        track_name: the only track where it is None.
        folder: where they go, under the names that the challenge gives them.
        input_shape: as the user gave it, if at all; it must be the challenge's.

    Raises:
        CallError: the challenge takes no TFLite, its track fixes no size, or another shape was given.
    """
    name = track_name if track_name is not None else only_track(challenge)
    track = challenge.track(name)
    submission, size = challenge.submission, track.contract.fixed_size
    if submission is None or "tflite" not in submission.formats or size is None:
        remedy = "Leave --challenge out, and name a size: --input-shape 1,height,width,channels."
        raise CallError(
            "--challenge must take TFLite of a fixed size",
            found=f"{challenge.id}, track {name}",
            remedy=remedy,
        )
    shape = (1, *size, track.contract.channels[0])
    if input_shape is not None and parse_shape(input_shape) != shape:
        remedy = "Leave --input-shape out."
        raise CallError(f"{challenge.id} takes {','.join(map(str, shape))}", found=input_shape, remedy=remedy)
    member = PurePosixPath(submission.model_member)
    files = [WantedFile(folder / member.with_suffix(".tflite").name, shape, variable=False)]
    if track.companion is not None:
        files.append(WantedFile(folder / track.companion.member, shape, variable=True))
    return name, tuple(files)


def only_track(challenge: Challenge) -> str:
    """The name of a challenge's only track.

    Raises:
        CallError: it has several.
    """
    if len(challenge.tracks) != 1:
        raise CallError(
            "--track must be given", found=f"several in {challenge.id}: {', '.join(challenge.tracks)}"
        )
    return next(iter(challenge.tracks))


def judge_and_pack(
    command: Callable[[str, list[str]], int],
    model: Path,
    *,
    challenge: str,
    track: str,
    data: Path | None,
    team: tuple[str, str] | None,
) -> int:
    """Judge the files by the challenge's rules: its contract alone, or for a team everything, and pack them then.

    Args:
        command: runs a command of pixelproof by its name, and gives its exit code.
        team: id and name; None where nothing is to be packed.

    Returns:
        0 where every check passed and, for a team, the zip was written; 1 where a rule is broken.
    """
    report = model.with_name("report.json")
    words = [str(model), "--challenge", challenge, "--track", track]
    if team is None:
        samples = samples_folder(load_challenge(challenge).data_folder)
        if samples.is_dir():  # the contract is judged on any pictures
            words += ["--data", str(samples)]
        return command("validate-pb", [*words, "--only", "contract,range,resolution,size"])
    judging = [*words, "--json", str(report), *(["--data", str(data)] if data is not None else [])]
    code = command("validate-pb", judging)
    if code:
        return code
    out = model.with_name("submission.zip")
    packing = ["--model", str(model), "--report", str(report), "--challenge", challenge, "--track", track]
    packing += ["--team-id", team[0], "--team-name", team[1], "--out", str(out)]
    return command("package-submission", packing)
