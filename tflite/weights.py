"""Does a TFLite file hold its weights? What its constants take is compared with the graph's parameters."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pixelproof.errors import ParityBroken
from pixelproof.measure.scan.tflite import scan_tflite
from pixelproof.tflite.quantize import Quantization

LEAST_SHARE = 0.4
"""Of the graph's weights in the file: a depthwise 1x1 convolution with its normalisation folded in keeps 2 of 5."""

SLACK_BYTES = 1024
"""What may be folded away besides: factors and shifts between layers."""

STATE_OPERATIONS = ("ASSIGN_VARIABLE", "CALL_ONCE", "READ_VARIABLE", "VAR_HANDLE")


@dataclass(frozen=True)
class Weights:
    """The weights of a file beside those of its graph.

    Attributes:
        parameters: weights of the graph.
        expected_bytes: what they take in this kind of file.
        constant_bytes: what the file's constants take.
        state_operations: operations that read weights from outside of the constants.
    """

    parameters: int
    expected_bytes: int
    constant_bytes: int
    state_operations: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether all are there, for all that sizes can tell."""
        least = LEAST_SHARE * self.expected_bytes - SLACK_BYTES
        return not self.state_operations and self.constant_bytes >= least


def weights_of(data: bytes, *, parameters: int, quantization: Quantization) -> Weights:
    """The weights of a TFLite file.

    Args:
        data: the file.
        parameters: of the graph that it was made from.
    """
    scan = scan_tflite(data, label="the converted file")
    return Weights(
        parameters=parameters,
        expected_bytes=parameters * quantization.weight_bytes,
        constant_bytes=scan.constant_bytes,
        state_operations=tuple(name for name in STATE_OPERATIONS if name in scan.operations),
    )


def require_weights(weights: Weights) -> None:
    """Refuse a file without its weights.

    Raises:
        ParityBroken: it has variables, or its constants take less than `LEAST_SHARE` of the graph's, less
            `SLACK_BYTES`.
    """
    if weights.complete:
        return
    found = f"{weights.constant_bytes:,} bytes of constants where the graph's weights take {weights.expected_bytes:,}"
    if weights.state_operations:
        found += f", and {', '.join(weights.state_operations)}"
    remedy = "Convert from a frozen graph: its weights are constants."
    raise ParityBroken("A TFLite file must hold its model's weights", found=found, remedy=remedy)


def graph_weights(function: Any) -> int:
    """How many weights a concrete function of one image has.

    Weights are the floating-point numbers that don't depend on the image and meet something that does: constants,
    or what is computed from constants alone, which converting folds. Equal constants count once, as in a file;
    those whose values are all one count as none, because converting takes many of them out.

    Args:
        function: of `bound_function`.
    """
    distinct: dict[bytes, int] = {}
    for tensor in _meeting_the_image(function):
        key, size = _identity(tensor)
        distinct[key] = size
    return sum(distinct.values())


def _meeting_the_image(function: Any) -> Iterator[Any]:
    """Floating-point tensors that don't depend on the image, and are read by an operation that does."""
    needed = _reached([function.outputs[0].op], lambda op: [t.op for t in op.inputs])
    moved = _reached([function.inputs[0].op], lambda op: [r for t in op.outputs for r in t.consumers()])
    for op in needed & moved:
        for tensor in op.inputs:
            if tensor.op not in moved and tensor.dtype.is_floating:
                yield tensor


def _reached(starts: list[Any], following: Any) -> set[Any]:
    reached: set[Any] = set()
    waiting = list(starts)
    while waiting:
        op = waiting.pop()
        if op not in reached:
            reached.add(op)
            waiting += following(op)
    return reached


def _identity(tensor: Any) -> tuple[bytes, int]:
    """What tells a tensor from others, and how many weights it has."""
    from tensorflow.python.framework.tensor_util import constant_value

    while tensor.op.type == "Identity":
        tensor = tensor.op.inputs[0]
    value = constant_value(tensor)
    if value is None:
        shape = tensor.shape
        return tensor.name.encode(), shape.num_elements() if shape.is_fully_defined() else 0
    value = np.asarray(value)
    if value.size == 0 or np.all(value == value.flat[0]):
        return tensor.name.encode(), 0
    return hashlib.sha256(str(value.shape).encode() + value.tobytes()).digest(), int(value.size)
