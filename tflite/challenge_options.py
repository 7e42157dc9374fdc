"""The options of ``pb2tflite`` that belong to a challenge, and what they come to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pixelproof.challenge import Challenge
    from pixelproof.tflite.challenge_files import WantedFile

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--challenge", help="Write, check and pack the files that it takes, for example mai2021-isp."
    ),
    click.option("--track", help="Of the challenge [the only one]."),
    click.option(
        "--data", type=click.Path(path_type=Path), help="Its images, for the judgement before packing."
    ),
    click.option("--team-id", help="With --team-name: judge by all rules, and pack."),
    click.option("--team-name", help="With --team-id: judge by all rules, and pack."),
)
_NAMES = ("challenge", "track", "data", "team_id", "team_name")


@dataclass(frozen=True)
class Contest:
    """A challenge for which files are made."""

    challenge: Challenge
    name: str
    track: str | None
    data: Path | None
    team: tuple[str, str] | None

    def files(
        self, model: Path, *, out: Path | None, input_shape: str | None, variable: bool
    ) -> tuple[WantedFile, ...]:
        """What is to be written.

        Raises:
            CallError: the challenge takes no TFLite, another shape was given, ``out`` is a file, or the form was.
        """
        from pixelproof.errors import CallError
        from pixelproof.tflite.challenge_files import wanted_files

        if variable:
            rule = "With --challenge the rules say which file is variable"
            raise CallError(rule, found="--variable", remedy="Leave it out.")
        folder = out if out is not None else model.parent / self.challenge.id
        if folder.is_file() or folder.suffix == ".tflite":
            raise CallError("With --challenge --out must be a folder", found=str(folder))
        _, files = wanted_files(self.challenge, self.track, folder=folder, input_shape=input_shape)
        return files

    def judge(self, model: Path) -> int:
        """Judge and, for a team, pack; gives the exit code."""
        from pixelproof.tflite.challenge_files import judge_and_pack, only_track

        track = self.track if self.track is not None else only_track(self.challenge)
        return judge_and_pack(_run, model, challenge=self.name, track=track, data=self.data, team=self.team)


def challenge_options(command: CommandT) -> CommandT:
    """Add them to a command; what it takes as ``**options`` goes to `parse_challenge_options`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def parse_challenge_options(options: Mapping[str, Any]) -> tuple[Contest | None, dict[str, Any]]:
    """The contest, or None; and the options that are not of it.

    Raises:
        CallError: an option without the one that it belongs to; no such challenge or track.
    """
    from pixelproof.challenge import load_challenge
    from pixelproof.errors import CallError

    own = {name: options[name] for name in _NAMES}
    rest = {name: value for name, value in options.items() if name not in own}
    given = [f"--{name.replace('_', '-')}" for name, value in own.items() if value is not None]
    if own["challenge"] is None:
        if given:
            raise CallError("These go with --challenge", found=", ".join(given))
        return None, rest
    if (own["team_id"] is None) != (own["team_name"] is None):
        raise CallError("A team has an id and a name", found=f"only {given[-1]}")
    if own["data"] is not None and own["team_id"] is None:
        remedy = "Without a team the contract alone is judged; validate-pb --data judges everything."
        raise CallError("--data goes with --team-id and --team-name", found="--data alone", remedy=remedy)
    rules = load_challenge(own["challenge"])
    if own["track"] is not None:
        rules.track(own["track"])
    team = None if own["team_id"] is None else (own["team_id"], own["team_name"])
    return Contest(rules, own["challenge"], own["track"], own["data"], team), rest


def _run(name: str, words: list[str]) -> int:
    """A command of pixelproof by its name, in this process; gives its exit code."""
    from pixelproof.cli import load_command

    code = load_command(name).main(args=words, prog_name=name, standalone_mode=False)
    return code if isinstance(code, int) else 0
