"""A frozen graph as TFLite: the shape is bound first, then the concrete function is converted."""

from __future__ import annotations

import re
import warnings
from typing import Any

from pixelproof.errors import CallError, EnvironmentFault, ModelFailed
from pixelproof.measure.graph_def import as_function, without_placeholder_shape
from pixelproof.measure.interrupts import interrupts_deferred


def to_tflite(graph: Any, *, input_name: str, output_name: str, shape: tuple[int, int, int, int]) -> bytes:
    """The TFLite model's bytes, float32.

    Only the concrete function is given to the converter: with a second argument it writes a file without its
    weights (observed with TensorFlow 2.21).

    Args:
        graph: frozen GraphDef.
        input_name, output_name: tensors, as in ``input:0``.
        shape: batch, height, width, channels; fixed in the file.

    Raises:
        CallError: the graph can't take the shape.
        ModelFailed: TFLite lacks an operation of the graph; it is named.
        EnvironmentFault: the converter fails otherwise.
    """
    with interrupts_deferred():
        try:
            bound = as_function(
                without_placeholder_shape(graph, input_name),
                input_name=input_name,
                output_name=output_name,
                shape=shape,
            )
        except ModelFailed as error:
            remedy = "Choose a size that the architecture takes, such as multiples of 16 or 32."
            raise CallError(error.rule, found=error.found, remedy=remedy) from error
        return _converted(bound)


def _converted(bound: Any) -> bytes:
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converter = tf.lite.TFLiteConverter.from_concrete_functions([bound])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        try:
            return bytes(converter.convert())
        except Exception as error:
            if type(error).__name__ not in ("ConverterError", "ValueError", "RuntimeError"):
                raise
            lacking = missing_operations(str(error))
            if lacking:
                raise ModelFailed(
                    "TFLite must have every operation",
                    found=", ".join(lacking),
                    remedy="Replace the operation by ones that TFLite has built in.",
                ) from error
            found = str(error).strip().splitlines()[0][:300]
            raise EnvironmentFault("The TFLite converter must take the graph", found=found) from error


def missing_operations(text: str) -> list[str]:
    """Operations that the converter's error names as not built in, sorted."""
    listed = re.findall(r"^(?:TF Select|Custom) ops: (.+)$", text, re.MULTILINE)
    named = [name.strip() for line in listed for name in line.split(",")]
    named = named or re.findall(r"'(?:tf|tfl)\.(\w+)' op is neither a custom op nor a flex op", text)
    return sorted({name for name in named if name})
