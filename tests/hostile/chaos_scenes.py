"""What the chaos run runs: three commands on the bundled model, and how to tell a whole output from a half one."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINT = ROOT / "models_pretrained" / "own-resnet_6_16-x4.weights.h5"
LIMIT_S = 300.0

Check = Callable[[Path, Path], None]
"""(output, the same output of a good run); raises an error of any kind where the output is not whole."""


@dataclass(frozen=True)
class Scene:
    """A command and its outputs, told apart by name.

    Attributes:
        seconds: what a good run took.
        good: the folder of its outputs.
    """

    name: str
    words: tuple[str, ...]
    outputs: Mapping[str, Check]
    good: Path
    seconds: float = 0.0

    def command(self, folder: Path) -> list[str]:
        """As typed, with the outputs in a folder."""
        program = str(Path(sys.executable).with_name(self.name))
        return [program, *(word.replace("OUT", str(folder)) for word in self.words)]

    def faults(self, folder: Path, *, all_there: bool) -> list[str]:
        """What is wrong with the outputs in a folder."""
        found = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        wrong = [f"left in the output folder: {name}" for name in found if name not in self.outputs]
        if all_there:
            wrong += [f"missing: {name}" for name in self.outputs if name not in found]
        for name in self.outputs.keys() & found:
            try:
                self.outputs[name](folder / name, self.good / name)
            except Exception as error:  # noqa: BLE001 - whatever a reader says of a half file
                wrong.append(f"{name} is not whole: {type(error).__name__}: {error}")
        return wrong


def environment(home: Path, temporary: Path) -> dict[str, str]:
    """Of a command: a home and a folder for temporaries of its own, and the bundled images."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIXELPROOF_")}
    return {**kept, "HOME": str(home), "TMPDIR": str(temporary)}


def scenes(folder: Path, *, short: bool) -> tuple[Scene, ...]:
    """The three of them, each run once, so that it is known what is right and how long it takes.

    Args:
        folder: for the good outputs.
        short: fewer formats and checks.
    """
    converted, judged, packed = folder / "converted", folder / "judged", folder / "packed"
    model, report = str(converted / "model.pb"), str(judged / "report.json")
    converting = ["--model", "resnet_6_16", "--ckpt", str(CHECKPOINT), "--input-shape", "1,64,96,3"]
    judging = ["--track", "A", "--max-runs", "2"]
    packing = ["--team-id", "42", "--team-name", "Chaos", "--model", model, "--report", report]
    made: dict[str, Check] = {"model.pb": _same, "saved_model": _same_model, "parity.json": _parity}
    if short:
        converting += ["--format", "pb,savedmodel"]
        judging += ["--only", "contract,fidelity", "--images", "1"]
        packing += ["--force"]
    else:
        made |= {"model.tflite": _same, "model.onnx": _same_weights}
    zip_check = _same_members if short else _same_zip
    zipped: dict[str, Check] = {"submission.zip": zip_check, "submission.mail.txt": _same}
    return (
        _tried(Scene("convert-model", (*converting, "--out", "OUT"), made, converted), folder),
        _tried(
            Scene(
                "validate-pb",
                (model, *judging, "--json", "OUT/report.json"),
                {"report.json": _report},
                judged,
            ),
            folder,
        ),
        _tried(
            Scene("package-submission", (*packing, "--out", "OUT/submission.zip"), zipped, packed), folder
        ),
    )


def _tried(scene: Scene, folder: Path) -> Scene:
    home, temporary = folder / "home", folder / "tmp"
    for needed in (home, temporary):
        needed.mkdir(exist_ok=True)
    start = time.monotonic()
    done = subprocess.run(
        scene.command(scene.good),
        env=environment(home, temporary),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    seconds = time.monotonic() - start
    if done.returncode:
        raise SystemExit(f"{scene.name} fails without any chaos:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    faults = scene.faults(scene.good, all_there=True)
    if faults or list(temporary.iterdir()):
        raise SystemExit(f"{scene.name} without any chaos: {faults or list(temporary.iterdir())}")
    return Scene(scene.name, scene.words, scene.outputs, scene.good, seconds)


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)


def _same(output: Path, good: Path) -> None:
    _require(_digest(output) == _digest(good), "other bytes than a good run's")


def _same_model(output: Path, good: Path) -> None:
    """A SavedModel; its fingerprint holds a random number."""
    members = {path.relative_to(good) for path in good.rglob("*")}
    _require({path.relative_to(output) for path in output.rglob("*")} == members, "other members")
    for member in members:
        if member.name == "fingerprint.pb":
            _require((output / member).stat().st_size > 0, "an empty fingerprint")
        elif (good / member).is_file():
            _same(output / member, good / member)


def _same_weights(output: Path, good: Path) -> None:
    """An ONNX file; tf2onnx numbers its nodes differently each time."""
    import onnx

    models = [onnx.load(path) for path in (output, good)]
    onnx.checker.check_model(models[0])
    ours, theirs = (sorted(weight.raw_data for weight in model.graph.initializer) for model in models)
    _require(ours == theirs, "other weights")
    _require(len(models[0].graph.node) == len(models[1].graph.node), "other nodes")


def _parity(output: Path, good: Path) -> None:
    document, other = json.loads(output.read_text()), json.loads(good.read_text())
    _require(document.keys() == other.keys() and document["passed"] is True, "other keys")
    names = [[artifact["name"] for artifact in each["artifacts"]] for each in (document, other)]
    _require(sorted(names[0]) == sorted(names[1]), "other artifacts")


def _report(output: Path, good: Path) -> None:
    from pixelproof.report import read_report

    checks = [[check.id for check in read_report(path).checks] for path in (output, good)]
    _require(checks[0] == checks[1], "other checks")


def _same_zip(output: Path, good: Path) -> None:
    _same_members(output, good)
    _same(output, good)


def _same_members(output: Path, good: Path) -> None:
    """A zip; its manifest lists what was forced, and a killed worker adds to that."""
    with zipfile.ZipFile(output) as ours, zipfile.ZipFile(good) as theirs:
        _require(ours.testzip() is None, "a damaged member")
        _require(ours.namelist() == theirs.namelist(), "other members")
        for name in ours.namelist():
            if name == "manifest.json":
                _require(json.loads(ours.read(name)).keys() == json.loads(theirs.read(name)).keys(), name)
            else:
                _require(ours.read(name) == theirs.read(name), name)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
