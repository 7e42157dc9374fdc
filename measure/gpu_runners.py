"""Runners on a GPU. Lives in the worker; see `pixelproof.measure.device_trace` for what is read off a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pixelproof.errors import ModelFailed
from pixelproof.measure.device import Device
from pixelproof.measure.device_trace import DeviceRun, device_run
from pixelproof.measure.protocol import Array
from pixelproof.measure.runners import OnnxRunner, Runner

CUDA = "CUDAExecutionProvider"
_MIB = 1024 * 1024


def gpu_name(kind: str, device: Device) -> str | None:
    """The GPU that a format's runtime can use in this process; None for none.

    Args:
        device: as the model is going to be given it.
    """
    if kind in ("pb", "savedmodel"):
        from pixelproof.measure import device_session

        return device_session.gpu_name(device)
    if kind == "onnx":
        import onnxruntime

        return "CUDA" if CUDA in onnxruntime.get_available_providers() else None
    return None


def load(
    path: str, *, kind: str, threads: int, device: Device, input_name: str | None, output_name: str | None
) -> Runner:
    """Load an artifact to run on a GPU; its file has been scanned.

    A SavedModel becomes the frozen graph of its signature, which is scanned once more, so that it runs in a session.

    Raises:
        As `pixelproof.measure.runners.load`; ModelFailed: its runtime does not use the GPU.
    """
    if kind == "onnx":
        return _onnx(path, threads=threads, device=device)
    if kind not in ("pb", "savedmodel"):
        raise ModelFailed("A model for a GPU must be a .pb, a SavedModel or an .onnx", found=kind)
    from pixelproof.measure.graph_runner import GraphRunner

    names = {"input_name": input_name, "output_name": output_name}
    if kind == "pb":
        return GraphRunner(path, threads=threads, device=device, **names)
    return GraphRunner(path, threads=threads, device=device, graph_def=_frozen(path), **names)


def traced(runner: Runner, x: Array) -> tuple[Array, DeviceRun]:
    """The output, and what the run took of the GPU.

    Raises:
        ModelFailed: the runtime tells nothing of the kind, or nothing ran there.
    """
    from pixelproof.measure.graph_runner import GraphRunner

    if not isinstance(runner, GraphRunner):
        raise ModelFailed("Device events need a session of TensorFlow", found=type(runner).__name__)
    output, trace = runner.run_traced(x)
    run = device_run(trace)
    if run is None:
        raise ModelFailed("A model that is timed on a GPU must run there", found="no kernel on a GPU")
    return output, run


def cuda_provider(device: Device) -> tuple[str, dict[str, str]]:
    """onnxruntime's CUDA provider, with its options (onnxruntime.ai, CUDA Execution Provider)."""
    options = {"device_id": "0", "arena_extend_strategy": "kSameAsRequested"}
    if device.memory_mib is not None:
        options["gpu_mem_limit"] = str(round(device.memory_mib * _MIB))
    return CUDA, options


def _onnx(path: str, *, threads: int, device: Device) -> Runner:
    runner = OnnxRunner(path, threads=threads, providers=[cuda_provider(device)])
    if CUDA not in runner.providers:
        found = f"onnxruntime went back to {', '.join(runner.providers)}"
        raise ModelFailed("A model for a GPU must run there", found=found)
    return runner


def _frozen(path: str) -> Any:
    import tensorflow as tf

    tf.config.set_visible_devices(
        [], "GPU"
    )  # variables are read on the CPU; a session has settings of its own
    from pixelproof.measure.cost.saved_model import frozen_signature

    return frozen_signature(Path(path))
