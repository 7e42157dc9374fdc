"""A frozen .pb in a TensorFlow 1 session, as the 2018 evaluation scripts run it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tensorflow.core.framework.step_stats_pb2 import StepStats
from tensorflow.core.protobuf.config_pb2 import ConfigProto, RunMetadata, RunOptions
from tensorflow.python.client.session import Session

from pixelproof.errors import ArtifactError, ModelFailed
from pixelproof.measure.device import CPU, Device
from pixelproof.measure.device_session import session_config
from pixelproof.measure.graph_def import (
    final_nodes,
    free_batch,
    has_fixed_batch,
    import_graph,
    placeholders,
    read_graph,
    reduces_image,
    widen,
)
from pixelproof.measure.protocol import Array
from pixelproof.measure.runners import TensorTable, tensor_table


class _Session:
    """A graph's compiled call."""

    def __init__(self, graph: Any, *, config: ConfigProto, input_name: str, output_name: str) -> None:
        self._session = Session(graph=graph, config=config)
        self._output, self._input = map(graph.get_tensor_by_name, (output_name, input_name))
        self._call = self._session.make_callable(self._output, feed_list=[self._input])
        self._traced: Any = None

    def __call__(self, x: Array) -> Array:
        return np.asarray(self._call(x))

    def traced(self, x: Array) -> tuple[Array, StepStats]:
        if self._traced is None:
            self._traced = self._session.make_callable(
                self._output, feed_list=[self._input], accept_options=True
            )
        metadata = RunMetadata()
        output = self._traced(x, options=RunOptions(trace_level=RunOptions.FULL_TRACE), run_metadata=metadata)
        return np.asarray(output), metadata.step_stats


class GraphRunner:
    """A frozen graph; a batch above the placeholder's own goes through a copy with the batch left open.

    Copies are made when they are first needed, and the file's own form is not kept, so that the memory that is
    measured is the plain graph's.

    Args:
        graph_def: in place of the file's, which then only names it.
    """

    def __init__(
        self,
        path: str,
        *,
        threads: int,
        input_name: str | None,
        output_name: str | None,
        device: Device = CPU,
        graph_def: Any = None,
    ) -> None:
        graph_def = read_graph(path) if graph_def is None else graph_def
        self._label = Path(path).name
        self._config = session_config(threads=threads, device=device)
        self._sessions: dict[str, _Session] = {}
        self._graph = graph = import_graph(graph_def, label=self._label)
        used_input = _choose(graph, input_name, placeholders(graph_def))
        used_output = _choose(graph, output_name, final_nodes(graph_def))
        self.used = (used_input, used_output)
        self._fixed_batch = has_fixed_batch(graph_def)
        self.global_statistics = reduces_image(graph_def)
        outputs = [f"{node.name}:0" for node in final_nodes(graph_def)]
        if used_output is not None and used_output not in outputs:
            outputs.insert(0, used_output)
        self.interface = {
            "inputs": [_table(graph, f"{node.name}:0") for node in placeholders(graph_def)],
            "outputs": [_table(graph, name) for name in outputs if _has(graph, name)],
        }

    def __call__(self, x: Array) -> Array:
        """Run once."""
        return self._session("open batch" if len(x) > 1 and self._fixed_batch else "as it is")(x)

    def run_traced(self, x: Array) -> tuple[Array, StepStats]:
        """Run once, slower, and say when and where each operation ran."""
        return self._session("as it is").traced(x)

    def run_float64(self, x: Array) -> Array:
        """Run once in float64."""
        try:
            session = self._session("float64")
        except ArtifactError as error:
            raise ModelFailed(
                "The graph must be one that can be widened to float64", found=error.found
            ) from error
        return session(x.astype(np.float64))

    def _session(self, variant: str) -> _Session:
        if variant not in self._sessions:
            used_input, used_output = self.used
            if used_input is None or used_output is None:
                found = ", ".join(t["name"] for t in self.interface["inputs"] + self.interface["outputs"])
                raise ModelFailed("A model must have one input and one output", found=found)
            self._sessions[variant] = _Session(
                self._variant(variant), config=self._config, input_name=used_input, output_name=used_output
            )
        return self._sessions[variant]

    def _variant(self, variant: str) -> Any:
        if variant == "as it is":
            return self._graph
        change = {"open batch": free_batch, "float64": widen}[variant]
        return import_graph(change(self._graph.as_graph_def()), label=self._label)


def _choose(graph: Any, wanted: str | None, candidates: list[Any]) -> str | None:
    if wanted is not None and _has(graph, wanted):
        return wanted if ":" in wanted else f"{wanted}:0"
    return f"{candidates[0].name}:0" if len(candidates) == 1 else None


def _has(graph: Any, name: str) -> bool:
    try:
        graph.get_tensor_by_name(name if ":" in name else f"{name}:0")
    except (KeyError, ValueError):
        return False
    return True


def _table(graph: Any, name: str) -> TensorTable:
    tensor = graph.get_tensor_by_name(name)
    shape = tensor.shape.as_list() if tensor.shape.rank is not None else None
    return tensor_table(name, tensor.dtype.name, shape)
