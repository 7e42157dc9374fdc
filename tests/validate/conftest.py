"""Graphs to judge, a small contest to judge them by, and the command as typed."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof.challenge import challenge_text
from pixelproof.cli import load_command, run
from pixelproof.errors import WorkerStopped
from pixelproof.images import write_png
from pixelproof.measure.formats import Kind
from pixelproof.measure.parity import probe_image
from pixelproof.measure.worker import Worker
from pixelproof.validate import session

PAIRS = 40
SMALL = (48, 64)
LARGE = (96, 128)


@dataclass(frozen=True)
class Answer:
    """What validate-pb printed, its exit code, and the report where there is one."""

    code: int
    out: str
    err: str
    report: dict[str, Any] | None

    def checks(self, *statuses: str) -> dict[str, dict[str, str]]:
        """Checks by id, of these statuses or of all."""
        assert self.report is not None, self.err
        return {c["id"]: c for c in self.report["checks"] if not statuses or c["status"] in statuses}


Judge = Callable[..., Answer]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Judge:
    """``typed("model.pb", "--track", "B")``: validate-pb in this process; ``--json -`` gives a report."""

    def call(*arguments: object) -> Answer:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["validate-pb", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            run(load_command("validate-pb"), "validate-pb")
        printed = capsys.readouterr()
        assert isinstance(stop.value.code, int)
        report = json.loads(printed.out) if printed.out.startswith("{") else None
        return Answer(stop.value.code, printed.out, printed.err, report)

    return call


@pytest.fixture
def judged(typed: Judge, rules: Path, data: Path) -> Judge:
    """``judged("model.pb", ...)``: by the small contest's track B, with the report as JSON."""

    def call(model: object, *arguments: object) -> Answer:
        return typed(model, "--challenge", rules, "--track", "B", "--data", data, "--json", "-", *arguments)

    return call


@pytest.fixture(scope="session")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Every graph of graphs.py, by name."""
    from pixelproof.quiet import import_tensorflow

    import_tensorflow()
    spec = importlib.util.spec_from_file_location("graphs", Path(__file__).with_name("graphs.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written: Mapping[str, Path] = module.write_graphs(tmp_path_factory.mktemp("graphs"))
    return written


@pytest.fixture(scope="session")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PIRM 2018 with small images for memory and runtime."""
    _, text = challenge_text("pirm2018")
    small = f"height = {LARGE[0]}, width = {LARGE[1]}"
    changed = text.replace("height = 720, width = 1280", small).replace(
        'images = "dped/HD_res"\n', f'images = "dped/HD_res"\nheight = {LARGE[0]}\nwidth = {LARGE[1]}\n'
    )
    assert changed.count(small) == 2
    path = tmp_path_factory.mktemp("rules") / "small.toml"
    path.write_text(changed)
    return path


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images for track B of `rules`: pairs whose target is the input with some noise."""
    root = tmp_path_factory.mktemp("data")
    make_pairs(root, [SMALL] * PAIRS)
    for number in range(2):
        write_png(root / "dped" / "HD_res" / f"{number}.png", picture(*LARGE, seed=number))
    return root


def make_pairs(root: Path, sizes: list[tuple[int, int]]) -> None:
    """Pairs of these sizes for track B, named by their number."""
    rng = np.random.default_rng(2018)
    for number, (height, width) in enumerate(sizes):
        source = picture(height, width, seed=number)
        target = np.clip(source + rng.integers(-9, 10, source.shape), 0, 255).astype(np.uint8)
        write_png(root / "dped" / "patches" / "iphone" / f"{number}.png", source)
        write_png(root / "dped" / "patches" / "canon" / f"{number}.png", target)


def picture(height: int, width: int, *, seed: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """8-bit noise, ramps and edges."""
    return np.rint(probe_image(height, width, 3, seed=seed)[0] * 255).astype(np.uint8)


@dataclass
class Lending:
    """One worker for many sessions, and what was asked of it.

    Attributes:
        started: how many sessions took it.
        asked: the operations, in order, with the shape of the input.
    """

    started: int = 0
    asked: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    worker: Worker | None = None

    def lend(self, **options: Any) -> Worker:
        """Stands in for `Worker`."""
        self.started += 1
        if self.worker is None or not self._is_alive(self.worker):
            self.worker = _Lent(self)
        return self.worker

    @staticmethod
    def _is_alive(worker: Worker) -> bool:
        try:
            return worker.resident_mib() > 0
        except WorkerStopped:
            return False


class _Lent(Worker):
    """A worker that is not ended by its borrower."""

    def __init__(self, lending: Lending) -> None:
        super().__init__(timeout_s=120)
        self._lending = lending
        self._prepared: set[str] = set()

    def prepare(self, kind: Kind) -> None:
        if kind not in self._prepared:
            super().prepare(kind)
            self._prepared.add(kind)
        self._kind = kind

    def close(self) -> None:
        """Not now."""

    def _ask(self, request: dict[str, Any], arrays: Any = (), *, max_payload: int = 0) -> Any:
        self._lending.asked.append((request["op"], arrays[0].shape if arrays else ()))
        return super()._ask(request, arrays, max_payload=max_payload)


@pytest.fixture(scope="session")
def _shared_lending() -> Iterator[Lending]:
    lending = Lending()
    yield lending
    if lending.worker is not None:
        Worker.close(lending.worker)


@pytest.fixture
def lending(monkeypatch: pytest.MonkeyPatch, _shared_lending: Lending) -> Lending:
    """Sessions share one worker, which saves TensorFlow's start; not for memory, time or trouble."""
    _shared_lending.started = 0
    _shared_lending.asked.clear()
    monkeypatch.setattr(session, "Worker", _shared_lending.lend)
    return _shared_lending
