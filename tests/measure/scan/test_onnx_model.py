"""ONNX models made with onnx's own helpers, one fault each; and what the converter writes."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, defs, helper, numpy_helper

from pixelproof.errors import ArtifactError
from pixelproof.measure.scan.onnx_model import scan_onnx
from pixelproof.measure.scan.onnx_operations import (
    CONTROL_FLOW,
    TENSOR_OPERATIONS,
    may_be_left_out,
    why_refused,
)
from pixelproof.measure.scan.onnx_tensors import ELEMENTS
from pixelproof.safety import Scan

Change = Callable[[Any], None]
FLOAT = TensorProto.FLOAT


def image(name: str) -> Any:
    """A ValueInfoProto of an NHWC image."""
    return helper.make_tensor_value_info(name, FLOAT, (1, "height", "width", 3))


def small_model() -> Any:
    """Adds a constant, splits and joins the channels, and clips: image in and out."""
    nodes = [
        helper.make_node("Add", ["input", "shift"], ["shifted"]),
        helper.make_node("Constant", [], ["top"], value=numpy_helper.from_array(np.float32(0.5))),
        helper.make_node("Split", ["shifted"], ["r", "g", "b"], axis=3, num_outputs=3),
        helper.make_node("Concat", ["b", "g", "r"], ["joined"], axis=3),
        helper.make_node("Clip", ["joined", "", "top"], ["output"]),
    ]
    shift = numpy_helper.from_array(np.float32([1, 2, 3]), "shift")
    graph = helper.make_graph(nodes, "main", [image("input")], [image("output")], [shift])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 2)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def scanned(change: Change | None = None) -> Scan:
    """What the scan says of the small model, changed."""
    model = small_model()
    if change is not None:
        change(model)
    return scan_onnx(model.SerializeToString(), label="model.onnx")


def said(scan: Scan) -> list[str]:
    """Its refusals as sentences."""
    return [f"{refusal.rule}; {refusal.found}. {refusal.remedy}" for refusal in scan.refusals]


def test_a_sound_model_passes_and_is_counted() -> None:
    scan = scanned()
    assert scan.refusals == ()
    assert (scan.format, scan.nodes, scan.functions, scan.constant_bytes) == ("onnx", 5, 0, 16)
    assert scan.operations == {"Add": 1, "Constant": 1, "Split": 1, "Concat": 1, "Clip": 1}


def test_the_sound_model_runs() -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(
        small_model().SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (result,) = session.run(None, {"input": np.zeros((1, 2, 3, 3), np.float32)})
    assert result.max() == 0.5


def weights(model: Any) -> Any:
    """The first initializer."""
    return model.graph.initializer[0]


def make_external(tensor: Any, location: str) -> None:
    """Let a tensor's data be in another file."""
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)


def fields(of: Callable[[Any], Any], **values: Any) -> Change:
    """A change of a message's fields; None clears one, a list replaces it."""

    def change(model: Any) -> None:
        message = of(model)
        for name, value in values.items():
            message.ClearField(name)
            if isinstance(value, list):
                getattr(message, name).extend(value)
            elif value is not None:
                setattr(message, name, value)

    return change


def node(index: int) -> Callable[[Any], Any]:
    """A node of the graph."""
    return lambda model: model.graph.node[index]


def added(*args: Any, **attributes: Any) -> Change:
    """A node more, which nothing reads."""
    return lambda model: model.graph.node.append(helper.make_node(*args, **attributes))


def branch(inner: Any) -> Any:
    """An If whose branches hold a node."""
    out = helper.make_tensor_value_info("inner", FLOAT, None)
    graph = helper.make_graph([inner], "branch", [], [out])
    return helper.make_node("If", ["flag"], ["either"], then_branch=graph, else_branch=graph)


def external_in_branch(model: Any) -> None:
    """A constant of a branch in another file."""
    tensor = numpy_helper.from_array(np.float32([1]), "hidden")
    make_external(tensor, "hidden.bin")
    nested = branch(helper.make_node("Identity", ["hidden"], ["inner"]))
    nested.attribute[0].g.initializer.append(tensor)
    model.graph.node.append(nested)


def external_attribute(model: Any) -> None:
    """The value of a Constant in another file."""
    make_external(model.graph.node[1].attribute[0].t, "/etc/passwd")


def sparse() -> Any:
    """A SparseTensorProto."""
    values = numpy_helper.from_array(np.float32([1]), "few")
    return helper.make_sparse_tensor(values, numpy_helper.from_array(np.int64([2])), [5])


def function(name: str, *calls: str, domain: str = "mine", nodes: int = 0) -> Any:
    """A function of one tensor that calls others one after the other, or adds."""
    ops = [(domain, call) for call in calls] + [("", "Neg")] * nodes
    body = [
        helper.make_node(op, [f"t{index}"], [f"t{index + 1}"], domain=owner)
        for index, (owner, op) in enumerate(ops)
    ]
    return helper.make_function(domain, name, ["t0"], [f"t{len(ops)}"], body, [helper.make_opsetid("", 18)])


def calling(*functions: Any) -> Change:
    """The model with functions, the first of which it calls."""

    def change(model: Any) -> None:
        model.functions.extend(functions)
        model.opset_import.append(helper.make_opsetid("mine", 1))
        first = functions[0]
        model.graph.node.append(helper.make_node(first.name, ["output"], ["more"], domain=first.domain))

    return change


REFUSED: dict[str, tuple[Change, str]] = {
    "no nodes": (fields(lambda m: m.graph, node=[]), "must have nodes"),
    "no IR version": (fields(lambda m: m, ir_version=None), "IR version 3 to 13; version 0"),
    "a later IR version": (fields(lambda m: m, ir_version=99), "IR version 3 to 13; version 99"),
    "no opset": (fields(lambda m: m, opset_import=[]), "must name its opset, 1 to 26; none"),
    "only another opset": (fields(lambda m: m.opset_import[0], domain="mine"), "must name its opset"),
    "a later opset": (fields(lambda m: m.opset_import[0], version=27), "opset 27"),
    "training": (lambda m: m.training_info.add(), "must be for inference"),
    "configuration": (lambda m: m.metadata_props.add(key="ort_config", value="{}"), "ort_config"),
    "external weights": (lambda m: make_external(weights(m), "../weights.bin"), "shift in ../weights.bin"),
    "external by location alone": (fields(weights, data_location=1), "external data"),
    "external by entries alone": (
        lambda m: weights(m).external_data.add(key="location", value="x"),
        "shift in x",
    ),
    "external memory": (lambda m: make_external(weights(m), "*/_ORT_MEM_ADDR_/*"), "_ORT_MEM_ADDR_"),
    "external in an attribute": (external_attribute, "Constant in the graph in /etc/passwd"),
    "external in a branch": (external_in_branch, "hidden in hidden.bin"),
    "external in an unused function": (
        lambda m: m.functions.append(
            helper.make_function(
                "mine",
                "hidden",
                [],
                ["y"],
                [_external_constant()],
                [helper.make_opsetid("", 18)],
            )
        ),
        "function hidden",
    ),
    "sparse weights": (
        lambda m: m.graph.sparse_initializer.append(sparse()),
        "must be dense; sparse tensors: few",
    ),
    "sparse attribute": (added("Constant", [], ["s"], sparse_value=sparse()), "must be dense"),
    "strings as weights": (
        lambda m: m.graph.initializer.append(helper.make_tensor("words", TensorProto.STRING, [1], [b"a"])),
        "must hold numbers; strings: words",
    ),
    "a string constant": (added("Constant", [], ["s"], value_string="a"), "must hold numbers; strings"),
    "string constants": (added("Constant", [], ["s"], value_strings=["a"]), "must hold numbers; strings"),
    "a cast to strings": (
        added("Cast", ["input"], ["s"], to=TensorProto.STRING),
        "must hold numbers; strings",
    ),
    "strings as input": (
        lambda m: m.graph.input.append(helper.make_tensor_value_info("words", TensorProto.STRING, [1])),
        "must hold numbers; strings: words",
    ),
    "a sequence as output": (
        lambda m: m.graph.output.append(
            helper.make_tensor_sequence_value_info("list", FLOAT, None),
        ),
        "values of sequence_type: list",
    ),
    "an unknown element type": (fields(weights, data_type=99), "elements of type 99"),
    "no element type": (fields(weights, data_type=None), "elements of type 0"),
    "weights too short": (fields(weights, dims=[4]), "4: 16, stored 12"),
    "weights too long": (fields(weights, dims=[2]), "2: 8, stored 12"),
    "weights that claim gigabytes": (fields(weights, dims=[2**40]), "stored 12"),
    "weights of negative size": (fields(weights, dims=[-3]), "whole shapes"),
    "two negative sizes": (fields(weights, dims=[-3, -1]), "whole shapes"),
    "overflow": (fields(weights, dims=[2**62, 2**62]), "more elements than can be counted"),
    "overflow behind a 0": (fields(weights, dims=[0, 2**62, 2**62]), "more elements than can be counted"),
    "many dimensions": (fields(weights, dims=[1] * 100_000), "too many dimensions"),
    "stored twice": (fields(weights, float_data=[1.0, 2.0, 3.0]), "as much as its shape"),
    "stored in another field": (fields(weights, raw_data=None, int32_data=[1, 2, 3]), "as much as its shape"),
    "too few entries": (fields(weights, raw_data=None, float_data=[1.0]), "3: 3, stored 1"),
    "a segment": (lambda m: weights(m).segment.SetInParent(), "whole shapes"),
    "onnxruntime's own operation": (
        added("FusedConv", ["input"], ["x"], domain="com.microsoft"),
        "operations of com.microsoft, onnxruntime's own: com.microsoft.FusedConv in the graph",
    ),
    "another domain": (
        added("Evil", ["input"], ["x"], domain="evil"),
        "neither ONNX's nor functions of the file",
    ),
    "an operation for tables": (
        added("Scaler", ["input"], ["x"], domain="ai.onnx.ml"),
        "operations for tables",
    ),
    "an unknown operation": (added("ReadFile", ["input"], ["x"]), "that ONNX doesn't have: ReadFile"),
    "strings": (added("StringConcat", ["a", "b"], ["x"]), "operations on strings: StringConcat"),
    "image decoding": (added("ImageDecoder", ["a"], ["x"]), "decode image files: ImageDecoder"),
    "an operation in a branch": (
        lambda m: m.graph.node.append(branch(helper.make_node("Evil", ["x"], ["inner"]))),
        "Evil in a subgraph of If",
    ),
    "a subgraph of another operation": (
        added("Add", ["a", "b"], ["x"], body=helper.make_graph([], "g", [], [])),
        "Only If, Loop and Scan",
    ),
    "subgraphs in a list": (
        added("Add", ["a", "b"], ["x"], bodies=[helper.make_graph([], "g", [], [])]),
        "Only If, Loop and Scan",
    ),
    "an attribute that is a type": (
        added("Identity", ["input"], ["x"], type=helper.make_tensor_type_proto(FLOAT, None)),
        "attributes that are types",
    ),
    "a split that states otherwise": (fields(lambda m: m.graph.node[2].attribute[1], i=2), "Split must have"),
    "an input left out": (fields(node(3), input=["b", "", "r"]), "may be left out; others: Concat"),
    "a function in ONNX's domain": (
        calling(function("Neg2", nodes=1, domain="ai.onnx")),
        "domain of their own",
    ),
    "a function in onnxruntime's domain": (
        calling(function("FusedConv", nodes=1, domain="com.microsoft")),
        "domain of their own",
    ),
    "a function that calls itself": (calling(function("f", "f")), "a function that calls itself"),
    "functions that call each other": (
        calling(function("f", "g"), function("g", "f")),
        "a function that calls itself",
    ),
    "an unused function that calls itself": (
        calling(function("f", nodes=1), function("g", "g")),
        "a function that calls itself",
    ),
    "functions that double": (
        calling(*(function(f"f{i}", f"f{i + 1}", f"f{i + 1}") for i in range(13)), function("f13", nodes=20)),
        "once its functions are expanded; 180,",
    ),
    "functions too deep": (
        calling(*(function(f"f{i}", f"f{i + 1}") for i in range(20)), function("f20", nodes=1)),
        "21 levels",
    ),
}


def _external_constant() -> Any:
    made = helper.make_node("Constant", [], ["y"], value=numpy_helper.from_array(np.float32([1])))
    make_external(made.attribute[0].t, "x.bin")
    return made


@pytest.mark.parametrize("case", REFUSED)
def test_a_model_is_refused(case: str) -> None:
    change, expected = REFUSED[case]
    scan = scanned(change)
    assert any(expected in sentence for sentence in said(scan)), said(scan)
    assert all("model.onnx" in refusal.found for refusal in scan.refusals)


def test_functions_pass() -> None:
    scan = scanned(calling(function("f", "g", "g"), function("g", nodes=2)))
    assert scan.refusals == ()
    assert (scan.nodes, scan.functions) == (5 + 1 + 2 + 2, 2)
    assert scan.operations["mine.g"] == 2


def test_branches_pass_and_are_counted() -> None:
    scan = scanned(lambda m: m.graph.node.append(branch(helper.make_node("Neg", ["output"], ["inner"]))))
    assert scan.refusals == ()
    assert (scan.nodes, scan.functions, scan.operations["Neg"]) == (8, 2, 2)


def test_too_many_nodes_are_refused() -> None:
    def change(model: Any) -> None:
        many = [helper.make_node("Neg", ["input"], ["x"])] * 40_000
        graph = helper.make_graph(many, "branch", [], [])
        model.graph.node.append(helper.make_node("If", ["c"], ["y"], then_branch=graph, else_branch=graph))
        model.graph.node.append(helper.make_node("If", ["c"], ["y"], then_branch=graph, else_branch=graph))

    start = time.perf_counter()
    assert "at most 100,000 nodes" in scanned(change).refusals[0].rule
    assert time.perf_counter() - start < 10


def test_names_that_are_no_text_are_handled() -> None:
    data = small_model().SerializeToString()
    for name in (b"Add", b"shift", b"main", b"axis", b"value"):
        scan = scan_onnx(data.replace(name, b"\xff" * len(name)), label="m")
        assert all(isinstance(operation, str) for operation in scan.operations)
    assert scan_onnx(data.replace(b"Add", b"\xff\xfe\xfd"), label="m").refusals


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no model",
        b"<html><body>404</body></html>",
        small_model().SerializeToString()[:-5],
        small_model().graph.SerializeToString(),
        b"\x20\0\0\0ORTM" + b"\0" * 40,
        small_model().SerializeToString()[:4] + b"ORTM" + small_model().SerializeToString()[8:],
        b"\x3a\x02" * 200,
    ],
    ids=["empty", "words", "HTML", "cut", "only a graph", "ORT format", "both", "nested"],
)
def test_other_files_are_no_model(data: bytes) -> None:
    with pytest.raises(ArtifactError, match=r"model\.onnx"):
        scan_onnx(data, label="model.onnx")


def nested(*numbers: int, inside: bytes = b"") -> bytes:
    """Messages in each other, by the numbers of their fields."""
    for number in reversed(numbers):
        length, size = len(inside), b""
        while length > 127:
            size += bytes([length % 128 + 128])
            length //= 128
        inside = bytes([number * 8 + 2]) + size + bytes([length]) + inside
    return inside


def test_deep_nesting_is_no_model() -> None:
    graph, node_, attribute, subgraph = 7, 1, 5, 6
    few = nested(graph, *[node_, attribute, subgraph] * 20, inside=nested(node_))
    assert scan_onnx(few, label="m").functions == 20
    with pytest.raises(ArtifactError):
        scan_onnx(nested(graph, *[node_, attribute, subgraph] * 2000, inside=nested(node_)), label="m")


@settings(max_examples=400, deadline=1000)
@given(st.data())
def test_no_other_error_escapes(drawn: st.DataObject) -> None:
    data = bytearray(small_model().SerializeToString())
    for _ in range(drawn.draw(st.integers(1, 5))):
        place = drawn.draw(st.integers(0, len(data) - 1))
        data[place : place + drawn.draw(st.integers(0, 3))] = drawn.draw(st.binary(max_size=4))
    with contextlib.suppress(ArtifactError):
        scan_onnx(bytes(data), label="m")


@pytest.mark.parametrize("code", sorted(ELEMENTS))
def test_every_type_of_numbers_passes_however_it_is_stored(code: int) -> None:
    kind = TensorProto.DataType.Name(code)
    values = [1.0, 0.0, 1.0] if code not in (TensorProto.COMPLEX64, TensorProto.COMPLEX128) else [1j, 0j, 1j]
    typed = helper.make_tensor(kind, code, [3], values)
    raw = numpy_helper.from_array(numpy_helper.to_array(typed), kind)
    assert raw.HasField("raw_data") and not typed.HasField("raw_data")
    for tensor in (typed, raw):

        def change(model: Any, tensor: Any = tensor) -> None:
            model.graph.initializer.append(tensor)

        assert scanned(change).refusals == (), kind
    assert scanned(lambda m: m.graph.initializer.append(typed)).constant_bytes == 16 + len(raw.raw_data)


def test_an_empty_constant_passes() -> None:
    empty = helper.make_tensor("empty", TensorProto.INT64, [0], [])
    assert scanned(lambda model: model.graph.initializer.append(empty)).refusals == ()


def test_a_large_model_is_scanned_in_no_time() -> None:
    model = small_model()
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(2_500_000, np.float32), "large"))
    data = model.SerializeToString()
    scan_onnx(small_model().SerializeToString(), label="m")
    start = time.perf_counter()
    assert scan_onnx(data, label="m").refusals == ()
    assert time.perf_counter() - start < 0.25


def test_the_rest_of_onnx_is_not_imported() -> None:
    lines = (
        "import sys",
        "from pixelproof.measure.scan.onnx_model import scan_onnx",
        "scan_onnx(open(sys.argv[1], 'rb').read(), label='m')",
        "assert not {'onnx', 'numpy', 'onnx.helper', 'onnxruntime'} & set(sys.modules)",
        "import onnx",
        "assert onnx.ModelProto.FromString(open(sys.argv[1], 'rb').read()).graph.node",
    )
    baseline = str(resources.files("pixelproof.validate.baselines") / "srcnn.onnx")
    subprocess.run([sys.executable, "-c", "\n".join(lines), baseline], check=True, timeout=60)


def test_what_the_converter_writes_passes(blurs: dict[str, Path]) -> None:
    scan = scan_onnx(blurs["onnx"].read_bytes(), label="m")
    assert scan.refusals == () and scan.operations["Conv"] == 1


def test_the_baseline_passes() -> None:
    data = (resources.files("pixelproof.validate.baselines") / "srcnn.onnx").read_bytes()
    scan = scan_onnx(data, label="srcnn.onnx")
    assert scan.refusals == () and scan.nodes == 11


@pytest.mark.parametrize("opset", [10, 18])
@pytest.mark.parametrize("name", ["resnet_6_16", "srcnn", "vgg_19"])
def test_registered_models_pass(tf: Any, name: str, opset: int) -> None:
    from pixelproof.convert.frozen_graph import freeze_function, tidy
    from pixelproof.convert.onnx import to_onnx
    from pixelproof.models.registry import create

    model = create(name)
    spec = tf.TensorSpec((1, None, None, 3), tf.float32)
    frozen, start, end = freeze_function(tf.function(lambda x: model(x)).get_concrete_function(spec))
    graph = tidy(frozen, input_tensor=start, output_tensor=end, input_name="input", output_name="output")
    data = to_onnx(graph, input_name="input", output_name="output", opset=opset)
    assert scan_onnx(data, label="m").refusals == ()


def test_allowed_operations_are_registered() -> None:
    registered = {schema.name for schema in defs.get_all_schemas_with_history() if schema.domain == ""}
    allowed = TENSOR_OPERATIONS | CONTROL_FLOW
    assert allowed <= registered
    left_out = {
        name for name in registered - allowed if why_refused("", name) == why_refused("", "no such thing")
    }
    assert left_out == set()  # every other one is left out on purpose, with a reason


def test_allowed_operations_work_on_tensors_alone() -> None:
    for schema in defs.get_all_schemas_with_history():
        if schema.domain == "" and schema.name in TENSOR_OPERATIONS:
            graphs = [name for name, a in schema.attributes.items() if "GRAPH" in str(a.type)]
            assert not graphs, schema.name
            assert not any(p.type_str.startswith(("seq(", "optional(")) for p in schema.outputs), schema.name


def test_inputs_that_may_be_left_out_are_the_standards() -> None:
    optional = defs.OpSchema.FormalParameterOption.Optional
    stated: dict[str, set[int]] = {}
    most = 0
    for schema in defs.get_all_schemas_with_history():
        if schema.domain == "" and schema.name in TENSOR_OPERATIONS | CONTROL_FLOW:
            places = stated.setdefault(schema.name, set())
            places.update(at for at, given in enumerate(schema.inputs) if given.option == optional)
            most = max(most, len(schema.inputs))
    for name, places in stated.items():
        allowed = {at for at in range(most) if may_be_left_out(name, at)}
        assert min(allowed, default=-1) == min(places, default=-1), name
        assert places <= allowed, name


def test_element_types_are_the_standards() -> None:
    codes = set(TensorProto.DataType.values()) - {TensorProto.UNDEFINED, TensorProto.STRING}
    assert codes - set(ELEMENTS) <= {27, 28}  # six bits wide; onnxruntime 1.31 has no such tensors
    for code, kind in ELEMENTS.items():
        assert kind.field == helper.tensor_dtype_to_field(code), TensorProto.DataType.Name(code)


def test_the_newest_versions_are_those_that_the_runtime_loads() -> None:
    import onnxruntime

    def loads(change: Change) -> bool:
        model = small_model()
        change(model)
        try:
            onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        except Exception:  # noqa: BLE001 - onnxruntime's own errors share no base
            return False
        return True

    assert loads(fields(lambda m: m, ir_version=13)) and loads(
        fields(lambda m: m.opset_import[0], version=26)
    )
    assert onnx.IR_VERSION >= 13
