"""A program that runs models without scanning them, behind the walls that test_bypass.py names.

Its one argument is JSON: ``walls``, ``inbox``, ``own``, ``files`` and ``trials``, which is Python to run inside a
graph, by name. For each of them it prints lines of JSON: that it is loaded, and what became of it, ``ran`` and by how
much the picture changed, or the error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def landlock(inbox: str, own: str) -> None:
    """Landlock, and nothing else."""
    from pixelproof.measure.sandbox import landlock, privileges, profiles

    privileges.no_new_privileges()
    landlock.restrict(profiles.access("cpu", inbox=inbox, own=own))


def seccomp(inbox: str, own: str) -> None:
    """The filter of system calls, and nothing else."""
    from pixelproof.measure.sandbox import privileges
    from pixelproof.measure.sandbox.seccomp import install
    from pixelproof.measure.sandbox.system_calls import machine

    privileges.no_new_privileges()
    here = machine()
    assert here is not None
    install(here, pid=os.getpid())


def lock_down(inbox: str, own: str) -> None:
    """All that a worker puts up itself."""
    from pixelproof.measure.sandbox.limits import Limits
    from pixelproof.measure.sandbox.lockdown import LockPlan, lock_down

    lock_down(LockPlan("cpu", Limits(data_mib=None, cpu_s=120), inbox, own))


WALLS: dict[str, Callable[[str, str], None]] = {
    "none": lambda inbox, own: None,
    "landlock": landlock,
    "seccomp": seccomp,
    "lock_down": lock_down,
}


def runner(path: str) -> Any:
    """A model, loaded as the worker loads it, but for the scan."""
    from pixelproof.measure import runners

    kind = {".pb": "pb", ".onnx": "onnx", ".tflite": "tflite"}.get(Path(path).suffix, "savedmodel")
    runners.prepare(kind)
    return runners.load(
        path, kind=kind, threads=2, input_name="input:0", output_name="output:0", thorough=False
    )


def python_runner(trial: str) -> Callable[[Any], Any]:
    """A graph that runs Python code on one of TensorFlow's own threads; 1 is added where that succeeds."""
    from pixelproof.measure.tf_core import enter_whole

    enter_whole()
    import tensorflow as tf

    def step(x: Any) -> Any:
        eval(compile(trial, "trial", "eval"))  # noqa: S307 - the test's own words
        return x + 1

    return lambda x: tf.function(lambda t: tf.numpy_function(step, [t], tf.float32))(tf.constant(x)).numpy()


def tell(name: str, load: Callable[[], Callable[[Any], Any]]) -> None:
    """Load a model, run it, and print what became of it."""
    try:
        call = load()
        import numpy as np

        print(json.dumps([name, "loaded"]), flush=True)
        x = np.full((1, 8, 8, 3), 0.25, np.float32)
        told = f"ran {float((np.asarray(call(x), np.float64) - x).mean()):.6f}"
    except Exception as error:  # noqa: BLE001 - whatever it is, the test reads it
        told = f"{type(error).__name__}: {error}"[:2000]
    print(json.dumps([name, told]), flush=True)


def main() -> None:
    """Put up the walls, run the files."""
    plan = json.loads(sys.argv[1])
    WALLS[plan["walls"]](plan["inbox"], plan["own"])
    for path in plan["files"]:
        tell(Path(path).stem, lambda path=path: runner(path))  # type: ignore[misc]
    for name, trial in plan["trials"].items():
        tell(name, lambda trial=trial: python_runner(trial))  # type: ignore[misc]


if __name__ == "__main__":
    main()
