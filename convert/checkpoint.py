"""A TF1 checkpoint with its ``.meta`` as a frozen graph, without knowing the architecture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pixelproof.errors import CallError, CheckpointError, did_you_mean
from pixelproof.files import replacing_file
from pixelproof.measure.parity import ParityRow, fixed_size, probe_image, require, row_for
from pixelproof.measure.protocol import Array
from pixelproof.measure.worker import Worker
from pixelproof.models.checkpoints.locate import locate


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


def freeze_checkpoint(
    path: Path, *, out: Path, output_names: Sequence[str]
) -> tuple[int, tuple[ParityRow, ...]]:
    """Restore, freeze, prove against the restored session, write.

    Args:
        output_names: nodes to keep; where none is given the graph's only candidate.

    Returns:
        Number of nodes written, and the proof.

    Raises:
        CheckpointError: missing or damaged files.
        CallError: an output that the graph doesn't have; candidates are listed.
        ParityBroken: the frozen graph computes something else.
    """
    import tensorflow.compat.v1 as tf1

    from pixelproof.convert.frozen_graph import freeze_session

    prefix = prefix_of(path)
    graph = tf1.Graph()
    with graph.as_default(), tf1.Session(graph=graph) as session:
        saver = _import_meta(prefix)
        try:
            saver.restore(session, str(prefix))
        except (ValueError, tf1.errors.OpError) as error:
            found = str(error).splitlines()[0][:300]
            remedy = "Take .meta, .index and .data from one training step."
            raise CheckpointError("The .meta must fit the checkpoint", found=found, remedy=remedy) from error
        outputs = _outputs(graph, output_names)
        frozen = freeze_session(session, outputs)
        inputs = [node.name for node in frozen.node if node.op == "Placeholder"]
        if len(inputs) != 1:
            raise CallError("The output must depend on one placeholder", found=", ".join(inputs) or "none")
        probe = _probe(graph.get_tensor_by_name(f"{inputs[0]}:0"))
        expected = [np.asarray(session.run(f"{name}:0", {f"{inputs[0]}:0": probe})) for name in outputs]
    with replacing_file(out) as temporary:
        temporary.write_bytes(frozen.SerializeToString())
        rows = [
            _prove(temporary, inputs[0], name, probe, y, label=out.name)
            for name, y in zip(outputs, expected, strict=True)
        ]
        require(rows)
    return len(frozen.node), tuple(rows)


def candidate_outputs(graph: Any) -> list[str]:
    """Nodes that look like a model's output: images computed from the input that only training reads on."""
    names = []
    reached: set[str] = set()
    for operation in graph.get_operations():
        if operation.type == "Placeholder" or any(t.op.name in reached for t in operation.inputs):
            reached.add(operation.name)
        if (
            operation.name not in reached
            or len(operation.outputs) != 1
            or operation.type
            in (
                "Placeholder",
                "Const",
                "VariableV2",
                "VarHandleOp",
            )
        ):
            continue
        tensor = operation.outputs[0]
        if tensor.dtype.name != "float32" or tensor.shape.rank != 4 or _is_machinery(operation.name):
            continue
        if all(_is_machinery(reader.name) for reader in tensor.consumers()):
            names.append(operation.name)
    return names


def _is_machinery(name: str) -> bool:
    return name.startswith(("save/", "gradients", "train", "Adam", "init")) or "/Assign" in name


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


def _outputs(graph: Any, wanted: Sequence[str]) -> list[str]:
    candidates = candidate_outputs(graph)
    if not wanted:
        if len(candidates) == 1:
            return candidates
        listed = ", ".join(candidates[:10]) or "none"
        raise CallError("--out-nodes must name the output", found=f"candidates {listed}")
    known = {operation.name for operation in graph.get_operations()}
    for name in wanted:
        if name not in known:
            raise CallError(
                "--out-nodes must name nodes of the graph",
                found=repr(name),
                remedy=did_you_mean(name, candidates),
            )
    return list(wanted)


def _probe(placeholder: Any) -> Array:
    shape = tuple(placeholder.shape.as_list()) if placeholder.shape.rank is not None else None
    if shape is None or len(shape) != 4:
        raise CallError("The input must be an image batch of four dimensions", found=str(placeholder.shape))
    height, width = fixed_size(shape) or (48, 80)
    return probe_image(height, width, shape[3] or 3)


def _prove(
    path: Path, input_name: str, output_name: str, probe: Array, expected: Array, *, label: str
) -> ParityRow:
    with Worker() as worker:
        worker.load(path, "pb", input_name=f"{input_name}:0", output_name=f"{output_name}:0")
        output = worker.run(probe)
    return row_for(
        artifact=label,
        kind="pb",
        source=expected,
        output=output,
        shape=(probe.shape[1], probe.shape[2]),
        global_statistics=False,
    )
