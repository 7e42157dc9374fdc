"""A SavedModel's `serving_default` signature in TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pixelproof.errors import ArtifactError, ModelFailed
from pixelproof.measure.graph_def import reduces_image
from pixelproof.measure.graph_scan import require_clean
from pixelproof.measure.protocol import Array
from pixelproof.measure.runners import first_line, no_float64, tensor_table
from pixelproof.measure.scan.saved_model import scan_signature


class SavedModelRunner:
    """A SavedModel folder.

    Args:
        thorough: scan what the signature becomes when it is frozen, before it is run.
    """

    def __init__(self, path: str, *, threads: int, thorough: bool) -> None:
        _set_threads(threads)
        try:
            self._model = tf.saved_model.load(path)
        except (OSError, ValueError, IndexError, tf.errors.OpError) as error:
            found = f"{Path(path).name}: {first_line(error)}"
            raise ArtifactError("A SavedModel must be complete", found=found) from error
        signatures = getattr(self._model, "signatures", {})
        if "serving_default" not in signatures:
            found = ", ".join(signatures) or "no signature"
            raise ModelFailed("A SavedModel must have the signature serving_default", found=found)
        self._call = signatures["serving_default"]
        if thorough:
            label = Path(path).name
            require_clean(scan_signature(self._call, label=label), label=label)
        inputs = list(self._call.structured_input_signature[1].items())
        outputs = list(self._call.structured_outputs.items())
        self.interface = {"inputs": [_table(*i) for i in inputs], "outputs": [_table(*o) for o in outputs]}
        self.global_statistics = reduces_image(self._call.graph.as_graph_def())
        alone = len(inputs) == 1 and len(outputs) == 1
        self.used = (inputs[0][0], outputs[0][0]) if alone else (None, None)

    def __call__(self, x: Array) -> Array:
        """Run once."""
        used_input, used_output = self.used
        if used_input is None or used_output is None:
            raise ModelFailed("A model must have one input and one output")
        return np.asarray(self._call(**{used_input: tf.constant(x)})[used_output])

    def run_float64(self, x: Array) -> Array:
        """Not possible."""
        return no_float64("savedmodel")


def _set_threads(threads: int) -> None:
    """TensorFlow takes these once a process: a second model in one worker keeps the first one's."""
    config = tf.config.threading
    if (config.get_intra_op_parallelism_threads(), config.get_inter_op_parallelism_threads()) != (
        threads,
        threads,
    ):
        config.set_intra_op_parallelism_threads(threads)
        config.set_inter_op_parallelism_threads(threads)


def _table(name: str, tensor: Any) -> dict[str, Any]:
    shape = tensor.shape.as_list() if tensor.shape.rank is not None else None
    return tensor_table(name, tensor.dtype.name, shape)
