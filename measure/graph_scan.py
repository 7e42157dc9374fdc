"""What a file holds, read before anything loads it. Runs in the worker: the parent parses no stranger's graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pixelproof.errors import ArtifactError, GraphRefused
from pixelproof.measure.formats import Kind
from pixelproof.measure.scan.findings import shown
from pixelproof.safety import Refusal, Scan

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMED = 3


def scan(path: Path, kind: Kind) -> Scan:
    """Nodes, operations, sizes and refusals of an artifact; nothing of it is loaded or run.

    Its size has been looked at: the inbox takes nothing that is too large.

    Args:
        kind: as `detect_kind` tells it.

    Returns:
        With refusals where it is a graph that may not be judged.

    Raises:
        ArtifactError: it is no graph at all: unreadable, unparsable, without a node; or one that isn't frozen.
    """
    label = shown(path.name)
    try:
        if kind == "tflite":
            from pixelproof.measure.scan.tflite import scan_tflite

            return scan_tflite(path.read_bytes(), label=label)
        if kind == "onnx":
            from pixelproof.measure.scan.onnx_model import scan_onnx

            return scan_onnx(path.read_bytes(), label=label)
        return _scan_tensorflow(path, kind, label=label)
    except OSError as error:
        raise ArtifactError("The artifact must be readable", found=f"{label}: {error.strerror}") from error


def require_clean(scan: Scan, *, label: str) -> None:
    """Go on only where a scan refuses nothing.

    Raises:
        GraphRefused: with what was found, the first few of it in words.
    """
    refusals = scan.refusals
    if not refusals:
        return
    if len(refusals) == 1:
        raise GraphRefused(refusals[0].rule, found=refusals[0].found, remedy=refusals[0].remedy)
    rule = f"{label} must hold nothing that a judged model may not hold"
    raise GraphRefused(rule, found=_listed(refusals), remedy=refusals[0].remedy)


def _listed(refusals: Sequence[Refusal]) -> str:
    more = len(refusals) - NAMED
    named = "; ".join(refusal.found for refusal in refusals[:NAMED])
    return f"{named}; and {more} more" if more > 0 else named


def _scan_tensorflow(path: Path, kind: Kind, *, label: str) -> Scan:
    from pixelproof.measure.tf_core import enter_core_only

    enter_core_only()
    if kind == "savedmodel":
        from pixelproof.measure.scan.saved_model import scan_saved_model

        return scan_saved_model(path, label=label)
    from pixelproof.measure.graph_def import read_graph
    from pixelproof.measure.scan.graphdef import scan_graph

    return scan_graph(read_graph(str(path)), label=label)
