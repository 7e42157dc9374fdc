"""A child process that puts up walls and then tries what they forbid."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TRIALS = """
import json, os, sys
def tried(action):
    try:
        action()
    except (OSError, MemoryError) as error:
        return type(error).__name__
    return "done"
"""

Attempt = Callable[[str, dict[str, str]], dict[str, str]]


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    """``attempt(walls, trials)``: run code that puts up walls, then each trial; what became of each.

    In the code, ``inbox`` and ``own`` are two folders, and ``outside`` a third.
    """
    folders = {name: tmp_path / name for name in ("inbox", "own", "outside")}
    for folder in folders.values():
        folder.mkdir()
        (folder / "file").write_text(folder.name)

    def run(walls: str, trials: dict[str, str]) -> dict[str, str]:
        names = "".join(f"{name} = {str(folder)!r}\n" for name, folder in folders.items())
        lines = "".join(f"found[{name!r}] = tried(lambda: {code})\n" for name, code in trials.items())
        script = f"{TRIALS}{names}{walls}\nfound = {{}}\n{lines}print(json.dumps(found))\n"
        command = [sys.executable, "-P", "-c", script]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return run
