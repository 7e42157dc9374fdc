"""A TFLite file as a `Network`: operators from the flatbuffer, shapes from the interpreter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pixelproof.errors import ModelFailed
from pixelproof.measure.cost.ends import (
    COUNTED,
    HIDDEN,
    SEVERAL_OUTPUTS,
    UNROLL,
    Asked,
    Image,
    bound,
    one_input,
    too_odd,
)
from pixelproof.measure.cost.network import SMALL, Network, Operation, Shape, Tensor
from pixelproof.measure.cost.tflite_roles import FUSED, ordered, roles
from pixelproof.measure.runners import first_line
from pixelproof.measure.scan.flatbuffer import Record, read_flatbuffer
from pixelproof.measure.scan.tflite_operations import builtin_names
from pixelproof.measure.scan.tflite_schema import tflite_schema
from pixelproof.measure.scan.tflite_tensors import Tensor as Stored

_NUMBERS = {"FLOAT32": "<f4", "FLOAT16": "<f2", "INT32": "<i4", "INT64": "<i8", "FLOAT64": "<f8"}


def network_of(path: Path, asked: Asked, *, threads: int) -> Network:
    """A TFLite file at the asked size; it has been scanned.

    Raises:
        ModelFailed: it has several inputs, can't be resized, or hides layers inside control flow.
    """
    file = _read(path)
    _refuse_hidden_layers(file)
    inputs, outputs = file.main.numbers("inputs"), file.main.numbers("outputs")
    one_input([file.stored[index].name for index in inputs])
    taken = file.stored[inputs[0]]
    image = bound(_declared(taken), asked, channels_first=False)
    shapes = _Shapes(path, image, asked, own=taken.shape, threads=threads)
    tensors = {str(index): file.tensor(index, shapes.of(index)) for index in range(len(file.stored))}
    operations = [o for record in file.main.rows("operators") for o in _operations(record, file, tensors)]
    if shapes.resized and _sized_by_numbers(operations, tensors):
        shapes.run()
        again = {name: shapes.of(int(name.partition(" ")[0])) for name in tensors}
        tensors = {n: t if t.constant else replace(t, shape=again[n]) for n, t in tensors.items()}
    for index in outputs:
        _require_scaled(file.stored[index].shape, shapes.of(index), taken.shape, image, asked)
    notes = [note for note in (image.note, SEVERAL_OUTPUTS if len(outputs) > 1 else "") if note]
    if any(operation.facts.get("zeros") for operation in operations):
        notes.append(
            "Biases of zeros, which TFLite's converter gives to convolutions that have none, are no parameters."
        )
    fed, last = str(inputs[0]), tuple(str(index) for index in outputs)
    return Network(tuple(operations), tensors, fed, last, image.channels, tuple(notes))


@dataclass(frozen=True)
class _File:
    """What the flatbuffer says.

    Attributes:
        names: operations by operator code.
        stored: tensors of the main graph.
        data: of all buffers.
        unpacked: constants by what they are decoded to, as weights of half precision are.
    """

    main: Record
    others: tuple[Record, ...]
    names: tuple[str, ...]
    stored: tuple[Stored, ...]
    data: tuple[memoryview, ...]
    unpacked: Mapping[int, int]

    def constant(self, tensor: Stored) -> memoryview | None:
        """The bytes of a stored tensor; None for one that is computed."""
        inside = 0 < tensor.buffer < len(self.data) and len(self.data[tensor.buffer]) > 0
        return self.data[tensor.buffer] if inside else None

    def tensor(self, index: int, shape: Shape | None) -> Tensor:
        """A tensor whose shape the interpreter knows."""
        tensor = self.stored[index]
        data = self.constant(tensor)
        real = tensor.kind.startswith(("FLOAT", "BFLOAT", "COMPLEX")) or tensor.quantized
        value = None
        if data is not None and tensor.kind in _NUMBERS and math.prod(tensor.shape) <= SMALL:
            value = np.frombuffer(data, _NUMBERS[tensor.kind]).reshape(tensor.shape)
        return Tensor(shape if data is None else tensor.shape, real, data is not None, value)


def _read(path: Path) -> _File:
    model = read_flatbuffer(path.read_bytes(), tflite_schema(), root="Model")
    main, *others = model.rows("subgraphs")
    names = tuple(_operation_name(code) for code in model.rows("operator_codes"))
    passing = [r for r in main.rows("operators") if names[r.int("opcode_index")] == "DEQUANTIZE"]
    return _File(
        main=main,
        others=tuple(others),
        names=names,
        unpacked={record.numbers("outputs")[0]: record.numbers("inputs")[0] for record in passing},
        stored=tuple(Stored(record) for record in main.rows("tensors")),
        data=tuple(buffer.data("data") for buffer in model.rows("buffers")),
    )


class _Shapes:
    """The interpreter, with the input at the asked size."""

    def __init__(self, path: Path, image: Image, asked: Asked, *, own: Shape, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        self._asked = asked
        self._interpreter = Interpreter(
            model_path=str(path),
            num_threads=threads,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        self._input = self._interpreter.get_input_details()[0]
        self.resized = own != image.shape
        try:
            if self.resized:
                self._interpreter.resize_tensor_input(self._input["index"], list(image.shape))
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise self._refused(own, first_line(error)) from error
        self._own = own
        self._look()

    def of(self, index: int) -> Shape | None:
        """A tensor's shape."""
        return self._found.get(index)

    def run(self) -> None:
        """Run once on zeros: some shapes are computed on the way."""
        details = self._interpreter.get_input_details()[0]
        try:
            zeros = np.zeros(details["shape"], details["dtype"])
            self._interpreter.set_tensor(details["index"], zeros)
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise self._refused(self._own, first_line(error)) from error
        self._look()

    def _look(self) -> None:
        self._found = {
            detail["index"]: tuple(int(n) for n in detail["shape"])
            for detail in self._interpreter.get_tensor_details()
        }

    def _refused(self, own: Shape, said: str) -> ModelFailed:
        return too_odd(self._asked.height, self._asked.width, said, own=own)


def _operation_name(code: Record) -> str:
    number = max(code.int("deprecated_builtin_code"), code.int("builtin_code"))
    return builtin_names()[number]


def _declared(tensor: Stored) -> list[int | None]:
    signature = tensor.record.numbers("shape_signature") or tensor.shape
    return [size if size >= 0 else None for size in signature]


def _operations(record: Record, file: _File, tensors: dict[str, Tensor]) -> list[Operation]:
    """An operator, and the activation function inside it as one of its own."""
    op = file.names[record.int("opcode_index")]
    inputs = tuple(str(index) if index >= 0 else "" for index in record.numbers("inputs"))
    outputs = tuple(str(index) for index in record.numbers("outputs"))
    name = file.stored[int(outputs[0])].name.partition(";")[0] if outputs else op
    role = roles().get(op, "other")
    options = record.row("builtin_options")
    facts = _facts(op, role, options, [tensors.get(given) for given in inputs])
    place = {"TRANSPOSE_CONV": 3, "CONV_3D_TRANSPOSE": 3}.get(op, 2)
    if role in COUNTED and len(inputs) > place and _is_zero(inputs[place], file):
        inputs, facts = inputs[:place], {**facts, "zeros": True}
    fused = 0
    if options is not None and "fused_activation_function" in options:
        fused = options.int("fused_activation_function")
    if fused not in FUSED or not outputs:
        return [Operation(name, op, role, ordered(op, inputs), outputs, facts)]
    inner = f"{outputs[0]} before its activation"
    tensors[inner] = tensors[outputs[0]]
    activation, word = FUSED[fused]
    limits = {"limits": (-1.0, 1.0)} if activation == "clip" else {}
    return [
        Operation(name, op, role, ordered(op, inputs), (inner, *outputs[1:]), facts),
        Operation(name, f"{word} in {op}", activation, (inner,), outputs[:1], limits),
    ]


def _is_zero(name: str, file: _File) -> bool:
    """Whether a bias is stored, and all of it is zero."""
    data = file.constant(file.stored[file.unpacked.get(int(name), int(name))]) if name else None
    return data is not None and not any(data)


def _facts(op: str, role: str, options: Record | None, inputs: Sequence[Tensor | None]) -> dict[str, Any]:
    if role in ("conv", "conv_transposed"):
        return {"channel_axis": -1}
    if role == "matmul":
        turned = op == "FULLY_CONNECTED" or (options is not None and bool(options.int("adj_y")))
        return {"inner_axis": -1 if turned else -2}
    if role == "mean":
        axes = inputs[1].value if inputs[1] is not None else None
        return {"axes": None if axes is None else tuple(int(axis) for axis in axes.reshape(-1))}
    if role == "average_pool" and options is not None:
        window = options.int("filter_height"), options.int("filter_width")
        return {"window": window, "spatial": (1, 2)}
    if role == "clip":
        return {"limits": (0.0, 1.0) if op == "RELU_0_TO_1" else (-1.0, 1.0)}
    return {}


def _sized_by_numbers(operations: Sequence[Operation], tensors: Mapping[str, Tensor]) -> bool:
    """Whether an operation takes sizes that are computed on the way, so that shapes come only with a run."""
    return any(
        not tensors[name].real and not tensors[name].constant
        for operation in operations
        if operation.role not in ("sizes", "other", "select")
        for name in operation.inputs
        if name in tensors
    )


def _require_scaled(stated: Shape, found: Shape | None, own: Shape, image: Image, asked: Asked) -> None:
    """Refuse a resized file whose output didn't grow with its input: some of its sizes are constants."""
    if found is None or len(stated) != 4 or len(found) != 4 or 0 in (*own, *stated):
        return
    for axis in (1, 2):
        if found[axis] * own[axis] != stated[axis] * image.shape[axis]:
            said = f"an output of {found[1]}x{found[2]}: sizes inside the file are fixed"
            raise too_odd(asked.height, asked.width, said, own=own)


def _refuse_hidden_layers(file: _File) -> None:
    """Refuse layers in subgraphs, which run as often as the run itself says."""
    calls = [file.names[record.int("opcode_index")] for record in file.main.rows("operators")]
    called = next((op for op in calls if roles().get(op) == "call"), None)
    if called is None:
        return
    for graph in file.others:
        for record in graph.rows("operators"):
            op = file.names[record.int("opcode_index")]
            if roles().get(op) in COUNTED:
                raise ModelFailed(HIDDEN, found=f"{op} inside {called}", remedy=UNROLL)
