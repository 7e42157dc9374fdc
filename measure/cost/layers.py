"""A network's layers, one row each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

from pixelproof.measure.cost.activations import Activation, activations_in
from pixelproof.measure.cost.convolutions import Product, products_in
from pixelproof.measure.cost.network import MOVING, Network, Operation, Wiring
from pixelproof.measure.cost.norms import Norm, norms_in
from pixelproof.measure.cost.products import multiply_accumulates
from pixelproof.measure.cost.table import LONGEST, CostTable, LayerKind, Row
from pixelproof.measure.cost.weights import Ends, Weights, is_vector

COMBINING = frozenset({"add", "sub", "mul", "div"})
SAMPLING: dict[str, LayerKind] = {
    "resize_nearest": "resize_nearest",
    "resize_bilinear": "resize_bilinear",
    "grid_sample": "grid_sample",
}
NOT_SEEN_THROUGH = frozenset(
    {"Attention", "CausalConvWithState", "DeformConv", "GRU", "LSTM", "LinearAttention", "RNN", "SVDF"}
)
"""Operations that multiply weights with features inside, and are not looked into."""


def cost_table(network: Network, *, height: int, width: int) -> CostTable:
    """What each layer of a network costs at the size at which it was read.

    Raises:
        ModelFailed: a layer's shape isn't known.
    """
    return _Costing(Wiring(network)).table(height, width)


class _Costing:
    """Finds the layers, then counts them in the order of the network."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._weights = Weights(wiring)
        self._planned: dict[int, Callable[[], Row | None]] = {}
        self._claimed: set[int] = set()
        self._notes = dict.fromkeys(wiring.network.notes)
        layers: set[str] = set()
        for activation in _outermost(wiring, list(activations_in(wiring))):
            self._claim(activation.parts)
            self._plan(activation.output, partial(self._activation, activation))
            layers.add(activation.output)
        for product in products_in(wiring):
            self._claim((*product.cores, *product.around))
            self._plan(product.end.outputs[0], partial(self._product, product))
            layers.update(name for core in product.cores for name in core.outputs)
        norms = [norm for norm in norms_in(wiring) if self._claimed.isdisjoint(map(id, norm.parts))]
        layers.update(norm.output for norm in norms if norm.op != "Scale and shift")
        self._ends = Ends(wiring, layers)
        for norm in norms:
            if norm.kind == "batch_norm" and self._is_image_range(norm):
                continue
            self._claim(norm.parts)
            self._plan(norm.output, partial(self._norm, norm))

    def table(self, height: int, width: int) -> CostTable:
        """All rows, and what has none."""
        wiring = self._wiring
        rows = []
        other: Counter[str] = Counter()
        for operation in wiring.operations:
            plan = self._planned.get(id(operation))
            row = plan() if plan is not None else self._other(operation)
            if row is not None:
                rows.append(row)
            elif id(operation) not in self._claimed and self._computes(operation):
                other[operation.op[:LONGEST]] += 1
                if operation.op in NOT_SEEN_THROUGH:
                    self._note(f"The products inside {operation.op} are not counted.")
        return CostTable(
            height,
            width,
            wiring.network.channels,
            tuple(rows),
            dict(sorted(other.items())),
            tuple(self._notes),
        )

    def _claim(self, parts: tuple[Operation, ...]) -> None:
        self._claimed.update(map(id, parts))

    def _plan(self, output: str, count: Callable[[], Row | None]) -> None:
        self._planned[id(self._wiring.producers[output])] = count

    def _note(self, text: str) -> None:
        self._notes[text] = None

    def _computes(self, operation: Operation) -> bool:
        moving = operation.role in MOVING or operation.role in ("sizes", "pass")
        return not moving and any(map(self._wiring.is_real, operation.outputs))

    def _activation(self, found: Activation) -> Row:
        params = sum(self._weights.take(slope) for slope in found.slopes)
        return self._row(found.name, found.op, "activation", found.output, params=params)

    def _norm(self, found: Norm) -> Row:
        params = sum(self._weights.take(name) for name in found.weights)
        kind: LayerKind = "batch_norm" if found.kind == "batch_norm" else "norm"
        return self._row(
            found.name,
            found.op,
            kind,
            found.output,
            params=params,
            features=found.features,
            affine=bool(found.weights),
        )

    def _product(self, found: Product) -> Row:
        core = found.cores[0]
        params = macs = output_macs = 0
        for one in found.cores:
            weights = [self._weights.take(name) for name in one.inputs[:2]]
            own = any(weights)
            params += sum(weights)
            result = found.result if len(found.cores) == 1 else one.outputs[0]
            exact, by_output = multiply_accumulates(self._wiring, one, result)
            macs, output_macs = macs + exact, output_macs + by_output
        params += sum(self._weights.take(bias, shared=own) for bias in found.biases)
        if len(found.cores) > 1:
            self._note("Convolutions over the parts of one split, joined again, are one grouped convolution.")
        return self._row(
            found.end.name,
            core.op,
            _kind(self._wiring, core),
            found.result,
            params=params,
            macs=macs,
            output_macs=output_macs,
            features=core.inputs[0],
        )

    def _other(self, operation: Operation) -> Row | None:
        """A resize, a global average, or a constant that features are combined with."""
        if id(operation) in self._claimed:
            return None
        output = operation.outputs[0]
        if operation.role in SAMPLING:
            return self._row(operation.name, operation.op, SAMPLING[operation.role], output)
        if _averages_all(self._wiring, operation):
            return self._row(operation.name, operation.op, "average", output, features=operation.inputs[0])
        params = sum(self._weights.take(name) for name in self._parameters(operation))
        if params:
            return self._row(operation.name, operation.op, "parameters", output, params=params)
        return None

    def _parameters(self, operation: Operation) -> list[str]:
        """Constants of an operation that are parameters."""
        wiring = self._wiring
        if operation.role == "move" and is_vector(wiring, operation.inputs[0]):
            return [operation.inputs[0]]  # a part of a constant that the features choose
        if operation.role not in COMBINING:
            return []
        constants = [name for name in operation.inputs if is_vector(wiring, name)]
        features = [name for name in operation.inputs if not wiring.is_constant(name)]
        kept = []
        for name in constants:
            if self._ends.is_normalisation(name, features[0], operation.outputs[0]):
                self._note_image_range()
            else:
                kept.append(name)
        return kept

    def _is_image_range(self, norm: Norm) -> bool:
        if norm.op != "Scale and shift":
            return False
        found = all(self._ends.is_normalisation(name, norm.features, norm.output) for name in norm.weights)
        if found:
            self._note_image_range()
        return found

    def _note_image_range(self) -> None:
        self._note("Constants that bring the image into the network's range, or back, are no parameters.")

    def _row(
        self,
        name: str,
        op: str,
        kind: LayerKind,
        output: str,
        *,
        params: int = 0,
        macs: int = 0,
        output_macs: int = 0,
        features: str = "",
        affine: bool = False,
    ) -> Row:
        shape = self._wiring.shape(output)
        return Row(
            name=name[:LONGEST],
            op=op[:LONGEST],
            kind=kind,
            output_shape=shape,
            params=params,
            macs=macs,
            output_macs=output_macs,
            input_elements=self._wiring.size(features) if features else 0,
            output_elements=self._wiring.size(output),
            affine=affine,
        )


def _outermost(wiring: Wiring, found: list[Activation]) -> list[Activation]:
    """Activations that are no part of others."""
    inner: set[int] = set()
    for activation in found:
        own = set(map(id, activation.parts))
        for part in activation.parts[1:]:
            readers = [reader for name in part.outputs for reader in wiring.readers.get(name, [])]
            if own.issuperset(map(id, readers)):
                inner.add(id(part))
    return [activation for activation in found if id(activation.parts[0]) not in inner]


def _kind(wiring: Wiring, core: Operation) -> LayerKind:
    if core.role == "conv":
        return "conv"
    if core.role == "conv_transposed":
        return "conv_transposed"
    return "linear" if any(map(wiring.is_constant, core.inputs[:2])) else "matmul"


def _averages_all(wiring: Wiring, operation: Operation) -> bool:
    """Whether an operation is the mean of each channel over the whole image."""
    if operation.role == "mean":
        axes, rank = operation.facts.get("axes"), wiring.rank(operation.inputs[0])
        return axes is not None and rank == 4 and {axis % rank for axis in axes} in ({1, 2}, {2, 3})
    if operation.role == "average_pool":
        window, axes = operation.facts.get("window"), operation.facts["spatial"]
        shape = wiring.shape(operation.inputs[0])
        return window is None or all(size >= shape[axis] for size, axis in zip(window, axes, strict=True))
    return False
