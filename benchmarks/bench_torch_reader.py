"""Reading a .pth into float32 arrays, beside reading its bytes and beside torch.load.

    python -m benchmarks.bench_torch_reader [--data ntire2022_esr] [--torch-python PYTHON]

Ours: opened, every tensor read and looked at for NaN. Checksums, which are compared when weights go into a model, are
a row of their own. The large file is made here. The official ones miss the target: from the page cache their bytes
come in a tenth of a millisecond, while the pickle takes some 20 microseconds for each of a hundred tensors.
``--torch-python`` names an interpreter that has PyTorch.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.row import Row, Skip
from benchmarks.setting import TORCH_NEEDED, Setting, setting_of
from benchmarks.table import show
from pixelproof.models.checkpoints.locate import locate
from pixelproof.models.checkpoints.torch_state_dict import open_torch

TARGET = 2.0
TENSORS, SIDE = 256, 256
_TORCH = """
import statistics, sys, time, torch
def once():
    start = time.perf_counter()
    torch.load(sys.argv[1], map_location="cpu", weights_only=True)
    return time.perf_counter() - start
once()
print(statistics.median(once() for _ in range(int(sys.argv[2]))))
"""


def write_large(path: Path) -> None:
    """A state dict of 64 MiB as torch.save writes it: 256 matrices of 256x256 float32, each in its storage."""

    def text(value: str) -> bytes:
        return b"X" + len(value).to_bytes(4, "little") + value.encode()

    pickle = b"\x80\x02}("
    for number in range(TENSORS):
        storage = b"((" + text("storage") + b"ctorch\nFloatStorage\n" + text(str(number)) + text("cpu")
        storage += b"J" + (SIDE * SIDE).to_bytes(4, "little") + b"tQK\x00"
        side = b"M" + SIDE.to_bytes(2, "little")
        shape = side + side + b"\x86" + side + b"K\x01\x86"
        rest = b"\x89ccollections\nOrderedDict\n)RtR"
        pickle += (
            text(f"layer.{number}.weight") + b"ctorch._utils\n_rebuild_tensor_v2\n" + storage + shape + rest
        )
    numbers = np.random.default_rng(0).standard_normal((SIDE, SIDE)).astype(np.float32).tobytes()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("large/data.pkl", pickle + b"u.")
        archive.writestr("large/version", "3\n")
        for number in range(TENSORS):
            archive.writestr(f"large/data/{number}", numbers)


def read(path: Path, *, check: bool = False) -> None:
    """Ours."""
    with open_torch(locate(path)) as file:
        if check:
            file.check(file.tensors)
        for name in file.floats():
            file.read(name)


def _median_ms(*calls: Callable[[], object], rounds: int) -> list[float]:
    """Of each call, measured in turn."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds + 1):  # the first warms up
        for place, call in enumerate(calls):
            start = time.perf_counter()
            call()
            times[place].append(1000 * (time.perf_counter() - start))
    return [median(taken[1:]) for taken in times]


def compared(path: Path, *, rounds: int, torch_python: str | None) -> Iterator[Row]:
    """A file's rows."""
    ours, checked, plain = _median_ms(
        lambda: read(path), lambda: read(path, check=True), path.read_bytes, rounds=rounds
    )
    what = f"reading {path.name}, {path.stat().st_size / 2**20:.1f} MiB"
    yield Row(what, ours, "reading its bytes", plain, TARGET, unit="ms")
    yield Row(f"{what}, with checksums", checked, "reading its bytes", plain, unit="ms")
    if torch_python:
        command = [torch_python, "-c", _TORCH, str(path), str(rounds)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        yield Row(what, ours, "torch.load", 1000 * float(done.stdout), unit="ms")


def measured(*, data: Path | None, rounds: int, torch_python: str | None) -> Iterator[Row]:
    """The large file, and the official ones where there are any."""
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder) / "large.pth"
        write_large(large)
        yield from compared(large, rounds=rounds, torch_python=torch_python)
        for path in sorted((data / "model_zoo").glob("*.pth") if data else ()):
            yield from compared(path, rounds=rounds, torch_python=torch_python)


def rows(setting: Setting) -> Iterator[Row | Skip]:
    """What `make bench` runs."""
    data, python = setting.folder("ntire2022_esr"), setting.torch_python
    rounds = 3 if setting.quick else 15
    yield from measured(data=None if isinstance(data, Skip) else data, rounds=rounds, torch_python=python)
    if isinstance(data, Skip):
        yield data
    if not python:
        yield Skip(f"torch.load {TORCH_NEEDED}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="The folder ntire2022_esr.")
    parser.add_argument("--torch-python", default=setting_of().torch_python)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    found = measured(data=options.data, rounds=options.rounds, torch_python=options.torch_python)
    show(list(found))


if __name__ == "__main__":
    main()
