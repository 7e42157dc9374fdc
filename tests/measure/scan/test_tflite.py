"""TFLite models written with LiteRT's own schema classes, one fault each; and what the converter writes."""

from __future__ import annotations

import contextlib
import re
import time
import warnings
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import ai_edge_litert.schema_py_generated as schema
import flatbuffers
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelproof.errors import ArtifactError
from pixelproof.measure.scan.tflite import scan_tflite
from pixelproof.measure.scan.tflite_operations import allowed_operations, builtin_names
from pixelproof.measure.scan.tflite_schema import tflite_schema
from pixelproof.safety import Scan

Ops = schema.BuiltinOperator
Types = schema.TensorType
Change = Callable[[Any], None]


def tensor(name: str, shape: tuple[int, ...], *, kind: int = Types.FLOAT32, buffer: int = 0) -> Any:
    """A TensorT."""
    return schema.TensorT(shape=list(shape), type=kind, buffer=buffer, name=name)


def operator(code: int, inputs: list[int], outputs: list[int], kind: str = "NONE", **options: Any) -> Any:
    """An OperatorT, with a table of options where a kind is named."""
    made = schema.OperatorT(opcodeIndex=code, inputs=inputs, outputs=outputs)
    if kind != "NONE":
        made.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        made.builtinOptions = getattr(schema, f"{kind}T")(**options)
    return made


def operator_code(number: int, custom: str | None = None) -> Any:
    """An OperatorCodeT as converters write it: small codes in both fields."""
    return schema.OperatorCodeT(
        deprecatedBuiltinCode=min(number, 127), builtinCode=number, customCode=custom, version=1
    )


def constant(values: Any) -> Any:
    """A BufferT."""
    return schema.BufferT(data=np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8))


def small_model() -> Any:
    """Adds a constant, then convolves: image (1, 6, 8, 3) in and out."""
    weights = np.full((3, 3, 3, 3), 0.1, np.float32)
    graph = schema.SubGraphT(
        name="main",
        tensors=[
            tensor("image", (1, 6, 8, 3)),
            tensor("shift", (3,), buffer=1),
            tensor("shifted", (1, 6, 8, 3)),
            tensor("weights", (3, 3, 3, 3), buffer=2),
            tensor("result", (1, 6, 8, 3)),
        ],
        inputs=[0],
        outputs=[4],
        operators=[
            operator(0, [0, 1], [2], "AddOptions"),
            operator(1, [2, 3, 1], [4], "Conv2DOptions", strideW=1, strideH=1),
        ],
    )
    return schema.ModelT(
        version=3,
        operatorCodes=[operator_code(Ops.ADD), operator_code(Ops.CONV_2D)],
        subgraphs=[graph],
        buffers=[schema.BufferT(), constant(np.float32([1, 2, 3])), constant(weights), constant(b"1.5.0")],
        metadata=[schema.MetadataT(name="min_runtime_version", buffer=3)],
        signatureDefs=[
            schema.SignatureDefT(
                signatureKey="serving_default",
                inputs=[schema.TensorMapT(name="x", tensorIndex=0)],
                outputs=[schema.TensorMapT(name="y", tensorIndex=4)],
            )
        ],
    )


def written(model: Any) -> bytes:
    """A ModelT as a file."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def scanned(change: Change | None = None) -> Scan:
    """What the scan says of the small model, changed."""
    model = small_model()
    if change is not None:
        change(model)
    return scan_tflite(written(model), label="model.tflite")


def test_a_sound_model_passes_and_is_counted() -> None:
    scan = scanned()
    assert scan.refusals == ()
    assert (scan.format, scan.nodes, scan.functions) == ("tflite", 2, 0)
    assert scan.operations == {"ADD": 1, "CONV_2D": 1}
    assert scan.constant_bytes == 4 * (3 + 81)


def test_the_sound_model_runs() -> None:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=written(small_model()))
    interpreter.allocate_tensors()
    interpreter.set_tensor(0, np.ones((1, 6, 8, 3), np.float32))
    interpreter.invoke()
    assert interpreter.get_tensor(4).shape == (1, 6, 8, 3)


def graph(model: Any) -> Any:
    """The first subgraph."""
    return model.subgraphs[0]


def set_tensor(index: int, **values: Any) -> Change:
    """A change of a tensor's fields."""

    def change(model: Any) -> None:
        for name, value in values.items():
            setattr(graph(model).tensors[index], name, value)

    return change


def set_operator(index: int, **values: Any) -> Change:
    """A change of an operator's fields."""

    def change(model: Any) -> None:
        for name, value in values.items():
            setattr(graph(model).operators[index], name, value)

    return change


def set_model(**values: Any) -> Change:
    """A change of the model's own fields."""

    def change(model: Any) -> None:
        for name, value in values.items():
            setattr(model, name, value)

    return change


def set_graph(**values: Any) -> Change:
    """A change of the subgraph's fields."""

    def change(model: Any) -> None:
        for name, value in values.items():
            setattr(graph(model), name, value)

    return change


def set_buffer(index: int, **values: Any) -> Change:
    """A buffer replaced."""

    def change(model: Any) -> None:
        model.buffers[index] = schema.BufferT(**values)

    return change


def quantized(scale: list[float], zero_point: list[int], axis: int = 0, details: int = 0) -> Any:
    """QuantizationParametersT."""
    made = schema.QuantizationParametersT(scale=scale, zeroPoint=zero_point, quantizedDimension=axis)
    if details:
        made.detailsType, made.details = details, schema.BlockwiseQuantizationT(blockSize=4)
    return made


def of_bytes(scales: list[float] | None) -> Change:
    """The tensors of the ADD as int8, the second with these scales."""

    def change(model: Any) -> None:
        for index in (0, 1, 2):
            graph(model).tensors[index].type = Types.INT8
            graph(model).tensors[index].quantization = quantized([0.5], [0])
        graph(model).tensors[1].quantization = quantized(scales, [0]) if scales is not None else None
        model.buffers[1] = constant(np.int8([1, 2, 3]))

    return change


REFUSED: dict[str, tuple[Change, str]] = {
    "no operators": (set_graph(operators=[], outputs=[0]), "must have operators"),
    "no subgraphs": (set_model(subgraphs=[], signatureDefs=[]), "must have operators"),
    "another version": (set_model(version=2), "schema version 3; version 2"),
    "files beside it": (
        set_model(externalBufferGroups=[schema.ExternalBufferGroupT(name="../w")]),
        "in the file",
    ),
    "tensor in another file": (set_tensor(1, externalBuffer=1), "in the file"),
    "buffer beyond the file": (set_buffer(1, offset=2000, size=10**6), "buffers beyond its end"),
    "buffer that wraps around": (set_buffer(1, offset=2**64 - 16, size=32), "buffers beyond its end"),
    "buffer index": (set_tensor(1, buffer=9), "Every tensor's buffer"),
    "metadata's buffer": (set_model(metadata=[schema.MetadataT(name="m", buffer=77)]), "Metadata"),
    "old metadata's buffer": (set_model(metadataBuffer=[-1]), "Metadata"),
    "signature's tensor": (
        lambda model: setattr(model.signatureDefs[0].inputs[0], "tensorIndex", 5),
        "Signatures must name tensors",
    ),
    "signature's subgraph": (
        lambda m: setattr(m.signatureDefs[0], "subgraphIndex", 1),
        "Signatures must name",
    ),
    "custom operation": (
        set_model(operatorCodes=[operator_code(0), operator_code(32, "Evil")]),
        "CUSTOM Evil",
    ),
    "custom operation by a built-in name": (
        set_model(operatorCodes=[operator_code(0), operator_code(32, "CONV_2D")]),
        "must be built into TFLite",
    ),
    "Flex operation": (
        set_model(operatorCodes=[operator_code(0), operator_code(32, "FlexReadFile")]),
        "Flex operations need the TensorFlow delegate",
    ),
    "unused custom operation": (lambda m: m.operatorCodes.append(operator_code(32, "Evil")), "CUSTOM Evil"),
    "unknown operation": (
        set_model(operatorCodes=[operator_code(0), operator_code(4711)]),
        "builtin code 4711",
    ),
    "operator code's index": (set_operator(0, opcodeIndex=2), "must have its operator code"),
    "tensor index": (set_operator(0, inputs=[0, 5]), "tensors of their subgraph"),
    "negative tensor index": (set_operator(0, inputs=[0, -2]), "tensors of their subgraph"),
    "output left out": (set_operator(1, outputs=[-1]), "tensors of their subgraph"),
    "intermediate": (set_operator(0, intermediates=[5]), "tensors of their subgraph"),
    "graph's input": (set_graph(inputs=[5]), "Inputs and outputs of a subgraph"),
    "graph's output": (set_graph(outputs=[-1]), "Inputs and outputs of a subgraph"),
    "constant as input": (set_graph(inputs=[0, 1]), "tensors of their own"),
    "input twice": (set_graph(inputs=[0, 0]), "tensors of their own"),
    "output that nothing computes": (
        set_graph(operators=small_model().subgraphs[0].operators[:1]),
        "computed",
    ),
    "too early": (lambda m: graph(m).operators.reverse(), "computed before it is read"),
    "written twice": (set_operator(1, outputs=[2]), "written once"),
    "constant written": (set_operator(0, outputs=[1]), "neither constants nor inputs"),
    "input written": (set_operator(0, outputs=[0]), "neither constants nor inputs"),
    "one input": (set_operator(0, inputs=[0]), "as many inputs and outputs"),
    "two outputs": (set_operator(0, outputs=[2, 2]), "as many inputs and outputs"),
    "operand left out": (set_operator(0, inputs=[0, -1]), "Only a bias"),
    "weights left out": (set_operator(1, inputs=[2, -1, 1]), "Only a bias"),
    "string tensor": (set_tensor(0, type=Types.STRING), "tensors of STRING"),
    "resource tensor": (set_tensor(0, type=Types.RESOURCE), "tensors of RESOURCE"),
    "unknown type": (set_tensor(0, type=99), "tensors of type 99"),
    "negative type": (set_tensor(0, type=-1), "tensors of type -1"),
    "variable": (set_tensor(2, isVariable=True), "from one run to the next"),
    "sparse": (set_tensor(1, sparsity=schema.SparsityParametersT(traversalOrder=[0])), "must be dense"),
    "negative size": (set_tensor(0, shape=[1, -6, 8, 3]), "at most 8 dimensions"),
    "overflowing shape": (set_tensor(0, shape=[65536, 65536, 65536, 65536]), "less than 2^31 elements"),
    "overflow behind a 0": (set_tensor(0, shape=[0, 2**31 - 1, 2**31 - 1]), "less than 2^31 elements"),
    "nine dimensions": (set_tensor(0, shape=[1] * 9), "at most 8 dimensions"),
    "signature's rank": (set_tensor(0, shapeSignature=[1, -1, -1]), "shape signature"),
    "signature's size": (set_tensor(0, shapeSignature=[1, -1, -1, 4]), "shape signature"),
    "constant too short": (set_tensor(1, shape=[4]), "16 bytes, stored 12"),
    "constant too long": (set_tensor(1, shape=[2]), "8 bytes, stored 12"),
    "constant of another type": (set_tensor(1, type=Types.INT8), "3 bytes, stored 12"),
    "scales without zero points": (
        set_tensor(0, quantization=quantized([0.1], [])),
        "a scale and a zero point",
    ),
    "two scales": (set_tensor(0, quantization=quantized([0.1, 0.2], [0, 0])), "a scale and a zero point"),
    "channel axis": (
        set_tensor(1, quantization=quantized([0.1] * 3, [0] * 3, 1)),
        "a scale and a zero point",
    ),
    "negative channel axis": (
        set_tensor(1, quantization=quantized([0.1] * 3, [0] * 3, -1)),
        "a scale and a zero",
    ),
    "scale not a number": (set_tensor(0, quantization=quantized([float("nan")], [0])), "must be finite"),
    "negative scale": (set_tensor(0, quantization=quantized([-1.0], [0])), "must be finite"),
    "zero point": (set_tensor(0, quantization=quantized([1.0], [2**31])), "must be finite"),
    "by blocks": (set_tensor(0, quantization=quantized([1.0], [0], details=2)), "by tensor or by channel"),
    "plain bytes in quantized arithmetic": (of_bytes(None), "a scale for every tensor"),
    "stride of 0": (
        lambda m: setattr(graph(m).operators[1].builtinOptions, "strideW", 0),
        "Strides, dilations, windows and blocks",
    ),
    "no options": (set_operator(1, builtinOptionsType=0, builtinOptions=None), "Strides, dilations"),
    "options of another operation": (
        set_operator(1, builtinOptionsType=5, builtinOptions=schema.Pool2DOptionsT(strideW=1, strideH=1)),
        "Strides, dilations",
    ),
    "padding": (
        lambda m: setattr(graph(m).operators[1].builtinOptions, "padding", 9),
        "values that TFLite knows",
    ),
    "fused activation": (
        lambda m: setattr(graph(m).operators[0].builtinOptions, "fusedActivationFunction", 6),
        "values that TFLite knows",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_model_is_refused(case: str) -> None:
    change, expected = REFUSED[case]
    refusals = scanned(change).refusals
    said = [f"{refusal.rule}; {refusal.found}. {refusal.remedy}" for refusal in refusals]
    assert any(expected in sentence for sentence in said), said
    assert all("model.tflite" in refusal.found for refusal in refusals)


STATEFUL = (
    "CALL_ONCE VAR_HANDLE ASSIGN_VARIABLE READ_VARIABLE HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE "
    "HASHTABLE_LOOKUP LSTM SVDF DELEGATE CALL STABLEHLO_ADD UNIQUE"
)


@pytest.mark.parametrize("name", STATEFUL.split())
def test_a_built_in_operation_that_is_no_pure_function_is_refused(name: str) -> None:
    scan = scanned(set_model(operatorCodes=[operator_code(0), operator_code(getattr(Ops, name))]))
    assert scan.operations[name] == 1
    assert [refusal.rule for refusal in scan.refusals] == ["Operations must be pure functions of tensors"]
    assert name in scan.refusals[0].found


@pytest.mark.parametrize(
    ("kind", "bits", "shape", "stored"),
    [
        (Types.INT4, 4, [3], 2),
        (Types.INT2, 2, [3], 1),
        (Types.INT64, 64, [3], 24),
        (Types.BOOL, 8, [3], 3),
        (Types.FLOAT16, 16, [], 2),
        (Types.COMPLEX128, 128, [2, 2], 64),
    ],
)
def test_constants_of_every_width(kind: int, bits: int, shape: list[int], stored: int) -> None:
    def stores(count: int) -> Scan:
        def change(model: Any) -> None:
            set_tensor(1, type=kind, shape=shape)(model)
            model.buffers[1] = schema.BufferT(data=np.zeros(count, np.uint8))

        return scanned(change)

    assert stores(stored).refusals == ()
    assert "as its shape and type say" in stores(stored + 1).refusals[0].rule


def test_data_beyond_the_flatbuffer_is_found() -> None:
    model = small_model()
    model.buffers[1] = schema.BufferT(offset=2**20, size=12)
    length = len(written(model))
    model.buffers[1].offset = length
    data = written(model)
    assert len(data) == length
    assert scan_tflite(data + b"\0" * 12, label="m").refusals == ()
    assert scan_tflite(data + b"\0" * 11, label="m").refusals != ()


def test_an_empty_constant_may_be_read() -> None:
    def change(model: Any) -> None:
        graph(model).tensors.append(tensor("shape", (0,), kind=Types.INT32, buffer=len(model.buffers)))
        graph(model).tensors.append(tensor("scalar", ()))
        model.buffers.append(schema.BufferT())
        model.operatorCodes.append(operator_code(Ops.RESHAPE))
        graph(model).operators.append(operator(2, [4, 5], [6], "ReshapeOptions"))

    assert scanned(change).refusals == ()


def test_scales_of_constants_may_be_0() -> None:
    assert scanned(of_bytes([0.0])).refusals == scanned(of_bytes([0.5])).refusals == ()


def split(stated: int) -> Change:
    """Splits the result in three and stacks it again."""

    def change(model: Any) -> None:
        parts = [tensor(f"part {index}", (1, 6, 8, 1)) for index in range(3)]
        axis = tensor("axis", (), kind=Types.INT32, buffer=len(model.buffers))
        graph(model).tensors += [axis, *parts]
        model.buffers.append(constant(np.int32(3)))
        model.operatorCodes.append(operator_code(Ops.SPLIT))
        graph(model).operators.append(operator(2, [5, 4], [6, 7, 8], "SplitOptions", numSplits=stated))

    return change


def test_a_split_must_state_its_outputs() -> None:
    assert scanned(split(3)).refusals == ()
    assert "split or stack" in scanned(split(2)).refusals[0].rule  # LiteRT 2.3 crashes for it


def loop(*, body: int, condition: int = 1) -> Change:
    """A WHILE around the result, with a subgraph that compares and one that adds."""

    def change(model: Any) -> None:
        zero = [
            tensor("y", (1, 6, 8, 3)),
            tensor("limit", (), buffer=1),
            tensor("goes on", (), kind=Types.BOOL),
        ]
        model.buffers[1] = constant(np.float32([1, 2, 3]))
        model.buffers.append(constant(np.float32(0)))
        zero[1].buffer = len(model.buffers) - 1
        model.operatorCodes += [operator_code(Ops.WHILE), operator_code(Ops.LESS)]
        test = schema.SubGraphT(tensors=zero, inputs=[0], outputs=[2], operators=[operator(3, [0, 1], [2])])
        adds = [tensor("y", (1, 6, 8, 3)), tensor("sum", (1, 6, 8, 3)), tensor("again", (1, 6, 8, 3))]
        inner = [operator(0, [0, 0], [1], "AddOptions")]
        if body == 3:
            inner.append(_while([1], [2], condition, 2))
        step = schema.SubGraphT(tensors=adds, inputs=[0], outputs=[1], operators=inner)
        model.subgraphs += [test, step]
        graph(model).tensors.append(tensor("last", (1, 6, 8, 3)))
        graph(model).operators.append(_while([4], [5], condition, 2 if body == 3 else body))

    return change


def _while(inputs: list[int], outputs: list[int], condition: int, body: int) -> Any:
    chosen = {"condSubgraphIndex": condition, "bodySubgraphIndex": body}
    return operator(2, inputs, outputs, "WhileOptions", **chosen)


def test_a_loop_passes() -> None:
    scan = scanned(loop(body=2))
    assert scan.refusals == () and scan.functions == 2


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (loop(body=0), "without circles"),
        (loop(body=3), "without circles"),
        (loop(body=7), "subgraphs of the file"),
        (loop(body=2, condition=-1), "subgraphs of the file"),
    ],
    ids=["itself", "its own body", "missing", "negative"],
)
def test_loops_that_never_come_back_are_refused(change: Change, expected: str) -> None:
    assert any(expected in refusal.rule for refusal in scanned(change).refusals)


def test_deep_calls_are_refused() -> None:
    def change(model: Any) -> None:
        model.operatorCodes.append(operator_code(Ops.IF))
        shape = (1, 6, 8, 3)
        for level in range(1, 19):
            below = min(level + 1, 18)
            chosen = {"thenSubgraphIndex": below, "elseSubgraphIndex": below}
            inner = [operator(2, [0, 0], [1], "IfOptions", **chosen)] if level < 18 else []
            ends = [tensor("a", shape), tensor("b", shape)]
            model.subgraphs.append(
                schema.SubGraphT(tensors=ends, inputs=[0], outputs=[1 if inner else 0], operators=inner)
            )

    assert "16 deep" in scanned(change).refusals[0].rule


def test_too_many_operators_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixelproof.measure.scan.tflite.MAX_OPERATORS", 1)
    refusals = scanned().refusals
    assert [(r.rule, r.found) for r in refusals] == [
        ("A model must have at most 1 operators", "2 in model.tflite")
    ]


def test_shared_tables_are_refused_before_they_multiply() -> None:
    builder = flatbuffers.Builder(1024)
    shared = graph(small_model()).Pack(builder)
    schema.ModelStartSubgraphsVector(builder, 20_000)
    for _ in range(20_000):
        builder.PrependUOffsetTRelative(shared)
    graphs = builder.EndVector()
    schema.ModelStart(builder)
    schema.ModelAddVersion(builder, 3)
    schema.ModelAddSubgraphs(builder, graphs)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    scan = scan_tflite(bytes(builder.Output()), label="m")
    assert [refusal.rule for refusal in scan.refusals] == ["A model must be of a size that can be read"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"TFL3",
        b"\0" * 100,
        b"\x1c\0\0\0TFL4" + b"\0" * 60,
        b"\x1c\0\0\0TFL3",
        b"\x08\0\0\0TFL3" + b"\xff" * 99,
    ],
)
def test_other_files_are_no_model(data: bytes) -> None:
    with pytest.raises(ArtifactError, match=r"model\.tflite"):
        scan_tflite(data, label="model.tflite")


def test_every_shortened_model_is_damaged_or_refused() -> None:
    data = written(small_model())
    for length in range(0, len(data) - 1, 3):
        try:
            scan_tflite(data[:length], label="m")
        except ArtifactError:
            continue
        pytest.fail(f"the first {length} of {len(data)} bytes pass")


@settings(max_examples=400, deadline=1000)
@given(st.data())
def test_no_other_error_escapes(drawn: st.DataObject) -> None:
    data = bytearray(written(small_model()))
    values = st.one_of(
        st.binary(min_size=4, max_size=4), st.sampled_from([b"\0" * 4, b"\xff" * 4, b"\4\0\0\0"])
    )
    for _ in range(drawn.draw(st.integers(1, 6))):
        place = drawn.draw(st.integers(8, len(data) - 4))
        data[place : place + 4] = drawn.draw(values)
    with contextlib.suppress(ArtifactError):
        scan_tflite(bytes(data), label="m")


def test_a_large_model_is_scanned_in_no_time() -> None:
    model = small_model()
    model.buffers[2] = constant(np.zeros((512, 512, 3, 3), np.float32))
    graph(model).tensors[3].shape = [512, 512, 3, 3]
    data = written(model)
    start = time.perf_counter()
    assert scan_tflite(data, label="m").refusals == ()
    assert len(data) > 9_000_000 and time.perf_counter() - start < 0.25


def test_what_the_converter_writes_passes(blurs: dict[str, Path]) -> None:
    scan = scan_tflite(blurs["tflite"].read_bytes(), label="m")
    assert scan.refusals == () and scan.operations["CONV_2D"] == 1


def test_the_baseline_passes() -> None:
    data = (resources.files("pixelproof.validate.baselines") / "srcnn.tflite").read_bytes()
    scan = scan_tflite(data, label="srcnn.tflite")
    assert scan.refusals == () and scan.nodes == 6


@pytest.mark.parametrize("name", ["resnet_6_16", "srcnn", "vgg_19"])
def test_registered_models_pass(tf: Any, name: str) -> None:
    from pixelproof.convert.frozen_graph import freeze_function
    from pixelproof.models.registry import create
    from pixelproof.tflite.converter import to_tflite

    model = create(name)
    spec = tf.TensorSpec((1, 24, 40, 3), tf.float32)
    frozen, start, end = freeze_function(tf.function(lambda x: model(x)).get_concrete_function(spec))
    data = to_tflite(frozen, input_name=start, output_name=end, shape=(1, 24, 40, 3))
    scan = scan_tflite(data, label="m")
    assert scan.refusals == ()
    assert scan.constant_bytes > 4 * model.count_params() * 0.9


@pytest.mark.parametrize("way", ["dynamic", "float16", "int8", "int16"])
def test_quantized_models_pass(tf: Any, way: str) -> None:
    rng = np.random.default_rng(0)
    weights = tf.constant(rng.normal(size=(3, 3, 3, 32)).astype(np.float32))
    back = tf.constant(rng.normal(size=(3, 3, 32, 3)).astype(np.float32))

    def picture(x: Any) -> Any:
        inner = tf.nn.conv2d(tf.nn.relu(tf.nn.conv2d(x, weights, 1, "SAME")), back, 1, "SAME")
        return tf.image.resize(tf.nn.avg_pool2d(x, 2, 2, "SAME"), (24, 40)) + inner

    spec = tf.TensorSpec((1, 24, 40, 3), tf.float32)
    function = tf.function(picture).get_concrete_function(spec)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], function)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if way == "float16":
        converter.target_spec.supported_types = [tf.float16]
    elif way != "dynamic":
        converter.representative_dataset = lambda: (
            [rng.random((1, 24, 40, 3)).astype(np.float32)] for _ in "ab"
        )
        wide = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        narrow = tf.lite.OpsSet.TFLITE_BUILTINS_INT8
        converter.target_spec.supported_ops = [wide if way == "int16" else narrow]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the converter's own, of statistics that it doesn't need
        data = converter.convert()
    assert scan_tflite(data, label="m").refusals == ()


SCALARS = {
    f"{name}Flags": f"{name[0].lower() if name[0] != 'B' else 'u'}{size}"
    for name, size in {
        **{f"{sign}{bits}": bits // 8 for sign in ("Int", "Uint") for bits in (8, 16, 32, 64)},
        "Bool": 1,
        "Float32": 4,
        "Float64": 8,
    }.items()
}


def generated_fields(name: str) -> dict[int, tuple[str, str]]:
    """Slots of a table as LiteRT's generated class reads them: kind and item."""
    source = Path(schema.__file__).read_text(encoding="utf-8")
    body = re.search(rf"^class {name}\(object\):\n(.*?)^def {name}Start\(", source, re.DOTALL | re.MULTILINE)
    assert body, name
    methods = re.split(r"^    def (\w+)\(self(, j)?\):\n", body.group(1), flags=re.MULTILINE)[1:]
    fields: dict[int, tuple[str, str]] = {}
    for method, vector, code in zip(methods[::3], methods[1::3], methods[2::3], strict=True):
        slot = re.search(r"_tab\.Offset\((\d+)\)", code)
        if slot is None or method.endswith(("AsNumpy", "Length", "IsNone")):
            continue
        flags, made = (
            re.search(r"Get\(flatbuffers\.number_types\.(\w+),", code),
            re.search(r"obj = (\w+)\(", code),
        )
        if made and made.group(1) == "Table":
            found = ("union", "")
        elif made:
            found = ("tables" if vector else "table", made.group(1))
        elif flags:
            found = ("scalars" if vector else "scalar", SCALARS[flags.group(1)])
        else:
            found = ("string", "str")
        fields[(int(slot.group(1)) - 4) // 2] = found
    return fields


def test_the_schema_is_that_of_the_runtime() -> None:
    ours = tflite_schema()
    names = [name for name in vars(schema) if hasattr(schema, f"{name}Start")]
    assert sorted(ours.tables) == sorted(names)
    for name in names:
        stated = {
            field.slot: (field.kind, "" if field.kind == "union" else field.item)
            for field in ours.tables[name].fields
        }
        assert stated == generated_fields(name), name


def test_absent_numbers_are_those_of_the_runtime() -> None:
    for name, layout in tflite_schema().tables.items():
        made = vars(getattr(schema, f"{name}T")())
        theirs = {re.sub(r"[_ ]", "", key).lower(): value for key, value in made.items()}
        for field, value in layout.absent.items():
            assert float(theirs[field.replace("_", "")]) == value, (name, field)


@pytest.mark.parametrize(
    "union", ["BuiltinOptions", "BuiltinOptions2", "QuantizationDetails", "SparseIndexVector"]
)
def test_unions_are_those_of_the_runtime(union: str) -> None:
    stated = dict(enumerate(tflite_schema().unions[union]))
    assert stated == {
        value: name for name, value in vars(getattr(schema, union)).items() if isinstance(value, int)
    }


def test_operations_are_those_of_the_runtime() -> None:
    codes = {name: value for name, value in vars(Ops).items() if isinstance(value, int)}
    assert {name: code for code, name in enumerate(builtin_names())} == codes
    assert set(allowed_operations()) <= set(codes)


def test_element_types_are_those_of_the_runtime() -> None:
    for name, code in vars(Types).items():
        if isinstance(code, int):
            model = small_model()
            set_tensor(2, type=code, isVariable=True)(model)
            rules = [refusal.rule for refusal in scan_tflite(written(model), label="m").refusals]
            numbers = name not in ("STRING", "RESOURCE", "VARIANT")
            assert ("Tensors must hold numbers" in rules) is not numbers
