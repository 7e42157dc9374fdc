"""A TFLite file against the graph that it was made from: at its own shape, and at small uneven sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelproof.errors import CallError, ModelFailed
from pixelproof.measure.graph_def import reduces_image
from pixelproof.measure.parity import (
    SIZE_MULTIPLES,
    ParityRow,
    probe_image,
    row_for,
    run_artifact,
    size_ladder,
)
from pixelproof.measure.protocol import Array
from pixelproof.measure.worker import Worker
from pixelproof.tflite.converter import Made, OpenShape, make_tflite
from pixelproof.tflite.quantize import FLOAT, Quantization, Stream

Shape = tuple[int, int, int, int]


@dataclass(frozen=True)
class Uneven:
    """Small sizes that a graph takes, with its outputs.

    Attributes:
        multiple: sides that are multiples of it are taken.
    """

    multiple: int
    probes: tuple[Array, ...]
    outputs: tuple[Array, ...]


@dataclass(frozen=True)
class GraphSource:
    """A frozen graph, loaded in a worker that computes what its files must compute.

    Attributes:
        ends: tensors of its input and output.
        declared: shape of its placeholder; None for unknown rank.
    """

    graph: Any
    worker: Worker
    ends: tuple[str, str]
    declared: tuple[int | None, ...] | None

    def convert(
        self, shape: OpenShape, quantization: Quantization = FLOAT, calibration: Stream | None = None
    ) -> Made:
        """The graph as TFLite."""
        return make_tflite(
            self.graph,
            input_name=self.ends[0],
            output_name=self.ends[1],
            shape=shape,
            quantization=quantization,
            calibration=calibration,
        )

    def row(self, label: str, output: Array, *, probe: Array, expected: Array) -> ParityRow:
        """A file's output beside the graph's."""
        return row_for(
            artifact=label,
            kind="tflite",
            source=expected,
            output=output,
            shape=(probe.shape[1], probe.shape[2]),
            global_statistics=reduces_image(self.graph),
            float64=lambda: self.worker.run_float64(probe),
        )

    def uneven(self, channels: int) -> Uneven | None:
        """The first small sizes at which the graph runs; None where it is fixed, or runs at none."""
        height, width = (None, None) if self.declared is None else self.declared[1:3]
        if height is not None and width is not None:
            return None
        for multiple, rung in zip(SIZE_MULTIPLES, size_ladder(), strict=True):
            probes = tuple(probe_image(height or h, width or w, channels) for h, w in rung)
            try:
                return Uneven(multiple, probes, tuple(self.worker.run(probe) for probe in probes))
            except ModelFailed:
                continue
        return None


def prove_fixed(source: GraphSource, made: Path, shape: Shape, *, label: str) -> list[ParityRow]:
    """A file of one shape; where the graph takes others, it is converted once more at a small one."""
    full = probe_image(*shape[1:])
    expected = source.worker.run(full)
    (output,) = run_artifact(made, "tflite", [full])
    rows = [source.row(label, output, probe=full, expected=expected)]
    uneven = source.uneven(shape[3])
    if uneven is not None:
        probe = uneven.probes[0]
        other = made.with_name(f"{made.name}.odd")
        bound = (1, probe.shape[1], probe.shape[2], shape[3])
        other.write_bytes(source.convert(bound).data)
        (output,) = run_artifact(other, "tflite", [probe])
        where = f"{label} (converted at this size)"
        rows.append(source.row(where, output, probe=probe, expected=uneven.outputs[0]))
    return rows


def prove_variable(
    source: GraphSource, made: Path, shape: Shape, uneven: Uneven, *, label: str
) -> list[ParityRow]:
    """One file at several sizes: the one that was asked for, and the small ones that the graph takes."""
    full = probe_image(*shape[1:])
    probes = (full, *uneven.probes)
    expected = (source.worker.run(full), *uneven.outputs)
    outputs: Sequence[Array] = run_artifact(made, "tflite", probes)
    return [
        source.row(label, output, probe=probe, expected=wanted)
        for probe, wanted, output in zip(probes, expected, outputs, strict=True)
    ]


def require_uneven(source: GraphSource, channels: int, *, label: str) -> Uneven:
    """Sizes at which a file of any size is proven.

    Raises:
        CallError: the graph takes no other size.
    """
    uneven = source.uneven(channels)
    if uneven is None:
        found = f"none among multiples of {', '.join(map(str, SIZE_MULTIPLES))} that {label} takes"
        remedy = "Leave out --variable."
        raise CallError(
            "A variable TFLite file needs a graph that takes any size", found=found, remedy=remedy
        )
    return uneven
