"""What a .tflite file holds, read before the runtime loads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pixelproof.errors import ArtifactError
from pixelproof.measure.scan.call_depth import call_depth
from pixelproof.measure.scan.findings import Finding, counted, gathered, shown
from pixelproof.measure.scan.flatbuffer import (
    FlatbufferDamaged,
    FlatbufferTooLarge,
    Record,
    read_flatbuffer,
)
from pixelproof.measure.scan.tflite_graph import graph_findings
from pixelproof.measure.scan.tflite_operations import CALLS, allowed_operations, builtin_names, why_refused
from pixelproof.measure.scan.tflite_schema import tflite_schema
from pixelproof.measure.scan.tflite_tensors import (
    Tensor,
    stored_bytes,
    tensor_findings,
)
from pixelproof.safety import Refusal, Scan

MAX_OPERATORS = 100_000
MAX_CALL_DEPTH = 16
_MARK, _VERSION = b"TFL3", 3
_CUSTOM = "CUSTOM"
_FLEX = "Flex operations need the TensorFlow delegate: convert with TFLite's built-in operations only."


def scan_tflite(data: bytes, *, label: str) -> Scan:
    """Operations, sizes and refusals of a TFLite model.

    Args:
        label: how messages name the file.

    Raises:
        ArtifactError: no TFLite flatbuffer, or a damaged one.
    """
    rule = "A .tflite file must be a TFLite flatbuffer"
    if data[4:8] != _MARK:
        raise ArtifactError(rule, found=f"{label} without its TFL3 mark")
    try:
        model = read_flatbuffer(data, tflite_schema(), root="Model")
    except FlatbufferDamaged as error:
        remedy = "Write it again, or copy it again."
        raise ArtifactError(rule, found=f"{label}: {error}", remedy=remedy) from error
    except FlatbufferTooLarge as error:
        too_large = Refusal("A model must be of a size that can be read", f"{error} in {label}")
        return Scan("tflite", nodes=0, functions=0, operations={}, constant_bytes=0, refusals=(too_large,))
    return _scan(model, file_bytes=len(data), label=label)


def _scan(model: Record, *, file_bytes: int, label: str) -> Scan:
    graphs, codes = model.rows("subgraphs"), model.rows("operator_codes")
    names = [_name(code) for code in codes]
    used = Counter(
        names[code] if (code := operator.int("opcode_index")) < len(names) else "(no operation)"
        for graph in graphs
        for operator in graph.rows("operators")
    )
    stored = [stored_bytes(buffer, file_bytes=file_bytes) for buffer in model.rows("buffers")]
    found = [*_model_findings(model, stored), *_operation_findings(names, used.total())]
    constants: dict[int, int] = {}
    if used.total() <= MAX_OPERATORS:
        operations = [allowed_operations().get(name) for name in names]
        for graph in graphs:
            tensors = [Tensor(record) for record in graph.rows("tensors")]
            for tensor in tensors:
                found.extend(tensor_findings(tensor, stored=stored))
                if 0 < tensor.buffer < len(stored):
                    constants[tensor.buffer] = stored[tensor.buffer] or 0
            found.extend(graph_findings(graph, tensors, operations=operations, stored=stored))
        found.extend(_call_findings(graphs, names))
    return Scan(
        format="tflite",
        nodes=used.total(),
        functions=max(0, len(graphs) - 1),
        operations=counted(used),
        constant_bytes=sum(constants.values()),
        refusals=gathered(found, label=label),
    )


def _name(code: Record) -> str:
    """The operation of an operator code; the code stood in one byte once, and newer ones don't fit there."""
    number = max(code.int("deprecated_builtin_code"), code.int("builtin_code"))
    names = builtin_names()
    if not 0 <= number < len(names):
        return f"builtin code {number}"
    return names[number] if names[number] != _CUSTOM else f"{_CUSTOM} {code.text('custom_code')}"


def _model_findings(model: Record, stored: Sequence[int | None]) -> Iterator[Finding]:
    """What is wrong with the model as a whole."""
    graphs, version = model.rows("subgraphs"), model.int("version")
    if version != _VERSION:
        yield Finding(f"A TFLite model must be of schema version {_VERSION}", f"version {version}")
    if model.rows("external_buffers") or model.rows("external_buffer_groups"):
        yield Finding("All weights must be in the file", "other files", remedy="Write them into the model.")
    if None in stored:
        yield Finding(
            "All weights must be in the file", "buffers beyond its end", f"buffer {stored.index(None)}"
        )
    buffers = [row.int("buffer") for row in model.rows("metadata")] + list(model.numbers("metadata_buffer"))
    if not all(0 <= index < len(stored) for index in buffers):
        yield Finding("Metadata must lie in buffers of the file", f"a buffer beyond {len(stored)}")
    for signature in model.rows("signature_defs"):
        graph = signature.int("subgraph_index")
        ends = (*signature.rows("inputs"), *signature.rows("outputs"))
        tensors = len(graphs[graph].rows("tensors")) if graph < len(graphs) else 0
        if graph >= len(graphs) or not all(end.int("tensor_index") < tensors for end in ends):
            rule = "Signatures must name tensors of a subgraph"
            yield Finding(rule, "others", shown(signature.text("signature_key")))


def _operation_findings(names: Sequence[str], operators: int) -> Iterator[Finding]:
    """Operations that may not be, also those that no operator uses."""
    if not operators:
        yield Finding("A model must have operators", "none")
    if operators > MAX_OPERATORS:
        yield Finding(f"A model must have at most {MAX_OPERATORS:,} operators", f"{operators:,}")
    for name in sorted(set(names)):
        if name in builtin_names() and name not in allowed_operations():
            rule, remedy = (
                "Operations must be pure functions of tensors",
                "Replace them by arithmetic on tensors.",
            )
            yield Finding(rule, why_refused(name), name, remedy)
        elif name not in allowed_operations():
            remedy = (
                _FLEX
                if name.startswith(f"{_CUSTOM} Flex")
                else "Convert it with TFLite's built-in operations only."
            )
            yield Finding(
                "Operations must be built into TFLite", "operations that are not", shown(name), remedy
            )


def _call_findings(graphs: Sequence[Record], names: Sequence[str]) -> Iterator[Finding]:
    """Subgraphs that are missing, or that call themselves."""
    calls: dict[int, set[int]] = {index: set() for index in range(len(graphs))}
    for index, graph in enumerate(graphs):
        for operator in graph.rows("operators"):
            code = operator.int("opcode_index")
            called = _called(operator, names[code]) if code < len(names) else ()
            if not all(0 <= target < len(graphs) for target in called):
                yield Finding("Control flow must run subgraphs of the file", "others", names[code])
                return
            calls[index].update(called)
    depth = call_depth(calls)
    if depth is None or depth > MAX_CALL_DEPTH:
        rule = f"Subgraphs must call each other at most {MAX_CALL_DEPTH} deep, without circles"
        yield Finding(rule, "a subgraph that runs itself" if depth is None else f"{depth} levels")


def _called(operator: Record, name: str) -> Sequence[int]:
    """The subgraphs that an operator runs; -1 where it doesn't say."""
    if name not in CALLS:
        return ()
    kind, fields = CALLS[name]
    for field in ("builtin_options", "builtin_options_2"):
        options = operator.row(field)
        if options is not None and options.kind == kind:
            return [options.int(index) for index in fields]
    return (-1,)
