"""inspect as users type it: figures against hand counts and against the runtime, and what it refuses."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from pixelproof.environment import usable_cores
from pixelproof.errors import ArtifactError, EnvironmentFault, ModelFailed, WorkerStopped
from pixelproof.measure.protocol import ProtocolError
from pixelproof.tflite.inspection import bench, bench_child
from pixelproof.tflite.inspection.bench import Bench
from pixelproof.tflite.inspection.delegates import DELEGATES, judge, judge_all
from pixelproof.tflite.inspection.inspection import inspect_file
from pixelproof.tflite.inspection.macs import macs_in_all
from pixelproof.tflite.inspection.model import Model, bound
from pixelproof.tflite.inspection.reading import read_model
from pixelproof.tflite.inspection.timing import configuration, measure

Call = Callable[..., Any]
Files = Mapping[str, Path]
SMALL = (1, 32, 48, 4)
LABEL = "(static rules, not run on a device)"


def noise(seed: int, *shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(0, 0.1, shape).astype(np.float32)


class Maker:
    """Writes functions and Keras models as TFLite files."""

    def __init__(self, tf: Any, folder: Path) -> None:
        self.tf, self.folder = tf, folder

    def __call__(self, name: str, build: Call, *shapes: tuple[int | None, ...], kind: str = "float") -> Path:
        tf = self.tf
        from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

        specs = [tf.TensorSpec(shape, tf.float32, name=f"x{i}") for i, shape in enumerate(shapes)]
        frozen = convert_variables_to_constants_v2(
            tf.function(build, input_signature=specs).get_concrete_function()
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
            self.quantize(converter, kind, [tuple(n or 32 for n in shape) for shape in shapes])
            path = self.folder / f"{name}.tflite"
            path.write_bytes(converter.convert())
        return path

    def quantize(self, converter: Any, kind: str, shapes: list[tuple[int, ...]]) -> None:
        lite, rng = self.tf.lite, np.random.default_rng(0)
        if kind == "float":
            return
        converter.optimizations = [lite.Optimize.DEFAULT]
        if kind == "float16":
            converter.target_spec.supported_types = [self.tf.float16]
            return
        images = [[rng.random(shape, np.float32) for shape in shapes] for _ in range(3)]
        converter.representative_dataset = lambda: iter(images)
        wide = lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        integers = wide if kind == "int16" else lite.OpsSet.TFLITE_BUILTINS_INT8
        converter.target_spec.supported_ops = [integers, lite.OpsSet.TFLITE_BUILTINS]


@pytest.fixture(scope="module")
def make(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Maker:
    """Converts into a folder of this module's."""
    return Maker(tf, tmp_path_factory.mktemp("inspected"))


@pytest.fixture(scope="module")
def punet(tf: Any) -> Callable[..., Any]:
    """A narrow punet with weights that are all different, so that the converter merges none."""
    from pixelproof.models.registry import create

    def built(**options: Any) -> Any:
        model = create("punet", **{"num_maps_base": 4, **options})
        model.set_weights([noise(i, *w.shape) for i, w in enumerate(model.get_weights())])
        return lambda x: model(x, training=False)

    return built


def every_operation(tf: Any) -> Call:
    """One function of many operations on a picture, joined at the end."""

    def build(x: Any) -> Any:
        near = tf.abs(x) + 0.1
        found = [
            near, tf.tanh(x), tf.sigmoid(x), tf.nn.relu(x), tf.nn.relu6(x), tf.nn.elu(x), tf.nn.leaky_relu(x, 0.2),
            tf.exp(x), tf.math.log(near), tf.sqrt(near), tf.math.rsqrt(near), tf.square(x), tf.nn.gelu(x),
            tf.floor(x), tf.round(x), tf.maximum(x, 0.3 * near), tf.minimum(x, tf.cos(x)), x - near, x * near,
            tf.math.squared_difference(x, near), tf.nn.softmax(x), tf.reverse(x, [1]), tf.pow(near, 2.5),
            x + tf.reduce_mean(x, [1, 2], keepdims=True), x * tf.reduce_sum(x, [3], keepdims=True),
            x + tf.reduce_max(x, [1, 2], keepdims=True), tf.nn.conv2d(x, noise(1, 3, 3, 8, 8), 1, "SAME"),
            tf.nn.depthwise_conv2d(x, noise(2, 3, 3, 8, 1), [1, 1, 1, 1], "SAME"),
            tf.nn.depth_to_space(tf.nn.conv2d(x, noise(3, 3, 3, 8, 32), 2, "SAME"), 2),
            tf.nn.conv2d_transpose(tf.nn.max_pool2d(x, 2, 2, "VALID"), noise(4, 3, 3, 8, 8), (1, 16, 16, 8), 2),
            tf.image.resize(tf.nn.avg_pool2d(x, 2, 2, "VALID"), (16, 16)),
            tf.image.resize(x[:, ::2, ::2, :], (16, 16), "nearest"),
            tf.pad(x[:, 1:15, 1:15, :], [[0, 0], [1, 1], [1, 1], [0, 0]]),
            tf.pad(x[:, 1:15, 1:15, :], [[0, 0], [1, 1], [1, 1], [0, 0]], mode="REFLECT"),
            tf.transpose(tf.transpose(x, [0, 2, 1, 3]) * 2.0, [0, 2, 1, 3]), tf.concat(tf.split(x, 2, 3)[::-1], 3),
            tf.concat(tf.split(x, 8, 3)[::-1], 3), tf.reshape(tf.reshape(x, (1, 8, 32, 8)) * 3.0, x.shape),
            tf.matmul(x, near, transpose_b=True)[..., :8], tf.matmul(x, tf.tanh(x), transpose_b=True)[..., :8],
            tf.cast(x > 0.5, tf.float32), tf.tile(x[:, :8], [1, 2, 1, 1]),
        ]  # fmt: skip
        return tf.add_n(found)

    return build


@pytest.fixture(scope="module")
def files(tf: Any, make: Maker, punet: Call) -> Files:
    """Small files by name."""
    kernel, up, wide = noise(1, 3, 5, 4, 6), noise(2, 3, 3, 2, 4), noise(3, 3, 3, 4, 4)
    many = every_operation(tf)
    return {
        "conv": make("conv", lambda x: tf.nn.conv2d(x, kernel, 2, "SAME") + noise(9, 6), SMALL),
        "up": make("up", lambda x: tf.nn.conv2d_transpose(x, up, (1, 64, 96, 2), 2), SMALL),
        "punet": make("punet", punet(), SMALL),
        "norm": make("norm", punet(instance_norm=True), SMALL),
        "norm8": make("norm8", punet(instance_norm=True), SMALL, kind="int8"),
        "free": make("free", punet(instance_norm=True), (1, None, None, 4)),
        "half": make("half", lambda x: tf.nn.conv2d(x, kernel, 1, "SAME"), SMALL, kind="float16"),
        "wide": make("wide", lambda x: tf.nn.conv2d(x, wide, 1, "SAME"), SMALL, kind="int16"),
        "resize": make("resize", lambda x: tf.image.resize(tf.nn.relu(x), (64, 96)), SMALL),
        "corners": make(
            "corners",
            lambda x: tf.compat.v1.image.resize_bilinear(tf.nn.relu(x), (64, 96), align_corners=True),
            SMALL,
        ),
        "two": make("two", lambda x, y: tf.nn.relu(x) * y, SMALL, SMALL),
        "divided": make("divided", lambda x: x / (tf.abs(x) + 1.0), SMALL, kind="int8"),
        "many": make("many", many, (1, 16, 16, 8)),
        "many8": make("many8", many, (1, 16, 16, 8), kind="int8"),
    }


def read(path: Path) -> Model:
    return read_model(path.read_bytes(), label=path.name)


def document(call: Call, path: Path, *options: str) -> dict[str, Any]:
    answer = call("inspect", str(path), *options, "--json", "-")
    assert answer.code == 0, answer.err
    found: dict[str, Any] = json.loads(answer.out)
    return found


def of_type(found: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [operation for operation in found["operations"] if operation["type"] == kind]


def test_multiply_accumulates_by_hand(call: Call, files: Files) -> None:
    conv = document(call, files["conv"], "--no-time")
    (only,) = of_type(conv, "CONV_2D")
    assert only["outputs"][0]["shape"] == [1, 16, 24, 6]
    assert only["macs"] == conv["macs"] == (16 * 24 * 6) * (3 * 5 * 4)
    assert only["parameters"] == conv["parameters"] == 3 * 5 * 4 * 6 + 6
    assert (only["options"]["stride_h"], only["options"]["padding"]) == (2, 0)
    up = document(call, files["up"], "--no-time")
    (only,) = of_type(up, "TRANSPOSE_CONV")
    assert only["outputs"][0]["shape"] == [1, 64, 96, 2]
    assert (
        only["macs"] == up["macs"] == (32 * 48 * 4) * (3 * 3 * 2)
    )  # each input value meets the whole kernel
    assert up["size_bytes"] == files["up"].stat().st_size


def test_punet_of_width_16_has_its_parameters(make: Maker, punet: Call) -> None:
    model = read(make("punet16", punet(num_maps_base=16), (1, 16, 16, 4)))
    assert model.parameters == 5_725_199
    assert model.constant_bytes >= 4 * model.parameters


def test_the_document(call: Call, files: Files) -> None:
    found = document(call, files["norm"], "--runs", "3", "--threads", "1")
    assert {"format", "size_bytes", "parameters", "macs", "latency_ms", "threads", "advice"} <= set(found)
    assert (found["format"], found["threads"], found["timing"]["runs"]) == ("tflite", 1, 3)
    assert [operation["index"] for operation in found["operations"]] == list(range(len(found["operations"])))
    first = found["operations"][0]
    assert first["type"] == "CONV_2D" and first["inputs"][0]["shape"] == list(SMALL)
    assert first["inputs"][1] | {"name": ""} == {
        "name": "", "dtype": "float32", "shape": [4, 3, 3, 4], "constant": True, "scales": 0,
    }  # fmt: skip
    times = [operation["time_ms"] for operation in found["operations"]]
    assert min(times) > 0 and found["timing"]["method"] == "measured one by one"
    assert sum(times) == pytest.approx(found["timing"]["sum_ms"])
    assert sum(operation["share"] for operation in found["operations"]) == pytest.approx(1)
    assert found["timing"]["coverage"] == pytest.approx(sum(times) / found["latency_ms"])
    assert set(found["delegates"]) == {"gpu", "nnapi", "xnnpack"}
    for verdict in found["delegates"].values():
        assert verdict["label"] == "static rules, not run on a device"
        assert verdict["compatible"] == (not any(each["blocks"] for each in verdict["findings"]))


def test_single_times_explain_the_whole(make: Maker, tf: Any) -> None:
    """A file of a few heavy convolutions takes about as long as they take one by one."""
    kernel = noise(1, 5, 5, 16, 16)

    def build(x: Any) -> Any:
        for _ in range(3):
            x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME"))
        return x

    path = make("heavy", build, (1, 96, 128, 16))
    found = [inspect_file(path, threads=1, runs=5).times for _ in range(3)]
    assert any(times is not None and 0.6 < times.coverage < 1.6 for times in found)


def test_the_page(call: Call, files: Files) -> None:
    answer = call("inspect", str(files["punet"]), "--top", "4", "--runs", "2")
    assert answer.code == 0, answer.err
    assert "80 operations, 358,538 parameters" in answer.out
    assert "input x0: 1x32x48x4 float32" in answer.out
    assert "operations measured one by one" in answer.out and "The 4 costliest of 80 operations" in answer.out
    assert len(re.findall(r"^│ \d+ ", answer.out, re.MULTILINE)) == 4
    for title in ("GPU delegate", "NNAPI / NPU", "XNNPACK"):
        assert f"{title} {LABEL}: takes all of it" in answer.out
    assert "Here, timed one by one, it ran 80 of 80; the whole in 1 part." in answer.out
    assert re.search(r"CONV_2D x29 \d+%", answer.out)
    answer = call("inspect", str(files["punet"]), "--all", "--no-time")
    assert "All 80 operations" in answer.out and "Not timed: --no-time." in answer.out
    rows = re.findall(r"^│ (\d+) ", answer.out, re.MULTILINE)
    assert [int(row) for row in rows] == list(range(80))


def test_threads_are_all_usable_ones_by_default(call: Call, files: Files) -> None:
    assert document(call, files["conv"], "--runs", "1")["threads"] == usable_cores()


def test_free_sizes_without_a_shape(call: Call, files: Files) -> None:
    found = document(call, files["free"])
    assert (found["macs"], found["latency_ms"], found["inputs"][0]["shape"]) == (
        None,
        None,
        [1, None, None, 4],
    )
    answer = call("inspect", str(files["free"]))
    assert answer.code == 0
    assert "sizes are free (1x?x?x4)" in answer.out and "--input-shape 1,512,512,4" in answer.out
    assert "? multiply-accumulates" in answer.out


@pytest.mark.parametrize("timed", [True, False])
def test_free_sizes_bound(call: Call, files: Files, timed: bool) -> None:
    """Bound, a free file has the shapes and counts of the one that was converted at that size."""
    options = ["--runs", "1"] if timed else ["--no-time"]
    found = document(call, files["free"], "--input-shape", "1,32,48,4", *options)
    fixed = document(call, files["norm"], "--no-time")
    assert found["macs"] == fixed["macs"] and found["outputs"][0]["shape"] == [1, 64, 96, 3]
    for kind in ("CONV_2D", "TRANSPOSE_CONV", "MEAN"):
        shapes = [[tensor["shape"] for tensor in each["outputs"]] for each in of_type(found, kind)]
        assert shapes == [[tensor["shape"] for tensor in each["outputs"]] for each in of_type(fixed, kind)]
    if timed:
        assert {each["xnnpack"] for each in of_type(found, "TRANSPOSE_CONV")} == {False}
        assert {each["xnnpack"] for each in of_type(found, "CONV_2D")} == {True}
    (advice,) = (each for each in found["advice"] if each["id"] == "computed-sizes")
    assert advice["operations"] == [each["index"] for each in of_type(found, "TRANSPOSE_CONV")]
    assert "pb2tflite" in advice["remedy"]
    gpu = found["delegates"]["gpu"]
    assert (gpu["compatible"], gpu["taken"]) == (False, 0)
    rules = {each["rule"]: each for each in gpu["findings"]}
    assert "#" in rules["dynamic-file"]["found"] and rules["free-size"]["found"] == "1x?x?x4"
    assert rules["size-arithmetic"]["blocks"] and not rules["free-size"]["blocks"]


def test_instance_normalisation_in_float_and_in_int8(call: Call, files: Files) -> None:
    norm = next(
        each for each in document(call, files["norm"])["advice"] if each["id"] == "instance-normalisation"
    )
    assert "22 times, as 198 operations" in norm["why"] and "int8" not in norm["why"]
    found = document(call, files["norm8"], "--runs", "3")
    squared = of_type(found, "SQUARED_DIFFERENCE")
    assert len(squared) == 22 and {each["xnnpack"] for each in squared} == {False}
    assert {each["xnnpack"] for kind in ("SUB", "MUL") for each in of_type(found, kind)} == {True}
    norm = next(each for each in found["advice"] if each["id"] == "instance-normalisation")
    assert "In int8, SQUARED_DIFFERENCE and RSQRT" in norm["why"] and "d * d" in norm["remedy"]
    assert norm["share"] > sum(each["share"] for each in squared) > 0
    assert {each["index"] for each in squared} < set(norm["operations"])
    blocked = [
        each["operation"] for each in found["delegates"]["xnnpack"]["findings"] if each["rule"] == "int8"
    ]
    assert {each["index"] for each in squared} < set(blocked)


@pytest.mark.parametrize("name", ["punet", "norm", "norm8", "free", "half", "wide", "many", "many8"])
def test_rules_for_xnnpack_say_what_the_runtime_does(files: Files, name: str) -> None:
    """The one delegate that runs here: each operation is tried alone, and the rules must foretell it."""
    path, written = files[name], read(files[name])
    shape = SMALL if written.free else None
    with Bench(threads=1, timeout_s=60, require_sandbox=False) as one:
        model = bound(written, one.open(path, written, shape=shape))
        times = measure(one, model, threads=1, runs=1)
    verdict = judge(written, DELEGATES[2])
    left = set(verdict.left)
    wrong = [
        (operation.label, time.xnnpack)
        for operation, time in zip(model.operations, times.operations, strict=True)
        if time.xnnpack is not None and time.xnnpack == (operation.index in left)
    ]
    assert wrong == []
    assert verdict.taken == sum(time.xnnpack is True for time in times.operations)


def test_operations_of_one_configuration_are_timed_once(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    time_one = Bench.time_one

    def counted(self: Bench, index: int, runs: int) -> bench.Alone:
        asked.append(index)
        return time_one(self, index, runs)

    monkeypatch.setattr(Bench, "time_one", counted)
    found = inspect_file(files["norm"], threads=1, runs=1)
    kinds = {configuration(operation) for operation in found.model.operations}
    assert len(asked) == len(set(asked)) == len(kinds) < len(found.model.operations) // 2


def test_an_operation_that_can_not_run_alone_has_no_time(call: Call, files: Files) -> None:
    """An int8 quotient refuses a divisor of zero, which invented values hold somewhere."""
    found = document(call, files["divided"], "--runs", "1")
    (quotient,) = of_type(found, "DIV")
    assert quotient["time_ms"] is None and quotient["share"] is None and "div.cc" in quotient["trouble"]
    answer = call("inspect", str(files["divided"]), "--runs", "1")
    assert f"#{quotient['index']} DIV can't be run alone and has no time" in answer.out


def test_float16_weights_are_unpacked_when_the_file_is_loaded(call: Call, files: Files) -> None:
    found = document(call, files["half"], "--runs", "1")
    assert {each["time_ms"] for each in of_type(found, "DEQUANTIZE")} == {0.0}
    (conv,) = of_type(found, "CONV_2D")
    assert conv["xnnpack"] is True and conv["time_ms"] > 0
    assert [each["id"] for each in found["advice"]][-1] == "float16-weights"
    assert found["delegates"]["xnnpack"]["operations"] == 1


def test_int16_has_no_fast_kernels(call: Call, files: Files) -> None:
    found = document(call, files["wide"], "--runs", "1")
    assert found["delegates"]["xnnpack"]["taken"] == found["delegates"]["gpu"]["taken"] == 0
    (advice,) = (each for each in found["advice"] if each["id"] == "own-kernels")
    assert "in int16" in advice["why"] and advice["share"] > 0.9


def test_resize_conventions(files: Files) -> None:
    gpu, nnapi, xnnpack = judge_all(read(files["resize"]))
    assert gpu.compatible and nnapi.compatible and xnnpack.compatible
    notes = {each.rule: each.found for each in (*gpu.findings, *nnapi.findings)}
    assert (
        notes["old-resize"] == "half_pixel_centers (version 3)"
        and notes["android-10"] == "half_pixel_centers"
    )
    corners = {each.rule: each.found for each in judge_all(read(files["corners"]))[1].findings}
    assert corners["android-10"] == "align_corners"


def test_a_file_with_two_inputs(call: Call, files: Files) -> None:
    found = document(call, files["two"], "--runs", "1")
    assert len(found["inputs"]) == 2 and found["latency_ms"] > 0
    answer = call("inspect", str(files["two"]), "--input-shape", "1,32,48,4")
    assert answer.code == 2 and "--input-shape is for files with one input; found 2 inputs" in answer.err


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("cut.tflite", "half", "must be a TFLite flatbuffer; found cut.tflite: an offset at byte"),
        ("empty.tflite", b"", "an empty file"),
        ("text.tflite", b"no flatbuffer at all, but long enough", "without its TFL3 mark"),
        ("mark.tflite", b"\x10\0\0\0TFL3" + bytes(24), "must be a TFLite flatbuffer"),
        ("gone.tflite", None, "The artifact must exist"),
        ("graph.pb", b"\x0a\x03\x0a\x01x", "inspect takes a .tflite file; found"),
        ("model.onnx", b"\x08\x07", "an ONNX model"),
        ("model.keras", b"PK\x03\x04", "a Keras file"),
    ],
)
def test_what_is_no_tflite_file_is_exit_2(
    call: Call, files: Files, tmp_path: Path, name: str, content: bytes | str | None, said: str
) -> None:
    path = tmp_path / name
    if content == "half":
        whole = files["punet"].read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif isinstance(content, bytes):
        path.write_bytes(content)
    answer = call("inspect", str(path))
    assert answer.code == 2, answer
    assert said in answer.err and "Traceback" not in answer.err


@pytest.mark.parametrize(
    ("file", "shape", "said"),
    [
        ("free", "1,30,48,4", "The graph must take the shape; found 1x30x48x4"),
        ("free", "1,32,48,3", "found 1x32x48x3 where free.tflite takes 1x?x?x4"),
        ("free", "1,32,48", "four positive whole numbers"),
        ("free", "1,a,48,4", "whole numbers"),
        ("free", "2,32,48,4", "The batch"),
        ("punet", "1,64,96,4", "Its sizes are fixed"),
    ],
)
def test_wrong_shapes_are_exit_2(call: Call, files: Files, file: str, shape: str, said: str) -> None:
    answer = call("inspect", str(files[file]), "--input-shape", shape)
    assert answer.code == 2, answer
    assert said in answer.err and "Traceback" not in answer.err


def test_the_shape_of_a_fixed_file_may_be_said(call: Call, files: Files) -> None:
    assert document(call, files["conv"], "--input-shape", "1,32,48,4", "--no-time")["macs"]


def test_a_custom_operation_is_refused(call: Call, files: Files, tmp_path: Path) -> None:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(files["resize"].read_bytes(), 0)
    custom = schema.BuiltinOperator.CUSTOM
    code = model.operatorCodes[0]
    code.builtinCode, code.deprecatedBuiltinCode, code.customCode = custom, custom, b"Sharpen"
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path = tmp_path / "custom.tflite"
    path.write_bytes(bytes(builder.Output()))
    answer = call("inspect", str(path))
    assert answer.code == 1
    assert "Operations must be built into TFLite" in answer.err and "Sharpen" in answer.err
    gpu = judge(read(path), DELEGATES[0])
    assert gpu.findings[0].found == "Sharpen, a custom operation"


def test_bytes_that_the_scan_did_not_see_are_an_error_not_a_crash(files: Files) -> None:
    """The parent's reader itself: whatever the bytes are, it says so in its own words."""
    whole = bytearray(files["punet"].read_bytes())
    rng = np.random.default_rng(0)
    failed = 0
    for _ in range(60):
        changed = bytearray(whole)
        for place in rng.integers(8, 4000, 12):
            changed[place] = rng.integers(0, 256)
        try:
            macs_in_all(read_model(bytes(changed), label="changed"))
        except ArtifactError:
            failed += 1
    assert failed > 10


def test_the_child_is_locked_in_and_its_end_is_an_error(files: Files) -> None:
    with Bench(threads=1, timeout_s=30, require_sandbox=False) as one:
        model = read(files["conv"])
        one.open(files["conv"], model, shape=None)
        active = {layer.name for layer in one.layers if layer.active}
        named = {layer.name for layer in one.layers}
        assert {
            "process",
            "clock",
            "bubblewrap",
            "landlock",
            "seccomp",
            "rlimits",
        } <= named and "process" in active
        child = psutil.Process(one._process.pid)
        child.kill()
        with pytest.raises(WorkerStopped, match="must run to its end"):
            one.time_whole(1)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_the_child_keeps_to_its_time_limit(files: Files) -> None:
    with Bench(threads=1, timeout_s=30, require_sandbox=False) as one:
        one.open(files["norm8"], read(files["norm8"]), shape=None)
        one._timeout_s = 0.3
        with pytest.raises(WorkerStopped, match="within the time limit"):
            one.time_whole(100_000)


def test_a_sandbox_that_is_required_is_required(
    call: Call, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "missing_walls", lambda layers: "no landlock: a test says so")
    with pytest.raises(EnvironmentFault, match="a test says so"):
        Bench(threads=1, timeout_s=30, require_sandbox=True)
    Bench(threads=1, timeout_s=30, require_sandbox=False)._process.close()


def test_the_child_imports_nothing_that_the_walls_close() -> None:
    source = ast.parse(Path(bench_child.__file__).read_text(encoding="utf-8"))
    names = [node.module or "" for node in ast.walk(source) if isinstance(node, ast.ImportFrom)]
    ours = [name for name in names if name.startswith("pixelproof")]
    assert ours and all(name.startswith(("pixelproof.measure", "pixelproof.errors")) for name in ours)


@pytest.mark.parametrize(
    "header",
    [{}, {"ms": 3}, {"ms": [1.0]}, {"ms": [1.0, float("nan")]}, {"ms": [1.0, -1.0]}, {"ms": [1.0, True]}],
)
def test_times_that_are_none_are_not_believed(header: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        bench._times(header, 2)
    assert bench._times({"ms": [1.0, 2.0]}, 2) == (1.0, 2.0)


def test_shapes_that_are_none_are_not_believed() -> None:
    good = np.full((2, 9), -1, np.int32)
    good[1, :4] = (3, 5, 6, 7)
    assert bench._shapes([good], count=2) == {1: (5, 6, 7)}
    lying = good.copy()
    lying[1, 2] = -7
    deep = good.copy()
    deep[0, 0] = 9
    for arrays, count in (
        ([], 2),
        ([good, good], 2),
        ([good], 3),
        ([good.astype("int64")], 2),
        ([lying], 2),
        ([deep], 2),
    ):
        with pytest.raises(ProtocolError):
            bench._shapes(arrays, count=count)


def test_a_file_that_the_runtime_can_not_run(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fixed file's own fault is the model's, not the call's."""

    def refuse(self: Bench, path: Path, model: Model, *, shape: Any) -> Any:
        raise ModelFailed("The runtime must be able to run the model", found="it can't")

    monkeypatch.setattr(Bench, "open", refuse)
    with pytest.raises(ModelFailed, match=r"can't.*--no-time inspects it") as failed:
        inspect_file(files["conv"], threads=1)
    assert failed.value.exit_code == 1


def test_a_file_that_takes_too_long_is_exit_1(call: Call, files: Files) -> None:
    answer = call("inspect", str(files["norm8"]), "--time-limit", "1", "--runs", "100000")
    assert answer.code == 1, answer
    assert "within the time limit" in answer.err and "--no-time inspects it" in answer.err
