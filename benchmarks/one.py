"""One benchmark in this process; what it says goes to a file, line by line.

python -m benchmarks.one NAME ROWS.jsonl [--quick]
"""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path

from benchmarks.row import Skip, to_json
from benchmarks.setting import setting_of
from benchmarks.suite import PREFIX


def main() -> None:
    """Run its ``rows(setting)``, which yields `Row` and `Skip`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("rows", type=Path)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    module = importlib.import_module(f"benchmarks.{PREFIX}{given.name}")
    with given.rows.open("w", encoding="utf-8") as out:
        if not hasattr(module, "rows"):
            said = iter([Skip("it has no rows(setting), only a command line of its own")])
        else:
            said = iter(module.rows(setting_of(quick=given.quick)))
        for one in said:
            out.write(json.dumps(to_json(one)) + "\n")
            out.flush()


if __name__ == "__main__":
    main()
