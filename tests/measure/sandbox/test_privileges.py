"""Root gives itself up where another user can do the work, and says which path stands in the way elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pixelproof.measure.sandbox import privileges, system_calls

Attempt = Callable[[str, dict[str, str]], dict[str, str]]
pytestmark = pytest.mark.skipif(system_calls.machine() is None, reason="needs Linux on x86_64 or aarch64")
needs_root = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can become another user"
)

BECOME = """
from pixelproof.measure.sandbox import privileges
for folder in (inbox, own, outside):
    path = folder
    while path != '/':
        os.chmod(path, os.stat(path).st_mode | 0o055)
        path = os.path.dirname(path)
os.chmod(outside + '/file', 0o600)
reason = privileges.become_nobody(needed=[inbox], own=own)
"""


@needs_root
def test_root_becomes_nobody_where_nobody_can_read_what_is_needed(attempt: Attempt) -> None:
    trials = {
        "told so": "reason is None or os.kill(-1, 0)",
        "is another": "os.getresuid() == (65534,) * 3 or 1 / 0",
        "has no groups": "os.getgroups() == [] or 1 / 0",
        "reads the inbox": "open(inbox + '/file').read()",
        "writes its own": "open(own + '/new', 'w').write('x')",
        "reads what is root's": "open(outside + '/file').read()",
        "writes elsewhere": "open(inbox + '/new', 'w').write('x')",
        "becomes root again": "os.setuid(0)",
    }
    found = attempt(BECOME, trials)
    refused = {"reads what is root's", "writes elsewhere", "becomes root again"}
    assert found == {name: "PermissionError" if name in refused else "done" for name in trials}


@needs_root
def test_root_stays_where_something_needed_would_be_lost(attempt: Attempt) -> None:
    walls = BECOME.replace("needed=[inbox]", "needed=[inbox, outside + '/file']")
    trials = {
        "names it": 'reason == f"an unprivileged user can\'t read {outside}/file" or os.kill(-1, 0)',
        "is root": "os.getresuid() == (0, 0, 0) or 1 / 0",
        "owns its folder": "os.stat(own).st_uid == 0 or 1 / 0",
        "reads it": "open(outside + '/file').read()",
    }
    assert set(attempt(walls, trials).values()) == {"done"}


@needs_root
def test_capabilities_are_gone_and_stay_gone(attempt: Attempt) -> None:
    walls = (
        "from pixelproof.measure.sandbox import privileges, system_calls\n"
        "privileges.drop_capabilities(system_calls.machine())\n"
        "os.chmod(outside, 0o000)\n"
        "lines = open('/proc/self/status').read().splitlines()\n"
        "held = [int(line.split()[1], 16) for line in lines if line.startswith('Cap')]\n"
    )
    trials = {
        "none": "held == [0] * 5 or 1 / 0",
        "chown": "os.chown(own, 1, 1)",
        "another user": "os.setuid(1)",
        "mount": "os.chroot(own)",
    }
    found = attempt(walls, trials)
    assert found == {
        "none": "done",
        "chown": "PermissionError",
        "another user": "PermissionError",
        "mount": "PermissionError",
    }


def test_what_can_not_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert (
        privileges.first_unreadable([str(tmp_path), str(tmp_path / "file"), str(tmp_path / "none")]) is None
    )
    if os.geteuid() != 0:
        (tmp_path / "file").chmod(0)
        assert privileges.first_unreadable([str(tmp_path / "file")]) == str(tmp_path / "file")
