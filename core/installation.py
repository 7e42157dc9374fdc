"""What is installed: the parts that pixelproof needs or can use, read from its own metadata."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pixelproof.environment import installed_version

_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)\s*(?:\[[^\]]*\])?\s*([^;]*?)\s*(?:;(.*))?$")


@dataclass(frozen=True)
class Requirement:
    """A distribution that pixelproof's metadata names; ``extra`` is empty for run-time parts."""

    name: str
    minimum: str
    extra: str


@dataclass(frozen=True)
class Part:
    """A required distribution: its version here (None where missing), and what is wrong with it."""

    name: str
    version: str | None
    minimum: str
    problem: str


@dataclass(frozen=True)
class Extra:
    """An optional group of distributions, and those of it that are missing."""

    name: str
    missing: tuple[str, ...]
    remedy: str


@dataclass(frozen=True)
class Script:
    """A command that users type, and the file that the shell would run (None: not on PATH)."""

    name: str
    path: str | None


def requirements(lines: Iterable[str]) -> tuple[Requirement, ...]:
    """Requirements as metadata writes them, such as ``numpy>=2.0`` or ``mypy>=1; extra == "dev"``."""
    found = []
    for line in lines:
        match = _REQUIREMENT.match(line.strip())
        if match is None:
            continue
        minimum = re.search(r">=\s*([0-9.]+)", match[2])
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", match[3] or "")
        found.append(Requirement(match[1], minimum[1] if minimum else "", extra[1] if extra else ""))
    return tuple(found)


def own_requirements() -> tuple[Requirement, ...]:
    """pixelproof's requirements; empty where it runs without having been installed."""
    try:
        return requirements(importlib.metadata.requires("pixelproof") or ())
    except importlib.metadata.PackageNotFoundError:
        return ()


def check_part(requirement: Requirement) -> Part:
    """One required part as it is here."""
    version = installed_version(requirement.name)
    problem = ""
    if version is None:
        problem = "missing"
    elif requirement.minimum and _numbers(version) < _numbers(requirement.minimum):
        problem = f"older than {requirement.minimum}"
    return Part(requirement.name, version, requirement.minimum, problem)


def check_extras(wanted: Iterable[Requirement]) -> tuple[Extra, ...]:
    """The optional groups, by name."""
    groups: dict[str, list[str]] = {}
    for requirement in wanted:
        if requirement.extra:
            groups.setdefault(requirement.extra, [])
            if check_part(requirement).problem:
                groups[requirement.extra].append(requirement.name)
    return tuple(
        Extra(name, tuple(missing), f"pip install 'pixelproof[{name}]'" if missing else "")
        for name, missing in sorted(groups.items())
    )


def scripts() -> tuple[Script, ...]:
    """The commands that an installation of pixelproof brings."""
    try:
        entries = importlib.metadata.distribution("pixelproof").entry_points
    except importlib.metadata.PackageNotFoundError:
        return ()
    names = sorted(entry.name for entry in entries if entry.group == "console_scripts")
    return tuple(Script(name, shutil.which(name)) for name in names)


def scripts_folder() -> Path:
    """Where this Python's installer puts commands."""
    return Path(sysconfig.get_path("scripts"))


def _numbers(version: str) -> tuple[int, ...]:
    leading = re.match(r"[0-9.]*", version)
    return tuple(int(part) for part in (leading[0] if leading else "").split(".") if part)
