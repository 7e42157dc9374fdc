"""Shared fixtures: where the real data is, which build is under test, commands as typed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import pixelproof
from pixelproof.cli import group, run

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_LOG_LEVEL_GIVEN = _LOG_LEVEL in os.environ


def pytest_report_header() -> str:
    """Say which pixelproof is tested."""
    return f"pixelproof: {Path(pixelproof.__file__).parent}"


def pytest_configure() -> None:
    """Refuse to test another build than the one that was asked for.

    A shell that starts the tests in its background lets them, and all that they start, ignore Ctrl-C, and nohup
    the hang-up; the tests send both.
    """
    settings.register_profile("untimed", deadline=None)
    settings.load_profile("untimed")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    expected = os.environ.get("PIXELPROOF_EXPECT")
    if expected and Path(expected).resolve() not in Path(pixelproof.__file__).resolve().parents:
        raise pytest.UsageError(f"expected pixelproof below {expected}; imported {pixelproof.__file__}")


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def environment_stays() -> Iterator[None]:
    """What a command sets for itself, such as how much TensorFlow logs, doesn't reach the tests after it.

    A test file that imports Keras imports JAX with it where that is installed, and JAX sets how much TensorFlow logs.
    """
    if not _LOG_LEVEL_GIVEN:
        os.environ.pop(_LOG_LEVEL, None)
    before = dict(os.environ)
    yield
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """``call("pb2tflite", ...)``: pixelproof as typed, in this process."""

    def typed(*arguments: str) -> Answer:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["pixelproof", *arguments])
        with pytest.raises(SystemExit) as stop:
            run(group, "pixelproof")
        printed = capsys.readouterr()
        assert isinstance(stop.value.code, int)
        return Answer(stop.value.code, printed.out, printed.err)

    return typed


@pytest.fixture(scope="session")
def tf() -> Any:
    """TensorFlow, imported as the commands do."""
    from pixelproof.quiet import import_tensorflow

    import_tensorflow()
    import tensorflow

    return tensorflow


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real inputs."""
    folder = os.environ.get("PIXELPROOF_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs the official files: set PIXELPROOF_DATA (README, 'Real data')")
    return Path(folder)


@pytest.fixture(scope="session")
def official_data(shared_data: Path) -> Path:
    """The PIRM 2018 folder, laid out as its public repository."""
    folder = shared_data / "ai-challenge"
    if not (folder / "models_pretrained").is_dir():
        pytest.skip(f"needs the PIRM 2018 files in {folder}: pixelproof fetch pirm2018")
    return folder
