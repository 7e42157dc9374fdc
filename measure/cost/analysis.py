"""What an artifact costs, read in the worker: its scan has passed."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pixelproof.errors import ModelFailed
from pixelproof.measure.cost.ends import Asked
from pixelproof.measure.cost.layers import cost_table
from pixelproof.measure.cost.network import Network
from pixelproof.measure.cost.table import MOST_BYTES, CostTable, to_bytes
from pixelproof.measure.formats import Kind
from pixelproof.measure.runners import first_line

_ODD = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What a graph raises that passes the scan and is put together as no exporter would."""


def analysed(path: Path, kind: Kind, asked: Asked, *, threads: int) -> bytes:
    """The cost table of an artifact, as it goes to the parent.

    Raises:
        ArtifactError: it is damaged in a way that the scan doesn't see.
        ModelFailed: it can't be counted at this size, or at all.
    """
    table = to_bytes(cost_of(path, kind, asked, threads=threads))
    if len(table) > MOST_BYTES:
        raise ModelFailed(
            "A model must have few layers to be counted", found=f"{len(table):,} bytes about them"
        )
    return table


def cost_of(path: Path, kind: Kind, asked: Asked, *, threads: int) -> CostTable:
    """The cost table of an artifact; see `analysed`."""
    try:
        with _uncollected():
            network = _network(path, kind, asked, threads)
            return cost_table(network, height=asked.height, width=asked.width)
    except _ODD as error:
        found = f"{type(error).__name__}: {first_line(error)}"
        raise ModelFailed("A model's layers must be readable to be counted", found=found) from error


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector: it walks through all of TensorFlow's objects whenever many new ones are made."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _network(path: Path, kind: Kind, asked: Asked, threads: int) -> Network:
    if kind == "tflite":
        from pixelproof.measure.cost import read_tflite

        return read_tflite.network_of(path, asked, threads=threads)
    if kind == "onnx":
        from pixelproof.measure.cost import read_onnx

        return read_onnx.network_of(path, asked, threads=threads)
    from pixelproof.measure.cost import read_graph_def

    return read_graph_def.network_of(_graph(path, kind), asked, label=path.name, threads=threads)


def _graph(path: Path, kind: Kind) -> Any:
    if kind == "savedmodel":
        from pixelproof.measure.cost.saved_model import frozen_signature

        return frozen_signature(path)
    from pixelproof.measure.graph_def import read_graph

    return read_graph(str(path))
