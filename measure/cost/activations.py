"""Activation functions, also where an exporter has written them as several operations.

Recognised besides the operations of their own: ``max(x, 0)`` and ``min(max(x, 0), 6)``; LeakyReLU as ``max(x, a x)``,
as ``where(x > 0, x, a x)`` and as ``a x + b |x|``; PReLU as ``relu(x) + a f(x)``, where f(x) is ``-relu(-x)``,
``min(x, 0)``, ``x - relu(x)`` or ``(x - |x|) / 2``. A slope of rank 0 stood in the program: LeakyReLU. One of rank 1
or more is a weight: PReLU.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pixelproof.measure.cost.network import Operation, Wiring

_OWN = frozenset({"relu", "relu6", "elu", "leaky_relu", "prelu"})


@dataclass(frozen=True)
class Activation:
    """One activation function.

    Attributes:
        name, op: for people; the operation's own word where it is a single one.
        output: the tensor that it makes.
        slopes: constants that may be its weights.
        parts: operations that it consists of.
    """

    name: str
    op: str
    output: str
    slopes: tuple[str, ...]
    parts: tuple[Operation, ...]


def activations_in(wiring: Wiring) -> Iterator[Activation]:
    """All activation functions of a network; a part of one may be found as one of its own as well."""
    for operation in wiring.operations:
        if operation.role in _OWN:
            slopes = operation.inputs[1:2] if operation.role == "prelu" else ()
            yield Activation(operation.name, operation.op, operation.outputs[0], slopes, (operation,))
        elif operation.role in _WRITTEN:
            for find in _WRITTEN[operation.role]:
                found = find(wiring, operation)
                if found is not None:
                    yield found
                    break


def _made(op: str, operation: Operation, slopes: tuple[str, ...], *parts: Operation | None) -> Activation:
    inner = tuple(part for part in parts if part is not None)
    return Activation(operation.name, op, operation.outputs[0], slopes, (operation, *inner))


def _sloped(wiring: Wiring, operation: Operation, slopes: list[str], *parts: Operation | None) -> Activation:
    weights = tuple(name for name in slopes if wiring.rank(name) > 0)
    return _made("PRelu" if weights else "LeakyRelu", operation, weights, *parts)


def _maximum(wiring: Wiring, operation: Operation) -> Activation | None:
    """``max(x, 0)``, unless it is half of a clip; ``max(x, a x)``."""
    for x, other in _both_ways(operation):
        if wiring.scalar(other) == 0:
            return None if _clipped(wiring, operation, x) else _made("Relu", operation, ())
        product = wiring.producer(other, "mul")
        slopes = _factors(wiring, product, x)
        if product is not None and slopes:
            return _sloped(wiring, operation, slopes, product)
    return None


def _clipped(wiring: Wiring, operation: Operation, x: str) -> bool:
    """Whether a ``max(x, 0)`` and a ``min`` with a constant limit one another."""
    reader = wiring.only_reader(operation.outputs[0])
    above = wiring.producers.get(x)
    return any(
        limit is not None and limit.role == "min" and any(map(wiring.is_constant, limit.inputs))
        for limit in (reader, above)
    )


def _minimum(wiring: Wiring, operation: Operation) -> Activation | None:
    """``min(max(x, 0), 6)``."""
    for inner, limit in _both_ways(operation):
        below = wiring.producer(inner, "max") or wiring.producer(inner, "relu")
        if wiring.scalar(limit) != 6 or below is None:
            continue
        if below.role == "relu" or any(wiring.scalar(name) == 0 for name in below.inputs):
            return _made("Relu6", operation, (), below)
    return None


def _clip(wiring: Wiring, operation: Operation) -> Activation | None:
    """``clip(x, 0, ...)`` without an upper limit, or with 6."""
    low, high = operation.facts.get("limits", (None, None))
    word = {None: "Relu", 6.0: "Relu6"}.get(high)
    return _made(word, operation, ()) if low == 0 and word is not None else None


def _select(wiring: Wiring, operation: Operation) -> Activation | None:
    """``where(x > 0, x, a x)``, and the same the other way round."""
    condition, first, second = operation.inputs[:3]
    for role, x, other in (("greater", first, second), ("less", second, first)):
        compared = wiring.producer(condition, role)
        product = wiring.producer(other, "mul")
        slopes = _factors(wiring, product, x)
        if compared is None or product is None or not slopes:
            continue
        if compared.inputs[0] == x and wiring.scalar(compared.inputs[1]) == 0:
            return _sloped(wiring, operation, slopes, compared, product)
    return None


def _sum(wiring: Wiring, operation: Operation) -> Activation | None:
    """``relu(x) + a f(x)`` and ``relu(x) - a relu(-x)``; ``a x + b |x|``."""
    if len(operation.inputs) != 2:
        return None
    for first, second in _both_ways(operation):
        relu = _rectifier(wiring, first)
        if relu is not None:
            found = _negative_part(wiring, second, relu[0])
            if found is not None and (operation.role == "add" or first == operation.inputs[0]):
                return _sloped(wiring, operation, found[0], relu[1], *found[1])
        of_x, of_abs = wiring.producer(first, "mul"), wiring.producer(second, "mul")
        if operation.role == "add" and of_x is not None and of_abs is not None:
            x, absolute = _features(wiring, of_x), _features(wiring, of_abs)
            inner = wiring.producer(absolute or "", "abs")
            if x is not None and inner is not None and inner.inputs[0] == x:
                slopes = [*_constants(wiring, of_x), *_constants(wiring, of_abs)]
                if all(wiring.rank(name) == 0 for name in slopes):
                    return _made("LeakyRelu", operation, (), of_x, of_abs, inner)
    return None


def _rectifier(wiring: Wiring, name: str) -> tuple[str, Operation] | None:
    """The x of a tensor that is ``relu(x)``, and its operation."""
    relu = wiring.producer(name, "relu")
    if relu is not None:
        return relu.inputs[0], relu
    maximum = wiring.producer(name, "max")
    if maximum is not None:
        for x, other in _both_ways(maximum):
            if wiring.scalar(other) == 0:
                return x, maximum
    return None


def _negative_part(wiring: Wiring, name: str, x: str) -> tuple[list[str], list[Operation]] | None:
    """The slopes and parts of ``a f(x)``, where f(x) is x below zero and nothing above, but for its sign."""
    slopes: list[str] = []
    parts: list[Operation] = []
    while True:
        product, negated = wiring.producer(name, "mul"), wiring.producer(name, "neg")
        if negated is not None:
            parts.append(negated)
            name = negated.inputs[0]
        elif product is not None and (features := _features(wiring, product)) is not None:
            slopes += _constants(wiring, product)
            parts.append(product)
            name = features
        else:
            break
    last = wiring.producers.get(name)
    if last is None or not slopes:
        return None
    inner = _below_zero(wiring, last, x)
    return None if inner is None else (slopes, [*parts, *inner])


def _below_zero(wiring: Wiring, last: Operation, x: str) -> list[Operation] | None:
    """The parts of f(x), where it is one of those that make up a PReLU."""
    if last.role == "min" and x in last.inputs and any(wiring.scalar(name) == 0 for name in last.inputs):
        return [last]
    if last.role == "sub" and last.inputs[0] == x:
        absolute = wiring.producer(last.inputs[1], "abs")
        if absolute is not None and absolute.inputs[0] == x:
            return [last, absolute]
        relu = _rectifier(wiring, last.inputs[1])
        return [last, relu[1]] if relu is not None and relu[0] == x else None
    relu = _rectifier(wiring, last.outputs[0])
    if relu is None:
        return None
    turned = wiring.producers.get(relu[0])
    if turned is None or x not in turned.inputs:
        return None
    minus = turned.role == "mul" and any(wiring.scalar(name) == -1 for name in turned.inputs)
    return [last, turned] if turned.role == "neg" or minus else None


def _factors(wiring: Wiring, product: Operation | None, x: str) -> list[str]:
    """The constants of a product of x with constants."""
    if product is None or _features(wiring, product) != x:
        return []
    return _constants(wiring, product)


def _features(wiring: Wiring, product: Operation) -> str | None:
    """What is no constant in a product of two, where the other is one."""
    free = [name for name in product.inputs if not wiring.is_constant(name)]
    return free[0] if len(free) == 1 and len(product.inputs) == 2 else None


def _constants(wiring: Wiring, operation: Operation) -> list[str]:
    return [name for name in operation.inputs if wiring.is_constant(name)]


def _both_ways(operation: Operation) -> list[tuple[str, str]]:
    if len(operation.inputs) != 2:
        return []
    first, second = operation.inputs
    return [(first, second), (second, first)]


_WRITTEN = {
    "max": (_maximum,),
    "min": (_minimum,),
    "clip": (_clip,),
    "select": (_select,),
    "add": (_sum,),
    "sub": (_sum,),
}
