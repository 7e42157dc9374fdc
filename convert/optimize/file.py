"""One frozen graph from a file to a faster file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelproof.convert.optimize.document import document_of, gain_line
from pixelproof.convert.optimize.trial import Bench, Shape, Stage, shapes_that_run
from pixelproof.environment import environment
from pixelproof.errors import ArtifactError, CallError
from pixelproof.files import make_folder, sha256_of, write_bytes, write_text
from pixelproof.measure.formats import Kind, detect_kind
from pixelproof.measure.parity import size_ladder
from pixelproof.report import dump_json
from pixelproof.schema import to_jsonable
from pixelproof.temporary import private_tempdir, temporary_folder

if TYPE_CHECKING:  # these import TensorFlow, which has to be asked for quiet first
    from pixelproof.convert.optimize.optimizer import Optimized

OWN_SIZE = (720, 1280)


@dataclass(frozen=True)
class OptimizedFile:
    """What was made of a file; ``written`` is None where nothing gains."""

    model: Path
    written: Path | None
    kind: Kind
    shape: Shape
    result: Optimized

    def lines(self) -> list[str]:
        """For people: the gain of the whole, or that there is none."""
        if self.written is None:
            return [gain_line(self.result), f"{self.model} stays as it is, and nothing was written."]
        return [f"{self.written}: {gain_line(self.result)}", f"Proof: {proof_beside(self.written)}"]

    def document(self) -> dict[str, Any]:
        """As JSON, in the manner of parity.json: docs/optimize.md."""
        artifacts: list[dict[str, Any]] = []
        if self.written is not None:
            about = {"name": self.written.name, "format": "pb", "sha256": sha256_of(self.written)}
            artifacts.append({**about, "rows": to_jsonable(self.result.rows)})
        return {
            "schema_version": 1,
            "source": str(self.model),
            "source_sha256": sha256_of(self.model),
            "artifacts": artifacts,
            "optimized": {
                "timed_as": self.kind,
                "shape": list(self.shape),
                **document_of(self.result),
            },
            "environment": to_jsonable(environment()),
        }


def optimize_file(
    model: Path,
    *,
    out: Path,
    kind: Kind,
    shape: Shape | None,
    names: tuple[str | None, str | None],
    most_pairs: int,
    threads: int | None,
    note: Callable[[str], None],
    stage: Stage | None = None,
) -> OptimizedFile:
    """Optimize a .pb; the new file appears whole, or not at all where nothing gains.

    Args:
        out: the new file.
        kind: format in which candidates are timed.
        shape: (1, height, width, channels) at which they are timed; None for the graph's own, or 720 x 1280.
        names: nodes of input and output; None to find the only ones.
        stage: as in `Bench`.

    Raises:
        CallError: no .pb, ``out`` is the graph itself, unknown nodes, or a shape that the graph doesn't take.
        ArtifactError: no frozen graph, or one that calls functions.
        ModelFailed, WorkerStopped: the graph can't run, or can't become the format that is timed.
        ParityBroken: the result computes another picture.
        EnvironmentFault: the file can't be written.
    """
    if detect_kind(model) != "pb":
        raise CallError(
            "optimize takes a frozen .pb", found=str(model), remedy="Convert from the optimized .pb."
        )
    if out.resolve() == model.resolve():
        raise CallError("--out must not be the graph itself", found=str(out))
    from pixelproof.quiet import import_tensorflow

    import_tensorflow()
    from pixelproof.convert.frozen_graph import FRAMES, pruned
    from pixelproof.convert.optimize.optimizer import optimize
    from pixelproof.measure.graph_def import import_graph, read_graph
    from pixelproof.tflite.choose import check_shape, find_ends, placeholder_shape

    graph = read_graph(str(model))
    import_graph(graph, label=model.name)
    ends = find_ends(graph, input_name=names[0], output_name=names[1], label=model.name)
    declared = placeholder_shape(graph, ends[0])
    asked = shape or _own_shape(declared)
    check_shape(declared, asked, label=model.name)
    tidied = pruned(graph, [ends[1].split(":")[0]])
    loops = [node.name for node in tidied.node if node.op in FRAMES]
    if tidied.library.function or loops:
        found = loops[0] if loops else tidied.library.function[0].signature.name
        raise ArtifactError(
            "optimize takes a graph without functions and loops", found=f"{found} in {model.name}"
        )
    make_folder(out.parent)
    with private_tempdir(), temporary_folder("pixelproof-optimize-") as folder:
        bench = Bench(folder, kind, asked, ends, most_pairs, threads, stage)
        ladder = [[asked[1:3]]] if declared is not None and None not in declared[1:3] else size_ladder()
        shapes = shapes_that_run(bench, graph, ladder)
        note(f"{model} timed as {kind} at {asked[1]}x{asked[2]}, proven at {_sizes(shapes)}")
        result = optimize(tidied, bench, shapes=shapes, note=note)
    done = OptimizedFile(model, out if result.gains else None, kind, asked, result)
    if result.gains:
        write_bytes(out, result.graph.SerializeToString(deterministic=True))
        write_text(proof_beside(out), dump_json(done.document()))
    return done


def proof_beside(out: Path) -> Path:
    """Where the proof of an optimized file lies."""
    return out.with_name(f"{out.stem}.parity.json")


def _own_shape(declared: tuple[int | None, ...] | None) -> Shape:
    """The shape that a placeholder declares, 720 x 1280 RGB where it says nothing."""
    known = declared if declared is not None and len(declared) == 4 else (1, None, None, None)
    return 1, known[1] or OWN_SIZE[0], known[2] or OWN_SIZE[1], known[3] or 3


def _sizes(shapes: list[Shape]) -> str:
    return " and ".join(f"{shape[1]}x{shape[2]}" for shape in shapes)
