"""The child of ``--model FILE.py:FUNCTION``: imports the file, freezes the model, computes its outputs."""

from __future__ import annotations

import importlib.util
import inspect
import json
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelproof.errors import CallError, CheckpointError, PixelproofError

if TYPE_CHECKING:
    from pixelproof.convert.source import Ends, Shape, Source

Weights = dict[str, Any] | None


def main(folder_name: str) -> None:
    """Read request.json in a folder; write answer.json, graph.pb and outputs.npz there."""
    folder = Path(folder_name)
    request = json.loads((folder / "request.json").read_text())
    try:
        answer = _answer(folder, request)
    except PixelproofError as error:
        answer = _described(type(error).__name__, error.rule, error.found, error.remedy)
    except Exception as error:  # noqa: BLE001 - the user's code may raise anything; the parent tells him
        from pixelproof.convert.source import one_line

        own = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == request["file"]]
        where = f" (line {own[-1].lineno})" if own else ""
        rule = f"{Path(request['file']).name} must build the model"
        found = f"{type(error).__name__}: {one_line(error, 600)}{where}"
        answer = _described("InputError", rule, found, _hint(error))
    part = folder / "answer.json.part"
    part.write_text(json.dumps(answer))
    part.replace(folder / "answer.json")


def _answer(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    from pixelproof.quiet import import_tensorflow

    import_tensorflow()
    from pixelproof.convert.arrays import save_arrays
    from pixelproof.convert.source import Ends

    probes = [[_shape(shape) for shape in rung] for rung in request["probes"]]
    checkpoint = Path(request["checkpoint"]) if request["checkpoint"] else None
    file, name = Path(request["file"]), request["function"]
    # Not earlier: what lies beside the file must not stand in for a module that TensorFlow imports.
    sys.path.insert(0, str(file.parent))
    build = _from_tf1 if _takes_tensor(file, name) else _from_keras
    source, weights = build(file, name, checkpoint, probes, Ends(**request["ends"]), request["allow_surplus"])
    save_arrays(folder / "outputs.npz", source.outputs)
    (folder / "graph.pb").write_bytes(source.graph.SerializeToString(deterministic=True))
    return {"channels": source.channels, "shapes": source.shapes, "weights": weights}


def _takes_tensor(file: Path, name: str) -> bool:
    """Whether the function has a required parameter, told without running the file where possible."""
    import ast

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(file.read_bytes())
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            positional = [*node.args.posonlyargs, *node.args.args]
            return len(positional) > len(node.args.defaults)
    before = set(sys.modules)
    required = _required(_load(file, name))
    for module in set(sys.modules) - before:  # they may come again, with another tensorflow
        if str(getattr(sys.modules[module], "__file__", "")).startswith(str(file.parent)):
            del sys.modules[module]
    return required


def _required(function: Any) -> bool:
    parameters = inspect.signature(function).parameters.values()
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(p.default is inspect.Parameter.empty and p.kind in plain for p in parameters)


def _load(file: Path, name: str) -> Any:
    module_name = file.stem if file.stem not in sys.modules else f"{file.stem}_of_the_user"
    spec = importlib.util.spec_from_file_location(module_name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    function = getattr(module, name, None)
    if not callable(function):
        raise CallError(f"{file.name} must define the function", found=repr(name))
    return function


def _from_keras(
    file: Path,
    name: str,
    checkpoint: Path | None,
    probes: Sequence[Sequence[Shape]],
    ends: Ends,
    allow_surplus: bool,
) -> tuple[Source, Weights]:
    import keras

    from pixelproof.convert.source import keras_source
    from pixelproof.models.checkpoints.loading import load_checkpoint
    from pixelproof.schema import to_jsonable

    model = _load(file, name)()
    if not isinstance(model, keras.Model):
        remedy = "A TF1 function takes the input tensor, and returns the output tensor."
        rule = f"{name} without parameters must return a keras.Model"
        raise CallError(rule, found=type(model).__name__, remedy=remedy)
    weights = None
    if checkpoint is not None:
        model_name = f"{file.name}:{name}"
        report = load_checkpoint(model, checkpoint, model_name=model_name, allow_surplus=allow_surplus)
        weights = {**to_jsonable(report), "path": str(report.path)}
    return keras_source(model, label=name, weights=None, probes=probes, ends=ends), weights


def _from_tf1(
    file: Path,
    name: str,
    checkpoint: Path | None,
    probes: Sequence[Sequence[Shape]],
    ends: Ends,
    allow_surplus: bool,
) -> tuple[Source, Weights]:
    import tensorflow.compat.v1 as tf1

    from pixelproof.convert.frozen_graph import freeze_session, tidy, unoptimised
    from pixelproof.convert.source import Source, clipped, run_probes

    if checkpoint is None:
        raise CallError("A TF1 function needs its checkpoint", found="none", remedy="Give it with --ckpt.")
    tf1.disable_v2_tensorshape()
    tf1.disable_eager_execution()
    sys.modules["tensorflow"] = tf1
    channels = probes[0][0][3]
    graph = tf1.Graph()
    with graph.as_default(), tf1.Session(graph=graph, config=unoptimised()) as session:
        x = tf1.placeholder(tf1.float32, shape=(1, None, None, channels), name="pixelproof_input")
        y = _load(file, name)(x)
        if not isinstance(y, tf1.Tensor):
            remedy = "A function that returns a keras.Model takes no parameters without a default."
            rule = f"{name} with a parameter must return the output tensor"
            raise CallError(rule, found=type(y).__name__, remedy=remedy)
        y = tf1.identity(y, name="pixelproof_output")
        weights = _restore(session, checkpoint, model_name=name, allow_surplus=allow_surplus)
        tidied = tidy(
            freeze_session(session, ["pixelproof_output"]),
            input_tensor="pixelproof_input:0",
            output_tensor="pixelproof_output:0",
            input_name=ends.input_name,
            output_name=ends.output_name,
            clip=ends.clip,
        )
        shapes, outputs = run_probes(lambda probe: clipped(session.run(y, {x: probe}), ends), probes)
    source = Source(label=name, graph=tidied, channels=channels, outputs=outputs, weights=None, shapes=shapes)
    return source, weights


def _restore(session: Any, checkpoint: Path, *, model_name: str, allow_surplus: bool) -> dict[str, Any]:
    import tensorflow.compat.v1 as tf1

    from pixelproof.models.checkpoints.fit import best_fit, describe
    from pixelproof.models.checkpoints.locate import locate
    from pixelproof.models.checkpoints.tf1 import open_tf1

    variables = {v.op.name: v for v in tf1.global_variables()}
    located = locate(checkpoint)
    if located.kind not in ("tf1-v1", "tf1-v2"):
        raise CheckpointError("A TF1 function takes a TF1 checkpoint", found=str(checkpoint))
    rule = f"The checkpoint must hold each of {model_name}'s {len(variables)} weights once, in its shape"
    with open_tf1(located) as reader:
        shapes = {name: tuple(v.shape.as_list()) for name, v in variables.items()}
        fit = best_fit(shapes, reader.floats(), reader.shapes)
        if not fit.complete or (fit.surplus and not allow_surplus):
            remedy = (
                "--allow-surplus leaves the surplus out."
                if fit.complete
                else "Is it this model's checkpoint?"
            )
            raise CheckpointError(rule, found=describe(fit, reader.shapes), remedy=remedy)
        if len(fit.scopes) > 1 and fit.scopes[0]:
            remedy = "Save a checkpoint that holds only one of them."
            raise CheckpointError(rule, found=f"{' and '.join(fit.scopes)} that fit alike", remedy=remedy)
        feeds = {}
        for name, found in fit.used.items():
            variable = variables[name]
            feeds[variable.initializer.inputs[1]] = reader.read(found).astype(variable.dtype.as_numpy_dtype)
    session.run([variables[name].initializer for name in fit.used], feeds)
    return {
        "format": located.kind,
        "path": str(located.path),
        "used": len(fit.used),
        "reported": fit.reported,
        "surplus": fit.surplus,
    }


def _shape(numbers: Sequence[int]) -> Shape:
    batch, height, width, channels = numbers
    return batch, height, width, channels


def _described(kind: str, rule: str, found: str, remedy: str) -> dict[str, Any]:
    return {"error": {"type": kind, "rule": rule, "found": found, "remedy": remedy}}


def _hint(error: Exception) -> str:
    text = str(error)
    if "contrib" in text:
        return "tensorflow.contrib ended with TensorFlow 1; write the layer with tf.nn, or port it to Keras."
    if isinstance(error, ModuleNotFoundError):
        return "Put the module beside the file, or install it."
    return ""
