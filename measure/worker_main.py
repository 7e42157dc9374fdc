"""The child: loads one artifact, runs it on what the parent sends, and sends back what comes out."""

from __future__ import annotations

import os
import shutil
import threading
import time
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelproof.measure.sandbox.lockdown import lock_down, take_protocol_streams

if TYPE_CHECKING:
    from pixelproof.measure.protocol import Array, Read, Write
    from pixelproof.measure.runners import Runner


MAX_TEXT = 4000
ORPHAN_INTERVAL_S = 1.0
ALIGNMENT = 64


def aligned(array: Array) -> Array:
    """A copy at an address from which TensorFlow takes a feed without copying it again (64 bytes)."""
    import numpy as np

    room = np.empty(array.nbytes + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    copy = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


class _Session:
    """State between requests: the runner and the inputs that are kept for timing."""

    def __init__(self) -> None:
        self.runner: Runner | None = None
        self.slots: dict[int, Array] = {}

    def answer(self, request: dict[str, Any], arrays: list[Array]) -> tuple[dict[str, Any], list[Array]]:
        """One request's answer: header and arrays."""
        from pixelproof.measure import runners

        operation = request["op"]
        if operation == "prepare":
            return {"libraries": runners.prepare(request["format"])}, []
        if operation == "load":
            self.runner = runners.load(
                request["path"],
                kind=request["format"],
                threads=request["threads"],
                input_name=request["input"],
                output_name=request["output"],
            )
            loaded = {"interface": self.runner.interface, "used": list(self.runner.used)}
            return {**loaded, "global_statistics": self.runner.global_statistics}, []
        if operation == "put":
            self.slots[request["slot"]] = aligned(arrays[0])
            return {}, []
        if self.runner is None:
            raise RuntimeError("nothing is loaded")
        if operation == "run":
            return {}, [self.runner(arrays[0])]
        if operation == "run_float64":
            return {}, [self.runner.run_float64(arrays[0])]
        if operation == "time":
            x = self.slots[request["slot"]]
            start = time.perf_counter()
            y = self.runner(x)
            return {"ms": (time.perf_counter() - start) * 1000, "shape": list(y.shape)}, []
        raise RuntimeError(f"no operation {operation!r}")


def _reader(stream: FileIO) -> Read:
    def read(count: int) -> bytearray:
        data = bytearray(count)
        view = memoryview(data)
        while view:
            got = stream.readinto(view)
            if not got:
                raise EOFError
            view = view[got:]
        return data

    return read


def _writer(stream: FileIO) -> Write:
    def write(data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            view = view[stream.write(view) :]

    return write


def main() -> None:
    """Serve until the parent closes the pipe."""
    requests, answers = take_protocol_streams()
    layers = lock_down()
    scratch = Path.cwd()
    threading.Thread(target=_end_with_parent, args=(os.getppid(), scratch), daemon=True).start()

    from pixelproof.measure import protocol

    read, write = _reader(requests), _writer(answers)
    protocol.send(write, {"ok": True, "layers": list(layers), "pid": os.getpid()})
    session = _Session()
    while True:
        try:
            request, arrays = protocol.receive(read)
        except EOFError:
            _remove(scratch)
            return
        try:
            header, results = session.answer(request, arrays)
            protocol.send(write, {"ok": True, **header}, results)
        except BrokenPipeError:
            _remove(scratch)
            return
        except Exception as error:  # noqa: BLE001 - whatever the model raises is the parent's to judge
            protocol.send(write, {"ok": False, "error": _described(error)})


def _described(error: Exception) -> dict[str, str]:
    from pixelproof.errors import PixelproofError
    from pixelproof.measure.protocol import ProtocolError

    if isinstance(error, ProtocolError):
        rule = "The output must be an array of numbers that the worker can send"
        return {"type": "ModelFailed", "rule": rule, "found": str(error)[:MAX_TEXT]}
    if isinstance(error, PixelproofError):
        parts = {"rule": error.rule, "found": error.found, "remedy": error.remedy}
        return {"type": type(error).__name__, **{key: text[:MAX_TEXT] for key, text in parts.items()}}
    return {"type": "model", "rule": f"{type(error).__name__}: {error}"[:MAX_TEXT]}


def _end_with_parent(parent: int, scratch: Path) -> None:
    """End a busy worker whose parent was killed; an idle one sees its pipe end."""
    while os.getppid() == parent:
        time.sleep(ORPHAN_INTERVAL_S)
    _remove(scratch)
    os._exit(1)


def _remove(scratch: Path) -> None:
    """The parent removes the folder itself, unless it was killed."""
    if scratch.name.startswith("pixelproof-worker-"):
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
