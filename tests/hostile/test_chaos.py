"""A slice of ``make chaos``, and kills at moments that chance would seldom hit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

CHAOS = Path(__file__).with_name("chaos.py")


@pytest.mark.skipif(sys.platform != "linux", reason="looks processes up by their environment")
def test_commands_that_are_killed_leave_nothing(tmp_path: Path) -> None:
    """A command, the janitor and a worker; and each command on disks that fail, where we may make them."""
    found = tmp_path / "found.json"
    command = [sys.executable, CHAOS, "--short", "--rounds", "3", "--seed", "1507", "--json", found]
    done = subprocess.run(
        command, env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-5000:]}{done.stderr[-3000:]}"
    document = json.loads(found.read_text())
    assert [kill["command"] for kill in document["kills"]] == [
        "convert-model",
        "validate-pb",
        "package-submission",
    ]
    assert any(kill["killed"] for kill in document["kills"])
    assert {disk["command"] for disk in document["disks"]} == {kill["command"] for kill in document["kills"]}
    assert list(tmp_path.iterdir()) == [found]


@pytest.mark.skipif(os.name == "nt", reason="no process groups there")
def test_a_user_s_endless_code_ends_with_the_command(tmp_path: Path) -> None:
    """``--model FILE.py:FUNCTION`` runs in a child, and what that child starts dies with it too."""
    temporary, model = tmp_path / "tmp", tmp_path / "mine.py"
    temporary.mkdir()
    model.write_text(
        "import os, pathlib, tempfile, time\n"
        "def endless():\n"
        "    tempfile.mkdtemp(); second = os.fork()\n"
        "    pathlib.Path(__file__).with_name(f'up-{os.getpid()}').touch()\n"
        "    time.sleep(600)\n"
    )
    command = [sys.executable, "-c", "from pixelproof.cli import convert_model; convert_model()"]
    with subprocess.Popen(
        [*command, "--model", f"{model}:endless", "--out", tmp_path / "out", "--format", "pb"],
        env={**os.environ, "TMPDIR": str(temporary)},
    ) as running:
        while len(up := list(tmp_path.glob("up-*"))) < 2:
            assert running.poll() is None
            time.sleep(0.05)
        running.kill()
    deadline = time.monotonic() + 10
    pids = [int(path.name.removeprefix("up-")) for path in up]
    while any(map(_runs, pids)) or list(temporary.iterdir()) or list((tmp_path / "out").iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
