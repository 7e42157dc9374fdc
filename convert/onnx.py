"""A frozen graph as ONNX, through tf2onnx; height and width stay dynamic."""

from __future__ import annotations

import logging
import warnings
from typing import Any

from pixelproof.convert.plan import DEFAULT_OPSET
from pixelproof.errors import CallError, EnvironmentFault, ModelFailed

LOWEST_OPSET = 10
"""With older ones tf2onnx 1.17 writes transposed convolutions that onnxruntime refuses; the newest it names."""


def opsets() -> range:
    """Opsets that the installed tf2onnx writes and that are proven here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tf2onnx import constants

    return range(LOWEST_OPSET, max(constants.OPSET_TO_IR_VERSION) + 1)


def check_opset(opset: int) -> None:
    """Refuse an opset that tf2onnx doesn't write.

    Raises:
        CallError: the range is in the message.
    """
    known = opsets()
    if opset not in known:
        raise CallError(f"--opset must be {known[0]} to {known[-1]}", found=str(opset))


def to_onnx(graph: Any, *, input_name: str, output_name: str, opset: int = DEFAULT_OPSET) -> bytes:
    """The ONNX model's bytes; batch 1, NHWC, any height and width.

    Args:
        graph: frozen GraphDef whose nodes ``input_name`` and ``output_name`` are the ends; they name the ONNX
            model's input and output too.

    Raises:
        CallError: tf2onnx has no such opset.
        ModelFailed: ONNX lacks an operation of the graph; it is named.
        EnvironmentFault: tf2onnx fails otherwise.
    """
    check_opset(opset)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tf2onnx

        logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
        try:
            model, _ = tf2onnx.convert.from_graph_def(
                graph,
                name=output_name,
                opset=opset,
                input_names=[f"{input_name}:0"],
                output_names=[f"{output_name}:0"],
                tensors_to_rename={f"{input_name}:0": input_name, f"{output_name}:0": output_name},
            )
        except (ValueError, RuntimeError, KeyError) as error:
            found = f"{type(error).__name__}: {error}"[:300]
            raise EnvironmentFault("tf2onnx must be able to convert the graph", found=found) from error
    _check_operations(model, opset)
    _name_free_dimensions(model.graph.input[0], "in")
    _name_free_dimensions(model.graph.output[0], "out")
    return bytes(model.SerializeToString())


def _check_operations(model: Any, opset: int) -> None:
    """tf2onnx writes an operation that it doesn't know under its TensorFlow name, and goes on."""
    import onnx

    unknown = {
        node.op_type
        for node in model.graph.node
        if node.domain in ("", "ai.onnx") and not onnx.defs.has(node.op_type, opset, "")
    }
    if unknown:
        remedy = "Leave ONNX out with --format pb,savedmodel,tflite, or replace the operation."
        raise ModelFailed("ONNX must have every operation", found=", ".join(sorted(unknown)), remedy=remedy)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        found = str(error).splitlines()[0][:300]
        raise EnvironmentFault("tf2onnx must write a valid ONNX model", found=found) from error


def _name_free_dimensions(tensor: Any, end: str) -> None:
    dims = tensor.type.tensor_type.shape.dim
    if len(dims) == 4:
        for dim, name in ((dims[1], f"height_{end}"), (dims[2], f"width_{end}")):
            if not dim.dim_value:
                dim.dim_param = name
