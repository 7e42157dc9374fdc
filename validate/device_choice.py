"""What runtime and memory are measured on: the CPU, or a GPU that is there."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace

from pixelproof.errors import CallError
from pixelproof.measure.device import CPU, Device, names_gpu
from pixelproof.measure.formats import Kind
from pixelproof.validate.options import Options

_RUNTIMES: dict[Kind, str] = {"pb": "TensorFlow", "savedmodel": "TensorFlow", "onnx": "onnxruntime"}


def chosen_device(
    kind: Kind,
    options: Options,
    find: Callable[[Device, Kind], str | None],
    *,
    environment: Mapping[str, str] = os.environ,
) -> Device:
    """The device for runtime and memory. All else runs on the CPU: verdicts on quality are those of every machine.

    Args:
        find: asks a worker for the name of the GPU that a format's runtime can use.
        environment: whose CUDA_VISIBLE_DEVICES decides where the options leave it open.

    Raises:
        CallError: a GPU is asked for, or its memory limited, and there is none to be used.
    """
    is_limited = options.device_memory_mib is not None
    wants_gpu = options.device == "gpu" or (options.device == "auto" and names_gpu(environment))
    if not wants_gpu:
        if is_limited:
            found = "--device cpu" if options.device == "cpu" else "no --device gpu"
            remedy = "Ask for the GPU with --device gpu, or leave --device-memory-gb out."
            raise CallError("--device-memory-gb limits a GPU", found=found, remedy=remedy)
        return CPU
    gpu = Device("gpu", memory_mib=options.device_memory_mib)
    name = find(gpu, kind) if kind in _RUNTIMES else None
    if name is not None:
        return replace(gpu, name=name)
    if options.device == "auto" and not is_limited:
        return CPU
    what = "--device gpu" if options.device == "gpu" else "--device-memory-gb"
    raise CallError(
        f"{what} needs a GPU that the model's runtime can use", found=_lack(kind), remedy=_remedy(kind)
    )


def found_gpu(device: Device, kind: Kind, *, options: Options) -> str | None:
    """The name of the GPU that a format's runtime can use, asked of a worker; None for none.

    Raises:
        EnvironmentFault: the worker can't start.
    """
    from pixelproof.measure.gpu_worker import GpuWorker

    with GpuWorker(device, timeout_s=options.time_limit_s, require_sandbox=options.require_sandbox) as worker:
        return worker.find(kind)


def _lack(kind: Kind) -> str:
    runtime = _RUNTIMES.get(kind)
    return "a .tflite, which runs on the CPU here" if runtime is None else f"none that {runtime} can use"


def _remedy(kind: Kind) -> str:
    if kind not in _RUNTIMES:
        return "Judge its .pb, or leave --device out."
    package = "onnxruntime-gpu in place of onnxruntime" if kind == "onnx" else "tensorflow[and-cuda]"
    return (
        f"pixelproof doctor lists the GPUs of this machine; the runtime needs {package}. Or leave --device out: the "
        "CPU is measured then, and the report says so."
    )
