"""The child: loads one artifact, runs it on what the parent sends, and sends back what comes out."""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from dataclasses import asdict, replace
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelproof.measure.sandbox.lockdown import LockPlan, lock_down, take_protocol_streams

if TYPE_CHECKING:
    from pixelproof.measure.protocol import Array, Read, Write
    from pixelproof.measure.runners import Runner
    from pixelproof.safety import Scan


MAX_TEXT = 4000
MOST_OPERATIONS, MOST_REFUSALS = 400, 50
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
        self.scans: dict[str, Scan] = {}
        self.slots: dict[int, Array] = {}

    def answer(self, request: dict[str, Any], arrays: list[Array]) -> tuple[dict[str, Any], list[Array]]:
        """One request's answer: header and arrays."""
        from pixelproof.measure import runners

        operation = request["op"]
        if operation == "prepare":
            return {"libraries": runners.prepare(request["format"])}, []
        if operation == "scan":
            return {"scan": asdict(shortened(self._scan(request)))}, []
        if operation == "load":
            self.runner = None
            runners.require_clean(self._scan(request), label=Path(request["path"]).name)
            self.runner = runners.load(
                request["path"],
                kind=request["format"],
                threads=request["threads"],
                input_name=request["input"],
                output_name=request["output"],
                thorough=request["thorough"],
                channels_first=request["channels_first"],
            )
            runners.require_small(self.runner.interface)
            loaded = {"interface": self.runner.interface, "used": list(self.runner.used)}
            return {**loaded, "global_statistics": self.runner.global_statistics}, []
        if operation == "complexity":
            return {}, [self._cost(request)]
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

    def _cost(self, request: dict[str, Any]) -> Array:
        """A file's cost table, as bytes; the file is scanned, and what is loaded stays."""
        import numpy as np

        from pixelproof.measure import runners
        from pixelproof.measure.cost.analysis import analysed
        from pixelproof.measure.cost.ends import Asked

        path = Path(request["path"])
        runners.require_clean(self._scan(request), label=path.name)
        asked = Asked(request["height"], request["width"], request["channels"], request["output"])
        return np.frombuffer(analysed(path, request["format"], asked, threads=request["threads"]), np.uint8)

    def _scan(self, request: dict[str, Any]) -> Scan:
        """What a file holds; read once."""
        from pixelproof.measure.graph_scan import scan

        path = request["path"]
        if path not in self.scans:
            self.scans[path] = scan(Path(path), request["format"])
        return self.scans[path]


def shortened(scan: Scan) -> Scan:
    """A scan that fits into an answer: the most frequent operations, the first refusals."""
    frequent = sorted(scan.operations.items(), key=lambda item: (-item[1], item[0]))[:MOST_OPERATIONS]
    refusals = tuple(
        replace(r, rule=r.rule[:MAX_TEXT], found=r.found[:MAX_TEXT], remedy=r.remedy[:MAX_TEXT])
        for r in scan.refusals[:MOST_REFUSALS]
    )
    return replace(scan, operations={name[:100]: n for name, n in frequent}, refusals=refusals)


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
    layers = lock_down(LockPlan.from_argument(sys.argv[1]))
    threading.Thread(target=_end_with_parent, args=(requests.fileno(),), daemon=True).start()

    from pixelproof.measure import protocol

    read, write = _reader(requests), _writer(answers)
    greeting = {"layers": [asdict(layer) for layer in layers], "pid": os.getpid()}
    protocol.send(write, {"ok": True, **greeting})
    session = _Session()
    while True:
        try:
            request, arrays = protocol.receive(read)
        except EOFError:
            return
        try:
            header, results = session.answer(request, arrays)
            _require_room(results, request["max_payload"])
            protocol.send(write, {"ok": True, **header}, results)
        except BrokenPipeError:
            return
        except Exception as error:  # noqa: BLE001 - whatever the model raises is the parent's to judge
            protocol.send(write, {"ok": False, "error": _described(error, path=request.get("path"))})


def _require_room(results: list[Array], most: int) -> None:
    from pixelproof.errors import ModelFailed

    size = sum(array.nbytes for array in results)
    if size > most:
        rule = "An output must not be far larger than its input"
        raise ModelFailed(rule, found=f"{size / 2**20:.0f} MiB where {most / 2**20:.0f} would do")


def _described(error: Exception, *, path: str | None) -> dict[str, str]:
    """An error as the parent takes it; of the worker's own folder only the file's name is told."""
    return {key: _without_folder(text, path)[:MAX_TEXT] for key, text in _parts(error).items()}


def _without_folder(text: str, path: str | None) -> str:
    return text if path is None else text.replace(str(Path(path).parent) + os.sep, "")


def _parts(error: Exception) -> dict[str, str]:
    from pixelproof.errors import PixelproofError
    from pixelproof.measure.protocol import ProtocolError

    if isinstance(error, ProtocolError):
        rule = "The output must be an array of numbers that the worker can send"
        return {"type": "ModelFailed", "rule": rule, "found": str(error)}
    if isinstance(error, PixelproofError):
        parts = {"rule": error.rule, "found": error.found, "remedy": error.remedy}
        return {"type": type(error).__name__, **parts}
    return {"type": "model", "rule": f"{type(error).__name__}: {error}"}


def _end_with_parent(pipe: int) -> None:
    """End a busy worker whose parent was killed, which closes the other end of the pipe; an idle one reads its end.

    The parent's process id would not tell: in a namespace of its own the worker's parent is another.
    """
    if hasattr(select, "poll"):
        hang_up = select.poll()
        hang_up.register(pipe, 0)
        while not hang_up.poll():
            pass
    else:
        parent = os.getppid()
        while os.getppid() == parent:
            time.sleep(ORPHAN_INTERVAL_S)
    os._exit(1)


if __name__ == "__main__":
    main()
