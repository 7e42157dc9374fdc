"""``validate-pb --only fidelity`` beside a plain loop over the same pairs; prints both times and their ratio.

The plain loop is what an evaluation script does: one image a call in one process, after each its PSNR and its
MS-SSIM with ``scipy.signal.fftconvolve``. Both are whole processes, TensorFlow's import included. They run in
turn, and the best of three of each counts.

    python -m benchmarks.bench_fidelity --data ai-challenge [--model dped_srcnn.pb] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.row import Row, Skip
from benchmarks.setting import Setting
from benchmarks.table import show
from benchmarks.timing import timed

TARGET = 0.7
PLAIN_LOOP = Path(__file__).parent / "peers" / "plain_fidelity.py"


def main() -> None:
    """Print the two times, their ratio and the target."""
    parser = argparse.ArgumentParser(description="validate-pb --only fidelity beside a plain loop")
    parser.add_argument("--data", type=Path, required=True, help="the folder ai-challenge")
    parser.add_argument(
        "--model", type=Path, help="a frozen .pb of track B [DATA/models_pretrained/dped_srcnn.pb]"
    )
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    model = given.model or given.data / "models_pretrained" / "dped_srcnn.pb"
    show([compared(model, given.data, rounds=given.rounds)])


def rows(setting: Setting) -> Iterator[Row | Skip]:
    """What `make bench` runs."""
    data = setting.folder("ai-challenge")
    if isinstance(data, Skip):
        yield data
        return
    model = data / "models_pretrained" / "dped_srcnn.pb"
    yield compared(model, data, rounds=1 if setting.quick else 3)


def compared(model: Path, data: Path, *, rounds: int) -> Row:
    """Run both in turn; the best of each counts."""
    ours: list[float] = []
    plain: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        report, figures = Path(folder) / "report.json", Path(folder) / "plain.json"
        judge = ["-c", "from pixelproof.cli import validate_pb; validate_pb()", str(model), "--track", "B"]
        judge += ["--data", str(data), "--only", "fidelity", "--json", str(report)]
        loop = [str(PLAIN_LOOP), str(model), str(data), str(figures)]
        for _ in range(rounds):
            ours.append(timed([[sys.executable, *judge]]))
            plain.append(timed([[sys.executable, *loop]]))
        measured, expected = json.loads(report.read_text())["fidelity"], json.loads(figures.read_text())
    what = f"validate-pb --only fidelity, {expected['images']} pairs, best of {rounds}"
    note = (
        f"rounds {_listed([a / b for a, b in zip(ours, plain, strict=True)])}; figures apart by "
        f"{abs(measured['psnr_db'] - expected['psnr_db']):.0e} dB and "
        f"{abs(measured['ms_ssim'] - expected['ms_ssim']):.0e} of MS-SSIM"
    )
    return Row(what, min(ours), "plain loop of TensorFlow and SciPy", min(plain), TARGET, note=note)


def _listed(seconds: list[float]) -> str:
    return ", ".join(f"{s:.2f}" for s in seconds)


if __name__ == "__main__":
    main()
