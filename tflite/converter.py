"""A frozen graph as TFLite: the shape is bound first, then the concrete function is converted."""

from __future__ import annotations

import warnings
from typing import Any

from pixelproof.errors import EnvironmentFault, InputError
from pixelproof.measure.graph_def import as_function, without_placeholder_shape


def to_tflite(graph: Any, *, input_name: str, output_name: str, shape: tuple[int, int, int, int]) -> bytes:
    """The TFLite model's bytes, float32.

    Only the concrete function is given to the converter: with a second argument it writes a file without its
    weights (observed with TensorFlow 2.21).

    Args:
        graph: frozen GraphDef.
        input_name, output_name: tensors, as in ``input:0``.
        shape: batch, height, width, channels; fixed in the file.

    Raises:
        EnvironmentFault: the converter lacks an operation; it is named.
        InputError: the file came out without its weights.
    """
    import tensorflow as tf

    bound = as_function(
        without_placeholder_shape(graph, input_name),
        input_name=input_name,
        output_name=output_name,
        shape=shape,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converter = tf.lite.TFLiteConverter.from_concrete_functions([bound])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        try:
            data = bytes(converter.convert())
        except Exception as error:
            if type(error).__name__ not in ("ConverterError", "ValueError", "RuntimeError"):
                raise
            remedy = "Replace the operation by ones that TFLite has built in."
            found = _named_operation(str(error))
            raise EnvironmentFault("TFLite must have every operation", found=found, remedy=remedy) from error
    _check_weights(graph, data)
    return data


def constant_bytes(graph: Any) -> int:
    """Bytes of all float constants of a graph: what an artifact must at least weigh."""
    import tensorflow as tf

    total = 0
    for node in graph.node:
        if node.op == "Const" and node.attr["dtype"].type == tf.float32.as_datatype_enum:
            count = 1
            for dim in node.attr["value"].tensor.tensor_shape.dim:
                count *= dim.size
            total += 4 * count
    return total


def _check_weights(graph: Any, data: bytes) -> None:
    weights = constant_bytes(graph)
    if len(data) < 0.9 * weights:
        raise InputError(
            "A .tflite must hold its weights", found=f"{len(data)} bytes for {weights} bytes of constants"
        )


def _named_operation(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if "op" in line.lower() and line.strip()]
    return (lines[0] if lines else text.strip())[:300]
