"""Frozen graph to TFLite at one shape, proven against the graph in fresh processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelproof.errors import CallError, ModelFailed
from pixelproof.files import replacing_file
from pixelproof.measure.graph_def import import_graph, read_graph, reduces_image
from pixelproof.measure.parity import ParityRow, probe_image, require, row_for, run_artifact, size_ladder
from pixelproof.measure.protocol import Array
from pixelproof.measure.worker import Worker
from pixelproof.temporary import private_tempdir, temporary_folder
from pixelproof.tflite.choose import check_shape, find_ends, placeholder_shape
from pixelproof.tflite.converter import to_tflite

Publish = Callable[["Converted"], None]


@dataclass(frozen=True)
class Converted:
    """A TFLite file and its proof.

    Attributes:
        path: where it is written; only if it passed.
        input_name, output_name: tensors of the graph between which it was converted.
        rows: at its own shape, and at a small uneven one.
    """

    path: Path
    input_name: str
    output_name: str
    rows: tuple[ParityRow, ...]

    @property
    def passed(self) -> bool:
        """Whether it computes the same picture."""
        return all(row.passed for row in self.rows)


def convert_pb(
    model: Path,
    *,
    shape: tuple[int, int, int, int],
    input_name: str | None,
    output_name: str | None,
    out: Path,
    publish: Publish | None = None,
) -> Converted:
    """Convert, prove, and only then write.

    The proof is at the file's own shape and, where the graph takes any size, once more converted at a small
    uneven one.

    Args:
        publish: given the result as soon as it is there, also when the proof fails.

    Raises:
        ArtifactError: no frozen graph, or one that lacks nodes.
        CallError: unknown nodes, a shape that the graph doesn't take, or ``out`` is the graph itself.
        ModelFailed: TFLite lacks an operation.
        ParityBroken: the TFLite file computes another picture; nothing is written.
        EnvironmentFault: the converter fails, or the folder can't be written.
    """
    if out.resolve() == model.resolve():
        raise CallError("--out must not be the graph itself", found=str(out))
    graph = read_graph(str(model))
    import_graph(graph, label=model.name)
    ends = find_ends(graph, input_name=input_name, output_name=output_name, label=model.name)
    declared = placeholder_shape(graph, ends[0])
    check_shape(declared, shape, label=model.name)
    with (
        replacing_file(out) as temporary,
        private_tempdir(),
        temporary_folder("pixelproof-tflite-") as folder,
    ):
        made = folder / out.name
        made.write_bytes(to_tflite(graph, input_name=ends[0], output_name=ends[1], shape=shape))
        rows = _prove(model, graph, ends, shape, made, declared)
        done = Converted(path=out, input_name=ends[0], output_name=ends[1], rows=tuple(rows))
        if publish is not None:
            publish(done)
        require(rows)
        temporary.write_bytes(made.read_bytes())
    return done


def _prove(
    model: Path,
    graph: Any,
    ends: tuple[str, str],
    shape: tuple[int, int, int, int],
    made: Path,
    declared: tuple[int | None, ...] | None,
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
                artifact=made.name,
                kind="tflite",
                source=expected,
                output=output,
                shape=shape[1:3],
                global_statistics=is_global,
                float64=lambda: source.run_float64(full),
            )
        )
        odd = _odd_probe(source, shape, declared)
        if odd is not None:
            probe, expected = odd
            at_odd = made.with_name(f"{made.name}.odd")
            bound = (1, probe.shape[1], probe.shape[2], shape[3])
            at_odd.write_bytes(to_tflite(graph, input_name=ends[0], output_name=ends[1], shape=bound))
            (output,) = run_artifact(at_odd, "tflite", [probe])
            rows.append(
                row_for(
                    artifact=f"{made.name} (converted at this size)",
                    kind="tflite",
                    source=expected,
                    output=output,
                    shape=(bound[1], bound[2]),
                    global_statistics=is_global,
                    float64=lambda: source.run_float64(probe),
                )
            )
    return rows


def _odd_probe(
    source: Worker, shape: tuple[int, int, int, int], declared: tuple[int | None, ...] | None
) -> tuple[Array, Array] | None:
    """The first small size that the graph runs at, with its output; None where it is fixed, or runs at none."""
    height, width = (None, None) if declared is None else declared[1:3]
    if height is not None and width is not None:
        return None
    for rung in size_ladder():
        probe = probe_image(height or rung[0][0], width or rung[0][1], shape[3])
        try:
            return probe, source.run(probe)
        except ModelFailed:
            continue
    return None
