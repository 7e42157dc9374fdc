"""What the scan must let through: the official files, all that pixelproof writes, what models are made of."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pixelproof.measure.formats import KINDS, Kind, detect_kind
from pixelproof.measure.graph_scan import scan
from pixelproof.models import registry
from pixelproof.safety import Scan

Written = Callable[..., dict[str, Path]]

BASELINES = Path(__file__).resolve().parents[3] / "validate" / "baselines"
GRAPHS = Path(__file__).resolve().parents[2] / "validate" / "graphs.py"


def passes(path: Path) -> Scan:
    """The scan of a file, which refuses nothing."""
    found = scan(path, detect_kind(path))
    assert found.refusals == (), path.name
    assert found.nodes > 0 and sum(found.operations.values()) >= found.nodes
    return found


@pytest.mark.official
def test_the_official_graphs_pass_in_milliseconds(tf: Any, shared_data: Path) -> None:
    files = sorted(shared_data.rglob("*.pb"))
    assert {"div2k_srcnn.pb", "dped_srcnn.pb"} <= {file.name for file in files}
    for file in files:
        passes(file)
        start = time.process_time()
        passes(file)
        assert time.process_time() - start < 0.1, "about 1 ms on a machine of 2025"


@pytest.mark.official
@pytest.mark.parametrize("name", ["punet_8", "punet_4_in"])
def test_the_official_checkpoints_pass_once_frozen(
    call: Callable[..., Any], shared_data: Path, tmp_path: Path, name: str
) -> None:
    checkpoint = shared_data / "mai2021_isp" / f"{name}.ckpt"
    answer = call("ckpt2pb", "--in-path", str(checkpoint), "--out-path", str(tmp_path / "m.pb"))
    assert answer.code == 0, answer.err
    assert passes(tmp_path / "m.pb").operations["Conv2D"] > 5


@pytest.mark.parametrize("name", ["srcnn.pb", "srcnn", "srcnn.tflite", "srcnn.onnx"])
def test_the_baselines_pass(tf: Any, name: str) -> None:
    passes(BASELINES / name)


@pytest.mark.parametrize("kind", KINDS)
def test_a_converted_graph_passes(blurs: dict[str, Path], kind: Kind) -> None:
    assert passes(blurs[kind]).format == kind


@pytest.fixture(scope="session")
def written(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """``written(model, kinds)``: a Keras model in all formats, by `convert-model`'s own writers."""
    from pixelproof.convert.export import write_artifact
    from pixelproof.convert.plan import FILE_NAMES, Plan
    from pixelproof.convert.source import Ends, keras_source

    def write(model: Any, kinds: tuple[Kind, ...] = KINDS) -> dict[str, Path]:
        ends, folder = Ends(), tmp_path_factory.mktemp("written")
        source = keras_source(model, label="m", weights=None, probes=[], ends=ends)
        plan = Plan(kinds, (1, 48, 64, source.channels), ends, 18, ladder=())
        for kind in kinds:
            write_artifact(kind, source, plan, folder)
        return {kind: folder / FILE_NAMES[kind] for kind in kinds}

    return write


@pytest.mark.parametrize("name", registry.names())
def test_every_registered_model_passes_in_every_format(written: Written, name: str) -> None:
    for kind, path in written(registry.create(name)).items():
        assert passes(path).format == kind


def test_the_layers_that_image_models_are_made_of_pass(tf: Any, written: Written) -> None:
    import keras

    layers = keras.layers
    image = keras.Input((None, None, 3))
    x = layers.Conv2D(8, 3, padding="same", activation="gelu")(image)
    x = layers.DepthwiseConv2D(3, padding="same", activation="silu")(x)
    x = layers.LayerNormalization()(layers.BatchNormalization()(x))
    x = layers.GroupNormalization(4)(layers.PReLU(shared_axes=(1, 2))(x))
    pooled = layers.Dense(8, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = layers.Multiply()([x, pooled])
    down = layers.MaxPooling2D(2)(layers.ZeroPadding2D(2)(x))
    up = layers.Conv2DTranspose(8, 4, strides=2, padding="same", activation="leaky_relu")(down)
    x = layers.Concatenate()([layers.Cropping2D(2)(up), x])
    x = layers.UpSampling2D(interpolation="nearest")(layers.AveragePooling2D(2)(x))
    x = layers.SpatialDropout2D(0.1)(layers.GaussianNoise(0.1)(layers.Softmax()(x)))
    model = keras.Model(image, layers.Conv2D(3, 3, padding="same", activation="tanh")(x))
    for path in written(model, ("pb", "tflite")).values():
        passes(path)


def test_what_submissions_are_made_of_passes(tf: Any, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("graphs", GRAPHS)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    paths = module.write_graphs(tmp_path)
    assert len(paths) > 20
    for path in paths.values():
        passes(path)


@pytest.mark.parametrize("version", [1, 2])
def test_assertions_and_branches_of_either_version_pass(
    tf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    """`rgb_to_grayscale` leaves assertions with text, as in the frozen vgg_19 of 2018."""
    from tensorflow.python.ops import control_flow_util

    monkeypatch.setattr(control_flow_util, "ENABLE_CONTROL_FLOW_V2", version == 2)
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (1, None, None, None), name="input")
        small = tf.debugging.assert_less(tf.reduce_max(x), 1e9, message="too large")
        with tf.control_dependencies([small]):
            y = tf.image.rgb_to_grayscale(x)
        y = tf.cond(tf.reduce_mean(y) > 0, lambda: y, lambda: -y)
        _, y = tf.compat.v1.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, v * 0.5), (0, y))
        tf.identity(y, name="output")
    path = tmp_path / "m.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    found = passes(path)
    assert found.operations["Assert"] == 1 and 7 in {
        node.attr["dtype"].type for node in graph.as_graph_def().node
    }
    assert ({"Switch", "Merge", "NextIteration"} if version == 1 else {"If"}) <= set(found.operations)


def test_functions_compiled_and_frozen_pass(tf: Any, tmp_path: Path) -> None:
    from pixelproof.convert.frozen_graph import freeze_function

    @tf.function(jit_compile=True)
    def inner(x: Any) -> Any:
        return tf.nn.relu(x)

    def outer(x: Any) -> Any:
        spectrum = tf.signal.rfft2d(tf.transpose(inner(x), (0, 3, 1, 2)))
        return tf.abs(tf.signal.irfft2d(spectrum)) + tf.reduce_mean(tf.image.resize(x, (8, 8), "bicubic"))

    traced = tf.function(outer, input_signature=[tf.TensorSpec((1, None, None, 3), tf.float32)])
    graph, _, _ = freeze_function(traced.get_concrete_function())
    path = tmp_path / "m.pb"
    path.write_bytes(graph.SerializeToString())
    assert passes(path).functions > 0
