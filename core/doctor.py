"""``pixelproof doctor``: what this machine and this installation can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pixelproof.errors import EnvironmentFault, PixelproofError

if TYPE_CHECKING:
    from pixelproof.console import Console
    from pixelproof.installation import Extra, Part, Script
    from pixelproof.report import Environment
    from pixelproof.safety import SandboxLayer

_OWN_NEEDS = ("rich", "psutil")


@dataclass(frozen=True)
class Disk:
    """Free space of a folder; None where it can't be written."""

    purpose: str
    path: str
    free_mib: float | None


@dataclass(frozen=True)
class ChallengeData:
    """Where a challenge's images would be taken from, or why they can't be."""

    challenge: str
    origin: str
    path: str
    problem: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """All that the doctor found; ``problems`` are those that keep pixelproof from working."""

    environment: Environment
    gpus: tuple[str, ...]
    peak_memory: str
    sandbox: tuple[SandboxLayer, ...]
    disks: tuple[Disk, ...]
    parts: tuple[Part, ...]
    extras: tuple[Extra, ...]
    scripts: tuple[Script, ...]
    data: tuple[ChallengeData, ...]
    problems: tuple[str, ...]


def diagnose() -> Diagnosis:
    """Look at machine, installation and data; imports none of the heavy libraries.

    Raises:
        EnvironmentFault: a part is missing without which the doctor itself can't go on.
    """
    from pixelproof.environment import environment, gpus, peak_memory_method, sandbox_layers
    from pixelproof.installation import check_extras, check_part, own_requirements, scripts

    wanted = own_requirements()
    parts = tuple(check_part(requirement) for requirement in wanted if not requirement.extra)
    disks = (_disk("working folder", "."), _temporary_disk())
    problems = [f"{part.name} is {part.problem}" for part in parts if part.problem]
    problems += [f"the {disk.purpose} can't be written" for disk in disks[1:] if disk.free_mib is None]
    if not wanted:
        problems.append("pixelproof itself is not installed")
    if any(part.name in _OWN_NEEDS and part.version is None for part in parts):
        raise _incomplete(problems)
    return Diagnosis(
        environment=environment(),
        gpus=gpus(),
        peak_memory=peak_memory_method(),
        sandbox=sandbox_layers(),
        disks=disks,
        parts=parts,
        extras=check_extras(wanted),
        scripts=scripts(),
        data=_all_data(),
        problems=tuple(problems),
    )


def _disk(purpose: str, path: str) -> Disk:
    import os
    import shutil

    from pixelproof.files import MIB

    if not os.access(path, os.W_OK):
        return Disk(purpose, str(Path(path).absolute()), None)
    return Disk(purpose, str(Path(path).absolute()), round(shutil.disk_usage(path).free / MIB, 1))


def _temporary_disk() -> Disk:
    import tempfile

    try:
        return _disk("temporary folder", tempfile.gettempdir())
    except FileNotFoundError as error:
        return Disk("temporary folder", str(error), None)


def _all_data() -> tuple[ChallengeData, ...]:
    from pixelproof.challenge import known_challenges

    return tuple(_data_of(name) for name in known_challenges())


def _data_of(name: str) -> ChallengeData:
    from pixelproof.challenge import load_challenge
    from pixelproof.data import find_data

    try:
        source = find_data(load_challenge(name).data_folder, given=None)
    except PixelproofError as error:
        return ChallengeData(name, "none", "", str(error))
    return ChallengeData(name, source.origin, str(source.root))


@click.command("doctor")
@click.option("--json", "json_to", metavar="FILE|-", help="Write all of it as JSON; - is standard output.")
def doctor(json_to: str | None) -> int:
    """Say what this machine and this installation can do.

    Exit code 3 where a part that pixelproof needs is missing.
    """
    from pixelproof.console import Console

    found = diagnose()
    console = Console(json_to)
    _show(console, found)
    console.json(found)
    if found.problems:
        raise _incomplete(found.problems)
    console.line("Everything that pixelproof needs is here.")
    return 0


def _incomplete(problems: Sequence[str]) -> EnvironmentFault:
    remedy = "Install pixelproof again: python -m pip install --upgrade pixelproof."
    return EnvironmentFault("The installation must be complete", found="; ".join(problems), remedy=remedy)


def _show(console: Console, found: Diagnosis) -> None:
    console.table("Machine", ("what", "found"), _machine_rows(found))
    rows = [
        (
            part.name,
            part.version or "-",
            f">= {part.minimum}" if part.minimum else "any",
            part.problem or "ok",
        )
        for part in found.parts
    ]
    console.table("Walls around a model", ("wall", "state"), _wall_rows(found))
    console.table("Required parts", ("part", "version", "needed", "state"), rows)
    console.table("Optional parts", ("part", "state", "how to get it"), _optional_rows(found))
    console.table("Data", ("challenge", "from", "folder", "problem"), _data_rows(found))
    console.table("Commands", ("command", "on PATH"), _script_rows(found))


def _machine_rows(found: Diagnosis) -> list[tuple[str, str]]:
    here = found.environment
    rows = [
        ("pixelproof", here.pixelproof),
        ("Python", here.python),
        ("system", here.platform),
        ("processor", here.cpu),
        ("cores", str(here.cores)),
        ("memory", f"{here.memory_mib:.0f} MiB"),
        ("peak memory", found.peak_memory),
    ]
    rows += [("GPU", gpu) for gpu in found.gpus or ("none found (not needed)",)]
    for disk in found.disks:
        free = "not writable" if disk.free_mib is None else f"{disk.free_mib / 1024:.1f} GiB free"
        rows.append((disk.purpose, f"{free}, {disk.path}"))
    return rows


def _wall_rows(found: Diagnosis) -> list[tuple[str, str]]:
    if not found.sandbox:
        return [("all", "not known: a worker can't start")]
    return [
        (layer.name, layer.detail or "stands")
        if layer.active
        else (layer.name, f"not active: {layer.detail}")
        for layer in found.sandbox
        if layer.name != "memory_watch"
    ]


def _optional_rows(found: Diagnosis) -> list[tuple[str, str, str]]:
    rows = [
        (
            f"extra {extra.name}",
            f"lacks {', '.join(extra.missing)}" if extra.missing else "present",
            extra.remedy,
        )
        for extra in found.extras
    ]
    for data in found.data:
        there = data.origin == "environment"
        way = "" if there else f"pixelproof fetch {data.challenge}, then set PIXELPROOF_DATA to its parent"
        rows.append((f"official data of {data.challenge}", "present" if there else "missing", way))
    return rows


def _data_rows(found: Diagnosis) -> list[tuple[str, str, str, str]]:
    names = {"environment": "PIXELPROOF_DATA", "samples": "bundled samples", "none": "nowhere"}
    return [(d.challenge, names.get(d.origin, d.origin), d.path or "-", d.problem) for d in found.data]


def _script_rows(found: Diagnosis) -> list[tuple[str, str]]:
    from pixelproof.installation import scripts_folder

    missing = f"no: add {scripts_folder()} to PATH, or call it as pixelproof COMMAND"
    return [(script.name, script.path or missing) for script in found.scripts]
