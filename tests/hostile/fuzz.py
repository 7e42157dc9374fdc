"""``make fuzz``: mutated models and zips. Every mutant is scanned, and what the scan accepts is loaded and run.

The mutants may be refused, fail, crash their process or be stopped in it. They may not crash this process, hang
beyond the limits, or leave anything behind. Prints the counts; exit code 1 where anything was found.

    python tests/hostile/fuzz.py --count 10000 --seed 1
"""

from __future__ import annotations

import collections
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np
from fuzz_seeds import SHAPE, sources_by_kind

from pixelproof.console import Console
from pixelproof.errors import ArtifactError, GraphRefused, ModelFailed, PixelproofError, WorkerStopped
from pixelproof.measure.formats import Kind
from pixelproof.measure.worker import Worker
from pixelproof.submit.unpack import unpack_submission

MODELS: tuple[Kind, ...] = ("pb", "tflite", "onnx")
KINDS = (*MODELS, "zip")
TIME_LIMIT_S = 10.0
MEMORY_MIB = 2048
SLACK_S = 15.0
OUTCOMES = "no file of its kind, refused, ran, failed, crashed, timed out, out of memory".split(", ")
IMAGE = np.random.default_rng(0).random(SHAPE, np.float32)


@dataclass
class Tally:
    """What became of the mutants of one kind; ``faults`` are those of pixelproof itself."""

    outcomes: collections.Counter[str] = field(default_factory=collections.Counter)
    slowest_s: float = 0.0
    faults: list[str] = field(default_factory=list)


class Fuzzer:
    """Judges mutants one after another, the models in one worker until it is lost."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._workers: dict[str, Worker] = {}

    def outcome(self, kind: str, data: bytes) -> str:
        """What becomes of a mutant, one of `OUTCOMES`."""
        return self._zip(data) if kind == "zip" else self._model(kind, data)  # type: ignore[arg-type]

    def _zip(self, data: bytes) -> str:
        file, target = self._folder / "mutant.zip", self._folder / "unpacked"
        file.write_bytes(data)
        try:
            unpack_submission(file, target)
        except PixelproofError as error:
            if target.exists():
                raise AssertionError("a refused zip left its folder") from error
            return OUTCOMES[0] if error.exit_code == 2 else "refused"
        for path in target.rglob("*"):
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise AssertionError(f"a special file came out: {path.name}")
        shutil.rmtree(target)
        return "ran"

    def _model(self, kind: Kind, data: bytes) -> str:
        file = self._folder / f"mutant.{kind}"
        file.write_bytes(data)
        worker = self._workers.get(kind) or self._fresh(kind)
        try:
            if worker.scan(file, kind).refusals:
                return "refused"
            worker.load(file, kind)
            worker.run(IMAGE)
        except ArtifactError:
            return OUTCOMES[0]
        except GraphRefused as error:
            raise AssertionError("loading refused what the scan had accepted") from error
        except ModelFailed:
            return "failed"
        except WorkerStopped as error:
            self._workers.pop(kind).close()
            return error.reason.replace("_", " ")
        return "ran"

    def _fresh(self, kind: Kind) -> Worker:
        self._workers[kind] = Worker(timeout_s=TIME_LIMIT_S, memory_limit_mib=MEMORY_MIB)
        self._workers[kind].prepare(kind)
        return self._workers[kind]

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers.values():
            worker.close()


def fuzz(*, count: int, seed: int, out: Path | None, advance: Callable[[int, str], None]) -> dict[str, Tally]:
    """Judge so many mutants, of all kinds in turn.

    Args:
        out: folder for mutants at which pixelproof itself failed.
    """
    tallies = {kind: Tally() for kind in KINDS}
    with tempfile.TemporaryDirectory(prefix="pixelproof-fuzz-") as name:
        sources = sources_by_kind()
        fuzzer = Fuzzer(Path(name))
        try:
            for number in range(count):
                kind = KINDS[number % len(KINDS)]
                data = sources[kind].mutant(random.Random(f"{seed}/{number}"))
                _judge(fuzzer, tallies[kind], kind, data, label=f"{seed}/{number}", out=out)
                advance(1, kind)
        finally:
            fuzzer.close()
    return tallies


def _judge(fuzzer: Fuzzer, tally: Tally, kind: str, data: bytes, *, label: str, out: Path | None) -> None:
    start = time.monotonic()
    try:
        tally.outcomes[fuzzer.outcome(kind, data)] += 1
        took = time.monotonic() - start
        tally.slowest_s = max(tally.slowest_s, took)
        if took > 3 * TIME_LIMIT_S + SLACK_S:
            raise AssertionError(f"it took {took:.0f} s")
    except Exception:  # noqa: BLE001 - whatever escapes is a find
        tally.faults.append(f"{kind} {label}: {traceback.format_exc(limit=-3)}")
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            (out / f"{label.replace('/', '-')}.{kind}").write_bytes(data)


@click.command()
@click.option(
    "--count", type=click.IntRange(min=4), default=10_000, show_default=True, help="Mutants in all."
)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("fuzz_finds"), show_default=True)
@click.option("--json", "json_to", metavar="FILE|-")
def main(count: int, seed: int, out: Path, json_to: str | None) -> None:
    """Mutate, scan, load, run; print what became of it all."""
    console = Console(json_to)
    with console.progress("fuzz", total=count) as advance:
        tallies = fuzz(count=count, seed=seed, out=out, advance=advance)
    rows = [
        [
            kind,
            str(tally.outcomes.total()),
            *(str(tally.outcomes[o]) for o in OUTCOMES),
            f"{tally.slowest_s:.1f}",
        ]
        for kind, tally in tallies.items()
    ]
    console.table(f"Mutants of seed {seed}", ["kind", "mutants", *OUTCOMES, "slowest, s"], rows)
    faults = [fault for tally in tallies.values() for fault in tally.faults]
    for fault in faults:
        console.line(fault, style="bold red")
    console.json({kind: _document(tally) for kind, tally in tallies.items()})
    console.line(
        f"{len(faults)} faults of pixelproof itself" + (f"; the files are in {out}" if faults else "")
    )
    sys.exit(1 if faults else 0)


def _document(tally: Tally) -> dict[str, Any]:
    return {"outcomes": dict(tally.outcomes), "slowest_s": tally.slowest_s, "faults": tally.faults}


if __name__ == "__main__":
    main()
