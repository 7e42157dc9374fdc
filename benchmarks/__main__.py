"""``make bench``: every benchmark of this folder, one after another, and one table of all.

    python -m benchmarks [--only a,b] [--quick] [--json FILE] [--md FILE] [--list]

PIXELPROOF_DATA names the folder of real data, PIXELPROOF_TORCH_PYTHON an interpreter that has PyTorch (torchmetrics
and pyiqa too, if they are to be compared with); what needs them is skipped without. A missed target is a row that
says so; the exit code is 1 where a benchmark failed, 2 where the call is wrong.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import suite
from benchmarks.machine import this_machine
from benchmarks.setting import setting_of
from benchmarks.table import Part, Table, markdown, print_table
from pixelproof.console import Console
from pixelproof.files import write_text
from pixelproof.temporary import temporary_folder

LIMIT_S = 3600.0
INTERRUPTED = 130


def main() -> int:
    """Run them; the table has all that was measured, after Ctrl-C too."""
    given = arguments()
    names = suite.found()
    if given.list:
        print("\n".join(names))
        return 0
    try:
        asked = suite.chosen(names, given.only)
    except suite.UnknownBenchmark as error:
        print(error, file=sys.stderr)
        return 2
    setting = setting_of(quick=given.quick)
    machine = this_machine(setting.torch_python)
    parts: list[Part] = []
    code = 0
    try:
        for number, name in enumerate(asked, 1):
            print(f"[{number}/{len(asked)}] {name} ...", end="", file=sys.stderr, flush=True)
            parts.append(measured(name, quick=given.quick, limit_s=given.limit_s))
            print(f" {parts[-1].seconds:.0f} s, {outcome(parts[-1])}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print(" interrupted; what there is:", file=sys.stderr)
        code = INTERRUPTED
    table = Table(machine, tuple(parts), quick=given.quick)
    console = Console(json_to=given.json)
    print_table(table, console)
    console.json(table.to_json())
    if given.md is not None:
        write_text(given.md, markdown(table))
    return code or int(any(part.failed for part in parts))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", metavar="A,B", help="these alone, in this order; --list names them")
    parser.add_argument("--quick", action="store_true", help="small sizes, few rounds; the table says so")
    parser.add_argument("--json", metavar="FILE|-", help="the table as JSON; - for standard output")
    parser.add_argument("--md", type=Path, metavar="FILE", help="the table as Markdown")
    parser.add_argument("--limit-s", type=float, default=LIMIT_S, help="for one benchmark [%(default)g]")
    parser.add_argument("--list", action="store_true", help="name all benchmarks and end")
    return parser.parse_args()


def measured(name: str, *, quick: bool, limit_s: float) -> Part:
    """One benchmark in a process of its own; where it fails, what it printed last goes to standard error."""
    with temporary_folder("pixelproof-bench-") as folder:
        rows, log = folder / "rows.jsonl", folder / "log.txt"
        part = suite.run(name, suite.command_of(name, rows, quick=quick), rows, log, limit_s=limit_s)
        if part.failed:
            print(f"\n{log.read_text(errors='replace')[-3000:]}", file=sys.stderr)
    return part


def outcome(part: Part) -> str:
    """In a few words."""
    if part.failed:
        return "FAILED"
    if not part.rows:
        return f"skipped: {part.skipped[0]}"
    verdicts = [row.met for row in part.rows]
    words = f"{len(verdicts)} rows, {verdicts.count('no')} targets missed"
    return f"{words}, {len(part.skipped)} parts skipped" if part.skipped else words


if __name__ == "__main__":
    sys.exit(main())
