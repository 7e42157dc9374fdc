"""A tiny contest, models for it, zips of them, and the command as a process: what the tests of judging share."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from pixelproof.images import write_png
from pixelproof.measure.parity import probe_image

PAIRS = 5
RULES = """
id = "tiny"
title = "A tiny contest"
url = "https://example.org"
data_folder = "tiny"

[tracks.B]
title = "Enhancement"

[tracks.B.contract]
input = "input:0"
output = "output:0"
channels = [3, 3]
scale = 1
warn_range = [0.0, 1.0]
fail_range = [-0.25, 1.25]
any_resolution = true

[tracks.B.fidelity]
inputs = "inputs"
targets = "targets"
psnr = { crop_border = 0, clip = true, round_to_8_bit = false }

[tracks.B.runtime]
height = 48
width = 64
baseline = "srcnn"

[submission]
formats = ["pb"]
model_member = "model.pb"
required_checks = ["loads", "names", "tensors", "fidelity", "runtime"]
"""


def module(name: str) -> ModuleType:
    """A helper module of another folder of tests, by its path below ``tests``."""
    path = Path(__file__).resolve().parents[1] / name
    spec = importlib.util.spec_from_file_location(f"judging_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


def write_models(folder: Path, *names: str) -> dict[str, bytes]:
    """Graphs of tests/validate/graphs.py, as bytes."""
    from pixelproof.quiet import import_tensorflow

    import_tensorflow()
    builders = module("validate/graphs.py").BUILDERS
    return {name: builders[name]() for name in names}


def marked(graph: bytes, mark: str) -> bytes:
    """The same graph in other bytes: with a field that no reader of this version knows."""
    return graph + bytes([0x9A, 0x06, len(mark)]) + mark.encode()


def write_contest(folder: Path, *, per_day: int | None = None) -> tuple[Path, Path]:
    """(the rules' file, the folder of data) of the tiny contest."""
    folder.mkdir(parents=True, exist_ok=True)
    rules, data = folder / "tiny.toml", folder / "data"
    rules.write_text(RULES + (f"per_day = {per_day}\n" if per_day is not None else ""))
    rng = np.random.default_rng(7)
    for number in range(PAIRS):
        source = np.rint(probe_image(48, 64, 3, seed=number)[0] * 255).astype(np.uint8)
        target = np.clip(source + rng.integers(-9, 10, source.shape), 0, 255).astype(np.uint8)
        write_png(data / "inputs" / f"{number}.png", source)
        write_png(data / "targets" / f"{number}.png", target)
    return rules, data


def write_zip(path: Path, members: Mapping[str, bytes]) -> Path:
    """A zip of plain members."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def manifest(model: bytes, /, *, team: str, challenge: str = "tiny", track: str = "B", **more: Any) -> bytes:
    """The manifest of a zip with one model."""
    sha256 = hashlib.sha256(model).hexdigest()
    document = {
        "challenge": challenge,
        "track": track,
        "rules_sha256": "0" * 64,
        "team": {"id": team, "name": f"Team {team}"},
        "model": {"member": "model.pb", "format": "pb", "size_bytes": len(model), "sha256": sha256},
        "members": [],
        "figures_of": "challenge",
        "figures": {},
        "forced": [],
        "pixelproof": "0.1.0",
        "companion": None,
        "schema_version": 1,
        **more,
    }
    return json.dumps(document).encode()


def packed(path: Path, model: bytes, /, *, team: str, **more: Any) -> Path:
    """A zip as package-submission makes it."""
    return write_zip(path, {"model.pb": model, "manifest.json": manifest(model, team=team, **more)})


def start(*arguments: object, temporary: Path, **more: Any) -> subprocess.Popen[str]:
    """``pixelproof judge-submissions`` in a session of its own."""
    temporary.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", "from pixelproof.cli import main; main()", "judge-submissions"]
        + [str(argument) for argument in arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(temporary)},
        **more,
    )


def events(path: Path) -> list[dict[str, Any]]:
    """The whole lines of an event log."""
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def of_kind(log: list[dict[str, Any]], *kinds: str) -> dict[str, dict[str, Any]]:
    """The events of some kinds, by the submission's name."""
    return {happened["name"]: happened for happened in log if happened["event"] in kinds}
