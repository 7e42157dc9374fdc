"""Whether a picture fits into memory whole.

It is told beforehand, since TensorFlow may crash the process where memory ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pixelproof.environment import memory_mib
from pixelproof.files import MIB

if TYPE_CHECKING:
    import keras

_PROBE_SIDE = 64
_FLOAT_BYTES = 4


def floats_a_pixel(model: keras.Model) -> float:
    """How many numbers the network's largest step reads and writes, for each pixel of its input.

    Args:
        model: of one input, float32 (batch, height, width, 3).
    """
    import tensorflow as tf

    signature = tf.TensorSpec((1, _PROBE_SIDE, _PROBE_SIDE, 3), tf.float32)
    traced = tf.function(lambda image: model(image, training=False), autograph=False)
    graph = traced.get_concrete_function(signature).graph
    steps = (sum(map(_elements, (*one.inputs, *one.outputs))) for one in graph.get_operations())
    return max(steps) / _PROBE_SIDE**2


def needed_mib(height: int, width: int, floats: float) -> float:
    """MiB that the largest step of a network of `floats_a_pixel` takes for an input of this size.

    Measured, a process grew by 0.9 times that (srcnn_915) to 2.4 times (imdn, which keeps maps for later).
    """
    return height * width * floats * _FLOAT_BYTES / MIB


def available_mib() -> float:
    """MiB that this process may still take."""
    import psutil

    free = min(memory_mib(), psutil.virtual_memory().available / MIB)
    if hasattr(psutil, "RLIMIT_AS"):
        process = psutil.Process()
        limit = process.rlimit(psutil.RLIMIT_AS)[0]
        if limit != psutil.RLIM_INFINITY:
            free = min(free, (limit - process.memory_info().vms) / MIB)
    return float(max(free, 0.0))


def _elements(tensor: Any) -> int:
    """Of a picture's maps; weights, shapes and what the trace doesn't know count nothing."""
    shape = tensor.shape
    if tensor.dtype.is_floating and shape.rank == 4 and shape.is_fully_defined() and shape[0] == 1:
        return int(shape.num_elements())
    return 0
