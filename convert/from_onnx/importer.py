"""The parent's end of the importer: starts the locked child, asks it, believes nothing that it says."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar

import pixelproof.convert
import pixelproof.tflite
from pixelproof import errors
from pixelproof.environment import usable_cores
from pixelproof.measure import protocol
from pixelproof.measure.inbox import DEFAULT_MAX_BYTES
from pixelproof.measure.protocol import Array, ProtocolError
from pixelproof.measure.sandbox.lockdown import LockPlan
from pixelproof.measure.worker_answers import greeting_from
from pixelproof.measure.worker_process import WorkerProcess
from pixelproof.schema import build

START_TIMEOUT_S = 300.0
TIMEOUT_S = 900.0
LIFETIME_S = 4 * 3600.0
MEMORY_LIMIT_MIB = 16 * 1024
_CODE = "code"
_RAISED = ("ArtifactError", "CallError", "GraphRefused", "InputError", "ModelFailed")
T = TypeVar("T")


@dataclass(frozen=True)
class Described:
    """What an .onnx says of itself.

    Attributes:
        layout: of the image at both ends.
        shape: of the input, (1, height, width, channels); None where any size is taken.
        nodes: that its output needs.
        parameters: real numbers that it stores.
    """

    layout: Literal["NCHW", "NHWC"]
    shape: tuple[int | None, ...]
    opset: int
    nodes: int
    parameters: int


@dataclass(frozen=True)
class Parting:
    """The first layer whose output differs; as `trace.Parting`."""

    name: str
    op: str
    max_abs: float
    largest: float
    layers: int


class _Process(WorkerProcess):
    """The child; its code lies in its inbox, because a checkout is closed to it."""

    def _command(self, plan: LockPlan, inbox: Path) -> list[str]:
        code = inbox / _CODE
        for package in (pixelproof.convert, pixelproof.tflite):
            folder = Path(package.__file__ or "").parent
            _copy_modules(folder, code / folder.name)
        _copy_modules(Path(__file__).parent, code / "convert" / "from_onnx")
        start = f"import pixelproof; pixelproof.__path__.insert(0, {str(code)!r}); "
        start += "from pixelproof.convert.from_onnx.importer_main import main; main()"
        return [sys.executable, "-P", "-c", start, plan.to_argument()]


def _copy_modules(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for module in source.glob("*.py"):
        shutil.copyfile(module, target / module.name)


class Importer:
    """One child that holds one .onnx. A context manager: leaving it ends the child."""

    def __init__(self) -> None:
        self._process = _Process(
            threads=usable_cores(), lifetime_s=LIFETIME_S, memory_limit_mib=MEMORY_LIMIT_MIB
        )
        self._greeted = False

    def __enter__(self) -> Importer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.close()

    def read(self, path: Path) -> Described:
        """Scan the file, and read what it says of itself.

        Raises:
            ArtifactError, GraphRefused: as `Worker.load`.
            InputError: it is no network of one float32 image to one, or of an opset that isn't translated.
        """
        copy = self._process.inbox.copy_of(path.absolute(), max_bytes=DEFAULT_MAX_BYTES)
        header, _ = self._ask({"op": "read", "path": str(copy)})
        return self._understood(lambda: build(Described, header.get("model"), fail=_unlike("model")))

    def begin(self, *, input_name: str, output_name: str) -> None:
        """Let the child translate what it has read; returns at once, `translation` waits for it."""
        self._send({"op": "translate", "input": input_name, "output": output_name})

    def translation(self) -> bytes:
        """The frozen graph, serialised: channels last, the ends named.

        Raises:
            ModelFailed: an operator is not translated.
        """
        _, arrays = self._receive(max_payload=DEFAULT_MAX_BYTES)
        if len(arrays) != 1 or arrays[0].dtype.name != "uint8":
            raise self._process.broken("an answer that is no graph")
        return arrays[0].tobytes()

    def trace(
        self, image: Array, *, kind: Literal["pb", "tflite"], input_name: str, tolerance: float
    ) -> Parting | None:
        """The first layer of the artifact whose output differs from the .onnx's for an image."""
        request = {"op": "trace", "format": kind, "input": input_name, "tolerance": tolerance}
        header, _ = self._ask(request, [image])
        told = header.get("parting")
        if told is None:
            return None
        return self._understood(lambda: build(Parting, told, fail=_unlike("parting")))

    def _understood(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except ProtocolError as error:
            raise self._process.broken(str(error)) from error

    def _ask(
        self, request: dict[str, Any], arrays: Sequence[Array] = ()
    ) -> tuple[dict[str, Any], list[Array]]:
        self._send(request, arrays)
        return self._receive()

    def _send(self, request: dict[str, Any], arrays: Sequence[Array] = ()) -> None:
        if self._process.stop is not None:
            raise self._process.stop
        try:
            self._greet()
            with self._process.limited(TIMEOUT_S):
                protocol.send(self._process.write, request, arrays)
        except (EOFError, OSError) as error:
            raise self._process.ended() from error
        except ProtocolError as error:
            raise self._process.broken(str(error)) from error

    def _receive(self, *, max_payload: int = 0) -> tuple[dict[str, Any], list[Array]]:
        try:
            with self._process.limited(TIMEOUT_S):
                header, results = protocol.receive(self._process.read, max_payload=max_payload)
        except (EOFError, OSError) as error:
            raise self._process.ended() from error
        except ProtocolError as error:
            raise self._process.broken(str(error)) from error
        if header.get("ok") is not True:
            raise _error_from(header.get("error"))
        return header, results

    def _greet(self) -> None:
        if not self._greeted:
            with self._process.limited(START_TIMEOUT_S):
                header, _ = protocol.receive(self._process.read, max_payload=0)
            self._process.greeted(greeting_from(header)[0])
            self._greeted = True


def _error_from(described: Any) -> errors.PixelproofError:
    if not isinstance(described, dict):
        described = {}
    rule, found, remedy = (str(described.get(key, "")) for key in ("rule", "found", "remedy"))
    kind = described.get("type")
    if kind in _RAISED:
        raised: errors.PixelproofError = getattr(errors, kind)(rule, found=found, remedy=remedy)
        return raised
    return errors.ModelFailed("The .onnx must be readable to be converted", found=rule)


def _unlike(what: str) -> Callable[[str, str, str, str], ProtocolError]:
    def fail(where: str, rule: str, found: str, remedy: str) -> ProtocolError:
        return ProtocolError(f"{what} {where} {rule}: {found}"[:300])

    return fail
