"""--help of every command over the interpreter's own start.

python -m benchmarks.bench_startup
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median

from benchmarks.table import timed

LIMIT_S = 0.15
ROUNDS = 9


def main() -> None:
    """Measure and print."""
    from pixelproof.cli import COMMANDS
    from pixelproof.console import Console

    program = str(Path(sys.executable).parent / "pixelproof")
    commands = [[program, "--help"], *([program, name, "--help"] for name in COMMANDS)]
    lines = []
    for command in commands:
        pairs = [(timed([command]), timed([[sys.executable, "-c", ""]])) for _ in range(ROUNDS)]
        over = median(a - b for a, b in pairs)
        verdict = "met" if over <= LIMIT_S else "NOT met"
        lines.append([" ".join(command[1:]), f"{over:.3f}", f"<= {LIMIT_S}", verdict])
    Console().table("Start-up over a bare interpreter, s", ["command", "over", "target", "verdict"], lines)


if __name__ == "__main__":
    main()
