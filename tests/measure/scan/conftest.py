"""Raw graph protos, as a stranger may write them: TensorFlow would not build most of these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pixelproof.safety import Refusal, Scan


@dataclass(frozen=True)
class Function:
    """An attribute's value that names a library function."""

    name: str


class Protos:
    """Makes NodeDefs, FunctionDefs and GraphDefs; attributes are told by their Python types."""

    def __init__(self, tf: Any) -> None:
        self._tf = tf

    def node(self, op: str, name: str, *inputs: str, device: str = "", **attributes: Any) -> Any:
        """A NodeDef."""
        node = self._tf.compat.v1.NodeDef(name=name, op=op, input=inputs, device=device)
        for key, value in attributes.items():
            self._set(node.attr[key], value)
        return node

    def _set(self, attribute: Any, value: Any) -> None:
        if isinstance(value, self._tf.DType):
            attribute.type = value.as_datatype_enum
        elif isinstance(value, bool):
            attribute.b = value
        elif isinstance(value, int):
            attribute.i = value
        elif isinstance(value, str):
            attribute.s = value.encode()
        elif isinstance(value, Function):
            attribute.func.name = value.name
        elif isinstance(value, list) and value and isinstance(value[0], Function):
            self.name_functions(attribute, [function.name for function in value])
        elif isinstance(value, list):
            attribute.list.type.extend(kind.as_datatype_enum for kind in value)
        else:
            attribute.tensor.CopyFrom(value)

    def name_functions(self, attribute: Any, names: list[str]) -> None:
        """Let an attribute list functions."""
        for name in names:
            attribute.list.func.add().name = name

    def tensor(self, shape: tuple[int, ...], dtype: Any = None, **values: Any) -> Any:
        """A TensorProto that states a shape and stores what is given."""
        made = self._tf.make_tensor_proto(0.0).__class__(**values)
        made.dtype = (dtype or self._tf.float32).as_datatype_enum
        for size in shape:
            made.tensor_shape.dim.add(size=size)
        return made

    def const(self, name: str, tensor: Any) -> Any:
        """A Const node."""
        node = self.node("Const", name, value=tensor)
        node.attr["dtype"].type = tensor.dtype
        return node

    def text(self, name: str, *words: bytes) -> Any:
        """A Const node of text."""
        return self.const(name, self.tensor((len(words),), self._tf.string, string_val=words))

    def function(self, name: str, *nodes: Any, inputs: tuple[str, ...] = ("x",), **returned: str) -> Any:
        """A FunctionDef of float arguments; ``returned`` maps results to references."""
        made = self._tf.compat.v1.GraphDef().library.function.add()
        made.signature.name = name
        for argument in inputs:
            made.signature.input_arg.add(name=argument, type=1)
        for result, reference in returned.items():
            made.signature.output_arg.add(name=result, type=1)
            made.ret[result] = reference
        made.node_def.extend(nodes)
        return made

    def graph(self, *nodes: Any, functions: tuple[Any, ...] = ()) -> Any:
        """A GraphDef that copies ``input`` to ``output``, with further nodes and functions beside."""
        tf = self._tf
        made = tf.compat.v1.GraphDef()
        made.node.append(self.node("Placeholder", "input", dtype=tf.float32))
        made.node.append(self.node("Identity", "output", "input", T=tf.float32))
        made.node.extend(nodes)
        made.library.function.extend(functions)
        return made


Only = Callable[[Scan], Refusal]


@pytest.fixture(scope="session")
def protos(tf: Any) -> Protos:
    """A maker of protos."""
    return Protos(tf)


@pytest.fixture(scope="session")
def scanned(tf: Any) -> Callable[[Any], Scan]:
    """``scanned(graph)``: the scan of a frozen graph called ``m.pb``."""
    from pixelproof.measure.scan.graphdef import scan_graph

    return lambda graph: scan_graph(graph, label="m.pb")


@pytest.fixture(scope="session")
def call_function() -> Callable[[str], Function]:
    """``call_function(name)``: the value of an attribute that names a library function."""
    return Function


@pytest.fixture(scope="session")
def the_refusal() -> Only:
    """``the_refusal(scan)``: the only one there is."""

    def only(scan: Scan) -> Refusal:
        assert len(scan.refusals) == 1, scan.refusals
        return scan.refusals[0]

    return only


@pytest.fixture(scope="session")
def save_model(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``save_model(module)`` writes a module with ``serve`` as a SavedModel; returns the folder."""

    def save(module: Any, **options: Any) -> Path:
        folder = tmp_path_factory.mktemp("model") / "saved"
        signatures = {"serving_default": module.serve} if hasattr(module, "serve") else None
        tf.saved_model.save(module, str(folder), signatures=signatures, **options)
        return folder

    return save


@pytest.fixture(scope="session")
def scaling(tf: Any, save_model: Callable[..., Path]) -> Path:
    """A SavedModel that multiplies by a variable."""
    return save_model(scaling_module(tf))


def scaling_module(tf: Any) -> Any:
    """A module whose ``serve`` multiplies the image by a variable."""
    module = tf.Module()
    module.scale = tf.Variable(2.0)
    spec = tf.TensorSpec((1, None, None, 3), tf.float32, name="input")
    module.serve = tf.function(lambda input: {"output": input * module.scale}, input_signature=[spec])
    return module
