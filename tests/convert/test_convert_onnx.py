"""``convert-onnx`` as typed: what PyTorch exports becomes .pb and TFLite, and what is wrong is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof.errors import PixelproofError
from pixelproof.measure.parity import probe_image

FILES = Path(__file__).parent / "onnx_files"
NETWORKS = ("pixel_shuffle", "attention", "normalised", "unet", "windows")
EXPORTS = [f"{name}_{exporter}" for name in NETWORKS for exporter in ("script", "dynamo")]


def proof(folder: Path) -> dict[str, Any]:
    """parity.json of a folder."""
    document: dict[str, Any] = json.loads((folder / "parity.json").read_text())
    return document


def network(
    *nodes: Any, constants: dict[str, Any] | None = None, shape: Any = (1, 3, "h", "w"), **more: Any
) -> bytes:
    """A network from ``input`` to ``output`` as a file."""
    from onnx import TensorProto, helper, numpy_helper

    kind = more.get("kind", TensorProto.FLOAT)
    inputs = more.get("inputs", ("input",))
    graph = helper.make_graph(
        list(nodes),
        "network",
        [helper.make_tensor_value_info(name, kind, shape) for name in inputs],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(v), name) for name, v in (constants or {}).items()],
    )
    imports = [helper.make_opsetid("", more.get("opset", 17)), helper.make_opsetid("com.microsoft", 1)]
    made: bytes = helper.make_model(graph, opset_imports=imports, ir_version=9).SerializeToString()
    return made


def node(op: str, inputs: str = "input", output: str = "output", **attributes: Any) -> Any:
    """A node, named as PyTorch names them."""
    from onnx import helper

    return helper.make_node(op, inputs.split(), [output], name=f"body/{op.lower()}_{output}", **attributes)


@pytest.mark.parametrize("name", [*EXPORTS, "pixel_shuffle_opset11", "unet_fixed"])
def test_exports_are_translated(tf: Any, name: str) -> None:
    import onnxruntime

    from pixelproof.convert.from_onnx.model import read_model
    from pixelproof.convert.from_onnx.translate import translate

    data = (FILES / f"{name}.onnx").read_bytes()
    assert len(data) < 100_000
    model = read_model(data)
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(translate(model, input_name="input", output_name="output").graph, name="")
    theirs = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    sizes = [(40, 56), (24, 8)] if name.startswith("windows") else [(37, 54), (45, 23)]
    for height, width in [(24, 32)] if name == "unet_fixed" else sizes:
        image = probe_image(height, width, 3)
        (wanted,) = theirs.run(None, {"input": image.transpose(0, 3, 1, 2)})
        with tf.compat.v1.Session(graph=graph) as session:
            found = session.run("output:0", {"input:0": image})
        assert np.max(np.abs(found - wanted.transpose(0, 2, 3, 1))) < 1e-5


def test_an_export_becomes_a_pb(call: Callable[..., Any], tmp_path: Path) -> None:
    source, out = FILES / "windows_script.onnx", tmp_path / "out"
    answer = call("convert-onnx", str(source), "--out", str(out), "--json", "-")
    assert answer.code == 0, answer.err
    assert sorted(p.name for p in out.iterdir()) == ["model.pb", "parity.json"]
    document = json.loads(answer.out)
    assert document == proof(out)
    assert document["passed"] is True and document["first_difference"] is None
    told = {"layout": "NCHW", "shape": [1, None, None, 3], "opset": 17, "nodes": 123, "parameters": 747}
    assert document["onnx"] == told
    rows = document["artifacts"][0]["rows"]
    assert [(row["height"], row["width"]) for row in rows] == [(40, 56), (48, 24)]
    assert max(row["difference"]["max_abs"] for row in rows) < 1e-5


def test_every_format_of_a_dynamic_export(call: Callable[..., Any], tmp_path: Path) -> None:
    from pixelproof.measure.worker import Worker

    source, folder = FILES / "attention_script.onnx", tmp_path / "out"
    answer = call(
        "convert-onnx", str(source), "--out", str(folder), "--input-shape", "1,41,64,3",
        "--formats", "pb,tflite,savedmodel", "--input-name", "picture", "--output-name", "body/result",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert {p.name for p in folder.iterdir()} == {"model.pb", "model.tflite", "saved_model", "parity.json"}
    rows = {item["name"]: item["rows"] for item in proof(folder)["artifacts"]}
    assert [(row["height"], row["width"]) for row in rows["model.tflite"]] == [(41, 64), (37, 54)]
    image = probe_image(31, 58, 3, seed=4)
    with Worker() as ours, Worker() as theirs:
        loaded = ours.load(folder / "model.pb", "pb", input_name="picture:0", output_name="body/result:0")
        assert loaded.used_input == "picture:0" and loaded.used_output == "body/result:0"
        assert loaded.interface.inputs[0].shape == (1, None, None, 3)
        theirs.load(source, "onnx", channels_first=True)
        assert np.max(np.abs(ours.run(image) - theirs.run(image))) < 1e-5


def test_a_fixed_export_stays_fixed(call: Callable[..., Any], tmp_path: Path) -> None:
    from pixelproof.measure.worker import Worker

    answer = call("convert-onnx", str(FILES / "unet_fixed.onnx"), "--out", str(tmp_path / "out"))
    assert answer.code == 0, answer.err
    with Worker() as worker:
        loaded = worker.load(tmp_path / "out" / "model.pb", "pb")
    assert loaded.interface.inputs[0].shape == (1, 24, 32, 3)
    assert (tmp_path / "out" / "model.tflite").exists()


def test_an_onnx_with_channels_last(tf: Any) -> None:
    from pixelproof.convert.from_onnx.model import read_model
    from pixelproof.convert.from_onnx.translate import translate

    data = network(
        node("Transpose", output="t", perm=[0, 3, 1, 2]),
        node("Conv", "t k", "a", pads=[1] * 4),
        node("Transpose", "a", perm=[0, 2, 3, 1]),
        constants={"k": np.full((5, 3, 3, 3), 0.1, np.float32)},
        shape=(1, "h", "w", 3),
    )
    model = read_model(data)
    assert (model.layout, model.shape) == ("NHWC", (1, None, None, 3))
    made = translate(model, input_name="input", output_name="output").graph
    assert [n.op for n in made.node if n.op != "Const"] == ["Placeholder", "Conv2D", "Identity"]


def blown_up() -> bytes:
    """A network whose last layer makes float32's rounding larger than the tolerance."""
    rng = np.random.default_rng(0)
    kernels = {name: rng.standard_normal((3, 3, 3, 3)).astype(np.float32) for name in ("k1", "k2")}
    return network(
        node("Conv", "input k1", "a", pads=[1] * 4),
        node("Relu", "a", "b"),
        node("Conv", "b k2", "c", pads=[1] * 4),
        node("Mul", "c n"),
        constants={**kernels, "n": np.float32(3e6)},
    )


def test_a_mismatch_names_the_layer_and_delivers_nothing(call: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(blown_up())
    out = tmp_path / "out"
    answer = call("convert-onnx", str(tmp_path / "model.onnx"), "--out", str(out))
    assert answer.code == 1
    assert "the first layer that differs is body/mul_output (Mul)" in answer.err
    assert [p.name for p in out.iterdir()] == ["parity.json"]
    document = proof(out)
    assert document["passed"] is False
    assert document["first_difference"]["op"] == "Mul"
    assert document["first_difference"]["max_abs"] > 1e-4


def external() -> bytes:
    """Weights that lie in another file."""
    import onnx

    data = network(node("Add", "input k"), constants={"k": np.ones((1, 3, 1, 1), np.float32)})
    model = onnx.load_model_from_string(data)
    (weight,) = model.graph.initializer
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": "weights.bin", "offset": "0", "length": "12"}.items():
        weight.external_data.add(key=key, value=value)
    made: bytes = model.SerializeToString()
    return made


def deciding() -> bytes:
    """A network with an If."""
    from onnx import TensorProto, helper

    def branch(name: str) -> Any:
        inner = helper.make_node("Neg", ["input"], [name])
        return helper.make_graph(
            [inner], name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)]
        )

    choice = helper.make_node(
        "If", ["c"], ["output"], name="choice", then_branch=branch("yes"), else_branch=branch("no")
    )
    return network(choice, constants={"c": np.bool_(True)})


REFUSED: dict[str, tuple[Callable[[], bytes], int, str]] = {
    "empty": (lambda: b"", 2, "an empty file"),
    "external": (external, 1, "weights.bin"),
    "custom": (lambda: network(node("Gelu", domain="com.microsoft")), 1, "com.microsoft.Gelu"),
    "two_inputs": (lambda: network(node("Add", "input b"), inputs=("input", "b")), 2, "2 inputs (input, b)"),
    "batch": (lambda: network(node("Relu"), shape=(4, 3, "h", "w")), 2, "shape 4,3,any,any"),
    "float16": (lambda: network(node("Relu"), kind=10), 2, "float16 at input"),
    "int64": (lambda: network(node("Cast", to=1), kind=7), 2, "int64 at input"),
    "if": (deciding, 1, "If (1 node, choice)"),
    "unknown": (
        lambda: network(node("GridSample", "input g"), constants={"g": np.zeros((1, 4, 4, 2), np.float32)}),
        1,
        "GridSample (1 node, body/gridsample_output)",
    ),
    "opset": (lambda: network(node("Relu"), opset=9), 2, "opset 9"),
    "flat": (lambda: network(node("Relu"), shape=(3, "h", "w")), 2, "shape 3,any,any"),
    "open": (lambda: network(node("Relu"), shape=("n", "c", "h", "w")), 2, "must state its channels"),
    "no_image": (lambda: network(node("ReduceMean", axes=[2, 3], keepdims=0)), 1, "float32, 2 axes"),
    "random": (
        lambda: network(
            node("RandomNormalLike", "input", "z"),
            node("Add", "input z"),
        ),
        1,
        "RandomNormalLike",
    ),
}


@pytest.mark.parametrize("name", ["empty", "external", "custom", "batch", "if"])
def test_what_is_wrong_is_said_and_nothing_written(
    call: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    build, code, said = REFUSED[name]
    (tmp_path / "model.onnx").write_bytes(build())
    answer = call("convert-onnx", str(tmp_path / "model.onnx"), "--out", str(tmp_path / "out"))
    assert (answer.code, said in answer.err) == (code, True), answer.err
    assert "Traceback" not in answer.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", sorted(set(REFUSED) - {"empty", "external", "custom"}))
def test_what_is_wrong_has_its_exit_code(tf: Any, name: str) -> None:
    from pixelproof.convert.from_onnx.model import read_model
    from pixelproof.convert.from_onnx.translate import translate

    build, code, said = REFUSED[name]
    with pytest.raises(PixelproofError) as refusal:
        translate(read_model(build()), input_name="input", output_name="output")
    assert refusal.value.exit_code == code
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("file", "options", "said"),
    [
        ("pixel_shuffle_script", ("--formats", "tflite"), "A TFLite file needs a size"),
        ("pixel_shuffle_script", ("--formats", "onnx"), "converted to other formats"),
        ("pixel_shuffle_script", ("--formats", "caffe"), "must name formats"),
        ("pixel_shuffle_script", ("--input-shape", "1,40,40,4"), "found 1,40,40,4"),
        ("unet_fixed", ("--input-shape", "1,40,40,3"), "1,24,32,3"),
        ("unet_fixed", ("--formats", "savedmodel"), "A SavedModel takes any size"),
        ("unet_fixed", ("--input-name", "a b"), "--input-name must be a name"),
        ("missing", (), "The artifact must exist"),
    ],
)
def test_wrong_calls(
    call: Callable[..., Any], tmp_path: Path, file: str, options: tuple[str, ...], said: str
) -> None:
    answer = call("convert-onnx", str(FILES / f"{file}.onnx"), "--out", str(tmp_path / "out"), *options)
    assert answer.code == 2
    assert said in answer.err
    assert not (tmp_path / "out").exists()


def test_help_imports_no_tensorflow() -> None:
    import subprocess
    import sys

    code = (
        "import sys; sys.argv = ['pixelproof', 'convert-onnx', '--help']\n"
        "from pixelproof.cli import main\n"
        "try: main()\n"
        "except SystemExit: assert not {'tensorflow', 'onnx', 'onnxruntime'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "onnxruntime" in done.stdout and "--input-shape" in done.stdout
