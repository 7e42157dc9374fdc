"""What an .onnx file holds, read before onnxruntime loads it.

onnxruntime follows the locations of external data, even takes one of them for an address in memory, has operations
of its own that load code, and expands functions; so each of these is looked for in every graph, reachable or not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf.message import DecodeError

from pixelproof.errors import ArtifactError
from pixelproof.measure.scan.call_depth import call_depth, expanded_nodes
from pixelproof.measure.scan.findings import Finding, counted, gathered, shown
from pixelproof.measure.scan.onnx_bodies import Body, Function, all_bodies, function_of
from pixelproof.measure.scan.onnx_nodes import body_findings, constants
from pixelproof.measure.scan.onnx_operations import standard
from pixelproof.measure.scan.onnx_proto import messages, text
from pixelproof.measure.scan.onnx_tensors import stored_bytes
from pixelproof.safety import Scan

MAX_NODES = 100_000
MAX_CALL_DEPTH = 16
IR_VERSIONS = range(3, 14)
OPSETS = range(1, 27)
"""What onnxruntime 1.31 loads."""

_ORT_MARK = b"ORTM"
_ROOT: Function = ("", "")
_RESERVED = ("ai.onnx", "com.microsoft", "com.ms")


def scan_onnx(data: bytes, *, label: str) -> Scan:
    """Operations, sizes and refusals of an ONNX model.

    Args:
        label: how messages name the file.

    Raises:
        ArtifactError: no ONNX model, or a damaged one.
    """
    rule, remedy = "An .onnx file must hold an ONNX model", "Write it again, or copy it again."
    if data[4:8] == _ORT_MARK:
        raise ArtifactError(rule, found=f"{label}, of onnxruntime's own format", remedy="Export it as ONNX.")
    try:
        model = messages().ModelProto.FromString(data)
        if not model.HasField("graph"):
            raise ArtifactError(rule, found=f"{label} without a graph", remedy=remedy)
        return _scan(model, label=label)
    except DecodeError as error:
        raise ArtifactError(rule, found=f"{label}: {error}", remedy=remedy) from error


def _scan(model: Any, *, label: str) -> Scan:
    bodies = all_bodies(model, max_nodes=MAX_NODES)
    nodes = sum(len(body.nodes) for body in bodies)
    found = list(_model_findings(model))
    used: Counter[str] = Counter()
    constant_bytes = 0
    if not nodes:
        found.append(Finding("A model must have nodes", "none"))
    if nodes > MAX_NODES:
        found.append(Finding(f"A model must have at most {MAX_NODES:,} nodes", f"{nodes:,} or more"))
    else:
        functions = {function_of(function, function.name) for function in model.functions}
        found.extend(_function_findings(bodies, functions))
        for body in bodies:
            found.extend(body_findings(body, functions=functions))
            used.update(_operation_name(node) for node in body.nodes)
            constant_bytes += sum(stored_bytes(tensor) for tensor in constants(body))
    return Scan(
        format="onnx",
        nodes=nodes,
        functions=len(bodies) - 1,
        operations=counted(used),
        constant_bytes=constant_bytes,
        refusals=gathered(found, label=label),
    )


def _operation_name(node: Any) -> str:
    domain, name = function_of(node, node.op_type)
    return f"{domain}.{name}" if domain else name


def _model_findings(model: Any) -> Iterator[Finding]:
    """What is wrong with the model as a whole."""
    if model.ir_version not in IR_VERSIONS:
        rule = f"An ONNX model must be of IR version {IR_VERSIONS[0]} to {IR_VERSIONS[-1]}"
        yield Finding(rule, f"version {model.ir_version}")
    opsets = [entry.version for entry in model.opset_import if standard(text(entry.domain))]
    if not opsets or not all(opset in OPSETS for opset in opsets):
        rule = f"An ONNX model must name its opset, {OPSETS[0]} to {OPSETS[-1]}"
        yield Finding(rule, f"opset {opsets[0]}" if opsets else "none")
    if model.training_info:
        yield Finding("A judged model must be for inference", "training information")
    if any(entry.key == "ort_config" for entry in model.metadata_props):
        yield Finding("A model must not configure onnxruntime", "ort_config in its metadata")


def _function_findings(bodies: Sequence[Body], functions: set[Function]) -> Iterator[Finding]:
    """Functions that pose as operations, that call themselves, or that grow when they are expanded."""
    for domain, name in sorted(functions):
        if not domain or domain.startswith(_RESERVED):
            rule = "A model's functions must be in a domain of their own"
            yield Finding(rule, "functions in reserved domains", shown(f"{domain}.{name}"))
    calls: dict[Function, Counter[Function]] = {name: Counter() for name in (_ROOT, *functions)}
    own: Counter[Function] = Counter()
    for body in bodies:
        caller = body.function or _ROOT
        own[caller] += len(body.nodes)
        calls[caller].update(
            key for node in body.nodes if (key := function_of(node, node.op_type)) in functions
        )
    depth = call_depth(calls)
    if depth is None or depth > MAX_CALL_DEPTH:
        rule = f"Functions must call each other at most {MAX_CALL_DEPTH} deep, without circles"
        yield Finding(rule, "a function that calls itself" if depth is None else f"{depth} levels")
    elif (size := expanded_nodes(own, calls)[_ROOT]) > MAX_NODES:
        rule = f"A model must have at most {MAX_NODES:,} nodes once its functions are expanded"
        yield Finding(rule, f"{size:,}")
