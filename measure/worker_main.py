"""The child: loads one artifact, runs it on what the parent sends, and sends back what comes out."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelproof.measure.sandbox.lockdown import LockPlan, lock_down, take_protocol_streams
from pixelproof.measure.serving import MAX_TEXT, Answer, serve

if TYPE_CHECKING:
    from pixelproof.measure.device import Device
    from pixelproof.measure.protocol import Array
    from pixelproof.measure.runners import Runner
    from pixelproof.safety import Scan


MOST_OPERATIONS, MOST_REFUSALS = 400, 50
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
                device=_device(request),
            )
            runners.require_small(self.runner.interface)
            loaded = {"interface": self.runner.interface, "used": list(self.runner.used)}
            return {**loaded, "global_statistics": self.runner.global_statistics}, []
        if operation == "gpu":
            from pixelproof.measure import gpu_runners

            return {"gpu": gpu_runners.gpu_name(request["format"], _device(request))}, []
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
            if request.get("by_device"):
                from pixelproof.measure import gpu_runners

                y, run = gpu_runners.traced(self.runner, x)
                return {"ms": run.span_ms, "peak_mib": run.peak_mib, "shape": list(y.shape)}, []
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


def _device(request: dict[str, Any]) -> Device:
    """The device of a request; where it names none, what the environment shows is used as a CPU is."""
    from pixelproof.measure.device import CPU, Device

    return CPU if request["device"] is None else Device(**request["device"])


def shortened(scan: Scan) -> Scan:
    """A scan that fits into an answer: the most frequent operations, the first refusals."""
    frequent = sorted(scan.operations.items(), key=lambda item: (-item[1], item[0]))[:MOST_OPERATIONS]
    refusals = tuple(
        replace(r, rule=r.rule[:MAX_TEXT], found=r.found[:MAX_TEXT], remedy=r.remedy[:MAX_TEXT])
        for r in scan.refusals[:MOST_REFUSALS]
    )
    return replace(scan, operations={name[:100]: n for name, n in frequent}, refusals=refusals)


def main() -> None:
    """Serve until the parent closes the pipe."""
    requests, answers = take_protocol_streams()
    layers = lock_down(LockPlan.from_argument(sys.argv[1]))
    serve(requests, answers, layers, _session)


def _session() -> Answer:
    session = _Session()

    def answer(request: dict[str, Any], arrays: list[Array]) -> tuple[dict[str, Any], list[Array]]:
        header, results = session.answer(request, arrays)
        _require_room(results, request["max_payload"])
        return header, results

    return answer


def _require_room(results: list[Array], most: int) -> None:
    from pixelproof.errors import ModelFailed

    size = sum(array.nbytes for array in results)
    if size > most:
        rule = "An output must not be far larger than its input"
        raise ModelFailed(rule, found=f"{size / 2**20:.0f} MiB where {most / 2**20:.0f} would do")


if __name__ == "__main__":
    main()
