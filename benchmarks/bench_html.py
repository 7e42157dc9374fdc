"""The report page: how long it takes to make and how large it is, for a report of 400 patches with its pictures.

The report is made up, as large as one gets: 400 images, 60 timed pairs, 200 values of memory, 200 layers; the
pictures are noise, which no PNG can pack. With ``--model`` a real one is judged too, with the page and without it, in
turn: what the page and the pictures cost beyond the judgement.

    python -m benchmarks.bench_html [--rounds 5] [--model model.pb --track B --data ai-challenge]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from benchmarks.row import Row, Skip
from benchmarks.setting import Setting
from benchmarks.table import show
from benchmarks.timing import interleaved, timed
from pixelproof.evidence import ImageFidelity, LayerCost, MemoryTrace, RuntimeSamples
from pixelproof.report import (
    Artifact,
    CheckResult,
    Complexity,
    Environment,
    Evidence,
    Fidelity,
    Memory,
    Percentiles,
    Report,
    Runtime,
)
from pixelproof.safety import SandboxLayer, Scan
from pixelproof.validate.html_report import write_html
from pixelproof.validate.pictures import save_pictures

IMAGES = 400
SIDE = 256
TARGET_S = 2.0
TARGET_BYTES = 5_000_000


def main() -> None:
    """Print size and times, with their targets."""
    parser = argparse.ArgumentParser(description="the report page")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", type=Path, help="judge this one too, with the page and without")
    parser.add_argument("--track", default="B")
    parser.add_argument("--data", type=Path, help="the folder ai-challenge")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = list(made_up(Path(folder), rounds=given.rounds))
        if given.model is not None:
            found += judged(Path(folder), given.model, given.track, given.data, rounds=given.rounds)
    show(found)


def rows(setting: Setting) -> Iterator[Row | Skip]:
    """What `make bench` runs; a quick run makes the same page, as its size is what matters."""
    with tempfile.TemporaryDirectory() as folder:
        yield from made_up(Path(folder), rounds=1 if setting.quick else 5)
        data = setting.folder("ai-challenge")
        if isinstance(data, Skip):
            yield data
        elif not setting.quick:
            model = data / "models_pretrained" / "dped_srcnn.pb"
            yield from judged(Path(folder), model, "B", data, rounds=3)


def made_up(folder: Path, *, rounds: int) -> Iterator[Row]:
    """The page of a report that is as large as one gets."""
    report = largest_report()
    fidelity = report.evidence.fidelity
    assert fidelity is not None
    noise = np.random.default_rng(2018)

    def read(place: int) -> tuple[np.ndarray, np.ndarray]:
        shape = (SIDE, SIDE, 3)
        return noise.integers(0, 256, shape, dtype=np.uint8), noise.integers(0, 256, shape, dtype=np.uint8)

    pictures, page = folder / "pictures", folder / "page.html"
    begun = perf_counter()
    save_pictures(
        pictures,
        run=lambda x: x * 1.1 - 0.05,
        read=read,
        fidelity=fidelity,
        scale=1,
        artifact_sha256=report.evidence.artifact.sha256,
    )
    saving = perf_counter() - begun
    writing = []
    for _ in range(rounds):
        begun = perf_counter()
        write_html(report, page, pictures=pictures)
        writing.append(perf_counter() - begun)
    size = page.stat().st_size
    first = saving + writing[0]
    what = f"report page of {IMAGES} patches with three pictures of noise"
    yield Row(f"{what}, size", size / 1e6, target=TARGET_BYTES / 1e6, bound="ours <=", unit="MB")
    yield Row(
        f"{what}, made",
        first,
        target=TARGET_S,
        bound="ours <=",
        note=f"pictures {saving:.2f} s, page {writing[0]:.2f} s at first, then {median(writing):.2f} s",
    )


def judged(folder: Path, model: Path, track: str, data: Path | None, *, rounds: int) -> Iterator[Row]:
    """validate-pb as a process with --html and without it; only fidelity and contract, whose time is steady."""
    command = [sys.executable, "-c", "from pixelproof.cli import validate_pb; validate_pb()", str(model)]
    command += ["--track", track, "--only", "fidelity,contract,complexity"]
    command += [] if data is None else ["--data", str(data)]
    command += ["--json", str(folder / "report.json")]
    page = folder / "judged.html"
    with_page, without, _ = interleaved(
        lambda: timed([[*command, "--html", str(page)]]), lambda: timed([command]), rounds=rounds
    )
    extra = with_page - without
    yield Row(
        f"validate-pb {model.name} with the page: over one without",
        extra,
        target=TARGET_S,
        bound="ours <=",
        note=f"{with_page:.2f} and {without:.2f} s, medians of {rounds}; {page.stat().st_size / 1e6:.2f} MB",
    )


def largest_report() -> Report:
    """A report with all parts, in the size that they have at most."""
    numbers = np.random.default_rng(1)
    images = tuple(
        ImageFidelity(f"{i}.jpg", float(numbers.normal(21, 4)), float(numbers.uniform(0.6, 1)))
        for i in range(IMAGES)
    )
    layers = tuple(LayerCost(f"block_{i}/convolution", "Conv2D", 9216, 10**9, 0.005) for i in range(200))
    trace = MemoryTrace(20.0, tuple(float(v) for v in numbers.uniform(400, 1500, 200)), (300.0, 2000.0))
    samples = tuple(float(v) for v in numbers.normal(900, 20, 60))
    runtime = Runtime(
        Percentiles(900.0, 940.0), Percentiles(2100.0, 2150.0), 2.33, 2.31, 2.35, True, 720, 1280, 2,
        RuntimeSamples(samples, tuple(2.33 * v for v in samples)),
    )  # fmt: skip
    evidence = Evidence(
        artifact=Artifact("model.pb", "pb", "0" * 64, 270_000),
        scan=Scan("pb", 400, 0, {f"Operation{i}": i for i in range(40)}, 250_000),
        fidelity=Fidelity(21.0, 0.9, images, IMAGES, 16),
        runtime=runtime,
        memory=Memory(1500.0, 420.0, 1080.0, 3584.0, 720, 1280, "VmHWM", None, trace),
        complexity=Complexity("ntire2022", 720, 1280, 10**6, 10**12, 10**9, 200, layers),
    )
    checks = tuple(
        CheckResult(f"check{i}", f"Check {i}", "passed", "a rule " * 8, "a finding " * 8, "a way out " * 8)
        for i in range(16)
    )
    where = Environment(
        "0", "3.11", "Linux", "a processor", 2, 16000.0, {"tensorflow": "2"}, {"tensorflow": "2"},
        (SandboxLayer("landlock", True, "all paths closed"),),
    )  # fmt: skip
    return Report(
        "pirm2018", "B", "patches", True, "2018-06-01T00:00:00+00:00", evidence, checks,
        {"A": 4.0, "B": 5.0, "C": 6.0}, where, "0" * 64, "0" * 64,
    )  # fmt: skip


if __name__ == "__main__":
    main()
