"""Multiply-accumulates of convolutions and matrix products.

A product is counted whether or not it falls on padding, as papers on these networks do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from pixelproof.tflite.inspection.model import Model, Operation, Shape

COUNTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "BATCH_MATMUL")


def macs_of(operation: Operation) -> int | None:
    """Multiply-accumulates of one operation; 0 for other types, None where a shape is free.

    With filters of ``kernel_height x kernel_width`` (their layouts: tensorflow/lite/kernels):

    - CONV_2D: output elements x kernel x input channels of a group (filter: out, height, width, in).
    - DEPTHWISE_CONV_2D: output elements x kernel (filter: 1, height, width, out).
    - TRANSPOSE_CONV: input elements x kernel x output channels (filter: out, height, width, in).
    - FULLY_CONNECTED: output elements x input features (filter: out, in).
    - BATCH_MATMUL: output elements x the dimension that is summed over.
    """
    if operation.type not in COUNTED:
        return 0
    first, second, output = operation.input(0), operation.input(1), operation.outputs[0]
    if first is None or second is None:
        return None
    if operation.type == "CONV_2D":
        return _product((*output.shape, *second.shape[1:]))
    if operation.type == "DEPTHWISE_CONV_2D":
        return _product((*output.shape, *second.shape[1:3]))
    if operation.type == "TRANSPOSE_CONV":
        maps = operation.input(2)
        return None if maps is None else _product((*maps.shape, *second.shape[:3]))
    if operation.type == "FULLY_CONNECTED":
        return _product((*output.shape, *second.shape[1:]))
    summed = first.shape[-2 if operation.option("adj_x") else -1 :][:1]
    return _product((*output.shape, *summed))


def macs_in_all(model: Model) -> int | None:
    """Multiply-accumulates of the first subgraph; None where a shape is free."""
    counts = [macs_of(operation) for operation in model.operations]
    return None if None in counts else sum(count for count in counts if count is not None)


def _product(sizes: Shape | Iterable[int | None]) -> int | None:
    known = list(sizes)
    return None if None in known else math.prod(size for size in known if size is not None)
