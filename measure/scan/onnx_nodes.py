"""One body of an ONNX model: its nodes, the constants in it, and the types of its values."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from pixelproof.measure.scan.findings import Finding, shown
from pixelproof.measure.scan.onnx_bodies import Body, Function, function_of
from pixelproof.measure.scan.onnx_operations import (
    CONTROL_FLOW,
    TENSOR_OPERATIONS,
    may_be_left_out,
    why_refused,
)
from pixelproof.measure.scan.onnx_proto import text
from pixelproof.measure.scan.onnx_tensors import ELEMENTS, STRING, tensor_findings

_NUMBERS_RULE = "Tensors must hold numbers"
_TYPE_ATTRIBUTES = ("to", "dtype", "output_dtype")


def body_findings(body: Body, *, functions: Collection[Function]) -> Iterator[Finding]:
    """What is wrong with a body.

    Args:
        functions: the model's own.
    """
    for node in body.nodes:
        yield from _operation_findings(node, body, functions)
        for attribute in node.attribute:
            yield from _attribute_findings(attribute, node, body)
    if body.graph is not None:
        yield from _constant_findings(body.graph)
        for value in (*body.graph.input, *body.graph.output, *body.graph.value_info):
            yield from _value_findings(value)


def constants(body: Body) -> Iterator[Any]:
    """TensorProtos of the body, sparse ones left out."""
    if body.graph is not None:
        yield from body.graph.initializer
    for node in body.nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _operation_findings(node: Any, body: Body, functions: Collection[Function]) -> Iterator[Finding]:
    domain, name = operation = function_of(node, node.op_type)
    allowed = not domain and (name in TENSOR_OPERATIONS or name in CONTROL_FLOW)
    if not allowed and operation not in functions:
        rule, remedy = "Operations must be ONNX's own, on tensors", "Replace them by arithmetic on tensors."
        place = f"{shown(f'{domain}.{name}' if domain else name)} in {body.where}"
        yield Finding(rule, why_refused(domain, name), place, remedy)
    elif allowed and any(not given and not may_be_left_out(name, at) for at, given in enumerate(node.input)):
        # onnxruntime 1.31 follows a null pointer for it in Max
        rule = "Only inputs that an operation can do without may be left out"
        yield Finding(rule, "others", f"{shown(name)} in {body.where}")


def _attribute_findings(attribute: Any, node: Any, body: Body) -> Iterator[Finding]:
    domain, name = function_of(node, node.op_type)
    place, attribute_name = f"{shown(name)} in {body.where}", text(attribute.name)
    held = [attribute.t] if attribute.HasField("t") else []
    for tensor in (*held, *attribute.tensors):
        yield from tensor_findings(tensor, place=place)
    if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
        yield Finding("Weights must be dense", "sparse tensors", place)
    if attribute.HasField("tp") or attribute.type_protos:
        yield Finding("Values must be tensors", "attributes that are types", place)
    if (attribute.HasField("g") or attribute.graphs) and (domain or name not in CONTROL_FLOW):
        yield Finding("Only If, Loop and Scan may hold subgraphs", "subgraphs of others", place)
    if (domain, name, attribute_name) == ("", "Split", "num_outputs") and attribute.i != len(node.output):
        # onnxruntime 1.31 indexes its list of sizes by the outputs, and aborts
        yield Finding("Split must have as many outputs as it states", "another number", place)
    to_strings = attribute_name in _TYPE_ATTRIBUTES and attribute.i == STRING
    if to_strings or attribute_name.startswith("value_string"):
        yield Finding(_NUMBERS_RULE, "strings", place)


def _constant_findings(graph: Any) -> Iterator[Finding]:
    for tensor in graph.initializer:
        yield from tensor_findings(tensor, place=shown(text(tensor.name)))
    for sparse in graph.sparse_initializer:
        yield Finding("Weights must be dense", "sparse tensors", shown(text(sparse.values.name)))


def _value_findings(value: Any) -> Iterator[Finding]:
    """Types of inputs, outputs and values between; a value between may be without."""
    name, kind = shown(text(value.name)), value.type.WhichOneof("value")
    if kind is None:
        return
    code = value.type.tensor_type.elem_type
    if kind != "tensor_type":
        yield Finding("Values must be tensors", f"values of {kind}", name)
    elif code and code not in ELEMENTS:
        yield Finding(_NUMBERS_RULE, "strings" if code == STRING else f"elements of type {code}", name)
