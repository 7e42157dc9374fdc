"""Shared fixtures: where the real data is, and which build is under test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import pixelproof


def pytest_report_header() -> str:
    """Say which pixelproof is tested."""
    return f"pixelproof: {Path(pixelproof.__file__).parent}"


def pytest_configure() -> None:
    """Refuse to test another build than the one that was asked for."""
    expected = os.environ.get("PIXELPROOF_EXPECT")
    if expected and Path(expected).resolve() not in Path(pixelproof.__file__).resolve().parents:
        raise pytest.UsageError(f"expected pixelproof below {expected}; imported {pixelproof.__file__}")


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
