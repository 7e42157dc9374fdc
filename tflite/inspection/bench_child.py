"""The child that times a .tflite file and its operations one by one. It locks itself in before it opens the file.

It is started as a script, from a copy in its own inbox: the walls open pixelproof's ``core`` and ``measure`` and no
other folder of it. So nothing of this folder is imported here.

LiteRT's Python interface has no profiler. What an operation costs is measured with a file of that operation alone,
made from the tables of the whole one: the same options, the same constants, and the shapes that hold when it runs.
"""

from __future__ import annotations

import copy
import io
import os
import select
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelproof.measure.sandbox.lockdown import LockPlan, lock_down, take_protocol_streams

if TYPE_CHECKING:
    from pixelproof.measure.protocol import Array

FOLDING = ("DEQUANTIZE", "DENSIFY")
COUNTING = ("int32", "int64", "bool")
"""Types whose values decide on shapes and places, so that invented ones will not do."""
MOST_RANK = 8
MAX_TEXT = 4000


class Bench:
    """One file, opened at one shape of its input.

    Args:
        data: the file; its scan has refused nothing.
        threads: of the runtime.
        shape: of its only input; None as the file states it.
    """

    def __init__(self, data: bytes, *, threads: int, shape: list[int] | None) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._schema, self._data, self._threads, self._shape = schema, data, threads, shape
        self._model: Any = schema.ModelT.InitFromPackedBuf(data, 0)
        self._graph: Any = self._model.subgraphs[0]
        self._names = {code: name for name, code in vars(schema.BuiltinOperator).items() if name.isupper()}
        self._folded = {
            index: operator
            for operator in self._graph.operators
            if self._type(operator) in FOLDING and all(self._stored(i) for i in operator.inputs)
            for index in operator.outputs
        }
        self._shapes, self._values = self._bound()

    def shapes(self) -> Array:
        """Of every tensor: int32 (tensors, 1 + MOST_RANK), the rank and then the sizes; rank -1 where unknown."""
        import numpy as np

        table = np.full((len(self._graph.tensors), 1 + MOST_RANK), -1, np.int32)
        for index, shape in self._shapes.items():
            table[index, 0] = len(shape)
            table[index, 1 : 1 + len(shape)] = shape
        return table

    def time_whole(self, runs: int) -> dict[str, Any]:
        """Milliseconds of each run of the whole file, after one to warm up."""
        interpreter = self._ready(self._interpreter(self._data))
        return {"ms": _timed(interpreter, runs), "partitions": len(_delegated(interpreter))}

    def time_one(self, index: int, runs: int) -> dict[str, Any]:
        """Milliseconds of each run of one operation, and whether XNNPACK took it."""
        operator = self._graph.operators[index]
        data, places = self._alone(operator)
        interpreter = self._interpreter(data)
        interpreter.allocate_tensors()
        _fill(interpreter, {places[i]: value for i, value in self._values.items() if i in places})
        taken = bool(_delegated(interpreter))
        return {"ms": _timed(interpreter, runs), "xnnpack": taken}

    def _type(self, operator: Any) -> str:
        code = self._model.operatorCodes[operator.opcodeIndex]
        return str(self._names.get(max(code.builtinCode, code.deprecatedBuiltinCode), ""))

    def _stored(self, index: int) -> bool:
        """Whether a tensor is a constant; one that is left out doesn't run either."""
        if index < 0:
            return True
        buffer = self._model.buffers[self._graph.tensors[index].buffer]
        return (buffer.data is not None and len(buffer.data) > 0) or (buffer.offset > 1 and buffer.size > 0)

    def _interpreter(self, data: bytes, *, plain: bool = False) -> Any:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        kind = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES if plain else OpResolverType.AUTO
        return Interpreter(model_content=data, num_threads=self._threads, experimental_op_resolver_type=kind)

    def _ready(self, interpreter: Any) -> Any:
        if self._shape is not None:
            interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], self._shape)
        interpreter.allocate_tensors()
        _fill(interpreter, {})
        return interpreter

    def _bound(self) -> tuple[dict[int, list[int]], dict[int, Array]]:
        """Shapes that hold when the file runs, and the values of integers that it computes on the way.

        Where it computes any, it is run once without XNNPACK, which would keep them to itself.
        """
        wanted = self._counting()
        interpreter = self._ready(self._interpreter(self._with_outputs(wanted), plain=True))
        if wanted:
            interpreter.invoke()
        values = {index: interpreter.get_tensor(index).copy() for index in wanted}
        count = len(self._graph.tensors)
        shapes = {
            detail["index"]: [int(n) for n in detail["shape"]]
            for detail in interpreter.get_tensor_details()
            if detail["index"] < count and len(detail["shape"]) <= MOST_RANK
        }
        return shapes, values

    def _counting(self) -> list[int]:
        """Tensors of integers and conditions that operations compute for others."""
        types = {
            code: name.lower()
            for name, code in vars(self._schema.TensorType).items()
            if name.lower() in COUNTING
        }
        read = {index for operator in self._graph.operators for index in operator.inputs}
        return [
            index
            for operator in self._graph.operators
            for index in operator.outputs
            if index in read and self._graph.tensors[index].type in types and index not in self._folded
        ]

    def _with_outputs(self, more: list[int]) -> bytes:
        """The file with further outputs, so that their values are kept."""
        if not more:
            return self._data
        graph = copy.copy(self._graph)
        graph.outputs = list(dict.fromkeys([*self._graph.outputs, *more]))
        return self._packed([graph, *self._model.subgraphs[1:]], self._model.buffers)

    def _alone(self, operator: Any) -> tuple[bytes, dict[int, int]]:
        """A file of one operation, and where the tensors of the whole one stand in it."""
        makers = [self._folded[i] for i in operator.inputs if i in self._folded and i not in operator.outputs]
        operators = [*dict.fromkeys(makers), operator]
        used = list(dict.fromkeys(i for each in operators for i in (*each.inputs, *each.outputs) if i >= 0))
        places = {index: place for place, index in enumerate(used)}
        graph = self._schema.SubGraphT()
        graph.tensors = [self._tensor(index) for index in used]
        graph.operators = [_moved(each, places) for each in operators]
        computed = [i for i in used if i in operator.inputs and not self._stored(i) and i not in self._folded]
        graph.inputs = [places[i] for i in computed]
        graph.outputs = [places[i] for i in operator.outputs]
        kept = {tensor.buffer for tensor in graph.tensors}
        kept |= {tensor.buffer for other in self._model.subgraphs[1:] for tensor in other.tensors}
        empty = self._schema.BufferT()
        buffers = [buffer if place in kept else empty for place, buffer in enumerate(self._model.buffers)]
        return self._packed([graph, *self._model.subgraphs[1:]], buffers), places

    def _tensor(self, index: int) -> Any:
        tensor = copy.copy(self._graph.tensors[index])
        if not self._stored(index) and index in self._shapes:
            tensor.shape, tensor.shapeSignature = self._shapes[index], None
        return tensor

    def _packed(self, subgraphs: list[Any], buffers: list[Any]) -> bytes:
        import flatbuffers  # type: ignore[import-untyped]

        model = self._schema.ModelT()
        model.version, model.operatorCodes = self._model.version, self._model.operatorCodes
        model.subgraphs, model.buffers = subgraphs, buffers
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def _moved(operator: Any, places: dict[int, int]) -> Any:
    moved = copy.copy(operator)
    moved.inputs = [places.get(index, -1) for index in operator.inputs]
    moved.outputs = [places[index] for index in operator.outputs]
    moved.intermediates = None
    return moved


def _delegated(interpreter: Any) -> list[Any]:
    return [each for each in interpreter._get_ops_details() if each["op_name"] == "DELEGATE"]


def _fill(interpreter: Any, values: dict[int, Array]) -> None:
    """Give every input a value: a known one, else noise without zeros, which some kernels take a shortcut for."""
    import numpy as np

    rng = np.random.default_rng(0)
    for detail in interpreter.get_input_details():
        kind, shape = np.dtype(detail["dtype"]), detail["shape"]
        if detail["index"] in values:
            x = values[detail["index"]]
        elif kind.kind == "f":
            x = rng.uniform(0.1, 1.0, shape).astype(kind)
        elif kind.name in COUNTING:
            x = np.zeros(shape, kind)
        elif kind.kind in "iu":
            low, high = np.iinfo(kind).min, np.iinfo(kind).max
            x = rng.integers(low, high, shape, kind, endpoint=True)
        else:
            x = np.zeros(shape, kind)
        interpreter.set_tensor(detail["index"], x)


def _timed(interpreter: Any, runs: int) -> list[float]:
    interpreter.invoke()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        interpreter.invoke()
        times.append((time.perf_counter() - start) * 1000)
    return times


def answer(bench: Bench | None, request: dict[str, Any]) -> tuple[Bench, dict[str, Any], list[Array]]:
    """One request's answer: the file that is open from then on, the header, and arrays."""
    if request["op"] == "open":
        from pixelproof.measure.graph_scan import require_clean, scan

        path = Path(request["path"])
        require_clean(scan(path, "tflite"), label=path.name)
        opened = Bench(path.read_bytes(), threads=request["threads"], shape=request["shape"])
        return opened, {}, [opened.shapes()]
    if bench is None:
        raise RuntimeError("nothing is open")
    if request["op"] == "whole":
        return bench, bench.time_whole(request["runs"]), []
    return bench, bench.time_one(request["index"], request["runs"]), []


def main() -> None:
    """Serve until the parent closes the pipe."""
    requests, answers = take_protocol_streams()
    layers = lock_down(LockPlan.from_argument(sys.argv[1]))
    threading.Thread(target=_end_with_parent, args=(requests.fileno(),), daemon=True).start()
    from dataclasses import asdict

    from pixelproof.measure import protocol

    source = io.BufferedReader(requests)

    def read(count: int) -> bytearray:
        data = bytearray(source.read(count))
        if len(data) < count:
            raise EOFError
        return data

    def write(data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            view = view[answers.write(view) :]

    protocol.send(write, {"ok": True, "pid": os.getpid(), "layers": [asdict(layer) for layer in layers]})
    bench: Bench | None = None
    while True:
        try:
            request, _ = protocol.receive(read)
        except EOFError:
            return
        try:
            bench, header, arrays = answer(bench, request)
        except Exception as error:  # noqa: BLE001 - whatever the file raises is the parent's to judge
            protocol.send(write, {"ok": False, "error": _described(error)})
        else:
            protocol.send(write, {"ok": True, **header}, arrays)


def _described(error: Exception) -> dict[str, str]:
    from pixelproof.errors import PixelproofError

    if isinstance(error, PixelproofError):
        parts = {"rule": error.rule, "found": error.found, "remedy": error.remedy}
        return {"type": type(error).__name__, **{key: text[:MAX_TEXT] for key, text in parts.items()}}
    return {"type": "model", "rule": f"{type(error).__name__}: {error}"[:MAX_TEXT]}


def _end_with_parent(pipe: int) -> None:
    """End a busy child whose parent was killed, which closes the other end of the pipe."""
    if hasattr(select, "poll"):
        hang_up = select.poll()
        hang_up.register(pipe, 0)
        while not hang_up.poll():
            pass
        os._exit(1)


if __name__ == "__main__":
    main()
