"""What an inspection knows of a .tflite file: its operations in order, and the tensors between them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

Shape = tuple[int | None, ...]
Value = int | float | tuple[int, ...]

INTEGER_TYPES = ("int8", "uint8", "int16")
FLOAT_TYPES = ("float32", "float16")
CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")


@dataclass(frozen=True)
class Tensor:
    """One tensor.

    Attributes:
        index: in the file's first subgraph.
        name: as the file has it, safe to print.
        dtype: as in NumPy, ``float32``.
        shape: None where the file leaves a dimension free.
        stored_bytes: of its constant; 0 where it is computed.
        scales: how many quantization scales it has: none, one, or one for each channel.
        scale, zero_point: the first of them; 0 where there is none.
        values: of a constant of few integers, such as axes or a shape.
        folded: computed once, when the file is loaded: by DEQUANTIZE from a constant.
    """

    index: int
    name: str
    dtype: str
    shape: Shape
    stored_bytes: int = 0
    scales: int = 0
    scale: float = 0.0
    zero_point: int = 0
    values: tuple[int, ...] | None = None
    folded: bool = False

    @property
    def constant(self) -> bool:
        """Whether its value is known before the model runs."""
        return self.stored_bytes > 0 or self.folded

    @property
    def quantized(self) -> bool:
        """Whether it holds integers with a scale."""
        return self.scales > 0 and self.dtype in INTEGER_TYPES

    @property
    def elements(self) -> int | None:
        """How many elements it has; None where a dimension is free."""
        return None if None in self.shape else math.prod(n for n in self.shape if n is not None)


@dataclass(frozen=True)
class Operation:
    """One operation.

    Attributes:
        index: place in the order in which the file runs them.
        type: ``CONV_2D``, or ``CUSTOM name``.
        version: of the operation, as delegates count it.
        inputs: None for one that is left out.
        options: numbers of its options table, by the schema's names.
    """

    index: int
    type: str
    version: int
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: Mapping[str, Value]

    @property
    def name(self) -> str:
        """That of its first output."""
        return self.outputs[0].name if self.outputs else ""

    @property
    def given(self) -> tuple[Tensor, ...]:
        """Inputs that are there."""
        return tuple(tensor for tensor in self.inputs if tensor is not None)

    @property
    def computed(self) -> tuple[Tensor, ...]:
        """Inputs that are known only when the model runs."""
        return tuple(tensor for tensor in self.given if not tensor.constant)

    @property
    def running(self) -> tuple[Tensor, ...]:
        """Tensors that exist while the model runs: computed inputs, and outputs."""
        return (*self.computed, *(tensor for tensor in self.outputs if not tensor.folded))

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"#{self.index} {self.type}"

    def input(self, place: int) -> Tensor | None:
        """The input at a place; None where there is none."""
        return self.inputs[place] if place < len(self.inputs) else None

    def option(self, name: str) -> int:
        """A whole number of its options; 0 where it has none of that name."""
        value = self.options.get(name, 0)
        return value if isinstance(value, int) else 0

    @cached_property
    def parameters(self) -> int:
        """Elements of its weights: constants of numbers, but for single ones that are no bias of a convolution."""
        weights = [
            (tensor.elements or 0)
            for place, tensor in enumerate(self.inputs)
            if tensor is not None and tensor.stored_bytes and _is_weight(self, place, tensor)
        ]
        return sum(weights)


@dataclass(frozen=True)
class Model:
    """A whole file; its first subgraph is the one that runs.

    Attributes:
        subgraphs: how many there are; the others are run by IF, WHILE and the like.
        size_bytes: of the file.
        constant_bytes: that its constants take, each counted once.
    """

    operations: tuple[Operation, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    tensors: tuple[Tensor, ...]
    subgraphs: int
    size_bytes: int
    constant_bytes: int

    @property
    def free(self) -> bool:
        """Whether the shape of an input is not fixed."""
        return any(None in tensor.shape for tensor in self.inputs)

    @property
    def parameters(self) -> int:
        """Elements of all weights; of one that several operations read, once."""
        seen: dict[int, int] = {}
        for operation in self.operations:
            for place, tensor in enumerate(operation.inputs):
                if tensor is not None and tensor.stored_bytes and _is_weight(operation, place, tensor):
                    seen[tensor.index] = tensor.elements or 0
        return sum(seen.values())

    @property
    def is_quantized(self) -> bool:
        """Whether convolutions or matrix products compute with integers."""
        return any(
            operation.type in WITH_FILTER and operation.outputs[0].quantized for operation in self.operations
        )

    @cached_property
    def producers(self) -> Mapping[int, Operation]:
        """Which operation computes a tensor, by the tensor's index."""
        return {tensor.index: operation for operation in self.operations for tensor in operation.outputs}

    @cached_property
    def consumers(self) -> Mapping[int, tuple[Operation, ...]]:
        """Which operations read a tensor, by the tensor's index."""
        readers: dict[int, list[Operation]] = {}
        for operation in self.operations:
            for index in dict.fromkeys(tensor.index for tensor in operation.given):
                readers.setdefault(index, []).append(operation)
        return {index: tuple(found) for index, found in readers.items()}


WITH_FILTER: Mapping[str, tuple[int, ...]] = {
    "CONV_2D": (1, 2),
    "CONV_3D": (1, 2),
    "DEPTHWISE_CONV_2D": (1, 2),
    "FULLY_CONNECTED": (1, 2),
    "TRANSPOSE_CONV": (1, 3),
}
"""Where the filter and the bias of an operation stand among its inputs."""


def bound(model: Model, shapes: Mapping[int, Shape]) -> Model:
    """The model with other shapes, by the index of the tensor; constants keep theirs."""
    tensors = tuple(
        replace(tensor, shape=shapes[tensor.index])
        if tensor.index in shapes and not tensor.constant
        else tensor
        for tensor in model.tensors
    )
    operations = tuple(
        replace(
            operation,
            inputs=tuple(None if tensor is None else tensors[tensor.index] for tensor in operation.inputs),
            outputs=tuple(tensors[tensor.index] for tensor in operation.outputs),
        )
        for operation in model.operations
    )
    return replace(
        model,
        operations=operations,
        inputs=tuple(tensors[tensor.index] for tensor in model.inputs),
        outputs=tuple(tensors[tensor.index] for tensor in model.outputs),
        tensors=tensors,
    )


def _is_weight(operation: Operation, place: int, tensor: Tensor) -> bool:
    if place in WITH_FILTER.get(operation.type, ()):
        return True
    numbers = tensor.dtype in FLOAT_TYPES or tensor.quantized
    return numbers and (tensor.elements or 0) > 1
