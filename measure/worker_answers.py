"""What the worker's answers mean. They come from a process that ran a stranger's model: nothing is believed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pixelproof import errors
from pixelproof.measure.cost import table
from pixelproof.measure.protocol import MAX_DIMENSIONS, Array, ProtocolError
from pixelproof.report import Interface
from pixelproof.safety import SandboxLayer, Scan
from pixelproof.schema import build


@dataclass(frozen=True)
class Loaded:
    """What a worker has loaded: the declared interface, and the tensors that `Worker.run` will use.

    ``global_statistics`` says that each output value depends on all of the image (instance normalisation).
    """

    interface: Interface
    used_input: str | None
    used_output: str | None
    global_statistics: bool = False


def loaded_from(header: dict[str, Any]) -> Loaded:
    """The answer to ``load``.

    Raises:
        ProtocolError: it is none.
    """
    used = header.get("used")
    if not isinstance(used, list) or len(used) != 2 or not all(u is None or isinstance(u, str) for u in used):
        raise ProtocolError(f"used tensors {used!r}"[:200])
    return Loaded(
        interface=build(Interface, header.get("interface"), fail=_unlike("interface")),
        used_input=used[0],
        used_output=used[1],
        global_statistics=header.get("global_statistics") is True,
    )


def greeting_from(header: dict[str, Any]) -> tuple[int, tuple[SandboxLayer, ...]]:
    """The child's first words, said before it has seen a model: its process id and its walls.

    Raises:
        ProtocolError: they are none.
    """
    pid, layers = header.get("pid"), header.get("layers")
    if type(pid) is not int or not isinstance(layers, list):
        raise ProtocolError(f"a greeting {header!r}"[:200])
    return pid, tuple(build(SandboxLayer, layer, fail=_unlike("layer")) for layer in layers)


def scan_from(header: dict[str, Any]) -> Scan:
    """The answer to ``scan``.

    Raises:
        ProtocolError: it is none.
    """
    return build(Scan, header.get("scan"), fail=_unlike("scan"))


def largest_output(x: Array) -> int:
    """Bytes that the output for an input may take: scale 4, grey to colour, float64, with room to spare."""
    return int(x.nbytes) * 128 + (1 << 20)


def timing_from(header: dict[str, Any]) -> tuple[float, tuple[int, ...]]:
    """The answer to ``time``: milliseconds, and the output's shape.

    Raises:
        ProtocolError: it is none.
    """
    ms, shape = header.get("ms"), header.get("shape")
    if isinstance(ms, bool) or not isinstance(ms, int | float) or not (math.isfinite(ms) and ms > 0):
        raise ProtocolError(f"a time of {ms!r} ms"[:200])
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS or not all(type(n) is int for n in shape):
        raise ProtocolError(f"an output of shape {shape!r}"[:200])
    return float(ms), tuple(shape)


def device_run_from(header: dict[str, Any]) -> tuple[float, tuple[int, ...], float | None]:
    """The answer to ``time`` by the device: milliseconds of its events, the output's shape, its memory in MiB.

    Raises:
        ProtocolError: it is none.
    """
    ms, shape = timing_from(header)
    peak = header.get("peak_mib")
    if peak is None:
        return ms, shape, None
    if isinstance(peak, bool) or not isinstance(peak, int | float) or not (math.isfinite(peak) and peak >= 0):
        raise ProtocolError(f"a peak of {peak!r} MiB"[:200])
    return ms, shape, float(peak)


def gpu_from(header: dict[str, Any]) -> str | None:
    """The answer to ``gpu``: the name of a GPU.

    Raises:
        ProtocolError: it is none.
    """
    name = header.get("gpu")
    if not (name is None or isinstance(name, str)):
        raise ProtocolError(f"a GPU {name!r}"[:200])
    return None if name is None else name[:200]


def costs_from(arrays: Sequence[Array]) -> table.CostTable:
    """The answer to ``complexity``: a table in an array of bytes.

    Raises:
        ProtocolError: it is none.
    """
    if len(arrays) != 1 or arrays[0].dtype.name != "uint8" or arrays[0].ndim != 1:
        raise ProtocolError(f"{len(arrays)} arrays that are no cost table")
    return table.from_bytes(arrays[0].data)


def libraries_from(header: dict[str, Any]) -> dict[str, str]:
    """Names and versions that the worker tells about itself; empty where it tells none."""
    libraries = header.get("libraries")
    if not isinstance(libraries, dict):
        return {}
    return {str(name)[:100]: str(version)[:100] for name, version in libraries.items()}


def error_from(described: Any) -> errors.PixelproofError:
    """The error that the worker describes.

    Raises:
        ProtocolError: it describes none.
    """
    if not isinstance(described, dict):
        raise ProtocolError(f"an error {described!r}"[:200])
    rule, found, remedy = (str(described.get(key, "")) for key in ("rule", "found", "remedy"))
    if described.get("type") == "ArtifactError":
        return errors.ArtifactError(rule, found=found, remedy=remedy)
    if described.get("type") == "GraphRefused":
        return errors.GraphRefused(rule, found=found, remedy=remedy)
    if described.get("type") == "model":
        return errors.ModelFailed("The runtime must be able to run the model", found=rule)
    return errors.ModelFailed(rule, found=found, remedy=remedy)


def not_started(
    error: errors.ModelFailed | errors.WorkerStopped,
) -> errors.EnvironmentFault | errors.WorkerStopped:
    """A child that fails before it has seen a model says nothing about the model."""
    if isinstance(error, errors.WorkerStopped) and error.reason == "out_of_memory":
        return error
    return errors.EnvironmentFault(
        "The worker must start, and import what the format needs",
        found=error.found or error.rule,
        remedy="pixelproof doctor says what is missing.",
    )


def _unlike(what: str) -> Callable[[str, str, str, str], ProtocolError]:
    def fail(where: str, rule: str, found: str, remedy: str) -> ProtocolError:
        return ProtocolError(f"{what} {where} {rule}: {found}"[:300])

    return fail
