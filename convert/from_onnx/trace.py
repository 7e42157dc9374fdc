"""Where two computations part: the first layer whose output differs while its inputs don't."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from pixelproof.convert.from_onnx.model import Model
from pixelproof.convert.from_onnx.translate import Layer
from pixelproof.measure.protocol import Array
from pixelproof.measure.runners import TFLiteRunner

Values = Mapping[str, Array]
Compute = Callable[[Layer], Array]


@dataclass(frozen=True)
class Parting:
    """A layer whose output differs.

    Attributes:
        name, op: of the ONNX node.
        max_abs: largest difference of its output.
        largest: largest magnitude of its output in the .onnx.
        layers: how many could be compared.
    """

    name: str
    op: str
    max_abs: float
    largest: float
    layers: int


def first_parting(
    layers: Sequence[Layer], expected: Values, compute: Compute, *, tolerance: float
) -> Parting | None:
    """The first layer that differs, in the order in which the layers depend on each other.

    First by a tolerance that grows with the layer's own values, which may be far from those of an image; where no
    layer differs by that, by the plain one, which is the output's.

    Args:
        expected: the source's values by ONNX's names, in ONNX's order of axes.
        compute: a layer's tensor as the artifact computes it, asked for alone, so that nothing is optimised otherwise
            than for the output.
    """
    known: dict[str, tuple[float, float]] = {}

    def distance(layer: Layer) -> tuple[float, float]:
        if layer.onnx_tensor not in known:
            known[layer.onnx_tensor] = _distance(compute(layer), expected[layer.onnx_tensor], layer.order)
        return known[layer.onnx_tensor]

    compared = [layer for layer in layers if layer.onnx_tensor in expected]

    def by_its_own_values(layer: Layer) -> bool:
        max_abs, largest = distance(layer)
        return not max_abs <= tolerance * max(1.0, largest)  # a NaN differs

    def plainly(layer: Layer) -> bool:
        return not distance(layer)[0] <= tolerance

    for differs in (by_its_own_values, plainly):
        found = _first(compared, differs)
        if found is not None:
            max_abs, largest = distance(found)
            return Parting(found.name, found.op, max_abs, largest, len(compared))
    return None


def _distance(found: Array, wanted: Array, order: Sequence[int]) -> tuple[float, float]:
    wanted = wanted.transpose(order)
    if found.shape != wanted.shape:
        return float("inf"), float(np.max(np.abs(wanted), initial=0.0))
    both = np.isnan(found) & np.isnan(wanted)
    difference = np.where(both | (found == wanted), 0.0, np.abs(found - wanted))
    return float(np.max(difference, initial=0.0)), float(np.nanmax(np.abs(wanted), initial=0.0))


def _first(layers: Sequence[Layer], differs: Callable[[Layer], bool]) -> Layer | None:
    """By halving where the first one may be, then upstream as long as a layer's own input differs too."""
    if not layers or not differs(layers[-1]):
        return next((layer for layer in layers if differs(layer)), None)
    low, high = -1, len(layers) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if differs(layers[middle]):
            high = middle
        else:
            low = middle
    found = layers[high]
    makers = {layer.onnx_tensor: layer for layer in layers}
    while True:
        earlier = [makers[name] for name in found.inputs if name in makers and differs(makers[name])]
        if not earlier:
            return found
        found = earlier[0]


def onnx_values(model: Model, layers: Sequence[Layer], image: Array) -> dict[str, Array]:
    """The layers' values as onnxruntime computes them.

    Args:
        image: (1, height, width, channels).
    """
    import onnxruntime

    proto = onnx.ModelProto()
    proto.CopyFrom(model.proto)
    given = {output.name for output in proto.graph.output}
    names = [name for name in dict.fromkeys(layer.onnx_tensor for layer in layers) if name not in given]
    proto.graph.output.extend(helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    fetched = [*given, *names]
    fed = np.ascontiguousarray(np.moveaxis(image, 3, 1)) if model.layout == "NCHW" else image
    return dict(zip(fetched, session.run(fetched, {model.input_name: fed}), strict=True))


def frozen_graph_computing(graph: Any, image: Array, *, input_name: str) -> Compute:
    """Layers of the frozen graph in a session of their own each."""
    import tensorflow as tf

    imported = tf.Graph()
    with imported.as_default():
        tf.import_graph_def(graph, name="")

    def compute(layer: Layer) -> Array:
        with tf.compat.v1.Session(graph=imported) as session:
            return np.asarray(session.run(layer.tensor, {f"{input_name}:0": image}))

    return compute


def tflite_computing(graph: Any, image: Array, folder: Path, *, input_name: str) -> Compute:
    """Layers of TFLite files that end there."""
    from pixelproof.tflite.converter import to_tflite

    shape = image.shape[0], image.shape[1], image.shape[2], image.shape[3]
    path = folder / "part.tflite"

    def compute(layer: Layer) -> Array:
        path.write_bytes(
            to_tflite(graph, input_name=f"{input_name}:0", output_name=layer.tensor, shape=shape)
        )
        return TFLiteRunner(str(path), threads=1)(image)

    return compute
