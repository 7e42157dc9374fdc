"""--help of every command over the interpreter's own start, and beside the --help of other converters.

python -m benchmarks.bench_startup [--rounds 9]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from benchmarks.row import Row, Skip
from benchmarks.setting import Setting
from benchmarks.table import show
from benchmarks.timing import in_turn, interleaved, spread, timed

LIMIT_S = 0.15
BARE = [sys.executable, "-c", ""]


def rows(setting: Setting) -> Iterator[Row | Skip]:
    """What `make bench` runs: the slowest command, and the peers."""
    rounds = 2 if setting.quick else 9
    over = {" ".join(command[1:]): seconds_over(command, rounds=rounds) for command in commands()}
    worst = max(over, key=lambda name: over[name])
    middle = f"pixelproof {worst}; the median of {len(over)} commands is {median(over.values()):.3f} s"
    what = "slowest --help, over a bare interpreter"
    yield Row(what, over[worst], target=LIMIT_S, bound="ours <=", note=middle)
    yield from beside_peers(rounds=min(rounds, 5))


def beside_peers(*, rounds: int) -> Iterator[Row]:
    """What a user waits for until a converter tells its options."""
    programs = Path(sys.executable).parent
    ours = [str(programs / "convert-model"), "--help"]
    peers = {
        "tflite_convert --help": [str(programs / "tflite_convert"), "--help"],
        "tf2onnx.convert --help": [sys.executable, "-m", "tf2onnx.convert", "--help"],
    }
    for name, command in peers.items():
        ours_s, peer_s, ratios = interleaved(
            lambda: timed([ours]), lambda command=command: timed([command]), rounds=rounds
        )
        yield Row("convert-model --help", ours_s, name, peer_s, paired=median(ratios), note=spread(ratios))


def commands() -> list[list[str]]:
    """--help of pixelproof and of each of its commands."""
    from pixelproof.cli import COMMANDS

    program = str(Path(sys.executable).parent / "pixelproof")
    return [[program, "--help"], *([program, name, "--help"] for name in COMMANDS)]


def seconds_over(command: Sequence[str], *, rounds: int) -> float:
    """Median of what it takes more than an interpreter that does nothing."""
    pairs = in_turn(lambda: timed([command]), lambda: timed([BARE]), rounds=rounds)
    return median(whole - bare for whole, bare in pairs)


def main() -> None:
    """Measure and print, each command a row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    found: list[Row] = []
    for command in commands():
        over = seconds_over(command, rounds=given.rounds)
        found.append(Row(" ".join(command[1:]), over, target=LIMIT_S, bound="ours <="))
    show([*found, *beside_peers(rounds=given.rounds)])


if __name__ == "__main__":
    main()
