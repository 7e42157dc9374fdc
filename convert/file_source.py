"""``--model FILE.py:FUNCTION``: the user's own code, built in a child; nothing of it leaks into ours."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from pixelproof import errors
from pixelproof.convert.arrays import load_arrays
from pixelproof.convert.source import Ends, Shape, Source
from pixelproof.janitor import watched_group
from pixelproof.measure.sandbox.environment import import_root
from pixelproof.models.checkpoints.report import CheckpointReport
from pixelproof.schema import to_jsonable
from pixelproof.temporary import temporary_folder


def split_reference(text: str) -> tuple[Path, str]:
    """``FILE.py:FUNCTION`` as its two parts.

    Raises:
        CallError: not of this form, no such file, or no such function in it.
        InputError: the file is no Python 3.
    """
    file, _, function = text.rpartition(":")
    path = Path(file)
    if not file or not function.isidentifier():
        remedy = "For example --model my_models.py:resnet."
        raise errors.CallError("Own models are named FILE.py:FUNCTION", found=repr(text), remedy=remedy)
    if not path.is_file():
        raise errors.CallError("The file of --model must exist", found=str(path))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python 2's escapes in strings
            tree = ast.parse(path.read_bytes(), filename=path.name)
    except (SyntaxError, ValueError, OSError) as error:
        raise errors.InputError("The file of --model must be Python 3", found=f"{path}: {error}") from error
    functions = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported = [name.asname or name.name for node in imports for name in node.names]
    assigned = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    if function not in {*functions, *imported, *assigned} and "*" not in imported:
        remedy = errors.did_you_mean(function, list(dict.fromkeys(functions)))
        raise errors.CallError(f"{path.name} must define the function", found=repr(function), remedy=remedy)
    return path, function


def file_source(
    reference: str,
    checkpoint: Path | None,
    *,
    probes: Sequence[Sequence[Shape]],
    ends: Ends,
    allow_surplus: bool,
    timeout_s: float = 1800.0,
) -> Source:
    """A user's function: one that returns a Keras model, or an untouched TF1 function of the input tensor.

    Args:
        probes: rungs of shapes, as for `source.run_probes`; their channels are what a TF1 function is given.

    Raises:
        CallError: no such file or function, or it doesn't give an image for an image.
        CheckpointError: the weights don't fit.
        InputError: the user's code raised an error; its last lines are in the message.
    """
    path, function = split_reference(reference)
    with temporary_folder("pixelproof-source-") as folder:
        request = {
            "probes": [list(rung) for rung in probes],
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
    # Not before we have it on the janitor's list: it would outlive a kill.
    start = "import sys; sys.stdin.readline() or sys.exit(1); "
    start += f"sys.path.insert(0, {str(import_root())!r}); "
    code = start + f"from pixelproof.convert.file_source_main import main; main({str(folder)!r})"
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)},
        start_new_session=True,
    )
    with child, watched_group(child):
        try:
            said, _ = child.communicate(b"start\n", timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            rule = f"{path.name} must be built within {timeout_s:g} s"
            raise errors.InputError(rule, found="no end") from error
    if not (folder / "answer.json").exists():
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        found = ": ".join([f"exit code {child.returncode}", *(line[:400] for line in last)])
        raise errors.InputError(f"{path.name} must run to its end", found=found)


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
        weights = CheckpointReport(
            format=weights["format"],
            path=Path(weights["path"]),
            used=weights["used"],
            reported=tuple(weights["reported"]),
            surplus=tuple(weights["surplus"]),
        )
    return Source(
        label=label,
        graph=graph,
        channels=answer["channels"],
        outputs=outputs,
        weights=weights,
        shapes=tuple(_shape(shape) for shape in answer["shapes"]),
    )


def _shape(numbers: Sequence[int]) -> Shape:
    batch, height, width, channels = numbers
    return batch, height, width, channels
