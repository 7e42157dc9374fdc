"""Which frozen graph ``pb2tflite`` means, and where the graph begins and ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pixelproof.errors import ArtifactError, CallError, did_you_mean


def default_model(folder: Path) -> Path:
    """``./model.pb``, else the newest .pb below ``models_converted``.

    Raises:
        CallError: none there, or several of one age.
    """
    here = folder / "model.pb"
    if here.is_file():
        return here
    below = folder / "models_converted"
    found = [path for path in below.glob("**/*.pb") if _is_finished(path.relative_to(below))]
    found.sort(key=lambda path: path.stat().st_mtime_ns)
    rule = "pb2tflite must know which graph: name it, or have ./model.pb or one newest in models_converted"
    if not found:
        raise CallError(
            rule, found="none", remedy="For example: pb2tflite path/to/model.pb --input-shape ..."
        )
    newest = [path for path in found if path.stat().st_mtime_ns == found[-1].stat().st_mtime_ns]
    if len(newest) > 1:
        listed = ", ".join(str(path) for path in newest)
        raise CallError(rule, found=f"{len(newest)} of one age: {listed}", remedy="Name one of them.")
    return newest[0]


def _is_finished(path: Path) -> bool:
    """Whether it is a frozen graph: no SavedModel's inside, and nothing of a conversion that is under way."""
    return path.name != "saved_model.pb" and not any(part.startswith(".") for part in path.parts)


def find_ends(graph: Any, *, input_name: str | None, output_name: str | None, label: str) -> tuple[str, str]:
    """Tensors of the graph's input and output, as in ``input:0``.

    Args:
        input_name, output_name: what the user named, with or without ``:0``; None to find the only ones.

    Raises:
        CallError: a named node is not there; or nothing is named and there is not exactly one.
        ArtifactError: the graph has no input.
    """
    from pixelproof.measure.graph_def import final_nodes, needed_for, placeholders

    inputs = [node.name for node in placeholders(graph)]
    outputs = [node.name for node in final_nodes(graph)]
    if not inputs:
        raise ArtifactError("A frozen graph must have a placeholder", found=f"none in {label}")
    end = _one(graph, output_name, outputs, "--output-arrays", label)
    needed = needed_for(graph, end)
    start = _one(graph, input_name, [name for name in inputs if name in needed], "--input-arrays", label)
    if start.split(":")[0] not in needed:
        raise CallError("The output must depend on the input", found=f"{end} without {start} in {label}")
    return start, end


def _one(graph: Any, named: str | None, candidates: list[str], option: str, label: str) -> str:
    if named is not None:
        name = named.strip().split(":")[0]
        if "," in name:
            raise CallError(
                f"{option} takes one name: an image model has one input and one output", found=named
            )
        if name not in {node.name for node in graph.node}:
            remedy = did_you_mean(name, candidates)
            raise CallError(f"{option} must name a node of {label}", found=repr(name), remedy=remedy)
        return f"{name}:0"
    if len(candidates) != 1:
        listed = ", ".join(candidates[:10]) or "none"
        raise CallError(
            f"{label} must have one candidate for {option}", found=listed, remedy=f"Name it with {option}."
        )
    return f"{candidates[0]}:0"


def placeholder_shape(graph: Any, tensor: str) -> tuple[int | None, ...] | None:
    """Declared shape of an input; None for unknown rank."""
    node = next(n for n in graph.node if n.name == tensor.split(":")[0])
    if "shape" not in node.attr or node.attr["shape"].shape.unknown_rank:
        return None
    return tuple(None if dim.size < 0 else int(dim.size) for dim in node.attr["shape"].shape.dim)


def check_variable(declared: tuple[int | None, ...] | None, *, label: str) -> None:
    """Refuse a graph that is fixed to one size.

    Raises:
        CallError: its placeholder has a fixed height or width.
    """
    if declared is None or len(declared) != 4 or declared[1:3] == (None, None):
        return
    found = "x".join("?" if d is None else str(d) for d in declared)
    remedy = (
        "Convert the checkpoint again with convert-model, whose .pb takes any size, or leave out --variable."
    )
    rule = f"--variable needs a graph of any size, and {label} is fixed"
    raise CallError(rule, found=f"a placeholder of {found}", remedy=remedy)


def check_shape(
    declared: tuple[int | None, ...] | None, asked: tuple[int, int, int, int], *, label: str
) -> None:
    """Refuse a shape that the graph can't have.

    Raises:
        CallError: the placeholder is fixed to another shape.
    """
    if declared is None:
        return
    if len(declared) == 4 and all(d is None or d == a for d, a in zip(declared, asked, strict=True)):
        return
    found = "x".join("?" if d is None else str(d) for d in declared) or "a single number"
    free = "convert the checkpoint again with convert-model, whose .pb takes any size"
    if len(declared) != 4 or declared[0] not in (None, 1):
        remedy = f"One image of four dimensions is converted; {free}."
    else:
        wanted = ",".join(str(a if d is None else d) for d, a in zip(declared, asked, strict=True))
        wrong_channels = declared[3] not in (None, asked[3])
        reason = f"The graph takes {_channels(declared[3])}" if wrong_channels else "Its placeholder is fixed"
        remedy = f"{reason}: use --input-shape {wanted}" + ("." if wrong_channels else f", or {free}.")
    shape = "x".join(map(str, asked))
    raise CallError(f"{label} must take {shape}", found=f"a placeholder of {found}", remedy=remedy)


def _channels(count: int | None) -> str:
    """A number of channels, with what it usually stands for."""
    meant = {3: " (RGB)", 4: " (a Bayer mosaic of twice the size, unpacked)"}.get(count or 0, "")
    return f"{count} channels{meant}"
