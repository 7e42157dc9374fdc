"""pb2tflite as users type it: what it takes, what it refuses, and that the file is right."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Call = Callable[..., Any]


def output_of(path: Path, x: np.ndarray[Any, np.dtype[np.float32]]) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    (source,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert tuple(source["shape"]) == x.shape
    interpreter.set_tensor(source["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(result["index"])


def test_the_written_file_computes_the_graph(call: Call, shift: Path, tmp_path: Path, tf: Any) -> None:
    out = tmp_path / "made.tflite"
    answer = call("pb2tflite", str(shift), "--input-shape", "1,20,36,3", "--out", str(out), "--json", "-")
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    assert (document["input"], document["output"], document["passed"]) == ("x_in:0", "y_out:0", True)
    assert [(r["height"], r["width"]) for r in document["rows"]] == [(20, 36), (37, 54)]
    x = np.random.default_rng(0).random((1, 20, 36, 3), np.float32)
    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString(shift.read_bytes())
    with tf.Graph().as_default() as imported:
        tf.import_graph_def(graph, name="")
        with tf.compat.v1.Session(graph=imported) as session:
            expected = session.run("y_out:0", {"x_in:0": x})
    np.testing.assert_allclose(output_of(out, x), expected, atol=1e-6)


def test_the_option_names_of_2021(call: Call, shift: Path, tmp_path: Path) -> None:
    out = tmp_path / "made.tflite"
    answer = call(
        "pb2tflite",
        f"--graph_def_file={shift}",
        f"--output_file={out}",
        "--input_shape=1,16,24,3",
        "--input_arrays=x_in",
        "--output_arrays=y_out",
    )
    assert answer.code == 0, answer.err
    assert out.read_bytes()[4:8] == b"TFL3"


def test_without_a_model_it_takes_the_one_here(
    call: Call, shift: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(shift, "model.pb")
    answer = call("pb2tflite", "--input-shape", "1,16,24,3")
    assert answer.code == 0, answer.err
    assert "Taking model.pb" in answer.out
    assert (tmp_path / "model.tflite").is_file()


def test_without_a_model_it_takes_the_newest_converted(
    shift: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pixelproof.errors import CallError
    from pixelproof.tflite.choose import default_model

    with pytest.raises(CallError, match="name it"):
        default_model(tmp_path)
    for name, age in (("old", 1_000), ("new", 2_000)):
        folder = tmp_path / "models_converted" / name
        (folder / "saved_model").mkdir(parents=True)
        for file in (folder / "model.pb", folder / "saved_model" / "saved_model.pb"):
            shutil.copy(shift, file)
            os.utime(file, (age, age if file.name == "model.pb" else 9_000))
    assert default_model(tmp_path) == tmp_path / "models_converted" / "new" / "model.pb"
    under_way = tmp_path / "models_converted" / "new" / ".staging-x"
    under_way.mkdir()
    shutil.copy(shift, under_way / "model.pb")
    assert default_model(tmp_path) == tmp_path / "models_converted" / "new" / "model.pb"
    os.utime(tmp_path / "models_converted" / "old" / "model.pb", (2_000, 2_000))
    with pytest.raises(CallError, match="2 of one age"):
        default_model(tmp_path)


def test_a_fixed_placeholder_of_another_shape_is_refused(
    call: Call, save_graph: Callable[..., Path], tmp_path: Path
) -> None:
    fixed = save_graph(tmp_path / "fixed.pb", lambda x: x * 0.5, (1, 16, 24, 4))
    answer = call("pb2tflite", str(fixed), "--input-shape", "1,544,960,4")
    assert answer.code == 2
    assert "placeholder of 1x16x24x4" in answer.err
    assert "--input-shape 1,16,24,4" in answer.err
    assert not (tmp_path / "fixed.tflite").exists()
    answer = call("pb2tflite", str(fixed), "--input-shape", "1,16,24,3")
    assert answer.code == 2
    assert "The graph takes 4 channels (a Bayer mosaic of twice the size, unpacked)" in answer.err
    assert call("pb2tflite", str(fixed), "--input-shape", "1,16,24,4").code == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"this is not a graph\n" * 30, "frozen TensorFlow graph"),
        (None, "frozen TensorFlow graph"),
    ],
)
def test_what_is_no_graph_is_exit_2(
    call: Call, shift: Path, tmp_path: Path, content: bytes | None, said: str
) -> None:
    broken = tmp_path / "broken.pb"
    whole = shift.read_bytes()
    broken.write_bytes(whole[: len(whole) // 2] if content is None else content)
    answer = call("pb2tflite", str(broken), "--input-shape", "1,16,24,3")
    assert answer.code == 2
    assert said in answer.err
    assert list(tmp_path.iterdir()) == [broken]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--input-shape", "1,16,24"], "four"),
        (["--input-shape", "2,16,24,3"], "batch"),
        (["--input-shape", "1,a,24,3"], "whole numbers"),
        (["--input-shape", "1,16,24,3", "--output-arrays", "y_ouut"], "y_out"),
        (["--input-shape", "1,16,24,3", "--input-arrays", "nothing"], "x_in"),
        (["--input-shape", "1,16,24,3", "--output-arrays", "y_out,x_in"], "one name"),
    ],
)
def test_wrong_calls_name_the_way_out(
    call: Call, shift: Path, tmp_path: Path, options: list[str], said: str
) -> None:
    answer = call("pb2tflite", str(shift), *options, "--out", str(tmp_path / "no.tflite"))
    assert answer.code == 2
    assert said in answer.err
    assert not list(tmp_path.iterdir())


def test_an_operation_that_tflite_lacks_is_named(
    call: Call, tf: Any, save_graph: Callable[..., Path], tmp_path: Path
) -> None:
    graph = save_graph(
        tmp_path / "hue.pb", lambda x: tf.raw_ops.AdjustHue(images=x, delta=0.1), (1, None, None, 3)
    )
    answer = call("pb2tflite", str(graph), "--input-shape", "1,16,24,3")
    assert answer.code == 1  # the graph is refused; neither the call nor pixelproof is at fault
    assert "TFLite must have every operation; found AdjustHue (node AdjustHue). Replace" in answer.err
    assert not (tmp_path / "hue.tflite").exists()


def test_every_node_of_lacking_operations_is_looked_for(
    call: Call, tf: Any, save_graph: Callable[..., Path], tmp_path: Path
) -> None:
    def build(x: Any) -> Any:
        for number in range(5):
            x = tf.raw_ops.Erf(x=x, name=f"bend_{number}")
        large = tf.raw_ops.ResizeBicubic(images=x, size=[32, 48], name="enlarge")
        tf.raw_ops.Erf(x=large, name="leftover")
        return large

    graph = save_graph(tmp_path / "two.pb", build, (1, 16, 24, 3))
    answer = call("pb2tflite", str(graph), "--input-shape", "1,16,24,3", "--output-arrays", "y_out")
    assert answer.code == 1
    found = "Erf (nodes bend_0, bend_1, bend_2 and 2 more), ResizeBicubic (node enlarge)"
    assert found in answer.err and "bilinear" in answer.err and "leftover" not in answer.err


def test_a_file_that_computes_another_picture_is_not_written(
    call: Call, shift: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pixelproof.tflite import proof

    right = proof.make_tflite

    def wrong(graph: Any, **options: Any) -> Any:
        changed = type(graph)()
        changed.CopyFrom(graph)
        for node in changed.node:
            if node.op == "Const" and node.attr["value"].tensor.tensor_content:
                content = bytearray(node.attr["value"].tensor.tensor_content)
                content[:4] = np.float32(0.9).tobytes()
                node.attr["value"].tensor.tensor_content = bytes(content)
                break
        return right(changed, **options)

    monkeypatch.setattr(proof, "make_tflite", wrong)
    out = tmp_path / "wrong.tflite"
    answer = call("pb2tflite", str(shift), "--input-shape", "1,16,24,3", "--out", str(out), "--json", "-")
    assert answer.code == 1
    assert "within 0.0001" in answer.err and "in wrong.tflite at 16x24" in answer.err
    assert list(tmp_path.iterdir()) == []
    document = json.loads(answer.out)
    assert document["passed"] is False
    row = document["rows"][0]
    assert row["source_to_float64"] < 1e-5 < row["artifact_to_float64"]


def test_an_output_that_cannot_be_written_is_exit_3(call: Call, shift: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "file" / "made.tflite"
    answer = call("pb2tflite", str(shift), "--input-shape", "1,16,24,3", "--out", str(out))
    assert answer.code == 3
    assert "writable" in answer.err


def test_the_graph_itself_is_not_written_over(call: Call, shift: Path) -> None:
    before = shift.read_bytes()
    answer = call("pb2tflite", str(shift), "--input-shape", "1,16,24,3", "--out", str(shift))
    assert answer.code == 2 and "--out must not be the graph itself" in answer.err
    assert shift.read_bytes() == before


def test_what_is_no_frozen_graph_is_refused(call: Call, tf: Any, shift: Path, tmp_path: Path) -> None:
    module = tf.Module()
    spec = tf.TensorSpec((1, None, None, 3), tf.float32, name="x")
    module.serve = tf.function(lambda x: {"y": x}, input_signature=[spec])
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures={"serving_default": module.serve})
    graph = tf.compat.v1.GraphDef.FromString(shift.read_bytes())
    graph.node[-1].input[0] = "gone"
    (tmp_path / "cut.pb").write_bytes(graph.SerializeToString())
    graph.node[-1].input[0] = graph.node[0].name
    graph.node.add(name="w", op="VariableV2")
    (tmp_path / "unfrozen.pb").write_bytes(graph.SerializeToString())
    for name, said in {
        "saved": "pb2tflite takes a frozen .pb",
        "cut.pb": "unknown input node 'gone'",
        "unfrozen.pb": "must be frozen: its weights are constants",
        "gone.pb": "must exist",
    }.items():
        answer = call("pb2tflite", str(tmp_path / name), "--input-shape", "1,16,24,3")
        assert answer.code == 2, answer
        assert said.lower() in answer.err.lower(), answer.err
    answer = call("pb2tflite", str(shift), "--graph_def_file", str(shift), "--input-shape", "1,16,24,3")
    assert answer.code == 2 and "The graph is named once" in answer.err
    assert not list(tmp_path.glob("*.tflite"))


def test_ends_are_found_among_leftovers(tf: Any, save_graph: Callable[..., Path], tmp_path: Path) -> None:
    from pixelproof.errors import ArtifactError, CallError
    from pixelproof.measure.graph_def import read_graph
    from pixelproof.tflite.choose import find_ends

    def build(x: Any) -> Any:
        tf.compat.v1.placeholder(tf.float32, (None,), name="target")
        flag = tf.compat.v1.placeholder_with_default(1.0, (), name="flag")
        tf.debugging.assert_less(tf.reduce_max(x), 1e9)
        return x * flag

    ends = {"input_name": None, "output_name": None, "label": "m.pb"}
    graph = read_graph(str(save_graph(tmp_path / "m.pb", build, (1, None, None, 3))))
    assert find_ends(graph, **{**ends, "output_name": "y_out"}) == ("x_in:0", "y_out:0")
    with pytest.raises(CallError, match=r"depend on the input; found y_out:0 without target:0 in m\.pb"):
        find_ends(graph, **{**ends, "output_name": "y_out:0", "input_name": "target"})

    def two(x: Any) -> Any:
        tf.negative(x, name="other")
        return x * 2.0

    graph = read_graph(str(save_graph(tmp_path / "two.pb", two, (1, None, None, 3))))
    with pytest.raises(CallError, match=r"one candidate for --output-arrays; found other, y_out\. Name it"):
        find_ends(graph, **ends)
    graph = read_graph(str(save_graph(tmp_path / "none.pb", lambda x: tf.zeros((1, 2)), (1, None, None, 3))))
    with pytest.raises(CallError, match="candidate for --input-arrays; found none"):
        find_ends(graph, **ends)
    del graph.node[0]
    with pytest.raises(ArtifactError, match="must have a placeholder; found none"):
        find_ends(graph, **ends)


def test_shapes_that_a_placeholder_takes(save_graph: Callable[..., Path], tmp_path: Path) -> None:
    from pixelproof.errors import CallError
    from pixelproof.measure.graph_def import read_graph
    from pixelproof.tflite.choose import check_shape, placeholder_shape

    shapes = [None, (None, None, None, 3), (1, None, 24, None), (4, 16, 24, 3), (None, 10)]
    graphs = [save_graph(tmp_path / f"{i}.pb", lambda x: x + 1.0, shape) for i, shape in enumerate(shapes)]
    declared = [placeholder_shape(read_graph(str(graph)), "x_in:0") for graph in graphs]
    assert declared == shapes
    for shape in declared[:3]:
        check_shape(shape, (1, 16, 24, 3), label="m.pb")
    for shape, said in (
        (
            declared[2],
            r"placeholder of 1x\?x24x\?\. Its placeholder is fixed: use --input-shape 1,20,24,3, or convert",
        ),
        (
            declared[3],
            "placeholder of 4x16x24x3. One image of four dimensions is converted; convert the checkpoint",
        ),
        (declared[4], r"placeholder of \?x10\. One image of four dimensions"),
    ):
        with pytest.raises(CallError, match=said):
            check_shape(shape, (1, 20, 36, 3), label="m.pb")


def test_a_size_that_the_graph_can_not_have(
    call: Call, tf: Any, save_graph: Callable[..., Path], tmp_path: Path
) -> None:
    """The placeholder is open, the inside is not: what a U-Net does with a size that is no multiple of 8."""

    def build(x: Any) -> Any:
        small = tf.nn.max_pool2d(x, 8, 8, "VALID")
        return x + tf.repeat(tf.repeat(small, 8, 1), 8, 2)

    graph = save_graph(tmp_path / "unet.pb", build, (1, None, None, 3))
    answer = call("pb2tflite", str(graph), "--input-shape", "1,20,36,3")
    assert answer.code == 2
    assert "The graph must take the shape; found 1,20,36,3: Dimensions must be equal" in answer.err
    assert "A size near to it that the graph takes: --input-shape 1,24,40,3." in answer.err
    answer = call("pb2tflite", str(graph), "--input-shape", "1,16,40,3", "--json", "-")
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    assert document["shape"] == [1, 16, 40, 3]
    assert (document["quantize"], document["io"], document["quality"]) == ("none", "float32", None)
    assert document["convert_s"] > 0 < document["prove_s"]
    sizes = [(row["height"], row["width"]) for row in document["rows"]]
    assert sizes[0] == (16, 40) and (sizes[1][0] % 8, sizes[1][1] % 8) == (0, 0)


def test_a_foreign_graph_from_its_checkpoint(call: Call, shared_data: Path, tmp_path: Path) -> None:
    graph, out = tmp_path / "punet.pb", tmp_path / "punet.tflite"
    checkpoint = shared_data / "mai2021_isp" / "punet_8.ckpt"
    assert call("ckpt2pb", "--in-path", str(checkpoint), "--out-path", str(graph)).code == 0
    answer = call("pb2tflite", str(graph), "--input-shape", "1,544,960,4")
    assert answer.code == 2
    assert "found a placeholder of 1x64x96x4" in answer.err and "use --input-shape 1,64,96,4" in answer.err
    assert not out.exists()
    answer = call("pb2tflite", str(graph), "--input-shape", "1,64,96,4", "--output-arrays", "output_l0")
    assert answer.code == 0, answer.err
    with np.load(shared_data / "mai2021_isp" / "punet_8.npz") as pair:
        assert np.abs(output_of(out, pair["x"]) - pair["y"]).max() < 1e-4
    assert call("compare", str(graph), str(out)).code == 0


def test_the_page_names_every_option_and_every_key(call: Call, shift: Path, tmp_path: Path) -> None:
    from pixelproof.tflite.commands import pb2tflite

    page = Path(__file__).resolve().parents[2] / "docs" / "pb2tflite.md"
    if not page.is_file():
        pytest.skip("the pages are in the checkout only")
    told = page.read_text(encoding="utf-8")
    options = [o for p in pb2tflite.params for o in p.opts if o.startswith("--")]
    assert {"--quantize", "--variable", "--targets"} <= set(options)
    assert [name for name in options if f"`{name}" not in told] == []
    out = tmp_path / "made.tflite"
    answer = call(
        "pb2tflite", str(shift), "--input-shape", "1,16,24,3", "--quantize", "fp16", "--json", "-",
        "--out", str(out),
    )  # fmt: skip
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    inner = [*document["quality"], *document["quality"]["images"][0], *document["weights"]]
    assert [key for key in (*document, *inner) if f"`{key}`" not in told] == []


def test_the_converter_comes_without_the_rest_and_makes_room_for_it(shift: Path, tmp_path: Path) -> None:
    """In a process of its own: other tests have imported TensorFlow as a whole."""
    out, whole = tmp_path / "made.tflite", tmp_path / "whole.tflite"
    script = f"""
import sys
from pathlib import Path
from pixelproof.tflite.converter_import import converter_imported
def convert(out):
    from pixelproof.tflite.conversion import convert_pb
    convert_pb(Path({str(shift)!r}), shape=(1, 16, 24, 3), input_name=None, output_name=None, out=Path(out))
with converter_imported():
    convert({str(out)!r})
    print("keras" in sys.modules, hasattr(sys.modules["tensorflow"], "__version__"))
    import tensorflow
    print(tensorflow.reduce_sum([1, 2]).numpy(), hasattr(sys.modules["tensorflow"], "__version__"))
with converter_imported():
    convert({str(whole)!r})
import tensorflow as tf
print(tf.keras.layers.Dense(2)(tf.ones((1, 3))).shape, tf.executing_eagerly())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n") == ["False False", "3 True", "(1, 2) True", ""]
    assert out.read_bytes() == whole.read_bytes()


def test_a_tensorflow_that_can_not_be_imported_is_the_environments_fault(shift: Path, tmp_path: Path) -> None:
    """The package is there and half of it is missing, as after a broken installation."""
    (tmp_path / "tensorflow" / "python").mkdir(parents=True)
    for folder in ("tensorflow", "tensorflow/python"):
        (tmp_path / folder / "__init__.py").write_text("")
    script = "from pixelproof.cli import pb2tflite; pb2tflite()"
    done = subprocess.run(
        [sys.executable, "-c", script, str(shift), "--input-shape", "1,16,24,3"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 3
    assert "TensorFlow must be there; found No module named" in done.stderr
