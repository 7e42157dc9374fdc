"""The functions that save and restore a SavedModel's weights: the only ones that may touch files.

`tf.saved_model.save` writes one of each for other loaders than its own; `tf.saved_model.load` never calls them. They
pass where nothing of the model can reach them: the two nodes that the saver names call them, no function does, and
no object knows them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pixelproof.measure.scan.bodies import bodies_of, noted_in, producer
from pixelproof.measure.scan.findings import Finding, shown
from pixelproof.measure.scan.operations import (
    CONTROL_FLOW,
    RESTORE_OPERATIONS,
    SAVE_OPERATIONS,
    TENSOR_OPERATIONS,
    VARIABLE_OPERATIONS,
)
from pixelproof.measure.scan.rules import MAX_ATTRIBUTES, Allowance, Tier
from pixelproof.measure.scan.tensor_sizes import NUMBERS, RESOURCE, STRING

SAVERS = "The functions that save and restore weights are TensorFlow's own, and nothing else calls them"

Role = Literal["save", "restore"]

_NAME = re.compile(r"__inference__traced_(save|restore)_\d+")
_SAVE_AGAIN = "Load the model and save it again with tf.saved_model.save."
_WITH_TEXT = NUMBERS | {RESOURCE, STRING}
_ALLOWANCES: Mapping[Role, Allowance] = {
    "save": Allowance(SAVE_OPERATIONS, _WITH_TEXT),
    "restore": Allowance(RESTORE_OPERATIONS, _WITH_TEXT),
}


@dataclass(frozen=True)
class Savers:
    """Where a SavedModel saves and restores.

    Attributes:
        functions: library functions with the names that TensorFlow gives them, and what each is for.
        nodes: of the graph itself, those that the saver names.
        file_name: the node that takes the name of the file.
    """

    functions: Mapping[str, Role]
    nodes: Mapping[str, Role]
    file_name: str

    @classmethod
    def of(cls, meta: Any) -> Savers:
        """Those of a MetaGraphDef."""
        functions: dict[str, Role] = {}
        for function in meta.graph_def.library.function:
            match = _NAME.fullmatch(function.signature.name)
            if match is not None:
                functions[function.signature.name] = "save" if match[1] == "save" else "restore"
        saver = meta.saver_def
        nodes: dict[str, Role] = {}
        if saver.save_tensor_name:
            nodes[producer(saver.save_tensor_name)] = "save"
        if saver.restore_op_name:
            nodes[producer(saver.restore_op_name)] = "restore"
        return cls(functions, nodes, producer(saver.filename_tensor_name))

    def tier(self) -> Tier:
        """What the graph of this SavedModel may hold."""
        return Tier(
            format="savedmodel",
            usual=Allowance(TENSOR_OPERATIONS | CONTROL_FLOW | VARIABLE_OPERATIONS, NUMBERS | {RESOURCE}),
            functions={name: _ALLOWANCES[role] for name, role in self.functions.items()},
            text_nodes=frozenset({*self.nodes, self.file_name} - {""}),
        )


def saver_findings(meta: Any, savers: Savers) -> Iterator[Finding]:
    """Savers that more than the saver's own nodes can reach, and restoring from elsewhere than the given file."""
    for node in meta.graph_def.node:
        if node.name == savers.file_name and node.op != "Placeholder":
            yield Finding(
                SAVERS, "a file name that isn't given from outside", f"node {shown(node.name)}", _SAVE_AGAIN
            )
    known = _known_to_objects(meta.object_graph_def)
    known.update(gradient.gradient_func for gradient in meta.graph_def.library.registered_gradients)
    for name in sorted(known & set(savers.functions)):
        yield Finding(SAVERS, "a saver that is part of the model", f"function {shown(name)}", _SAVE_AGAIN)
    for body in bodies_of(meta.graph_def):
        for item in noted_in(body, limit=MAX_ATTRIBUTES)[0]:
            if item.kind != "function" or item.value not in savers.functions:
                continue
            role = (
                savers.nodes.get(item.node.name) if body.function is None and item.node is not None else None
            )
            if role != savers.functions[item.value]:
                yield Finding(SAVERS, "a call of a saver", body.place(item.node), _SAVE_AGAIN)
        for node in body.nodes:
            if node.op in savers.functions:
                yield Finding(SAVERS, "a call of a saver", body.place(node), _SAVE_AGAIN)
            if node.op == "RestoreV2" and (not node.input or node.input[0] not in body.arguments):
                yield Finding(SAVERS, "weights restored from another file", body.place(node), _SAVE_AGAIN)


def _known_to_objects(objects: Any) -> set[str]:
    names = set(objects.concrete_functions)
    for item in objects.nodes:
        names.update(item.function.concrete_functions)
        names.add(item.bare_concrete_function.concrete_function_name)
        names.add(item.captured_tensor.concrete_function)
    return names
