"""TFLite files that strangers may hand in, made field by field; each as bytes."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

FLOAT, INT32, BOOL = 0, 2, 6
ADD, CUSTOM, LESS, MUL, CALL_ONCE, WHILE, FILL = 0, 32, 58, 18, 129, 119, 94
"""Codes of schema.fbs."""
SIZE_OF_THE_FILE = 2**31 - 1


def schema() -> Any:
    """The tables of a TFLite file as Python objects."""
    from ai_edge_litert import schema_py_generated

    return schema_py_generated


def tensor(name: str, shape: Sequence[int], *, buffer: int = 0, kind: int = FLOAT) -> Any:
    """A tensor; dimensions of -1 are open."""
    made = schema().TensorT()
    made.name, made.type, made.buffer = name, kind, buffer
    made.shape = [1 if size < 0 else size for size in shape]
    made.shapeSignature = list(shape)
    return made


def operator(code: int, inputs: Sequence[int], outputs: Sequence[int]) -> Any:
    """An operator: the index of its code, of its tensors."""
    made = schema().OperatorT()
    made.opcodeIndex, made.inputs, made.outputs = code, list(inputs), list(outputs)
    return made


def subgraph(
    tensors: Sequence[Any], operators: Sequence[Any], inputs: Sequence[int], outputs: Sequence[int]
) -> Any:
    """A subgraph of these tensors and operators."""
    made = schema().SubGraphT()
    made.tensors, made.operators = list(tensors), list(operators)
    made.inputs, made.outputs, made.name = list(inputs), list(outputs), "main"
    return made


def code(number: int, *, custom: str | None = None) -> Any:
    """The code of an operation."""
    made = schema().OperatorCodeT()
    made.deprecatedBuiltinCode, made.builtinCode = min(number, 127), number
    made.customCode, made.version = custom, 1
    return made


def buffer(data: bytes = b"") -> Any:
    """A buffer of these bytes."""
    made = schema().BufferT()
    made.data = list(data) if data else None
    return made


def halved(*, names: tuple[str, str] = ("input", "output")) -> Any:
    """A model that darkens the picture, as an object to change: tensors input, factor, output; one MUL."""
    made = schema().ModelT()
    made.version, made.description = 3, "made by a test"
    made.buffers = [buffer(), buffer(np.array([0.5], "<f4").tobytes())]
    made.operatorCodes = [code(MUL)]
    picture = (1, -1, -1, 3)
    tensors = [tensor(names[0], picture), tensor("factor", [1], buffer=1), tensor(names[1], picture)]
    only = operator(0, [0, 1], [2])
    only.builtinOptionsType, only.builtinOptions = schema().BuiltinOptions.MulOptions, schema().MulOptionsT()
    made.subgraphs = [subgraph(tensors, [only], [0], [2])]
    return made


def packed(model: Any) -> bytes:
    """The file."""
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def good() -> bytes:
    """What an honest team hands in."""
    return packed(halved())


def with_operation(number: int, *, custom: str | None = None) -> bytes:
    """A model whose only operation is another one."""
    model = halved()
    model.operatorCodes = [code(number, custom=custom)]
    model.subgraphs[0].operators[0].builtinOptionsType = 0
    model.subgraphs[0].operators[0].builtinOptions = None
    return packed(model)


def custom_operation_unused() -> bytes:
    """A good model that lists a custom operation that no operator uses."""
    model = halved()
    model.operatorCodes.append(code(CUSTOM, custom="ReadSecret"))
    return packed(model)


def mutated(seed: int, *, bytes_changed: int = 24) -> bytes:
    """A good model with some bytes behind its mark changed at random."""
    chance = random.Random(seed)
    data = bytearray(good())
    for _ in range(bytes_changed):
        data[chance.randrange(8, len(data))] = chance.randrange(256)
    return bytes(data)


def truncated() -> bytes:
    """The first half of a good model."""
    data = good()
    return data[: len(data) // 2]


def pointing_outside() -> bytes:
    """A good model whose root table lies beyond its end."""
    data = good()
    return (len(data) * 4).to_bytes(4, "little") + data[4:]


def tensor_beyond() -> bytes:
    """An operator that reads a tensor that isn't there."""
    model = halved()
    model.subgraphs[0].operators[0].inputs = [0, 1_000_000]
    return packed(model)


def huge_tensor() -> bytes:
    """A tensor between that claims 2^30 x 2^30 floats."""
    model = halved()
    graph = model.subgraphs[0]
    graph.tensors.append(tensor("between", [2**30, 2**30]))
    return packed(model)


def short_weights() -> bytes:
    """Weights that claim a hundred times what their buffer stores."""
    model = halved()
    graph = model.subgraphs[0]
    graph.tensors[1].shape = graph.tensors[1].shapeSignature = [100]
    return packed(model)


def weights_elsewhere() -> bytes:
    """Weights that claim to lie behind the file's end."""
    model = halved()
    model.buffers[1].offset, model.buffers[1].size = SIZE_OF_THE_FILE, 4
    model.buffers[1].data = None
    return packed(model)


def called_once() -> bytes:
    """A model that runs a subgraph when it is loaded."""
    model = halved()
    model.operatorCodes.append(code(CALL_ONCE))
    once = operator(1, [], [])
    once.builtinOptionsType = schema().BuiltinOptions.CallOnceOptions
    once.builtinOptions = schema().CallOnceOptionsT()
    once.builtinOptions.initSubgraphIndex = 1
    model.subgraphs[0].operators.insert(0, once)
    model.subgraphs.append(subgraph([], [], [], []))
    return packed(model)


def looping(*, body: int = 2) -> bytes:
    """A WHILE whose condition always holds.

    Args:
        body: the subgraph that it repeats; 0 is the one that it stands in.
    """
    model = halved()
    picture = (1, -1, -1, 3)
    model.operatorCodes += [code(WHILE), code(LESS)]
    graph = model.subgraphs[0]
    graph.tensors.append(tensor("turned", picture))
    turn = operator(1, [2], [3])
    turn.builtinOptionsType = schema().BuiltinOptions.WhileOptions
    turn.builtinOptions = schema().WhileOptionsT()
    turn.builtinOptions.condSubgraphIndex, turn.builtinOptions.bodySubgraphIndex = 1, body
    graph.operators.append(turn)
    graph.outputs = [3]
    small = tensor("small", [1], buffer=1)
    model.buffers.append(buffer(np.array([0.75], "<f4").tobytes()))
    larger = tensor("larger", [1], buffer=2)
    less = operator(2, [1, 2], [3])
    less.builtinOptionsType, less.builtinOptions = (
        schema().BuiltinOptions.LessOptions,
        schema().LessOptionsT(),
    )
    condition = [tensor("x", picture), small, larger, tensor("go_on", [1], kind=BOOL)]
    model.subgraphs.append(subgraph(condition, [less], [0], [3]))
    same = operator(0, [0, 1], [2])
    same.builtinOptionsType, same.builtinOptions = schema().BuiltinOptions.MulOptions, schema().MulOptionsT()
    model.subgraphs.append(
        subgraph([tensor("x", picture), tensor("f", [1], buffer=1), tensor("y", picture)], [same], [0], [2])
    )
    return packed(model)


def named(name: str) -> bytes:
    """A good model whose tensors bear a name."""
    return packed(halved(names=(name, name + "2")))


BUILDERS: Mapping[str, Callable[[], bytes]] = {
    "custom": lambda: with_operation(CUSTOM, custom="ReadSecret"),
    "flex": lambda: with_operation(CUSTOM, custom="FlexReadFile"),
    "custom_unused": custom_operation_unused,
    "no_such_code": lambda: with_operation(32_000),
    "mutated": lambda: mutated(1),
    "truncated": truncated,
    "pointing_outside": pointing_outside,
    "tensor_beyond": tensor_beyond,
    "huge_tensor": huge_tensor,
    "short_weights": short_weights,
    "weights_elsewhere": weights_elsewhere,
    "called_once": called_once,
    "endless": looping,
    "recursion": lambda: looping(body=0),
    "control_name": lambda: named("in\x1b[2J\x1b[1;32mPASSED\x1b[0m\r\n\u202e\x07"),
    "mark_alone": lambda: b"\0\0\0\0TFL3",
    "good": good,
}
