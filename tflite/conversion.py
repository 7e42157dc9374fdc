"""Frozen graph to TFLite at one shape, proven against the graph in fresh processes."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelproof.errors import ModelFailed
from pixelproof.files import replacing_file
from pixelproof.measure.graph_def import read_graph, reduces_image
from pixelproof.measure.parity import ParityRow, probe_image, require, row_for, run_artifact
from pixelproof.measure.protocol import Array
from pixelproof.measure.worker import Worker
from pixelproof.tflite.choose import check_shape, find_ends, placeholder_shape
from pixelproof.tflite.converter import to_tflite

ODD_SIZES = ((37, 54), (48, 80), (64, 96), (96, 160))


@dataclass(frozen=True)
class Converted:
    """A TFLite file that was written, and its proof."""

    path: Path
    input_name: str
    output_name: str
    rows: tuple[ParityRow, ...]


def convert_pb(
    model: Path,
    *,
    shape: tuple[int, int, int, int],
    input_name: str | None,
    output_name: str | None,
    out: Path,
) -> Converted:
    """Convert, prove, and only then write.

    The proof is at the file's own shape and, where the graph takes any size, once more converted at a small
    uneven one.

    Raises:
        ArtifactError: no frozen graph.
        CallError: unknown nodes, or a shape that the graph is not fixed to.
        ParityBroken: the TFLite file computes another picture; nothing is written.
        EnvironmentFault: TFLite lacks an operation.
    """
    graph = read_graph(str(model))
    start, end = find_ends(graph, input_name=input_name, output_name=output_name, label=model.name)
    declared = placeholder_shape(graph, start)
    check_shape(declared, shape, label=model.name)
    free = declared is None or None in declared[1:3]
    with tempfile.TemporaryDirectory(prefix="pixelproof-tflite-") as name:
        made = Path(name) / "model.tflite"
        made.write_bytes(to_tflite(graph, input_name=start, output_name=end, shape=shape))
        rows = _prove(model, graph, (start, end), shape, made, with_odd=free)
        require(rows)
        with replacing_file(out) as temporary:
            temporary.write_bytes(made.read_bytes())
    return Converted(path=out, input_name=start, output_name=end, rows=tuple(rows))


def _prove(
    model: Path,
    graph: Any,
    ends: tuple[str, str],
    shape: tuple[int, int, int, int],
    made: Path,
    *,
    with_odd: bool,
) -> list[ParityRow]:
    is_global = reduces_image(graph)
    full = probe_image(*shape[1:])
    rows = []
    with Worker() as source:
        source.load(model, "pb", input_name=ends[0], output_name=ends[1])
        expected = source.run(full)
        (output,) = run_artifact(made, "tflite", [full])
        rows.append(
            row_for(
                artifact="model.tflite",
                kind="tflite",
                source=expected,
                output=output,
                shape=shape[1:3],
                global_statistics=is_global,
                float64=lambda: source.run_float64(full),
            )
        )
        odd = _odd_probe(source, shape[3]) if with_odd else None
        if odd is not None:
            probe, expected = odd
            at_odd = made.with_name("odd.tflite")
            bound = (1, probe.shape[1], probe.shape[2], shape[3])
            at_odd.write_bytes(to_tflite(graph, input_name=ends[0], output_name=ends[1], shape=bound))
            (output,) = run_artifact(at_odd, "tflite", [probe])
            rows.append(
                row_for(
                    artifact="model.tflite (converted at this size)",
                    kind="tflite",
                    source=expected,
                    output=output,
                    shape=(bound[1], bound[2]),
                    global_statistics=is_global,
                )
            )
    return rows


def _odd_probe(source: Worker, channels: int) -> tuple[Array, Array] | None:
    """The first small size that the graph runs at, with its output; None where it runs at none."""
    for height, width in ODD_SIZES:
        probe = probe_image(height, width, channels)
        try:
            return probe, source.run(probe)
        except ModelFailed:
            continue
    return None
