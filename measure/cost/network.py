"""A network as all formats have it: operations by role, tensors with their shapes. What costs are read off.

A reader (`read_graph_def.py`, `read_tflite.py`, `read_onnx.py`) brings a file to this form at one input size; the
rest of the package knows no format.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pixelproof.errors import ModelFailed
from pixelproof.measure.protocol import Array

Shape = tuple[int, ...]

SMALL = 8
"""Constants of at most so many elements are kept with their values."""

ELEMENTWISE = frozenset(
    {
        "add",
        "sub",
        "mul",
        "div",
        "max",
        "min",
        "neg",
        "abs",
        "pow",
        "square",
        "squared_difference",
        "sqrt",
        "rsqrt",
        "reciprocal",
    }
)
MOVING = frozenset({"layout", "move", "split", "concat", "space_to_batch", "batch_to_space"})
"""Roles that compute nothing; but for ``concat``, the first input is what they move."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of the network.

    Attributes:
        shape: None where it isn't known; a known one has no open dimension.
        real: holds features or weights: floating point, or integers that stand for such. Sizes, indices and
            conditions are not.
        constant: stored in the file.
        value: of a small constant.
    """

    shape: Shape | None
    real: bool = True
    constant: bool = False
    value: Array | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Attributes:
        name: as in the file.
        op: the format's own word for it, for people.
        role: what it does, in words that all formats share:
            ``conv``, ``conv_transposed`` (x, weights, bias), ``matmul`` (a, b, bias), ``einsum``;
            ``relu``, ``relu6``, ``elu``, ``leaky_relu`` (x), ``prelu`` (x, slope); ``clip`` (x);
            ``batch_norm``, ``norm`` (x, scale, shift); ``resize_nearest``, ``resize_bilinear``, ``grid_sample``;
            ``mean``, ``average_pool`` (x); ``select`` (condition, a, b), ``greater``, ``less`` (a, b);
            those of `ELEMENTWISE` and `MOVING`; ``pass`` (x: the same values again); ``sizes`` (shapes as numbers);
            ``random``; ``branch`` and ``loop`` (control flow); else ``other``.
        inputs: tensors in the order above, further ones behind them; ``""`` for one that is left out.
        facts: ``channel_axis`` of convolutions, ``cropped_below`` (kernel sizes) of a transposed one whose padding
            is a slice behind it, ``inner_axis`` of a product's b, ``equation`` of ``einsum``,
            ``axes`` of ``mean``, ``window`` of ``average_pool``, ``limits`` of ``clip``, ``training`` of
            ``batch_norm``.
    """

    name: str
    op: str
    role: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    """What is needed for the outputs, each operation behind those that it reads.

    Attributes:
        input: its only free tensor.
        channels: of the input.
        notes: what was assumed while it was read, in sentences.
    """

    operations: tuple[Operation, ...]
    tensors: Mapping[str, Tensor]
    input: str
    outputs: tuple[str, ...]
    channels: int
    notes: tuple[str, ...] = ()


def without_passes(network: Network) -> Network:
    """The network without the operations that hand on what they got.

    A stored integer that becomes real on the way, as quantised weights do, counts as real.
    """
    source: dict[str, str] = {}
    tensors = dict(network.tensors)
    kept = []
    for operation in network.operations:
        inputs = tuple(source.get(name, name) for name in operation.inputs)
        if operation.role == "pass" and inputs and operation.outputs:
            source[operation.outputs[0]] = inputs[0]
            stored = tensors.get(inputs[0])
            passed = tensors.get(operation.outputs[0])
            if stored is not None and passed is not None and passed.real and not stored.real:
                tensors[inputs[0]] = dataclasses.replace(stored, real=True)
        else:
            kept.append(dataclasses.replace(operation, inputs=inputs))
    outputs = tuple(source.get(name, name) for name in network.outputs)
    return dataclasses.replace(network, operations=tuple(kept), tensors=tensors, outputs=outputs)


class Wiring:
    """A network without passes, and who makes and reads each tensor.

    Attributes:
        derived: tensors that are computed from constants alone.
        operations: those that work on features: neither on constants alone nor on sizes.
    """

    def __init__(self, network: Network) -> None:
        self.network = without_passes(network)
        self.producers: dict[str, Operation] = {}
        self.readers: dict[str, list[Operation]] = {}
        self.derived: set[str] = set()
        self.operations: list[Operation] = []
        numbers: set[str] = set()
        for operation in self.network.operations:
            for name in dict.fromkeys(operation.inputs):
                self.readers.setdefault(name, []).append(operation)
            for name in operation.outputs:
                self.producers[name] = operation
            given = [name for name in operation.inputs if name]
            free = [name for name in given if not self.is_constant(name)]
            if operation.role == "sizes" or (free and numbers.issuperset(free)):
                numbers.update(operation.outputs)
            elif given and not free and operation.role != "random":
                self.derived.update(operation.outputs)
            elif operation.outputs:
                self.operations.append(operation)

    def is_constant(self, name: str) -> bool:
        """Whether a tensor is stored, or computed from stored ones alone."""
        tensor = self.network.tensors.get(name)
        return name in self.derived or (tensor is not None and tensor.constant)

    def is_real(self, name: str) -> bool:
        """Whether a tensor holds features or weights."""
        tensor = self.network.tensors.get(name)
        return tensor is not None and tensor.real

    def shape(self, name: str) -> Shape:
        """A tensor's shape.

        Raises:
            ModelFailed: it isn't known.
        """
        tensor = self.network.tensors.get(name)
        if tensor is None or tensor.shape is None:
            producer = self.producers.get(name)
            found = f"none for {producer.op} {producer.name}" if producer else f"none for {name}"
            raise ModelFailed("The shape of every layer must be known at the asked size", found=found)
        return tensor.shape

    def size(self, name: str) -> int:
        """How many elements a tensor has."""
        return math.prod(self.shape(name))

    def rank(self, name: str) -> int:
        """How many dimensions a tensor has."""
        return len(self.shape(name))

    def scalar(self, name: str) -> float | None:
        """The value of a stored constant of one element."""
        tensor = self.network.tensors.get(name)
        if tensor is None or tensor.value is None or tensor.value.size != 1:
            return None
        return float(tensor.value.reshape(-1)[0])

    def producer(self, name: str, role: str) -> Operation | None:
        """What makes a tensor, where it has this role."""
        found = self.producers.get(name)
        return found if found is not None and found.role == role else None

    def only_reader(self, name: str) -> Operation | None:
        """The operation that alone reads a tensor, but for its sizes; the network doesn't give it out either."""
        readers = [reader for reader in self.readers.get(name, []) if reader.role != "sizes"]
        return readers[0] if len(readers) == 1 and name not in self.network.outputs else None
