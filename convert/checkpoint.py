"""A TF1 checkpoint with its ``.meta`` as a frozen graph, without knowing the architecture."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelproof.convert.source import Shape
from pixelproof.errors import CallError, CheckpointError, did_you_mean
from pixelproof.files import replacing_file
from pixelproof.measure.interrupts import interrupts_deferred
from pixelproof.measure.parity import ParityRow, probe_image, require, row_for, size_ladder
from pixelproof.measure.protocol import Array
from pixelproof.measure.worker import Worker
from pixelproof.models.checkpoints.locate import locate

_MACHINERY = re.compile(r"(?:save|gradients|init|train|Adam|report_uninitialized_variables)(?:_\d+)?(?:/|$)")

Outputs = tuple[Array, dict[str, Array]]


@dataclass(frozen=True)
class Frozen:
    """A graph that was written.

    Attributes:
        nodes: how many it has.
        input_name: its placeholder.
        output_names: its outputs.
        shape: of the input with which it was proven.
        rows: the proof, one row an output.
    """

    nodes: int
    input_name: str
    output_names: tuple[str, ...]
    shape: Shape
    rows: tuple[ParityRow, ...]


def prefix_of(path: Path) -> Path:
    """The prefix of a checkpoint that has ``.index``, ``.data`` and ``.meta``.

    Raises:
        CheckpointError: weights or ``.meta`` are missing.
    """
    located = locate(path)
    prefix = located.path
    if not prefix.with_name(prefix.name + ".meta").is_file():
        remedy = "Without it the architecture must be known: convert-model --model NAME or FILE.py:FUNCTION."
        raise CheckpointError(
            "ckpt2pb needs the .meta beside the checkpoint", found=f"none at {prefix}", remedy=remedy
        )
    return prefix


def freeze_checkpoint(path: Path, *, out: Path, output_names: Sequence[str]) -> Frozen:
    """Restore, freeze, prove against the restored session, and only then write.

    Args:
        output_names: nodes to keep; where none is given the graph's only candidate.

    Raises:
        CheckpointError: missing or damaged files.
        CallError: an output that the graph doesn't have, candidates are listed; one that depends on other things
            than one image; ``out`` is part of the checkpoint.
        ParityBroken: the frozen graph computes something else; nothing is written.
    """
    import tensorflow.compat.v1 as tf1

    from pixelproof.convert.frozen_graph import freeze_session, pruned, unoptimised
    from pixelproof.measure.graph_def import reduces_image

    prefix = prefix_of(path)
    if out.resolve() in {file.resolve() for file in locate(path).files}:
        raise CallError("--out-path must not be the checkpoint itself", found=str(out))
    with replacing_file(out) as temporary:
        graph = tf1.Graph()
        with (
            interrupts_deferred(),
            graph.as_default(),
            tf1.Session(graph=graph, config=unoptimised()) as session,
        ):
            _restore(_import_meta(prefix), session, prefix)
            outputs = _outputs(graph, output_names)
            frozen = pruned(freeze_session(session, outputs), outputs)
            inputs = [node.name for node in frozen.node if node.op == "Placeholder"]
            if len(inputs) != 1:
                found = ", ".join(inputs) or "none"
                raise CallError("The output must depend on one placeholder", found=found)
            probe, expected = _run(session, f"{inputs[0]}:0", outputs)
        temporary.write_bytes(frozen.SerializeToString(deterministic=True))
        rows = _prove(temporary, inputs[0], probe, expected, reduces_image(frozen), label=out.name)
        require(rows)
    _, height, width, channels = probe.shape
    return Frozen(len(frozen.node), inputs[0], tuple(outputs), (1, height, width, channels), tuple(rows))


def candidate_outputs(graph: Any) -> list[str]:
    """Nodes that look like a model's output: images computed from one placeholder, which no further image is."""
    sources: dict[str, frozenset[str]] = {}
    images: list[Any] = []
    for operation in graph.get_operations():
        if operation.type == "Placeholder":
            sources[operation.name] = frozenset({operation.name})
            continue
        known = [sources.get(tensor.op.name, frozenset()) for tensor in operation.inputs]
        sources[operation.name] = frozenset().union(*known)
        if _MACHINERY.match(operation.name) or len(operation.outputs) != 1:
            continue
        tensor = operation.outputs[0]
        if len(sources[operation.name]) == 1 and tensor.dtype.name == "float32" and tensor.shape.rank == 4:
            images.append(operation)
    names = {operation.name for operation in images}
    return [
        operation.name
        for operation in images
        if not names & {reader.name for reader in operation.outputs[0].consumers()}
    ]


def _import_meta(prefix: Path) -> Any:
    import tensorflow.compat.v1 as tf1

    try:
        saver = tf1.train.import_meta_graph(f"{prefix}.meta", clear_devices=True)
    except Exception as error:
        if type(error).__module__.startswith(("tensorflow", "google", "builtins")):
            said = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
            found = f"{prefix.name}.meta: {said}"
            raise CheckpointError("The .meta must be a readable TF1 graph", found=found) from error
        raise
    if saver is None:
        raise CheckpointError("The .meta must hold variables", found=f"none in {prefix.name}.meta")
    return saver


def _restore(saver: Any, session: Any, prefix: Path) -> None:
    import tensorflow.compat.v1 as tf1

    try:
        saver.restore(session, str(prefix))
    except (ValueError, tf1.errors.OpError) as error:
        found = str(error).splitlines()[0][:300]
        remedy = "Take .meta, .index and .data from one training step."
        raise CheckpointError("The .meta must fit the checkpoint", found=found, remedy=remedy) from error


def _outputs(graph: Any, wanted: Sequence[str]) -> list[str]:
    candidates = candidate_outputs(graph)
    if not wanted:
        if len(candidates) == 1:
            return candidates
        listed = ", ".join(candidates[:10]) or "none"
        raise CallError("--out-nodes must name the output", found=f"candidates {listed}")
    known = {operation.name: operation for operation in graph.get_operations()}
    for name in wanted:
        if name not in known or not known[name].outputs or known[name].type == "Placeholder":
            raise CallError(
                "--out-nodes must name nodes of the graph that compute a tensor",
                found=repr(name),
                remedy=did_you_mean(name, candidates),
            )
    return list(dict.fromkeys(wanted))


def _run(session: Any, placeholder: str, outputs: Sequence[str]) -> Outputs:
    """A probe that the graph takes, and the session's outputs for it."""
    import tensorflow.compat.v1 as tf1

    fetches = {name: f"{name}:0" for name in outputs}

    def attempt(shape: Shape) -> Outputs:
        probe = probe_image(*shape[1:])
        given = session.run(fetches, {placeholder: probe})
        return probe, {name: np.asarray(value) for name, value in given.items()}

    return _first(
        attempt, _shapes(session.graph.get_tensor_by_name(placeholder)), (ValueError, tf1.errors.OpError)
    )


def _first(
    attempt: Callable[[Shape], Outputs], shapes: Sequence[Shape], refusals: tuple[type[Exception], ...]
) -> Outputs:
    refusal: Exception | None = None
    for shape in shapes:
        try:
            return attempt(shape)
        except refusals as error:
            refusal = refusal or error
    rule = "The restored graph must run"
    raise CheckpointError(rule, found=str(refusal).splitlines()[0][:300]) from refusal


def _shapes(placeholder: Any) -> list[Shape]:
    declared = placeholder.shape.as_list() if placeholder.shape.rank is not None else [None] * 4
    if len(declared) != 4 or placeholder.dtype.name != "float32":
        found = f"{placeholder.dtype.name} of shape {placeholder.shape}"
        raise CallError("The input must be a float32 image batch of four dimensions", found=found)
    batch, height, width, channels = declared
    if batch not in (None, 1):
        raise CallError("The input must take one image at a time", found=f"a batch of {batch}")
    sizes = [(height or rung[0][0], width or rung[0][1]) for rung in size_ladder()]
    return [(1, h, w, channels or 3) for h, w in dict.fromkeys(sizes)]


def _prove(
    path: Path,
    input_name: str,
    probe: Array,
    expected: dict[str, Array],
    is_global: bool,
    *,
    label: str,
) -> list[ParityRow]:
    rows = []
    with Worker() as worker:
        for name, source in expected.items():
            worker.load(path, "pb", input_name=f"{input_name}:0", output_name=f"{name}:0")
            rows.append(
                row_for(
                    artifact=f"{name} of {label}" if len(expected) > 1 else label,
                    kind="pb",
                    source=source,
                    output=worker.run(probe),
                    shape=(probe.shape[1], probe.shape[2]),
                    global_statistics=is_global,
                    float64=lambda: worker.run_float64(probe),
                )
            )
    return rows
