"""What a scoring program was made for: a small file beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pixelproof import __version__
from pixelproof.challenge import Challenge, parse_challenge
from pixelproof.errors import ChallengeError, EnvironmentFault
from pixelproof.files import read_bytes
from pixelproof.report import dump_json
from pixelproof.schema import build

SETTINGS, RULES = "settings.json", "challenge.toml"


@dataclass(frozen=True)
class Settings:
    """How a program scores.

    Attributes:
        track: of the challenge whose file lies beside.
        rules_sha256: of that file.
        pixelproof: the version that wrote the program, and must run it.
        require_sandbox: judge a model only where its worker is locked in.
    """

    track: str
    rules_sha256: str
    pixelproof: str
    require_sandbox: bool = True


@dataclass(frozen=True)
class Program:
    """A scoring program's folder, and what lies in it."""

    folder: Path
    settings: Settings
    challenge: Challenge

    @property
    def rules(self) -> Path:
        """The challenge's file."""
        return self.folder / RULES


def settings_text(settings: Settings) -> str:
    """The file's text."""
    return dump_json(settings)


def read_program(folder: Path) -> Program:
    """Settings and rules that lie beside a program.

    Raises:
        InputError: a file is missing or damaged.
        EnvironmentFault: another version of pixelproof runs the program than wrote it.
    """

    def fail(path: str, rule: str, found: str, remedy: str) -> ChallengeError:
        return ChallengeError(f"{SETTINGS}: {path} {rule}", found=found, remedy=remedy)

    try:
        table = json.loads(read_bytes(folder / SETTINGS, what=SETTINGS))
    except ValueError as error:
        raise ChallengeError(f"{SETTINGS} must be JSON", found=str(error)) from error
    settings = build(Settings, table, fail=fail)
    if settings.pixelproof != __version__:
        remedy = "Make the bundle again with the version that the image has."
        raise EnvironmentFault(
            f"The program must run with pixelproof {settings.pixelproof}", found=__version__, remedy=remedy
        )
    text = read_bytes(folder / RULES, what=RULES).decode("utf-8", errors="replace")
    return Program(folder, settings, parse_challenge(text, label=RULES))
