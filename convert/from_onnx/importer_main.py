"""The locked child that reads a stranger's .onnx, translates it, and finds where an artifact parts from it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelproof.measure.sandbox.lockdown import LockPlan, lock_down, take_protocol_streams
from pixelproof.measure.serving import serve

if TYPE_CHECKING:
    from pixelproof.convert.from_onnx.model import Model
    from pixelproof.convert.from_onnx.translate import Translated
    from pixelproof.measure.protocol import Array


class _Session:
    """State between requests: the model, and its translation."""

    def __init__(self) -> None:
        self._model: Model | None = None
        self._made: Translated | None = None

    def answer(self, request: dict[str, Any], arrays: list[Array]) -> tuple[dict[str, Any], list[Array]]:
        """One request's answer: header and arrays."""
        if request["op"] == "read":
            return self._read(Path(request["path"])), []
        if request["op"] == "translate":
            return {}, [self._translate(request["input"], request["output"])]
        if request["op"] == "trace":
            return self._trace(request, arrays[0]), []
        raise RuntimeError(f"no operation {request['op']!r}")

    def _read(self, path: Path) -> dict[str, Any]:
        from pixelproof.measure.graph_scan import require_clean, scan

        require_clean(scan(path, "onnx"), label=path.name)
        from pixelproof.convert.from_onnx.model import read_model

        self._model = model = read_model(path.read_bytes())
        return {
            "model": {
                "layout": model.layout,
                "shape": list(model.shape),
                "opset": model.opset,
                "nodes": len(model.nodes),
                "parameters": sum(a.size for a in model.constants.values() if a.dtype.kind == "f"),
            }
        }

    def _translate(self, input_name: str, output_name: str) -> Array:
        import numpy as np

        from pixelproof.measure.tf_core import enter_whole

        enter_whole()
        from pixelproof.convert.from_onnx.translate import translate

        assert self._model is not None
        self._made = translate(self._model, input_name=input_name, output_name=output_name)
        return np.frombuffer(self._made.graph.SerializeToString(deterministic=True), np.uint8)

    def _trace(self, request: dict[str, Any], image: Array) -> dict[str, Any]:
        from pixelproof.convert.from_onnx import trace

        assert self._model is not None and self._made is not None
        graph, layers = self._made.graph, self._made.layers
        if request["format"] == "tflite":
            compute = trace.tflite_computing(graph, image, Path.cwd(), input_name=request["input"])
        else:
            compute = trace.frozen_graph_computing(graph, image, input_name=request["input"])
        expected = trace.onnx_values(self._model, layers, image)
        found = trace.first_parting(layers, expected, compute, tolerance=request["tolerance"])
        return {"parting": None if found is None else asdict(found)}


def main() -> None:
    """Serve until the parent closes the pipe."""
    requests, answers = take_protocol_streams()
    layers = lock_down(LockPlan.from_argument(sys.argv[1]))
    serve(requests, answers, layers, lambda: _Session().answer)
