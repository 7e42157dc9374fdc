"""One subgraph of a TFLite model: which tensors its operators read and write, in which order, with which options."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pixelproof.measure.scan.findings import Finding, shown
from pixelproof.measure.scan.flatbuffer import Record
from pixelproof.measure.scan.tflite_operations import Operation
from pixelproof.measure.scan.tflite_options import option_findings
from pixelproof.measure.scan.tflite_tensors import Tensor

_LEFT_OUT = -1
_INTEGERS = ("INT8", "UINT8", "INT16")


def graph_findings(
    graph: Record,
    tensors: Sequence[Tensor],
    *,
    operations: Sequence[Operation | None],
    stored: Sequence[int | None],
) -> Iterator[Finding]:
    """What is wrong with a subgraph's operators.

    Args:
        operations: by operator code; None for those that are refused anyway.
        stored: the bytes of each buffer of the model.
    """
    where = shown(graph.text("name")) or "a subgraph"
    inputs, outputs = graph.numbers("inputs"), graph.numbers("outputs")
    if not all(0 <= index < len(tensors) for index in (*inputs, *outputs)):
        yield Finding("Inputs and outputs of a subgraph must be its tensors", "others", where)
        return
    held = {index for index, tensor in enumerate(tensors) if _is_held(tensor, stored)}
    if len(set(inputs)) < len(inputs) or not held.isdisjoint(inputs):
        yield Finding("Inputs of a subgraph must be tensors of their own, without data", "others", where)
    known = held.union(inputs)
    for record in graph.rows("operators"):
        yield from _operator_findings(record, tensors, known, operations)
    unknown = [tensors[index].name for index in outputs if index not in known]
    if unknown:
        yield Finding(
            "Every output of a subgraph must be computed", "outputs that nothing computes", unknown[0]
        )


def _is_held(tensor: Tensor, stored: Sequence[int | None]) -> bool:
    """Whether the file gives the tensor's value: a constant, or nothing at all."""
    constant = 0 < tensor.buffer < len(stored) and stored[tensor.buffer]
    return bool(constant) or 0 in tensor.shape


def _operator_findings(
    record: Record, tensors: Sequence[Tensor], known: set[int], operations: Sequence[Operation | None]
) -> Iterator[Finding]:
    """What is wrong with an operator; what it writes is known afterwards."""
    code = record.int("opcode_index")
    if code >= len(operations):
        yield Finding(
            "Every operator must have its operator code", f"{len(operations)} codes", f"code {code}"
        )
        return
    operation, count = operations[code], len(tensors)
    inputs: tuple[int, ...] = record.numbers("inputs")
    outputs: tuple[int, ...] = record.numbers("outputs")
    written = (*outputs, *record.numbers("intermediates"))
    if any(not _LEFT_OUT <= i < count for i in inputs) or any(not 0 <= i < count for i in written):
        place = operation.name if operation else f"code {code}"
        yield Finding("Operators must read and write tensors of their subgraph", "others", place)
        return
    if operation is not None:
        yield from _signature_findings(operation, inputs, outputs)
        yield from _scale_findings(operation, [tensors[i] for i in (*inputs, *outputs) if i != _LEFT_OUT])
        yield from option_findings(operation.name, record, inputs=len(inputs), outputs=len(outputs))
    for i in inputs:
        if i != _LEFT_OUT and i not in known:
            yield Finding("Every tensor must be computed before it is read", "others", tensors[i].name)
    for i in outputs:
        if i in known:
            rule = "Every tensor must be written once, and neither constants nor inputs"
            yield Finding(rule, "others", tensors[i].name)
        known.add(i)


def _signature_findings(
    operation: Operation, inputs: Sequence[int], outputs: Sequence[int]
) -> Iterator[Finding]:
    fewest, most = operation.inputs
    least, greatest = operation.outputs
    if not (fewest <= len(inputs) <= most and least <= len(outputs) <= greatest):
        rule = "Operators must have as many inputs and outputs as TFLite's operations"
        yield Finding(rule, "others", f"{operation.name} with {len(inputs)} and {len(outputs)}")
    if any(i == _LEFT_OUT and place != operation.optional for place, i in enumerate(inputs)):
        yield Finding("Only a bias may be left out", "another input left out", operation.name)


def _scale_findings(operation: Operation, ends: Sequence[Tensor]) -> Iterator[Finding]:
    """Arithmetic on scaled and on plain integers at once, which kernels answer with an abort."""
    if operation.rescales:
        scaled = {tensor.quantized for tensor in ends if tensor.kind in _INTEGERS}
        if len(scaled) > 1:
            rule = "Quantized arithmetic must have a scale for every tensor"
            yield Finding(rule, "tensors without a scale", operation.name)
