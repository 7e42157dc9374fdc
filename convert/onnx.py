"""A frozen graph as ONNX, through tf2onnx; height and width stay dynamic."""

from __future__ import annotations

import logging
import warnings
from typing import Any

from pixelproof.errors import CallError, EnvironmentFault

DEFAULT_OPSET = 18
OPSETS = range(11, 19)


def to_onnx(
    graph: Any, *, input_name: str, output_name: str, channels: int, opset: int = DEFAULT_OPSET
) -> bytes:
    """The ONNX model's bytes; batch 1, NHWC, any height and width.

    Raises:
        CallError: tf2onnx has no such opset.
        EnvironmentFault: tf2onnx can't convert the graph.
    """
    if opset not in OPSETS:
        raise CallError(f"--opset must be {OPSETS[0]} to {OPSETS[-1]}", found=str(opset))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tf2onnx
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    import tensorflow as tf

    graph_in = tf.Graph()
    with graph_in.as_default():
        tf.import_graph_def(graph, name="")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model, _ = tf2onnx.convert._convert_common(
                graph,
                name=output_name,
                opset=opset,
                input_names=[f"{input_name}:0"],
                output_names=[f"{output_name}:0"],
                tensors_to_rename={f"{input_name}:0": input_name, f"{output_name}:0": output_name},
            )
        except (ValueError, RuntimeError, KeyError) as error:
            remedy = "Leave it out with --format pb,savedmodel,tflite, or use supported layers."
            raise EnvironmentFault(
                "tf2onnx must know every operation", found=str(error)[:300], remedy=remedy
            ) from error
    for tensor, names in ((model.graph.input[0], "in"), (model.graph.output[0], "out")):
        dims = tensor.type.tensor_type.shape.dim
        if len(dims) == 4:
            for dim, name in ((dims[1], f"height_{names}"), (dims[2], f"width_{names}")):
                if not dim.dim_value:
                    dim.dim_param = name
    return bytes(model.SerializeToString())
