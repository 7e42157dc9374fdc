"""Hostile files, a place to judge them in, and the judgement itself with all that must hold after it."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from pixelproof import janitor
from pixelproof.cli import group, run
from pixelproof.images import write_png
from pixelproof.measure.parity import probe_image
from pixelproof.measure.sandbox.outer import Bubblewrap

MODULES = ("arena", "archives", "graphs", "onnxes", "saved_models", "strange_files", "tflites")


def _load(name: str) -> None:
    """A module of this folder, from then on known as ``hostile_<name>``: test folders are no packages."""
    full = f"hostile_{name}"
    spec = importlib.util.spec_from_file_location(full, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    sys.modules[full] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


for _name in MODULES:
    _load(_name)

from hostile_arena import UNPRINTABLE, Answer, Arena, Row  # noqa: E402

GROUPS = ("contract", "range")
GOOD: dict[str, str] = {".tflite": "tflite", ".onnx": "onnx"}


@pytest.fixture
def arena(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Arena]:
    """A fresh place; from here on it holds the current folder and that for temporaries."""
    place = Arena(tmp_path / "arena")
    monkeypatch.chdir(place.cwd)
    monkeypatch.setattr(tempfile, "tempdir", str(place.tmp))
    monkeypatch.setenv("TMPDIR", str(place.tmp))
    yield place
    place.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small pairs for PIRM 2018, track B."""
    root = tmp_path_factory.mktemp("pictures")
    for number in range(3):
        picture = np.rint(probe_image(24, 32, 3, seed=number)[0] * 255).astype(np.uint8)
        for folder in ("iphone", "canon"):
            write_png(root / "dped" / "patches" / folder / f"{number}.png", picture)
    return root


@pytest.fixture(scope="session")
def good_models(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """A small honest model of each format that is one file."""
    import hostile_graphs
    import hostile_onnxes
    import hostile_tflites

    root = tmp_path_factory.mktemp("good")
    data = {"pb": hostile_graphs.good(), "tflite": hostile_tflites.good(), "onnx": hostile_onnxes.good()}
    for kind, content in data.items():
        (root / f"good.{kind}").write_bytes(content)
    return {kind: root / f"good.{kind}" for kind in data}


@pytest.fixture
def typed(
    arena: Arena, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Answer]:
    """``typed("validate-pb", "model.pb", ...)``: as typed, in this process; what any of its processes print counts.

    With ``report``, a path, the command writes a report there, and it is read and removed.
    """

    def call(*arguments: object, report: Path | None = None) -> Answer:
        capfd.readouterr()
        words = [*map(str, arguments), *(("--json", str(report)) if report is not None else ())]
        monkeypatch.setattr(sys, "argv", ["pixelproof", *words])
        begun = time.monotonic()
        with pytest.raises(SystemExit) as stop:
            run(group, "pixelproof")
        seconds = time.monotonic() - begun
        printed = capfd.readouterr()
        assert isinstance(stop.value.code, int)
        document = None
        if report is not None and report.exists():
            document = json.loads(report.read_text())
            report.unlink()
        return Answer(stop.value.code, printed.out, printed.err, seconds, document)

    return call


Judge = Callable[..., Answer]


@pytest.fixture
def judge(typed: Callable[..., Answer], arena: Arena, pictures: Path) -> Judge:
    """``judge(path)``: validate-pb by PIRM 2018, track B."""

    def call(path: Path, *, only: str = ",".join(GROUPS), time_limit_s: float = 60) -> Answer:
        words = ("--track", "B", "--data", pictures, "--only", only, "--time-limit", time_limit_s)
        return typed("validate-pb", path, *words, report=arena.root / "report.json")

    return call


@pytest.fixture(scope="session")
def figures() -> dict[str, object]:
    """What the good models were found to be before anything hostile was judged."""
    return {}


def judged_as_before(
    judge: Judge, good_models: Mapping[str, Path], figures: dict[str, object], kind: str
) -> None:
    """Judge a good model; from the second time on its verdicts and figures are those of the first, bit for bit."""
    answer = judge(good_models[kind])
    assert answer.code == 0, answer.text
    assert answer.report is not None
    found = (answer.report["checks"], answer.report["measurements"])
    assert found[1]["range_samples"] and found[1]["determinism_max_abs"] is not None
    assert figures.setdefault(kind, found) == found


Harmless = Callable[[str], AbstractContextManager[list[Answer]]]


@pytest.fixture
def harmless(
    arena: Arena, judge: Judge, good_models: Mapping[str, Path], figures: dict[str, object]
) -> Harmless:
    """``with harmless("pb") as told``: whatever the block does, and then appends its answers, has done no harm.

    Nothing was read, written, called or left behind, nothing secret or unprintable was said; and a good model of the
    given format is judged afterwards as it was before.
    """

    @contextmanager
    def around(kind: str) -> Iterator[list[Answer]]:
        if kind not in figures:
            judged_as_before(judge, good_models, figures, kind)
        before, left, children = arena.state(), arena.leftovers(), known_children()
        arena.seen()
        told: list[Answer] = []
        yield told
        assert arena.seen() == []
        assert arena.state() == before
        assert not arena.was_called()
        assert arena.settled(left) == left
        assert known_children() <= children
        assert told
        for answer in told:
            expect_decent(answer, arena)
        judged_as_before(judge, good_models, figures, kind)

    return around


def expect_decent(answer: Answer, arena: Arena) -> None:
    """Nothing secret, unprintable or internal was printed or written into the report."""
    everything = answer.text + json.dumps(answer.report, ensure_ascii=False)
    for secret in (arena.token, "root:x:0:0", os.environ["PATH"]):
        assert secret not in everything
    assert UNPRINTABLE.findall(answer.text) == []
    assert "Traceback" not in answer.text
    assert str(arena.tmp) not in everything


@pytest.fixture
def survives(arena: Arena, judge: Judge, harmless: Harmless) -> Callable[[Row], Answer]:
    """``survives(row)``: judge a hostile file; its verdict is the row's, and it has done no harm."""

    def check(row: Row) -> Answer:
        path = row.write(arena)
        with harmless(next_kind(row, path)) as told:
            answer = judge(path, only=row.only, time_limit_s=row.time_limit_s)
            told.append(answer)
            expect_verdict(row, answer)
        return answer

    return check


def next_kind(row: Row, path: Path) -> str:
    """The format of the good model that is judged next: the same where the hostile one was run."""
    if path.suffix in GOOD:
        return GOOD[path.suffix]
    return "tflite" if row.code == 2 or row.checks == ["allowed"] else "pb"


def expect_verdict(row: Row, answer: Answer) -> None:
    """The exit code, the failed checks and what they say are those of the row, and it took no longer."""
    assert answer.code == row.code, answer.text
    assert sorted(answer.failed()) == sorted(row.checks), answer.text
    said = answer.failed()[row.checks[0]] if row.checks else answer.text
    assert re.search(row.says, said), said
    assert answer.seconds < row.within_s
    if answer.report is not None:
        assert answer.report["passed"] is (row.code == 0)


def known_children() -> set[int]:
    """Processes below this one, without the janitor."""
    known = {child.pid for child in psutil.Process().children(recursive=True)}
    return known - {janitor._janitor().pid or 0}


@pytest.fixture
def without_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of this test are locked in by themselves alone."""
    monkeypatch.setattr(
        "pixelproof.measure.worker_process.bubblewrap", lambda: Bubblewrap(None, "switched off")
    )
