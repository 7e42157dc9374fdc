"""Any artifact as one callable. Lives in the worker: here the heavy libraries are imported.

A runner's call takes (batch, height, width, channels) and returns the model's only output.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pixelproof.errors import ArtifactError, ModelFailed
from pixelproof.measure.channels_first import ChannelsLast
from pixelproof.measure.device import CPU, Device
from pixelproof.measure.graph_scan import require_clean as require_clean
from pixelproof.measure.protocol import Array

TensorTable = dict[str, Any]
MOST_TENSORS = 256
LONGEST_NAME = 2000


class Runner(Protocol):
    """A loaded artifact."""

    interface: dict[str, list[TensorTable]]
    used: tuple[str | None, str | None]
    global_statistics: bool

    def __call__(self, x: Array) -> Array:
        """The output for an input."""

    def run_float64(self, x: Array) -> Array:
        """The output computed in float64, where the format allows it."""


def tensor_table(name: str, dtype: str, shape: Any) -> TensorTable:
    """One tensor as the protocol describes it; unknown dimensions are None."""
    dims = None if shape is None else [None if n is None or int(n) < 0 else int(n) for n in shape]
    return {"name": name, "dtype": dtype, "shape": dims}


def require_small(interface: dict[str, list[TensorTable]]) -> None:
    """Refuse an interface that nobody could read, and that fits into no answer.

    Raises:
        ModelFailed: very many ends, or very long names.
    """
    for end, tensors in interface.items():
        if len(tensors) > MOST_TENSORS:
            rule = "A model must have one input and one output"
            raise ModelFailed(rule, found=f"{len(tensors):,} {end}")
        longest = max((len(tensor["name"]) for tensor in tensors), default=0)
        if longest > LONGEST_NAME:
            rule = f"The name of an input or output must have at most {LONGEST_NAME} characters"
            raise ModelFailed(rule, found=f"one of {longest:,} among the {end}")


def prepare(kind: str) -> dict[str, str]:
    """Import the runtime of a format; returns its name and version."""
    if kind == "pb":
        from pixelproof.measure.tf_core import enter_core_only

        version = enter_core_only()
        importlib.import_module("pixelproof.measure.graph_runner")
        return {"tensorflow": version}
    if kind == "savedmodel":
        from pixelproof.measure.tf_core import enter_whole

        return {"tensorflow": enter_whole()}
    if kind == "tflite":
        import ai_edge_litert.interpreter  # noqa: F401

        return {"ai-edge-litert": importlib.metadata.version("ai-edge-litert")}
    import onnxruntime

    return {"onnxruntime": onnxruntime.__version__}


def load(
    path: str,
    *,
    kind: str,
    threads: int,
    input_name: str | None,
    output_name: str | None,
    thorough: bool,
    channels_first: bool = False,
    device: Device = CPU,
) -> Runner:
    """Load an artifact of a format; its file has been scanned.

    Args:
        thorough: scan a SavedModel once more as the frozen graph that its signature becomes.
        channels_first: an .onnx has its channels before height and width; it is run as if they were behind.
        device: where it runs.

    Raises:
        GraphRefused: that scan found what a judged model may not hold.
        ArtifactError: the file is no such artifact.
        ModelFailed: it is one, but no model that can be run.
    """
    readable = Path(path, "saved_model.pb") if kind == "savedmodel" else Path(path)
    try:
        readable.open("rb").close()
    except OSError as error:
        raise ArtifactError("The artifact must be readable", found=f"{path}: {error.strerror}") from error
    if device.kind == "gpu":
        from pixelproof.measure import gpu_runners

        names = {"input_name": input_name, "output_name": output_name}
        runner = gpu_runners.load(path, kind=kind, threads=threads, device=device, **names)
        return ChannelsLast(runner) if channels_first else runner
    if kind == "pb":
        from pixelproof.measure.graph_runner import GraphRunner

        return GraphRunner(path, threads=threads, input_name=input_name, output_name=output_name)
    if kind == "savedmodel":
        from pixelproof.measure.saved_model_runner import SavedModelRunner

        return SavedModelRunner(path, threads=threads, thorough=thorough)
    if kind == "tflite":
        return TFLiteRunner(path, threads=threads)
    runner = OnnxRunner(path, threads=threads)
    return ChannelsLast(runner) if channels_first else runner


def first_line(error: BaseException) -> str:
    """What an error says, in one line of readable length."""
    lines = str(error).strip().splitlines()
    return lines[0].strip()[:300] if lines else type(error).__name__


def no_float64(kind: str) -> Array:
    """Raise: only a frozen graph can be widened."""
    raise ModelFailed("float64 needs a frozen graph", found=kind)


class TFLiteRunner:
    """A .tflite file in LiteRT; resized where the input has another shape than the file states.

    Quantised ends are bridged: a float32 input is brought to the file's integers by their scale and zero point,
    and an integer output that has a scale is given as the float32 that it stands for. The interface tells the
    file's own types.
    """

    global_statistics = False

    def __init__(self, path: str, *, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._interpreter = Interpreter(model_path=path, num_threads=threads)
        except ValueError as error:
            found = f"{Path(path).name}: {first_line(error)}"
            raise ArtifactError("A .tflite file must be a TFLite flatbuffer", found=found) from error
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self.interface = {
            "inputs": [_tflite_tensor(d) for d in inputs],
            "outputs": [_tflite_tensor(d) for d in outputs],
        }
        alone = len(inputs) == 1 and len(outputs) == 1
        self.used = (inputs[0]["name"], outputs[0]["name"]) if alone else (None, None)
        self._shape: tuple[int, ...] | None = None

    def __call__(self, x: Array) -> Array:
        """Run once."""
        if self.used == (None, None):
            raise ModelFailed("A model must have one input and one output")
        details = self._interpreter.get_input_details()[0]
        stored = as_stored(x, details)
        if self._shape != x.shape:
            self._shape = None  # until the new shape has been allocated
            if tuple(details["shape"]) != x.shape:
                self._interpreter.resize_tensor_input(details["index"], list(x.shape))
            self._interpreter.allocate_tensors()
            self._shape = x.shape
        self._interpreter.set_tensor(details["index"], stored)
        self._interpreter.invoke()
        result = self._interpreter.get_output_details()[0]
        return as_real(np.asarray(self._interpreter.get_tensor(result["index"])), result)

    def run_float64(self, x: Array) -> Array:
        """Not possible."""
        return no_float64("tflite")


def as_stored(x: Array, detail: dict[str, Any]) -> Array:
    """An input as a TFLite tensor holds it: ``round(x / scale) + zero_point``, limited to the type's range.

    Args:
        x: float32, or of the tensor's own type, which is left as it is.
        detail: of the tensor, as the interpreter gives it.

    Raises:
        ModelFailed: another type, and no scale to bring it there.
    """
    dtype = np.dtype(detail["dtype"])
    if x.dtype == dtype:
        return x
    scale, zero_point = detail["quantization"]
    if x.dtype != np.float32 or dtype.kind not in "iu" or not scale:
        raise ModelFailed(f"The input must be {x.dtype.name}", found=dtype.name)
    limits = np.iinfo(dtype)
    levels = np.nan_to_num(np.divide(x, np.float32(scale)), copy=False)
    np.rint(levels, out=levels)
    levels += zero_point
    return np.clip(levels, limits.min, limits.max, out=levels).astype(dtype)


def as_real(y: Array, detail: dict[str, Any]) -> Array:
    """An output as the numbers that it stands for: ``(y - zero_point) * scale`` in float32 where it has a scale.

    Args:
        detail: of the tensor, as the interpreter gives it.
    """
    scale, zero_point = detail["quantization"]
    if y.dtype.kind not in "iu" or not scale:
        return y
    real = y.astype(np.float32)
    real -= np.float32(zero_point)
    real *= np.float32(scale)
    return real


def _tflite_tensor(detail: dict[str, Any]) -> TensorTable:
    signature = detail.get("shape_signature")
    shape = signature if signature is not None and len(signature) else detail["shape"]
    return tensor_table(detail["name"], np.dtype(detail["dtype"]).name, shape)


_NO_ONNX = ("INVALID_PROTOBUF", "ModelProto", "No graph was found")


class OnnxRunner:
    """An .onnx file in onnxruntime.

    Args:
        providers: what it computes with, as onnxruntime takes them; the CPU where it is empty.
    """

    global_statistics = False

    def __init__(self, path: str, *, threads: int, providers: Sequence[Any] = ()) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            with_what = [*providers, "CPUExecutionProvider"]
            self._session = onnxruntime.InferenceSession(path, options, providers=with_what)
        except Exception as error:
            if any(mark in str(error) for mark in _NO_ONNX):
                found = f"{Path(path).name}: {first_line(error)}"
                raise ArtifactError("An .onnx file must hold an ONNX model", found=found) from error
            raise
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        self.interface = {
            "inputs": [_onnx_tensor(t) for t in inputs],
            "outputs": [_onnx_tensor(t) for t in outputs],
        }
        alone = len(inputs) == 1 and len(outputs) == 1
        self.used = (inputs[0].name, outputs[0].name) if alone else (None, None)
        self.providers: list[str] = self._session.get_providers()

    def __call__(self, x: Array) -> Array:
        """Run once."""
        if self.used == (None, None):
            raise ModelFailed("A model must have one input and one output")
        return np.asarray(self._session.run([self.used[1]], {self.used[0]: x})[0])

    def run_float64(self, x: Array) -> Array:
        """Not possible."""
        return no_float64("onnx")


_ONNX_DTYPES = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16"}


def _onnx_tensor(node: Any) -> TensorTable:
    dtype = _ONNX_DTYPES.get(node.type, node.type.removeprefix("tensor(").removesuffix(")"))
    shape = [n if isinstance(n, int) else None for n in node.shape] if node.shape is not None else None
    return tensor_table(node.name, dtype, shape)
