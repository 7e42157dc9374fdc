"""An ONNX file as a list of nodes between one image and another; what isn't that is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import onnx
from onnx import inliner, numpy_helper

from pixelproof.errors import InputError
from pixelproof.measure.protocol import Array
from pixelproof.measure.scan.findings import shown

Layout = Literal["NCHW", "NHWC"]
OPSETS = range(11, 21)
_IMAGE = "An .onnx to convert must take one image and give one"
_EXPORT = "Export it again: torch.onnx.export(model, image, FILE, opset_version=18)."


@dataclass(frozen=True)
class Model:
    """A readable model.

    Attributes:
        proto: the ModelProto, its functions inlined.
        nodes: those that the output needs, in the file's order, which is topological.
        constants: initializers by name.
        layout: of the image at both ends.
        shape: of the input, (1, height, width, channels); None where any size is taken.
    """

    proto: Any
    nodes: tuple[Any, ...]
    constants: Mapping[str, Array]
    input_name: str
    output_name: str
    opset: int
    layout: Layout
    shape: tuple[int, int | None, int | None, int]


def read_model(data: bytes) -> Model:
    """A scanned file.

    Raises:
        InputError: another opset, several inputs or outputs, no float32 image of batch 1, unknown channels.
    """
    proto = onnx.load_model_from_string(data)
    if proto.functions:
        proto = inliner.inline_local_functions(proto)
    opset = _opset(proto)
    graph = proto.graph
    stored = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in stored]
    for what, ends in (("inputs", inputs), ("outputs", graph.output)):
        if len(ends) != 1:
            names = ", ".join(shown(value.name) for value in ends[:5]) or "none"
            remedy = "Export a module whose forward takes one tensor and returns one."
            raise InputError(_IMAGE, found=f"{len(ends)} {what} ({names})", remedy=remedy)
    layout, shape = _image_shape(inputs[0])
    _require_float(graph.output[0])
    return Model(
        proto=proto,
        nodes=tuple(_needed(graph)),
        constants={tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer},
        input_name=inputs[0].name,
        output_name=graph.output[0].name,
        opset=opset,
        layout=layout,
        shape=shape,
    )


def _opset(proto: Any) -> int:
    versions = [entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")]
    found = int(versions[0]) if versions else 1
    if found not in OPSETS:
        rule = f"An .onnx to convert must be of opset {OPSETS[0]} to {OPSETS[-1]}"
        raise InputError(rule, found=f"opset {found}", remedy=_EXPORT)
    return found


def _require_float(value: Any) -> None:
    kind = value.type.tensor_type.elem_type
    if kind not in (0, onnx.TensorProto.FLOAT):
        name = onnx.TensorProto.DataType.Name(kind).lower()
        remedy = "Export the float32 model: model.float() before torch.onnx.export."
        found = f"{name} at {shown(value.name)}"
        raise InputError("Both ends of an .onnx to convert must be float32", found=found, remedy=remedy)


def _image_shape(value: Any) -> tuple[Layout, tuple[int, int | None, int | None, int]]:
    _require_float(value)
    stated = value.type.tensor_type
    dims = [d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in stated.shape.dim]
    told = ",".join("any" if n is None else str(n) for n in dims)
    if not stated.HasField("shape") or len(dims) != 4:
        found = f"shape {told}" if stated.HasField("shape") else "no shape"
        remedy = "Export with an image of shape (1, channels, height, width)."
        raise InputError(_IMAGE, found=f"{found} at {shown(value.name)}", remedy=remedy)
    if dims[0] not in (1, None):
        remedy = "Export with one image: torch.rand(1, channels, height, width)."
        raise InputError("An .onnx to convert must take a batch of 1", found=f"shape {told}", remedy=remedy)
    first, last = dims[1], dims[3]
    if first is None and last is None:
        remedy = "Leave only height and width open: dynamic_axes={'input': {2: 'height', 3: 'width'}}."
        rule = "An .onnx to convert must state its channels"
        raise InputError(rule, found=f"shape {told}", remedy=remedy)
    if first is None or (last is not None and last < first):
        assert last is not None
        return "NHWC", (1, first, dims[2], last)
    return "NCHW", (1, dims[2], last, first)


def _needed(graph: Any) -> list[Any]:
    """Nodes from which the output is computed."""
    wanted = {graph.output[0].name}
    kept = []
    for node in reversed(graph.node):
        if not wanted.isdisjoint(node.output):
            kept.append(node)
            wanted.update(node.input)
    return kept[::-1]
