"""Normalisations, also where an exporter has written them as several operations.

Recognised besides the operations of their own: statistics of the features themselves (instance, group and layer
normalisation), by their variance: ``mean((x - mean(x))^2)`` or ``mean(x^2) - mean(x)^2``; and a batch
normalisation at inference, which is ``x * a + b`` with two constants of one number a channel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pixelproof.measure.cost.network import ELEMENTWISE, Operation, Wiring
from pixelproof.measure.cost.weights import is_per_channel, is_vector

_STEPS = ELEMENTWISE | {"layout"}


@dataclass(frozen=True)
class Norm:
    """One normalisation.

    Attributes:
        kind: ``batch_norm`` with stored statistics, ``norm`` with those of the features.
        features, output: tensors.
        weights: constants that are its scale and shift.
        parts: operations that it consists of.
    """

    name: str
    op: str
    kind: str
    features: str
    output: str
    weights: tuple[str, ...]
    parts: tuple[Operation, ...]


def norms_in(wiring: Wiring) -> Iterator[Norm]:
    """All normalisations of a network; none is part of another."""
    claimed: set[int] = set()
    for operation in wiring.operations:
        found = _found(wiring, operation)
        if found is not None and claimed.isdisjoint(map(id, found.parts)):
            claimed.update(map(id, found.parts))
            yield found


def _found(wiring: Wiring, operation: Operation) -> Norm | None:
    if operation.role in ("batch_norm", "norm"):
        stored = operation.role == "batch_norm" and not operation.facts.get("training", False)
        weights = tuple(name for name in operation.inputs[1:3] if name and is_vector(wiring, name))
        kind = "batch_norm" if stored else "norm"
        ends = operation.inputs[0], operation.outputs[0]
        return Norm(operation.name, operation.op, kind, *ends, weights, (operation,))
    if operation.role == "mean":
        return _of_squares(wiring, operation)
    if operation.role == "mul":
        return _scaled_and_shifted(wiring, operation)
    return None


def _of_squares(wiring: Wiring, mean: Operation) -> Norm | None:
    """A normalisation by a variance that this mean computes."""
    squares = wiring.producers.get(mean.inputs[0])
    root = _squared(wiring, squares)
    if squares is None or root is None:
        return None
    if squares.role == "squared_difference":
        for x, center in (squares.inputs, squares.inputs[::-1]):
            average = _mean_of(wiring, center, x)
            if average is not None:
                return _region(wiring, x, [average, squares, mean])
        return None
    difference = wiring.producer(root, "sub")
    if difference is not None:
        average = _mean_of(wiring, difference.inputs[1], difference.inputs[0])
        if average is not None:
            return _region(wiring, difference.inputs[0], [average, difference, squares, mean])
    for average in wiring.readers.get(root, []):
        if average.role == "mean" and average is not mean and _subtracted(wiring, mean, average):
            return _region(wiring, root, [average, squares, mean])
    return None


def _squared(wiring: Wiring, operation: Operation | None) -> str | None:
    """What an operation squares; the first operand of a squared difference."""
    if operation is None:
        return None
    if operation.role in ("square", "squared_difference"):
        return operation.inputs[0]
    twice = operation.role == "mul" and operation.inputs[0] == operation.inputs[1]
    power = operation.role == "pow" and wiring.scalar(operation.inputs[1]) == 2
    return operation.inputs[0] if twice or power else None


def _mean_of(wiring: Wiring, name: str, x: str) -> Operation | None:
    """The mean that a tensor is, where it is that of x."""
    producer = wiring.producers.get(name)
    while producer is not None and producer.role == "layout":
        producer = wiring.producers.get(producer.inputs[0])
    return producer if producer is not None and producer.role == "mean" and producer.inputs[0] == x else None


def _subtracted(wiring: Wiring, mean: Operation, average: Operation) -> bool:
    """Whether the square of an average is taken from a mean of squares."""
    for reader in wiring.readers.get(mean.outputs[0], []):
        if reader.role == "sub" and reader.inputs[0] == mean.outputs[0]:
            square = wiring.producers.get(reader.inputs[1])
            if _squared(wiring, square) == average.outputs[0]:
                return True
    return False


def _region(wiring: Wiring, x: str, statistics: list[Operation]) -> Norm:
    """All arithmetic on x and its statistics, up to what reads something else."""
    whole = wiring.size(x)
    made = {name for operation in statistics for name in operation.outputs}
    parts = list(statistics)
    weights: list[str] = []
    output, name = statistics[-1].outputs[0], statistics[-1].name
    seen = {id(operation) for operation in statistics}
    waiting = [reader for operation in statistics for reader in _readers(wiring, operation)]
    while waiting:
        operation = waiting.pop(0)
        free = {tensor for tensor in operation.inputs if not wiring.is_constant(tensor)}
        around = operation.role == "add" and x in free
        if id(operation) in seen or operation.role not in _STEPS or around or not free <= made | {x}:
            continue
        seen.add(id(operation))
        parts.append(operation)
        if operation.role != "layout":
            vectors = [tensor for tensor in operation.inputs if is_vector(wiring, tensor)]
            weights += [tensor for tensor in vectors if wiring.size(tensor) > 1]  # one number is an epsilon
        made.update(operation.outputs)
        waiting += _readers(wiring, operation)
        if wiring.size(operation.outputs[0]) == whole:
            output, name = operation.outputs[0], operation.name
    return Norm(name, "Normalisation", "norm", x, output, tuple(weights), tuple(parts))


def _readers(wiring: Wiring, operation: Operation) -> list[Operation]:
    return [reader for tensor in operation.outputs for reader in wiring.readers.get(tensor, [])]


def _scaled_and_shifted(wiring: Wiring, product: Operation) -> Norm | None:
    """``x * a + b`` with one number a channel in each."""
    shifted = wiring.only_reader(product.outputs[0])
    if shifted is None or shifted.role not in ("add", "sub"):
        return None
    scales = [name for name in product.inputs if is_vector(wiring, name)]
    shifts = [name for name in shifted.inputs if is_vector(wiring, name)]
    features = [name for name in product.inputs if not wiring.is_constant(name)]
    if len(scales) != 1 or len(shifts) != 1 or len(features) != 1:
        return None
    channels = wiring.size(scales[0])
    if channels < 2 or channels not in wiring.shape(features[0]):
        return None
    if not all(is_per_channel(wiring, name, channels) for name in (*scales, *shifts)):
        return None
    parts, weights = (product, shifted), (scales[0], shifts[0])
    return Norm(
        shifted.name, "Scale and shift", "batch_norm", features[0], shifted.outputs[0], weights, parts
    )
