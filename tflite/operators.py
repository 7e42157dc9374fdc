"""The operators of a TFLite file, read without the runtime."""

from __future__ import annotations

from collections import Counter

from pixelproof.measure.scan.flatbuffer import Record, read_flatbuffer
from pixelproof.measure.scan.tflite_operations import builtin_names
from pixelproof.measure.scan.tflite_schema import tflite_schema

_BRIDGES = frozenset({"QUANTIZE", "DEQUANTIZE"})
_FLOAT32 = 0


def float_operations(data: bytes) -> dict[str, int]:
    """How many operators take or give float32, by operation; those that only convert don't count.

    Args:
        data: a TFLite file that the scan let pass.
    """
    model = read_flatbuffer(data, tflite_schema(), root="Model")
    names = [_name(code) for code in model.rows("operator_codes")]
    counted: Counter[str] = Counter()
    for graph in model.rows("subgraphs"):
        kinds = [tensor.int("type") for tensor in graph.rows("tensors")]
        for operator in graph.rows("operators"):
            name = names[operator.int("opcode_index")]
            ends = (*operator.numbers("inputs"), *operator.numbers("outputs"))
            if name not in _BRIDGES and any(kinds[end] == _FLOAT32 for end in ends if end >= 0):
                counted[name] += 1
    return dict(sorted(counted.items()))


def _name(code: Record) -> str:
    return builtin_names()[max(code.int("deprecated_builtin_code"), code.int("builtin_code"))]
