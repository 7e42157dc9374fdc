"""A frozen graph as TFLite: the shape is bound first, then the concrete function is converted."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from pixelproof.errors import CallError, EnvironmentFault, ModelFailed, PixelproofError
from pixelproof.measure.graph_def import without_placeholder_shape
from pixelproof.measure.interrupts import interrupts_deferred
from pixelproof.quiet import native_chatter_hidden
from pixelproof.tflite.quantize import FLOAT, Image, Quantization, Stream, configure
from pixelproof.tflite.unsupported import lacking_operations, missing_operations
from pixelproof.tflite.weights import Weights, graph_weights, require_weights, weights_of

OpenShape = tuple[int, int | None, int | None, int]

_MULTIPLES = (2, 4, 8, 16, 32, 64)
_FLOAT_END = re.compile(r"Unsupported (?:input|output) type \w+ for (?:input|output) tensor")
_NODE = re.compile(r"\{\{node (?:model/)?(\S+?)\}\}")


@dataclass(frozen=True)
class Made:
    """A TFLite file's bytes, and what they hold of the graph's weights: all of them."""

    data: bytes
    weights: Weights


def to_tflite(graph: Any, *, input_name: str, output_name: str, shape: OpenShape) -> bytes:
    """The TFLite model's bytes, float32.

    Raises:
        CallError, ModelFailed, ParityBroken, EnvironmentFault: as `make_tflite`.
    """
    return make_tflite(graph, input_name=input_name, output_name=output_name, shape=shape).data


def make_tflite(
    graph: Any,
    *,
    input_name: str,
    output_name: str,
    shape: OpenShape,
    quantization: Quantization = FLOAT,
    calibration: Stream | None = None,
) -> Made:
    """The TFLite model, with all of its weights.

    Only the concrete function is given to the converter: with a second argument it writes a file without its
    weights (observed with TensorFlow 2.21).

    Args:
        graph: frozen GraphDef.
        input_name, output_name: tensors, as in ``input:0``.
        shape: batch, height, width, channels in the file; height and width may stay free.
        calibration: float32 images (1, height, width, channels) of one size, in the input's range; asked for
            with the kinds of quantisation that are calibrated.

    Raises:
        CallError: the graph can't take the shape.
        ModelFailed: TFLite lacks an operation of the graph; it is named, and its nodes.
        ParityBroken: the file lost weights.
        EnvironmentFault: the converter fails otherwise.
        KeyboardInterrupt: Ctrl-C, at the next calibration image or at the end.
    """
    with ExitStack() as held:
        held.enter_context(interrupts_deferred())
        bound = bound_function(graph, input_name=input_name, output_name=output_name, shape=shape)
        stream = None if calibration is None else _interruptible(calibration, held)
        data = _converted(
            bound, quantization, stream, graph=graph, output_name=output_name, variable=None in shape
        )
        weights = weights_of(data, parameters=graph_weights(bound), quantization=quantization)
        require_weights(weights)
    return Made(data, weights)


def bound_function(graph: Any, *, input_name: str, output_name: str, shape: OpenShape) -> Any:
    """The graph as a concrete function of an input of this shape.

    Raises:
        CallError: the graph can't take it; a size near to it is named where one is found that it takes.
    """
    freed = without_placeholder_shape(graph, input_name)

    def bind(asked: OpenShape) -> Any:
        return _function(freed, input_name, output_name, asked)

    try:
        return bind(shape)
    except ValueError as error:
        said = " ".join(str(error).split())
        node = _NODE.search(said)
        place = f", at node {node.group(1)}" if node else ""
        size = ",".join("any" if n is None else str(n) for n in shape)
        found = f"{size}: {said.partition('. ')[0][:300]}{place}"
        raise CallError("The graph must take the shape", found=found, remedy=_nearest(bind, shape)) from error


def _function(graph: Any, input_name: str, output_name: str, shape: OpenShape) -> Any:
    """As `pixelproof.measure.graph_def.as_function`, with no more of TensorFlow than the converter needs."""
    from tensorflow.python.eager.wrap_function import wrap_function
    from tensorflow.python.framework.dtypes import float32
    from tensorflow.python.framework.importer import import_graph_def
    from tensorflow.python.framework.tensor import TensorSpec
    from tensorflow.python.ops.array_ops import identity

    def call(x: Any) -> Any:
        (y,) = import_graph_def(graph, input_map={input_name: x}, return_elements=[output_name], name="model")
        return identity(y, name=output_name.split(":")[0])

    return wrap_function(call, [TensorSpec(shape, float32, name=input_name.split(":")[0])])


def _nearest(bind: Any, shape: OpenShape) -> str:
    """A size near to a refused one that the graph takes, as a remedy."""
    batch, height, width, channels = shape
    if height is not None and width is not None:
        for multiple in _MULTIPLES:
            near = [max(1, (side + multiple // 2) // multiple) * multiple for side in (height, width)]
            try:
                bind((batch, near[0], near[1], channels))
            except ValueError:
                continue
            option = f"--input-shape {batch},{near[0]},{near[1]},{channels}"
            return f"A size near to it that the graph takes: {option}."
    return "Choose a size that the architecture takes, such as multiples of 16 or 32."


def _interruptible(calibration: Stream, held: ExitStack) -> Stream:
    """The images, with room between them for a Ctrl-C; what the converter says after the last one is hidden."""

    def stream() -> Iterator[Image]:
        for image in calibration():
            held.close()
            held.enter_context(interrupts_deferred())
            yield image
        held.enter_context(native_chatter_hidden())

    return stream


def _converted(
    bound: Any,
    quantization: Quantization,
    calibration: Stream | None,
    *,
    graph: Any,
    output_name: str,
    variable: bool,
) -> bytes:
    from tensorflow.lite.python.lite import TFLiteConverterV2

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converter = TFLiteConverterV2.from_concrete_functions([bound])
        configure(converter, quantization, calibration)
        try:
            return bytes(converter.convert())
        except PixelproofError:
            raise
        except Exception as error:
            if type(error).__name__ not in ("ConverterError", "ValueError", "RuntimeError"):
                raise
            lacking = missing_operations(str(error))
            if lacking:
                raise lacking_operations(
                    lacking, graph, output_name=output_name, variable=variable
                ) from error
            found = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            if _FLOAT_END.match(found):
                rule = f"The operation at either end must compute in {quantization.io} for --io {quantization.io}"
                raise ModelFailed(rule, found=found, remedy="Use --io float32.") from error
            raise EnvironmentFault("The TFLite converter must take the graph", found=found) from error
