"""Frozen graph to TFLite: converted, proven against the graph in fresh processes, and only then written."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pixelproof.errors import CallError
from pixelproof.files import replacing_file
from pixelproof.measure.graph_def import import_graph, read_graph
from pixelproof.measure.parity import require
from pixelproof.measure.worker import Worker
from pixelproof.temporary import private_tempdir, temporary_folder
from pixelproof.tflite.choose import check_shape, check_variable, find_ends, placeholder_shape
from pixelproof.tflite.converter import bound_function
from pixelproof.tflite.material import Material, choose
from pixelproof.tflite.proof import GraphSource, Uneven, prove_fixed, prove_variable, require_uneven
from pixelproof.tflite.quality import require_quality
from pixelproof.tflite.quantised import Stage, quantised
from pixelproof.tflite.quantize import FLOAT, Quantization
from pixelproof.tflite.result import Converted, Shape

__all__ = ["Converted", "convert_pb"]

Publish = Callable[[Converted], None]


def convert_pb(
    model: Path,
    *,
    shape: Shape,
    input_name: str | None,
    output_name: str | None,
    out: Path,
    publish: Publish | None = None,
    variable: bool = False,
    quantization: Quantization = FLOAT,
    material: Material | None = None,
    stage: Stage | None = None,
) -> Converted:
    """Convert, prove, and only then write.

    A file of one shape is proven at that shape and, where the graph takes any size, once more converted at a small
    uneven one; a variable file itself at all of these. A quantised file is compared with the float file of the
    same run, after that has been proven.

    Args:
        shape: of the file; of a variable one, its channels and the size at which it is proven.
        publish: given the result as soon as it is there, also when the proof fails.
        variable: leave height and width open.
        material: images for quantising.
        stage: begins a stage of so many steps, and gives what is to be told each of them.

    Raises:
        ArtifactError: no frozen graph, or one that lacks nodes.
        CallError: unknown nodes, a shape that the graph doesn't take, or ``out`` is the graph itself.
        ImageError: a folder or an image is not what it should be.
        ModelFailed: TFLite lacks an operation, or can't run the quantised file.
        ParityBroken: the TFLite file computes another picture, or lost its weights; nothing is written.
        RuleBroken: quantising loses more than the budget; nothing is written.
        EnvironmentFault: the converter fails, or the folder can't be written.
    """
    started = time.monotonic()
    if out.resolve() == model.resolve():
        raise CallError("--out must not be the graph itself", found=str(out))
    asked = _Asked(model, out, (input_name, output_name), shape, variable, quantization)
    with Worker() as worker:
        worker.prepare("pb")  # its imports run while the graph is read and converted
        source = _source(asked, worker)
        material = material or Material()
        chosen = None
        if quantization.kind != "none":
            chosen = choose(material, quantization, channels=shape[3])
        with (
            replacing_file(out) as temporary,
            private_tempdir(),
            temporary_folder("pixelproof-tflite-") as folder,
        ):
            made = folder / out.name
            done, uneven = _float(asked, source, made, started)
            if chosen is not None and done.equal:
                multiple = 1 if uneven is None else uneven.multiple
                done = quantised(
                    done, source, made, chosen=chosen, material=material, multiple=multiple, stage=stage
                )
            worker.close()
            done = replace(done, prove_s=time.monotonic() - started - done.convert_s)
            if publish is not None:
                publish(done)
            require(done.rows)
            if done.quality is not None:
                require_quality(done.quality, quantization, label=out.name)
            temporary.write_bytes(made.read_bytes())
    return done


@dataclass(frozen=True)
class _Asked:
    """What is to be converted, and to what; ``names`` are the user's for the ends."""

    model: Path
    out: Path
    names: tuple[str | None, str | None]
    shape: Shape
    variable: bool
    quantization: Quantization


def _source(asked: _Asked, worker: Worker) -> GraphSource:
    """The graph with its ends, looked at; its worker has not loaded it yet."""
    graph, label = read_graph(str(asked.model)), asked.model.name
    import_graph(graph, label=label)
    ends = find_ends(graph, input_name=asked.names[0], output_name=asked.names[1], label=label)
    declared = placeholder_shape(graph, ends[0])
    if asked.variable:
        check_variable(declared, label=label)
    check_shape(declared, asked.shape, label=label)
    if asked.variable:
        bound_function(graph, input_name=ends[0], output_name=ends[1], shape=asked.shape)
    return GraphSource(graph, worker, ends, declared)


def _float(asked: _Asked, source: GraphSource, made: Path, started: float) -> tuple[Converted, Uneven | None]:
    """The float file in ``made`` with its proof; of a variable one, the small sizes at which it was proven."""
    shape = asked.shape
    file = source.convert((1, None, None, shape[3]) if asked.variable else shape)
    made.write_bytes(file.data)
    convert_s = time.monotonic() - started
    source.worker.load(asked.model, "pb", input_name=source.ends[0], output_name=source.ends[1])
    label = asked.out.name if asked.quantization.kind == "none" else f"{asked.out.name} in float"
    uneven = require_uneven(source, shape[3], label=asked.model.name) if asked.variable else None
    if uneven is None:
        rows = prove_fixed(source, made, shape, label=label)
    else:
        rows = prove_variable(source, made, shape, uneven, label=label)
    done = Converted(
        path=asked.out,
        input_name=source.ends[0],
        output_name=source.ends[1],
        rows=tuple(rows),
        shape=shape,
        variable=asked.variable,
        quantization=asked.quantization,
        weights=file.weights,
        size_bytes=len(file.data),
        convert_s=convert_s,
    )
    return done, uneven
