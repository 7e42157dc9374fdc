"""Every official PIRM 2018 network judged plain and optimized: the same fidelity, what becomes of the scores?

python -m benchmarks.optimized_official --files DIR --data ai-challenge

``--files`` is what ``python -m benchmarks.bench_optimize --keep DIR`` left: DIR/NAME/model.pb and model.optimized.pb.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from pixelproof.console import Console

TRACKS = {
    "div2k_srcnn": "A",
    "resnet_6_16": "A",
    "vgg_19": "A",
    "dped_srcnn": "B",
    "resnet_8_32": "B",
    "resnet_12_64": "B",
}
COLUMNS = ("network", "file", "PSNR dB", "MS-SSIM", "speed-up", "ms", "peak MiB", "A", "B", "C")


def judged(model: Path, track: str, data: Path, *, max_runs: int) -> dict[str, Any]:
    """The report of one file.

    Raises:
        RuntimeError: it was not judged, or a rule is broken.
    """
    report = model.with_suffix(".report.json")
    command = ["validate-pb", str(model), "--track", track, "--data", str(data), "--max-runs", str(max_runs)]
    words = [str(Path(sys.executable).parent / command[0]), *command[1:], "--json", str(report)]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(command)}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-500:]}"
        )
    document: dict[str, Any] = json.loads(report.read_text())
    return document


def main() -> None:
    """Judge both files of each network that is there, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--max-runs", type=int, default=40)
    given = parser.parse_args()
    rows = []
    for name, track in TRACKS.items():
        plain, faster = (given.files / name / f"model{middle}.pb" for middle in ("", ".optimized"))
        for label, file in (("plain", plain), ("optimized", faster)):
            if not file.is_file():
                print(f"{name}: no {file.name}")
                continue
            said = judged(file, track, given.data, max_runs=given.max_runs)
            fidelity, runtime = said["fidelity"], said["runtime"]
            figures = [
                fidelity["psnr_db"],
                fidelity["ms_ssim"],
                runtime["speedup"],
                runtime["latency_ms"]["p50"],
            ]
            scores = [said["scores"][score] for score in ("A", "B", "C")]
            cells = [*figures, said["memory"]["peak_rss_mib"], *scores]
            rows.append((name, label, *(f"{cell:.6g}" for cell in cells)))
            print(rows[-1], flush=True)
    Console().table("Plain and optimized", COLUMNS, rows)


if __name__ == "__main__":
    main()
