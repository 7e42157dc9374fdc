"""Complexity of an artifact: parameters, FLOPs, activations and convolutions at a stated input size.

The artifact is read in the worker (`Worker.cost`), which tells facts alone, layer by layer (`cost/table.py`). What
FLOPs are is a convention, applied here: one reading serves them all.

Parameters are the elements of all weights, as PyTorch counts ``model.parameters()``: of convolutions, linear layers,
PReLU slopes, scales and shifts of normalisations, and constants of rank 1 or more that features are added to or
multiplied with. Stored statistics of a batch normalisation, sizes, paddings, permutations, numbers of rank 0 (a
factor of 255), and constants that bring the image into the network's range are none. Activations are the elements
of all convolution outputs, under every convention (``get_model_activation`` of the same source as `ntire2022`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pixelproof.errors import CallError
from pixelproof.measure.cost.conventions import CONVENTIONS, convention_named
from pixelproof.measure.cost.table import CONVOLUTIONS, CostTable
from pixelproof.measure.formats import Kind
from pixelproof.measure.worker import Worker

__all__ = ["CONVENTIONS", "DEFAULT_CONVENTION", "Complexity", "Layer", "complexity", "under"]

DEFAULT_CONVENTION = "ntire2022"


@dataclass(frozen=True)
class Layer:
    """One layer's part.

    Attributes:
        kind: what it is counted as; see `table.Row`.
        output_shape: in the format's own order, batch 1.
        activations: elements of its output if it is a convolution, else 0.
        share: of all FLOPs, 0 to 1.
    """

    name: str
    op: str
    kind: str
    output_shape: tuple[int, ...]
    params: int
    flops: int
    activations: int
    share: float


@dataclass(frozen=True)
class Complexity:
    """What a network costs at one input size.

    Attributes:
        flops: by the convention.
        activations: elements of all convolution outputs.
        conv_layers: convolutions, transposed ones included; one that runs twice counts twice.
        layers: those that have parameters, FLOPs or activations, in the order of computation.
        channels: of the input.
        not_counted: operations that compute and add no FLOPs under the convention, and how often.
        assumptions: what the file doesn't tell and was assumed, in sentences.
    """

    params: int
    flops: int
    activations: int
    conv_layers: int
    layers: tuple[Layer, ...]
    convention: str
    height: int
    width: int
    channels: int
    not_counted: Mapping[str, int] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()


def complexity(
    worker: Worker,
    path: Path,
    kind: Kind,
    *,
    height: int,
    width: int,
    convention: str = DEFAULT_CONVENTION,
    channels: int | None = None,
    output_name: str | None = None,
) -> Complexity:
    """What an artifact costs; it is read in the worker, which keeps what it has loaded.

    Args:
        channels: of the input; needed where the file leaves them open.
        output_name: the tensor whose network is counted, where a .pb has several outputs.

    Raises:
        CallError: no such convention, or the file states another number of channels.
        ArtifactError: the file is no artifact of this format.
        GraphRefused: it holds what a judged model may not hold.
        ModelFailed: it doesn't take this size, or can't be counted.
        WorkerStopped, EnvironmentFault: as `Worker.load`.
    """
    convention_named(convention)
    asked = {"height": height, "width": width, "channels": channels, "output": output_name}
    table = worker.cost(path, kind, asked)
    if channels is not None and table.channels != channels:
        rule = f"The input must have {table.channels} channels, as {path.name} states"
        raise CallError(
            rule, found=str(channels), remedy=f"--input {height},{width} takes them from the file."
        )
    return under(table, convention)


def under(table: CostTable, convention: str) -> Complexity:
    """A cost table's figures under a convention.

    Raises:
        CallError: no such convention.
    """
    count = convention_named(convention)
    flops = [count(row) for row in table.rows]
    total = sum(flops)
    layers = []
    not_counted = Counter(table.other)
    for row, cost in zip(table.rows, flops, strict=True):
        activations = row.output_elements if row.kind in CONVOLUTIONS else 0
        if not cost:
            not_counted[row.op] += 1
        if row.params or cost or activations:
            layers.append(
                Layer(
                    name=row.name,
                    op=row.op,
                    kind=row.kind,
                    output_shape=row.output_shape,
                    params=row.params,
                    flops=cost,
                    activations=activations,
                    share=cost / total if total else 0.0,
                )
            )
    return Complexity(
        params=sum(row.params for row in table.rows),
        flops=total,
        activations=sum(layer.activations for layer in layers),
        conv_layers=sum(row.kind in CONVOLUTIONS for row in table.rows),
        layers=tuple(layers),
        convention=convention,
        height=table.height,
        width=table.width,
        channels=table.channels,
        not_counted=dict(sorted(not_counted.items())),
        assumptions=table.notes,
    )
