"""Which of a network's constants are parameters, and how many elements of them count."""

from __future__ import annotations

import math

from pixelproof.measure.cost.network import MOVING, Wiring

IMAGE_CHANNELS = 4
"""Constants of at most so many elements, next to the network's input or output, are its image's normalisation."""


class Weights:
    """Counts parameters, each once, however often it is used.

    A weight that is computed from one stored constant (cast, transposed, sliced) counts as that constant; one that
    is computed from several counts by its own elements, as if the file had been folded.
    """

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._taken: dict[str, int] = {}

    def take(self, name: str, *, shared: bool = False) -> int:
        """Elements of a constant that nothing has counted yet; 0 for a tensor that isn't constant.

        Args:
            shared: count it also where another layer has: converters store equal constants once, so two layers
                with weights of their own may share a bias without being one layer.
        """
        if not self._wiring.is_constant(name):
            return 0
        root, elements = self._root(name), self._wiring.size(name)
        limit = max(elements, self._wiring.size(root))
        taken = self._taken.get(root, 0)
        new = min(elements, limit - taken)
        self._taken[root] = taken + new
        return elements if shared else new

    def _root(self, name: str) -> str:
        """The stored constant that a weight is a copy or a part of; itself where it is computed from several."""
        producer = self._wiring.producers.get(name)
        while producer is not None and producer.role in MOVING - {"concat"}:
            name = producer.inputs[0]
            producer = self._wiring.producers.get(name)
        return name


def is_vector(wiring: Wiring, name: str) -> bool:
    """Whether a constant can be a parameter: a number of rank 0 is one that stood in the program."""
    return wiring.is_constant(name) and wiring.is_real(name) and wiring.rank(name) > 0


def is_per_channel(wiring: Wiring, name: str, channels: int) -> bool:
    """Whether a constant has one number for each channel, along a single dimension."""
    if not is_vector(wiring, name):
        return False
    shape = wiring.shape(name)
    return math.prod(shape) == channels and max(shape) == channels


class Ends:
    """What lies before a network's first layer, and behind its last.

    Args:
        layers: outputs of all layers: convolutions, products, activations, normalisations.
    """

    def __init__(self, wiring: Wiring, layers: set[str]) -> None:
        self._wiring = wiring
        operations = wiring.operations
        self._before = {wiring.network.input}
        for operation in operations:
            given = [
                name for name in operation.inputs if wiring.is_real(name) and not wiring.is_constant(name)
            ]
            if given and layers.isdisjoint(operation.outputs) and self._before.issuperset(given):
                self._before.update(operation.outputs)
        outputs = set(wiring.network.outputs)
        self._behind = set(outputs)
        ending: set[int] = set()
        for operation in reversed(operations):
            if layers.isdisjoint(operation.outputs) and not self._behind.isdisjoint(operation.outputs):
                ending.add(id(operation))
                for name in operation.inputs:
                    if name not in outputs and all(id(r) in ending for r in wiring.readers[name]):
                        self._behind.add(name)

    def is_normalisation(self, constant: str, features: str, result: str) -> bool:
        """Whether a constant brings the image into the network's range, or back: a mean, a factor of 255.

        Args:
            features, result: what it is combined with, and what comes of it.
        """
        elements = self._wiring.size(constant)
        if elements > IMAGE_CHANNELS:
            return False
        return features in self._before or (elements > 1 and result in self._behind)
