"""The list of allowed operations, held against TensorFlow's own registry."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from pixelproof.measure.scan.explanations import EXPLANATIONS, OTHER, explain
from pixelproof.measure.scan.operations import (
    CONTROL_FLOW,
    DATAFLOW_CONTROL,
    FUNCTION_CALLS,
    RESTORE_OPERATIONS,
    SAVE_OPERATIONS,
    STATEFUL_AND_ALLOWED,
    TENSOR_OPERATIONS,
    TENSOR_OPERATIONS_BY_PURPOSE,
    VARIABLE_OPERATIONS,
)

TEXT_RESOURCE_VARIANT = {7, 20, 21}


@pytest.fixture(scope="session")
def registry(tf: Any) -> dict[str, Any]:
    """Every operation that TensorFlow knows."""
    from tensorflow.core.framework.op_def_pb2 import OpList
    from tensorflow.python.client import pywrap_tf_session

    listed = OpList.FromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    return {operation.name: operation for operation in listed.op}


def takes_functions(operation: Any) -> bool:
    return any(attribute.type in ("func", "list(func)") for attribute in operation.attr)


def arguments(operation: Any) -> list[Any]:
    return [*operation.input_arg, *operation.output_arg]


@pytest.mark.parametrize("name", sorted(TENSOR_OPERATIONS))
def test_an_allowed_operation_is_one_on_tensors(registry: dict[str, Any], name: str) -> None:
    operation = registry[name]
    assert not takes_functions(operation)
    assert operation.is_stateful == (name in STATEFUL_AND_ALLOWED)
    assert not any(argument.is_ref for argument in arguments(operation))
    fixed = {argument.type for argument in arguments(operation)}
    defaults = {attribute.default_value.type for attribute in operation.attr}
    assert not (fixed | defaults) & TEXT_RESOURCE_VARIANT
    assert explain(name) is OTHER


def test_the_purposes_share_nothing_and_every_exception_has_its_reason() -> None:
    names = Counter(name for group in TENSOR_OPERATIONS_BY_PURPOSE.values() for name in group)
    assert max(names.values()) == 1
    assert 180 <= len(names) <= 240
    assert set(STATEFUL_AND_ALLOWED) < TENSOR_OPERATIONS
    assert all(STATEFUL_AND_ALLOWED.values())
    assert not TENSOR_OPERATIONS & (CONTROL_FLOW | VARIABLE_OPERATIONS)


def test_control_flow_calls_functions_or_moves_tensors(registry: dict[str, Any]) -> None:
    assert all(takes_functions(registry[name]) for name in FUNCTION_CALLS)
    assert not any(takes_functions(registry[name]) for name in DATAFLOW_CONTROL)
    assert not any(registry[name].is_stateful for name in DATAFLOW_CONTROL)


def test_a_saved_model_s_own_operations(registry: dict[str, Any]) -> None:
    for name in VARIABLE_OPERATIONS:
        assert 20 in {argument.type for argument in arguments(registry[name])}, name
    for name in (SAVE_OPERATIONS | RESTORE_OPERATIONS) - TENSOR_OPERATIONS - VARIABLE_OPERATIONS:
        assert 7 in {argument.type for argument in arguments(registry[name])}, name
    assert "SaveV2" not in RESTORE_OPERATIONS and "RestoreV2" not in SAVE_OPERATIONS


def test_every_explanation_speaks_of_something_registered(
    registry: dict[str, Any],
) -> None:
    explained = Counter(explain(name).effect for name in registry)
    assert set(explained) == {kind.effect for kind in (*EXPLANATIONS, OTHER)}
    text_or_handles = {
        name
        for name, operation in registry.items()
        if {argument.type for argument in arguments(operation)} & TEXT_RESOURCE_VARIANT
    }
    assert len(text_or_handles) > 600
    assert not text_or_handles & (TENSOR_OPERATIONS | CONTROL_FLOW)


@pytest.mark.parametrize(
    ("name", "effect"),
    [
        ("ReadFile", "reads files of the machine"),
        ("MatchingFiles", "reads files of the machine"),
        ("ImmutableConst", "reads files of the machine"),
        ("RestoreV2", "reads files of the machine"),
        ("TextLineReaderV2", "reads files of the machine"),
        ("WriteFile", "writes files"),
        ("SaveV2", "writes files"),
        ("DebugIdentity", "for a debugger"),
        ("DebugNumericSummaryV2", "for a debugger"),
        ("PyFunc", "runs Python"),
        ("EagerPyFunc", "runs Python"),
        ("Abort", "ends or delays"),
        ("PrintV2", "prints"),
        ("DecodePng", "decodes"),
        ("FIFOQueueV2", "keeps data between runs"),
        ("HashTableV2", "lookup table"),
        ("IteratorV2", "input pipeline"),
        ("VarHandleOp", "variable"),
        ("ScatterNdUpdate", "variable"),
        ("TensorListStack", "list of tensors"),
        ("CollectiveReduceV2", "other devices or machines"),
        ("RpcCall", "other devices or machines"),
        ("XlaLaunch", "compiler"),
        ("TPUExecute", "accelerator"),
        ("_FusedConv2D", "internal"),
        ("Svd", "not among"),
    ],
)
def test_a_refusal_is_explained(registry: dict[str, Any], name: str, effect: str) -> None:
    assert name in registry
    assert effect in explain(name).effect
    assert explain(name).remedy.endswith(".")
