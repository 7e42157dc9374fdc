"""A conversion's source with a faster graph; its outputs stay those that every artifact is compared with."""

from __future__ import annotations

from dataclasses import replace

from pixelproof.convert.frozen_graph import FRAMES
from pixelproof.convert.optimize.optimizer import Note, Optimized, optimize
from pixelproof.convert.optimize.trial import Bench, Shape, Stage
from pixelproof.convert.plan import Plan
from pixelproof.convert.source import Source
from pixelproof.errors import ArtifactError, ModelFailed
from pixelproof.measure.formats import Kind
from pixelproof.temporary import temporary_folder

MOST_PAIRS = 40


def optimized_source(
    source: Source, plan: Plan, *, kind: Kind, note: Note, stage: Stage | None = None
) -> tuple[Source, Optimized]:
    """The source with its graph optimized at the plan's shape, and what each rewrite did.

    Args:
        kind: format in which candidates are timed.
        note: told a line for each rewrite.
        stage: as in `Bench`.

    Raises:
        ArtifactError: the graph calls functions.
        ModelFailed, WorkerStopped: the graph can't run at that shape, or can't become that format.
        ParityBroken: the result computes another picture.
    """
    loops = [node.name for node in source.graph.node if node.op in FRAMES]
    if source.graph.library.function or loops:
        found = loops[0] if loops else source.graph.library.function[0].signature.name
        rule = "--optimize takes a graph without functions and loops"
        raise ArtifactError(rule, found=found, remedy="Leave it out.")
    shapes: list[Shape] = [shape for shape in source.shapes if shape != plan.shape]
    if not shapes:
        raise ModelFailed("--optimize is proven on small uneven sizes", found="a model that takes none")
    ends = f"{plan.ends.input_name}:0", f"{plan.ends.output_name}:0"
    with temporary_folder("pixelproof-optimize-") as folder:
        bench = Bench(folder, kind, plan.shape, ends, MOST_PAIRS, stage=stage)
        note(f"Optimizing, timed as {kind} at {plan.shape[1]}x{plan.shape[2]}:")
        result = optimize(source.graph, bench, shapes=shapes, note=note)
    return (replace(source, graph=result.graph) if result.gains else source), result
