"""The child of ``--model FILE.py:FUNCTION``: imports the file, freezes the model, computes its outputs."""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from pixelproof.errors import CallError, CheckpointError, PixelproofError

Result = tuple[Any, int, list[Any], dict[str, Any] | None]


def main(folder_name: str) -> None:
    """Read request.json and probes.npz in a folder; write answer.json, graph.pb and outputs.npz there."""
    folder = Path(folder_name)
    request = json.loads((folder / "request.json").read_text())
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    try:
        answer = _answer(folder, request)
    except PixelproofError as error:
        answer = _described(type(error).__name__, error.rule, error.found, error.remedy)
    except Exception as error:  # noqa: BLE001 - the user's code may raise anything; the parent tells him
        own = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == request["file"]]
        where = f" (line {own[-1].lineno})" if own else ""
        rule = f"{Path(request['file']).name} must build the model"
        answer = _described("InputError", rule, f"{type(error).__name__}: {error}{where}"[:600], _hint(error))
    (folder / "answer.json").write_text(json.dumps(answer))


def _answer(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    from pixelproof.convert.arrays import load_arrays, save_arrays
    from pixelproof.convert.source import Ends

    probes = load_arrays(folder / "probes.npz")
    ends = Ends(**request["ends"])
    checkpoint = Path(request["checkpoint"]) if request["checkpoint"] else None
    file, name = Path(request["file"]), request["function"]
    sys.path.insert(0, str(file.parent))
    if _takes_tensor(file, name):
        graph, channels, outputs, weights = _tf1(
            file, name, checkpoint, probes, ends, request["allow_surplus"]
        )
    else:
        graph, channels, outputs, weights = _keras(
            file, name, checkpoint, probes, ends, request["allow_surplus"]
        )
    save_arrays(folder / "outputs.npz", outputs)
    (folder / "graph.pb").write_bytes(graph.SerializeToString())
    return {"channels": channels, "weights": weights}


def _takes_tensor(file: Path, name: str) -> bool:
    """Whether the function has a required parameter, told without running the file where possible."""
    import ast

    for node in ast.parse(file.read_bytes()).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            positional = [*node.args.posonlyargs, *node.args.args]
            return len(positional) > len(node.args.defaults)
    return _required(_load(file, name))


def _required(function: Any) -> bool:
    parameters = inspect.signature(function).parameters.values()
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(p.default is inspect.Parameter.empty and p.kind in plain for p in parameters)


def _load(file: Path, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    if not hasattr(module, name):
        raise CallError(f"{file.name} must define the function", found=repr(name))
    return getattr(module, name)


def _keras(
    file: Path, name: str, checkpoint: Path | None, probes: list[Any], ends: Any, allow_surplus: bool
) -> Result:
    from pixelproof.measure.quiet import import_tensorflow

    import_tensorflow()
    import keras

    from pixelproof.convert.source import keras_source
    from pixelproof.models.checkpoints.loading import load_checkpoint
    from pixelproof.schema import to_jsonable

    model = _load(file, name)()
    if not isinstance(model, keras.Model):
        raise CallError(f"{name} without parameters must return a keras.Model", found=type(model).__name__)
    weights = None
    if checkpoint is not None:
        report = load_checkpoint(model, checkpoint, model_name=name, allow_surplus=allow_surplus)
        weights = {**to_jsonable(report), "path": str(report.path)}
    source = keras_source(model, label=name, weights=None, probes=probes, ends=ends)
    return source.graph, source.channels, list(source.outputs), weights


def _tf1(
    file: Path, name: str, checkpoint: Path | None, probes: list[Any], ends: Any, allow_surplus: bool
) -> Result:
    from pixelproof.measure.quiet import import_tensorflow

    if checkpoint is None:
        raise CallError("A TF1 function needs its checkpoint", found="none", remedy="Give it with --ckpt.")
    import_tensorflow()
    import tensorflow.compat.v1 as tf1

    tf1.disable_v2_tensorshape()
    tf1.disable_eager_execution()
    sys.modules["tensorflow"] = tf1

    from pixelproof.convert.frozen_graph import freeze_session, tidy
    from pixelproof.convert.source import clipped

    channels = probes[0].shape[-1]
    graph = tf1.Graph()
    with graph.as_default(), tf1.Session(graph=graph) as session:
        x = tf1.placeholder(tf1.float32, shape=(1, None, None, channels), name="pixelproof_input")
        y = _load(file, name)(x)
        if not isinstance(y, tf1.Tensor):
            raise CallError(f"{name} must return the output tensor", found=type(y).__name__)
        y = tf1.identity(y, name="pixelproof_output")
        weights = _restore(session, checkpoint, model_name=name, allow_surplus=allow_surplus)
        outputs = [clipped(session.run(y, {x: probe}), ends) for probe in probes]
        frozen = freeze_session(session, ["pixelproof_output"])
    tidied = tidy(
        frozen,
        input_tensor="pixelproof_input:0",
        output_tensor="pixelproof_output:0",
        input_name=ends.input_name,
        output_name=ends.output_name,
        clip=ends.clip,
    )
    return tidied, channels, outputs, weights


def _restore(session: Any, checkpoint: Path, *, model_name: str, allow_surplus: bool) -> dict[str, Any]:
    import tensorflow.compat.v1 as tf1

    from pixelproof.models.checkpoints.fit import best_fit, describe
    from pixelproof.models.checkpoints.locate import locate
    from pixelproof.models.checkpoints.tf1 import open_tf1

    variables = {v.op.name: v for v in tf1.global_variables()}
    located = locate(checkpoint)
    if located.kind not in ("tf1-v1", "tf1-v2"):
        raise CheckpointError("A TF1 function takes a TF1 checkpoint", found=str(checkpoint))
    with open_tf1(located) as reader:
        shapes = {name: tuple(v.shape.as_list()) for name, v in variables.items()}
        fit = best_fit(shapes, reader.floats(), reader.shapes)
        if not fit.complete or (fit.surplus and not allow_surplus):
            rule = f"The checkpoint must hold each of {model_name}'s {len(shapes)} weights once, in its shape"
            remedy = (
                "--allow-surplus leaves the surplus out."
                if fit.complete
                else "Is it this model's checkpoint?"
            )
            raise CheckpointError(rule, found=describe(fit, reader.shapes), remedy=remedy)
        for name in fit.used.values():
            reader.read(name)
    if fit.used:
        saver = tf1.train.Saver({found: variables[name] for name, found in fit.used.items()})
        saver.restore(session, str(located.path))
    return {
        "format": located.kind,
        "path": str(located.path),
        "used": len(fit.used),
        "reported": fit.reported,
        "surplus": fit.surplus,
    }


def _described(kind: str, rule: str, found: str, remedy: str) -> dict[str, Any]:
    return {"error": {"type": kind, "rule": rule, "found": found, "remedy": remedy}}


def _hint(error: Exception) -> str:
    text = str(error)
    if "contrib" in text:
        return "tensorflow.contrib ended with TensorFlow 1; write the layer with tf.nn, or port it to Keras."
    if isinstance(error, ModuleNotFoundError):
        return "Put the module beside the file, or install it."
    return ""
