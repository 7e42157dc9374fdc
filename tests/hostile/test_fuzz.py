"""A short slice of ``make fuzz``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_a_slice_of_the_fuzz_run(tmp_path: Path) -> None:
    script = Path(__file__).with_name("fuzz.py")
    command = [
        sys.executable,
        str(script),
        "--count",
        "400",
        "--seed",
        "7",
        "--out",
        str(tmp_path),
        "--json",
        "-",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    counts = {kind: told["outcomes"] for kind, told in json.loads(done.stdout).items()}
    assert {kind: sum(outcomes.values()) for kind, outcomes in counts.items()} == dict.fromkeys(
        ("pb", "tflite", "onnx", "zip"), 100
    )
    for kind, outcomes in counts.items():
        assert outcomes.get("ran", 0) >= 3, (kind, outcomes)
        assert outcomes.get("refused", 0) + outcomes.get("no file of its kind", 0) >= 20, (kind, outcomes)
    assert list(tmp_path.iterdir()) == []
