"""``make bench``: every benchmark that has what it needs, one after another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def main() -> None:
    """Run them; those that need the official files say so where PIXELPROOF_DATA is unset."""
    for name in ("bench_startup", "bench_sandbox", "bench_complexity", "bench_restore", "bench_tflite"):
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)
    root = os.environ.get("PIXELPROOF_DATA")
    if not root:
        print("Set PIXELPROOF_DATA for bench_convert and bench_fidelity (README, 'Real data').")
        return
    data = str(Path(root) / "ai-challenge")
    for name in ("bench_convert", "bench_fidelity"):
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}", "--data", data], check=True)


if __name__ == "__main__":
    main()
