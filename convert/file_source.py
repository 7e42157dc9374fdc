"""``--model FILE.py:FUNCTION``: the user's own code, built in a child; nothing of it leaks into ours."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pixelproof import errors
from pixelproof.convert.arrays import load_arrays, save_arrays
from pixelproof.convert.source import Ends, Source
from pixelproof.measure.protocol import Array
from pixelproof.measure.sandbox.environment import import_root
from pixelproof.models.checkpoints.report import CheckpointReport
from pixelproof.schema import to_jsonable


def split_reference(text: str) -> tuple[Path, str]:
    """``FILE.py:FUNCTION`` as its two parts.

    Raises:
        CallError: not of this form, no such file, or no such function in it.
    """
    file, _, function = text.rpartition(":")
    path = Path(file)
    if not file or not function.isidentifier():
        remedy = "For example --model my_models.py:resnet."
        raise errors.CallError("Own models are named FILE.py:FUNCTION", found=repr(text), remedy=remedy)
    if not path.is_file():
        raise errors.CallError("The file of --model must exist", found=str(path))
    try:
        tree = ast.parse(path.read_bytes(), filename=path.name)
    except (SyntaxError, ValueError) as error:
        raise errors.InputError("The file of --model must be Python 3", found=f"{path}: {error}") from error
    defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    imported = [a.asname or a.name for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names]
    assigned = [
        t.id for n in tree.body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)
    ]
    if function not in {*defined, *imported, *assigned} and "*" not in imported:
        remedy = errors.did_you_mean(function, defined)
        raise errors.CallError(f"{path.name} must define the function", found=repr(function), remedy=remedy)
    return path, function


def file_source(
    reference: str,
    checkpoint: Path | None,
    *,
    probes: Sequence[Array],
    ends: Ends,
    allow_surplus: bool,
    timeout_s: float = 1800.0,
) -> Source:
    """A user's function: one that returns a Keras model, or an untouched TF1 function of the input tensor.

    Raises:
        CallError: no such file or function.
        CheckpointError: the weights don't fit.
        InputError: the user's code raised an error; its last lines are in the message.
    """
    path, function = split_reference(reference)
    with tempfile.TemporaryDirectory(prefix="pixelproof-source-") as name:
        folder = Path(name)
        save_arrays(folder / "probes.npz", probes)
        request = {
            "file": str(path.absolute()),
            "function": function,
            "checkpoint": str(checkpoint.absolute()) if checkpoint else None,
            "ends": to_jsonable(ends),
            "allow_surplus": allow_surplus,
        }
        (folder / "request.json").write_text(json.dumps(request))
        _run_child(folder, path, timeout_s)
        return _read_answer(
            folder, label=f"{reference} with {checkpoint.name if checkpoint else 'its weights'}"
        )


def _run_child(folder: Path, path: Path, timeout_s: float) -> None:
    start = f"import sys; sys.path.insert(0, {str(import_root())!r}); "
    code = start + f"from pixelproof.convert.file_source_main import main; main({str(folder)!r})"
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", code],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise errors.InputError(
            f"{path.name} must be built within {timeout_s:g} s", found="no end"
        ) from error
    if not (folder / "answer.json").exists():
        tail = done.stdout.decode(errors="replace").strip().splitlines()[-1:] or [f"exit {done.returncode}"]
        raise errors.InputError(f"{path.name} must run to its end", found=tail[0][:400])


def _read_answer(folder: Path, *, label: str) -> Source:
    import tensorflow as tf

    answer = json.loads((folder / "answer.json").read_text())
    if "error" in answer:
        described = answer["error"]
        kind = getattr(errors, described["type"], errors.InputError)
        raise kind(described["rule"], found=described["found"], remedy=described["remedy"])
    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString((folder / "graph.pb").read_bytes())
    outputs = tuple(load_arrays(folder / "outputs.npz"))
    weights = answer["weights"]
    if weights is not None:
        weights = CheckpointReport(**{**weights, "path": Path(weights["path"])})
    return Source(label=label, graph=graph, channels=answer["channels"], outputs=outputs, weights=weights)
