"""Fixtures for the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from pixelproof.cli import group, run


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


Call = Callable[..., Answer]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """``call("challenges", "show", "pirm2018")``: pixelproof as typed, in this process."""

    def typed(*arguments: str) -> Answer:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["pixelproof", *arguments])
        with pytest.raises(SystemExit) as stop:
            run(group, "pixelproof")
        printed = capsys.readouterr()
        assert isinstance(stop.value.code, int)
        return Answer(stop.value.code, printed.out, printed.err)

    return typed
