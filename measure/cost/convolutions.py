"""Convolutions and matrix products, with what exporters have put around them.

A convolution of an exporter may be several operations: the bias an addition of its own, a dilation a move from space
to batch and back, groups a split with one convolution a part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pixelproof.measure.cost.network import Operation, Wiring
from pixelproof.measure.cost.weights import is_per_channel


@dataclass(frozen=True)
class Product:
    """A convolution, a linear layer or a product of features.

    Attributes:
        cores: the operations that multiply; more than one where they are the groups of one convolution.
        end: the operation at which the layer stands in the network.
        result: its features, behind its bias and in their final place.
        biases: constants.
        around: further operations that belong to it.
    """

    cores: tuple[Operation, ...]
    end: Operation
    result: str
    biases: tuple[str, ...]
    around: tuple[Operation, ...]


def products_in(wiring: Wiring) -> Iterator[Product]:
    """All convolutions and products of a network, groups of one convolution as one."""
    grouped = {id(core): group for group in _groups(wiring) for core in group.cores}
    for operation in wiring.operations:
        if operation.role not in ("conv", "conv_transposed", "matmul", "einsum"):
            continue
        group = grouped.get(id(operation))
        if group is None:
            yield _completed(wiring, operation)
        elif group.cores[-1] is operation:
            yield group


def channels_of(wiring: Wiring, core: Operation) -> int:
    """How many channels come out of a convolution or product; 0 where that isn't one dimension."""
    shape = wiring.shape(core.outputs[0])
    if core.role == "einsum" or not shape:
        return 0
    if core.role == "matmul" and wiring.is_constant(core.inputs[0]) and len(shape) > 1:
        return shape[-2]
    axis: int = core.facts.get("channel_axis", -1)
    return shape[axis]


def _completed(wiring: Wiring, core: Operation) -> Product:
    biases = tuple(name for name in core.inputs[2:3] if name)
    start = wiring.producers.get(core.inputs[0])
    spread = start is not None and start.role == "space_to_batch"
    return _followed(
        wiring,
        (core,),
        core,
        biases,
        channels=channels_of(wiring, core),
        dilated=core.role == "conv" and spread,
    )


def _followed(
    wiring: Wiring,
    cores: tuple[Operation, ...],
    end: Operation,
    biases: tuple[str, ...],
    *,
    channels: int,
    dilated: bool = False,
    around: tuple[Operation, ...] = (),
) -> Product:
    """A product with the bias and the way back from the batch that follow it."""
    result = reached = end.outputs[0]
    while (reader := wiring.only_reader(reached)) is not None:
        if (reader.role == "batch_to_space" and dilated) or _crops(wiring, end, reader):
            result = reader.outputs[0]
        elif reader.role == "add" and not biases and len(reader.inputs) == 2 and channels:
            other = reader.inputs[1] if reader.inputs[0] == reached else reader.inputs[0]
            if not is_per_channel(wiring, other, channels):
                break
            biases, around = (other,), (*around, reader)
        elif reader.role != "layout":
            break
        reached = reader.outputs[0]
    return Product(cores, end, result, biases, around)


def _crops(wiring: Wiring, core: Operation, reader: Operation) -> bool:
    """Whether a slice is the padding that an exporter couldn't say in its transposed convolution."""
    kernel = core.facts.get("cropped_below")
    if kernel is None or reader.op not in ("Slice", "Pad"):
        return False
    whole, kept = wiring.shape(core.outputs[0]), wiring.shape(reader.outputs[0])
    near = all(abs(a - b) < k for a, b, k in zip(whole[2:], kept[2:], kernel, strict=True))
    return near and whole[:2] == kept[:2]


def _groups(wiring: Wiring) -> Iterator[Product]:
    """Convolutions over all parts of one split, joined in their order."""
    for operation in wiring.operations:
        if operation.role != "concat" or len(operation.inputs) < 2:
            continue
        found = [_part(wiring, name) for name in operation.inputs]
        parts = [part for part in found if part is not None]
        if len(parts) < len(found):
            continue
        cores = tuple(core for core, _, _ in parts)
        split = wiring.producers.get(cores[0].inputs[0])
        if split is None or split.role != "split" or split.outputs != tuple(c.inputs[0] for c in cores):
            continue
        shapes = {wiring.shape(core.inputs[1]) for core in cores}
        if len(shapes) > 1 or not _joins_channels(wiring, cores, operation):
            continue
        biases = tuple(bias for _, bias, _ in parts if bias)
        around = (operation, *(added for _, _, added in parts if added is not None))
        channels = sum(channels_of(wiring, core) for core in cores)
        joined = _followed(wiring, cores, operation, biases, channels=channels, around=around)
        yield Product(cores, cores[-1], joined.result, joined.biases, joined.around)


def _part(wiring: Wiring, name: str) -> tuple[Operation, str, Operation | None] | None:
    """The convolution that a tensor comes from, its bias, and the operation that adds the bias."""
    producer = wiring.producers.get(name)
    added = None
    bias = ""
    if producer is not None and producer.role == "add" and len(producer.inputs) == 2:
        added = producer
        constants = [given for given in added.inputs if wiring.is_constant(given)]
        features = [given for given in added.inputs if not wiring.is_constant(given)]
        if len(constants) != 1:
            return None
        bias, producer = constants[0], wiring.producers.get(features[0])
    if producer is None or producer.role != "conv" or wiring.only_reader(producer.outputs[0]) is None:
        return None
    if added is not None and not is_per_channel(wiring, bias, channels_of(wiring, producer)):
        return None
    return producer, bias or (producer.inputs[2] if len(producer.inputs) > 2 else ""), added


def _joins_channels(wiring: Wiring, cores: tuple[Operation, ...], join: Operation) -> bool:
    """Whether parts are put side by side along the channels, and nowhere else."""
    axis: int = cores[0].facts.get("channel_axis", -1)
    joined = wiring.shape(join.outputs[0])[axis]
    return joined == sum(channels_of(wiring, core) for core in cores)
