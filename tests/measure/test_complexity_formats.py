"""One network has one cost, whatever format it is written in; where formats differ, here it says how."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pixelproof.errors import ArtifactError, GraphRefused, ModelFailed
from pixelproof.measure.complexity import CONVENTIONS, Complexity, complexity
from pixelproof.measure.formats import KINDS, Kind
from pixelproof.measure.worker import Worker

HEIGHT, WIDTH = 64, 48
PIXELS = HEIGHT * WIDTH
FIGURES = ("params", "flops", "activations", "conv_layers")


def figures(found: Complexity) -> tuple[int, ...]:
    """The four numbers."""
    return tuple(getattr(found, name) for name in FIGURES)


def exported(
    tf: Any, model: Any, folder: Path, *, after: Callable[[Any], Any] | None = None
) -> dict[Kind, Path]:
    """A Keras model in every format; TFLite fixed to 64x48."""
    from pixelproof.convert.frozen_graph import freeze_function, tidy
    from pixelproof.convert.onnx import to_onnx
    from pixelproof.convert.saved_model import write_saved_model
    from pixelproof.tflite.converter import to_tflite

    spec = tf.TensorSpec((1, None, None, 3), tf.float32, name="input")
    traced = tf.function(lambda x: (after or (lambda y: y))(model(x, training=False)), autograph=False)
    frozen, start, end = freeze_function(traced.get_concrete_function(spec))
    ends = {"input_name": "input", "output_name": "output"}
    graph = tidy(frozen, input_tensor=start, output_tensor=end, **ends)
    paths: dict[Kind, Path] = {
        "pb": folder / "model.pb",
        "savedmodel": folder / "saved",
        "tflite": folder / "model.tflite",
        "onnx": folder / "model.onnx",
    }
    paths["pb"].write_bytes(graph.SerializeToString())
    write_saved_model(graph, paths["savedmodel"], **ends, channels=3)
    shape = (1, HEIGHT, WIDTH, 3)
    paths["tflite"].write_bytes(to_tflite(graph, input_name="input:0", output_name="output:0", shape=shape))
    paths["onnx"].write_bytes(to_onnx(graph, **ends))
    return paths


@pytest.fixture(scope="module")
def everything(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, Path]:
    """Convolutions of all kinds, activations, pooling, resizing and a pixel shuffle, in every format."""
    import keras
    from keras import layers

    seeds = iter(range(1, 100))

    def some() -> Any:
        return keras.initializers.RandomNormal(0.2, 0.05, seed=next(seeds))

    image = keras.Input((None, None, 3))
    y = layers.Conv2D(8, 3, padding="same", bias_initializer=some())(image)
    y = layers.PReLU(shared_axes=[1, 2], alpha_initializer=some())(y)
    y = layers.Conv2D(8, 3, padding="same", use_bias=False)(y)
    y = layers.LeakyReLU(0.1)(y)
    y = layers.DepthwiseConv2D(3, padding="same", bias_initializer=some())(y)
    y = layers.Conv2D(16, 1, bias_initializer=some(), activation="relu")(y)
    y = layers.MaxPooling2D(2)(y)
    y = layers.Conv2DTranspose(8, 3, strides=2, padding="same", bias_initializer=some())(y)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(y)
    gate = layers.Conv2D(8, 1, bias_initializer=some(), activation="sigmoid")(gate)
    y = layers.Multiply()([y, gate])
    y = layers.Conv2D(8, 3, dilation_rate=2, padding="same", bias_initializer=some())(y)
    y = layers.Conv2D(12, 3, padding="same", bias_initializer=some())(y)
    y = layers.ReLU(max_value=6.0)(y)

    def resized(y: Any) -> Any:
        size = tf.shape(y)[1:3]
        shuffled = tf.nn.depth_to_space(y, 2)
        return tf.image.resize(tf.image.resize(shuffled, size), size * 2, method="nearest")

    return exported(tf, keras.Model(image, y), tmp_path_factory.mktemp("everything"), after=resized)


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_of_one_network(shared_worker: Worker, everything: dict[Kind, Path], kind: Kind) -> None:
    biases = 8 + 8 + 16 + 8 + 8 + 8 + 12
    params = 27 * 8 + 8 + 9 * 64 + 9 * 8 + 8 * 16 + 9 * 16 * 8 + 64 + 9 * 64 + 9 * 96 + biases
    macs = (27 * 8 + 9 * 64 + 9 * 8 + 8 * 16 + 9 * 64 + 9 * 96) * PIXELS + 64
    transposed = 9 * 16 * 8 * PIXELS
    expected = {
        "ntire2022": macs + transposed + (8 + 8 + 16 + 12) * PIXELS,
        "fvcore": macs + transposed // 4 + 8 * PIXELS + 4 * 3 * PIXELS + 3 * 4 * PIXELS,
        "2xmac": 2 * (macs + transposed // 4),
    }
    for convention in CONVENTIONS:
        found = complexity(
            shared_worker, everything[kind], kind, height=HEIGHT, width=WIDTH, convention=convention
        )
        activations = (8 + 8 + 8 + 16 + 8 + 8 + 12) * PIXELS + 8
        assert figures(found) == (params, expected[convention], activations, 8)


def test_another_size_than_a_tflite_file_states(
    shared_worker: Worker, everything: dict[Kind, Path], blurs: dict[str, Path]
) -> None:
    with pytest.raises(ModelFailed, match=r"128x96; found .*own size, --input 64,48"):
        complexity(shared_worker, everything["tflite"], "tflite", height=128, width=96)
    found = complexity(shared_worker, blurs["tflite"], "tflite", height=128, width=96)
    assert found.flops == complexity(shared_worker, blurs["pb"], "pb", height=128, width=96).flops
    assert found.assumptions[0] == "The file states an input of 1x24x40x3; it is counted at 1x128x96x3."


def test_sizes_inside_a_tflite_file_are_noticed(
    shared_worker: Worker, tf: Any, save_graph: Callable[..., Path], tmp_path: Path
) -> None:
    from pixelproof.measure.graph_def import read_graph
    from pixelproof.tflite.converter import to_tflite

    graph = save_graph(lambda x: tf.image.resize(x, tf.shape(x)[1:3] * 2))
    made = tmp_path / "m.tflite"
    ends = {"input_name": "input:0", "output_name": "output:0"}
    made.write_bytes(to_tflite(read_graph(str(graph)), **ends, shape=(1, 24, 40, 3)))
    with pytest.raises(ModelFailed, match=r"output of 48x80: sizes inside the file are fixed.*--input 24,40"):
        complexity(shared_worker, made, "tflite", height=128, width=96)
    assert complexity(shared_worker, made, "tflite", height=24, width=40).conv_layers == 0


def test_what_converters_fold(shared_worker: Worker, tf: Any, tmp_path: Path) -> None:
    """Batch normalisation and scales go into the weights of the convolution before them in TFLite and ONNX."""
    import keras
    from keras import layers

    some = keras.initializers.RandomNormal
    image = keras.Input((None, None, 3))
    y = layers.Conv2D(8, 3, padding="same", use_bias=False)(image)
    y = layers.BatchNormalization(gamma_initializer=some(1, 0.1, 3), beta_initializer=some(1, 0.1, 4))(y)
    y = layers.Conv2D(3, 3, padding="same", bias_initializer=some(1, 0.1, 5))(y)
    paths = exported(tf, keras.Model(image, y), tmp_path)
    weights, conv = 216 + 216 + 3, (216 + 216) * PIXELS
    for kind in KINDS:
        found = complexity(shared_worker, paths[kind], kind, height=HEIGHT, width=WIDTH)
        folded = kind in ("tflite", "onnx")
        assert found.params == weights + (
            8 if folded else 16
        )  # scale and shift, or the bias that they became
        assert found.flops == conv + (0 if folded else 2 * 8 * PIXELS)


@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs were expected")  # the converter's own
def test_quantised_weights_are_the_same_weights(
    shared_worker: Worker, tf: Any, everything: dict[Kind, Path], tmp_path: Path
) -> None:
    from pixelproof.measure.graph_def import as_function, read_graph

    graph = read_graph(str(everything["pb"]))
    shape = (1, HEIGHT, WIDTH, 3)
    function = as_function(graph, input_name="input:0", output_name="output:0", shape=shape)
    plain = complexity(shared_worker, everything["tflite"], "tflite", height=HEIGHT, width=WIDTH)
    for name, types, samples in (("half", [tf.float16], False), ("int8", [], True)):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function], function)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = types
        if samples:
            image = np.random.default_rng(0).random(shape, np.float32)
            converter.representative_dataset = lambda image=image: iter([[image]] * 2)
        made = tmp_path / f"{name}.tflite"
        made.write_bytes(converter.convert())
        found = complexity(shared_worker, made, "tflite", height=HEIGHT, width=WIDTH)
        assert figures(found) == figures(plain)


def weights(name: str, *shape: int) -> Any:
    """An initialiser of random values."""
    values = np.random.default_rng(abs(hash(name)) % 1000).normal(0.2, 0.1, shape).astype(np.float32)
    return numpy_helper.from_array(values, name)


def save_onnx(
    path: Path, nodes: list[Any], constants: list[Any], shape: list[Any], outputs: list[str]
) -> Path:
    """A model of opset 17, as torch.onnx.export writes them: NCHW, constants as initialisers."""
    graph = helper.make_graph(
        nodes,
        "torch",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture(scope="module")
def attention(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Channels first: convolutions, PReLU, a bilinear resize to a shape that is computed, a pixel shuffle."""
    node = helper.make_node
    nodes = [
        node("Conv", ["image", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        node("PRelu", ["c1", "slope"], ["p1"]),
        node("Conv", ["p1", "w2", "b2"], ["c2"], strides=[2, 2]),
        node("MaxPool", ["c2"], ["m"], kernel_shape=[7, 7], strides=[3, 3]),
        node("LeakyRelu", ["m"], ["l"], alpha=0.05),
        node("Shape", ["p1"], ["size"]),
        node("Slice", ["size", "two", "four", "zero"], ["height_width"]),
        node("Shape", ["l"], ["small"]),
        node("Slice", ["small", "zero", "two", "zero"], ["batch_maps"]),
        node("Concat", ["batch_maps", "height_width"], ["sizes"], axis=0),
        node("Resize", ["l", "", "", "sizes"], ["r"], mode="linear"),
        node("Sigmoid", ["r"], ["s"]),
        node("Mul", ["p1", "s"], ["gated"]),
        node("GlobalAveragePool", ["gated"], ["g"]),
        node("Conv", ["g", "w3", "b3"], ["c3"]),
        node("Clip", ["c3", "none", "six"], ["r6"]),
        node("Mul", ["gated", "r6"], ["y"]),
        node("InstanceNormalization", ["y", "scale", "shift"], ["n"]),
        node("ConvTranspose", ["n", "w4", "b4"], ["t"], strides=[2, 2], group=2),
        node("Conv", ["t", "w5"], ["c5"], pads=[1, 1, 1, 1]),
        node("DepthToSpace", ["c5"], ["image_out"], blocksize=2, mode="CRD"),
    ]
    constants = [
        *(weights("w1", 8, 3, 3, 3), weights("b1", 8), weights("slope", 1, 1, 1)),
        *(weights("w2", 8, 8, 3, 3), weights("b2", 8), weights("w3", 8, 8, 1, 1), weights("b3", 8)),
        *(weights("scale", 8), weights("shift", 8), weights("w4", 8, 3, 2, 2), weights("b4", 6)),
        weights("w5", 12, 6, 3, 3),
        *(numpy_helper.from_array(np.array([n]), name) for n, name in ((0, "zero"), (2, "two"), (4, "four"))),
        *(numpy_helper.from_array(np.float32(n), name) for n, name in ((0, "none"), (6, "six"))),
    ]
    path = tmp_path_factory.mktemp("onnx") / "torch.onnx"
    return save_onnx(path, nodes, constants, [1, 3, "height", "width"], ["image_out"])


def test_onnx_as_torch_writes_it(shared_worker: Worker, attention: Path) -> None:
    found = complexity(shared_worker, attention, "onnx", height=HEIGHT, width=WIDTH)
    half = (HEIGHT // 2 - 1) * (WIDTH // 2 - 1)
    pooled = ((HEIGHT // 2 - 8) // 3 + 1) * ((WIDTH // 2 - 8) // 3 + 1)
    assert found.params == (216 + 8) + 1 + (576 + 8) + (64 + 8) + 16 + (96 + 6) + 648
    convolutions = 216 * PIXELS + 576 * half + 64 + 648 * 4 * PIXELS
    assert found.flops == convolutions + 96 * 4 * PIXELS + (8 * PIXELS + 8 * pooled + 8)
    assert found.activations == 8 * PIXELS + 8 * half + 8 + 6 * 4 * PIXELS + 12 * 4 * PIXELS
    assert found.conv_layers == 5 and found.layers[0].output_shape == (1, 8, HEIGHT, WIDTH)
    fvcore = complexity(shared_worker, attention, "onnx", height=HEIGHT, width=WIDTH, convention="fvcore")
    resized, averaged, normalised = 4 * 8 * PIXELS, 8 * PIXELS, 5 * 8 * PIXELS
    assert fvcore.flops == convolutions + 96 * PIXELS + resized + averaged + normalised


def test_onnx_of_a_fixed_size_is_run_at_the_asked_one(shared_worker: Worker, tmp_path: Path) -> None:
    node = helper.make_node
    conv = node("Conv", ["image", "w"], ["c"], pads=[1, 1, 1, 1])
    path = save_onnx(tmp_path / "m.onnx", [conv], [weights("w", 4, 3, 3, 3)], [1, 3, 32, 32], ["c"])
    found = complexity(shared_worker, path, "onnx", height=HEIGHT, width=WIDTH)
    assert found.flops == 108 * PIXELS and "1x3x32x32" in found.assumptions[0]
    shape = numpy_helper.from_array(np.array([1, 4, 1024]), "shape")
    nodes = [conv, node("Reshape", ["c", "shape"], ["y"])]
    stuck = save_onnx(tmp_path / "s.onnx", nodes, [weights("w", 4, 3, 3, 3), shape], [1, 3, 32, 32], ["y"])
    assert complexity(shared_worker, stuck, "onnx", height=32, width=32).flops == 108 * 1024
    with pytest.raises(ModelFailed, match="must take an image of 64x48"):
        complexity(shared_worker, stuck, "onnx", height=HEIGHT, width=WIDTH)


def test_onnx_with_quantised_weights(shared_worker: Worker, tmp_path: Path) -> None:
    node = helper.make_node
    nodes = [
        node("DequantizeLinear", ["w", "scale", "zero"], ["real"]),
        node("Conv", ["image", "real", "b"], ["c"], pads=[1, 1, 1, 1]),
    ]
    constants = [
        numpy_helper.from_array(np.full((4, 3, 3, 3), 7, np.int8), "w"),
        numpy_helper.from_array(np.float32(0.1), "scale"),
        numpy_helper.from_array(np.int8(0), "zero"),
        weights("b", 4),
    ]
    path = save_onnx(tmp_path / "q.onnx", nodes, constants, [1, 3, "h", "w"], ["c"])
    found = complexity(shared_worker, path, "onnx", height=HEIGHT, width=WIDTH)
    assert (found.params, found.flops) == (112, 108 * PIXELS)


def test_onnx_functions_and_control_flow(shared_worker: Worker, tmp_path: Path) -> None:
    node = helper.make_node
    function = helper.make_function(
        "mine",
        "Block",
        ["x", "w"],
        ["y"],
        [node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), node("Relu", ["c"], ["y"])],
        [helper.make_opsetid("", 17)],
    )
    calls = [node("Block", [a, "w"], [b], domain="mine") for a, b in (("image", "one"), ("one", "two"))]
    path = save_onnx(tmp_path / "f.onnx", calls, [weights("w", 3, 3, 3, 3)], [1, 3, None, None], ["two"])
    model = onnx.load(path)
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("mine", 1))
    path.write_bytes(model.SerializeToString())
    found = complexity(shared_worker, path, "onnx", height=HEIGHT, width=WIDTH)
    assert (found.params, found.conv_layers, found.flops) == (81, 2, 2 * (81 + 3) * PIXELS)

    inside = helper.make_graph(
        [node("Conv", ["image", "w"], ["inner"], pads=[1, 1, 1, 1])],
        "inside",
        [],
        [helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)],
    )
    nodes = [
        node("ReduceSum", ["image"], ["sum"], keepdims=0),
        node("Cast", ["sum"], ["yes"], to=TensorProto.BOOL),
        node("If", ["yes"], ["y"], then_branch=inside, else_branch=inside),
    ]
    branch = save_onnx(tmp_path / "b.onnx", nodes, [weights("w", 3, 3, 3, 3)], [1, 3, None, None], ["y"])
    with pytest.raises(ModelFailed, match=r"How often a layer runs .*Conv inside If"):
        complexity(shared_worker, branch, "onnx", height=HEIGHT, width=WIDTH)


def test_onnx_with_two_inputs(shared_worker: Worker, attention: Path, tmp_path: Path) -> None:
    model = onnx.load(attention)
    model.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1]))
    path = tmp_path / "two.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelFailed, match="one input; found image, mask"):
        complexity(shared_worker, path, "onnx", height=HEIGHT, width=WIDTH)


@pytest.mark.parametrize("kind", ["tflite", "onnx", "savedmodel"])
def test_damaged_and_refused_files(
    shared_worker: Worker, blurs: dict[str, Path], tmp_path: Path, kind: Kind
) -> None:
    made = tmp_path / blurs[kind].name
    if kind == "savedmodel":
        made.mkdir()
        (made / "saved_model.pb").write_bytes(b"noise" * 99)
    else:
        made.write_bytes(blurs[kind].read_bytes()[:300])
    with pytest.raises(ArtifactError):
        complexity(shared_worker, made, kind, height=HEIGHT, width=WIDTH)
    if kind == "onnx":
        model = onnx.load(blurs["onnx"])
        model.graph.node[0].domain = "com.microsoft"
        made.write_bytes(model.SerializeToString())
        with pytest.raises(GraphRefused):
            complexity(shared_worker, made, kind, height=HEIGHT, width=WIDTH)
