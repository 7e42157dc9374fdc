"""What every locked child does with its pipes: answer one request after another until the parent is gone."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelproof.safety import SandboxLayer

if TYPE_CHECKING:
    from pixelproof.measure.protocol import Array, Read, Write

Answer = Callable[[dict[str, Any], list["Array"]], tuple[dict[str, Any], list["Array"]]]

MAX_TEXT = 4000
ORPHAN_INTERVAL_S = 1.0


def serve(
    requests: FileIO, answers: FileIO, layers: Sequence[SandboxLayer], session: Callable[[], Answer]
) -> None:
    """Greet the parent, then answer its requests until it closes the pipe.

    Args:
        layers: the walls that stand, for the greeting.
        session: called once after it; gives the function of (header, arrays) that answers with the same.
    """
    threading.Thread(target=_end_with_parent, args=(requests.fileno(),), daemon=True).start()

    from pixelproof.measure import protocol

    read, write = _reader(requests), _writer(answers)
    protocol.send(write, {"ok": True, "layers": [asdict(layer) for layer in layers], "pid": os.getpid()})
    answer = session()
    while True:
        try:
            request, arrays = protocol.receive(read)
        except EOFError:
            return
        try:
            header, results = answer(request, arrays)
            protocol.send(write, {"ok": True, **header}, results)
        except BrokenPipeError:
            return
        except Exception as error:  # noqa: BLE001 - whatever the model raises is the parent's to judge
            protocol.send(write, {"ok": False, "error": _described(error, path=request.get("path"))})


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
