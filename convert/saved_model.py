"""A frozen graph as a SavedModel with the signature ``serving_default``."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import tensorflow as tf

from pixelproof.measure.graph_def import as_function


def write_saved_model(graph: Any, folder: Path, *, input_name: str, output_name: str, channels: int) -> None:
    """Write the SavedModel; batch 1, any height and width.

    Args:
        graph: frozen GraphDef whose nodes ``input_name`` and ``output_name`` are the ends; they name the
            signature's input and output too.

    Raises:
        OSError: the disk is full.
    """
    frozen = as_function(
        graph, input_name=f"{input_name}:0", output_name=f"{output_name}:0", shape=(1, None, None, channels)
    )
    module = tf.Module()
    spec = tf.TensorSpec((1, None, None, channels), tf.float32, name=input_name)

    @tf.function(input_signature=[spec], autograph=False)
    def serve(x: Any) -> dict[str, Any]:
        return {output_name: frozen(x)}

    module.serve = serve
    try:
        tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})
    except tf.errors.OpError as error:
        for number in (errno.ENOSPC, errno.EDQUOT):
            if os.strerror(number) in error.message:
                raise OSError(number, os.strerror(number), str(folder)) from error
        raise
