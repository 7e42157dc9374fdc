"""A file that lost its weights is told from one that holds them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof.errors import ParityBroken
from pixelproof.measure.graph_def import as_function, read_graph
from pixelproof.tflite.converter import make_tflite
from pixelproof.tflite.quantize import FLOAT, Quantization
from pixelproof.tflite.weights import graph_weights, require_weights, weights_of

ENDS = {"input_name": "x_in:0", "output_name": "y_out:0"}
RNG = np.random.default_rng(7)


def kernel(*shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.asarray(RNG.normal(0, 0.1, shape), np.float32)


def count(path: Path) -> int:
    return graph_weights(as_function(read_graph(str(path)), **ENDS, shape=(1, 16, 16, 3)))


@pytest.fixture(scope="module")
def lost(tf: Any) -> tuple[bytes, int]:
    """A file without its weights as TensorFlow writes it, and how many they are."""
    import keras

    layers = [keras.layers.Conv2D(8, 3, padding="same"), keras.layers.Conv2D(3, 3, padding="same")]
    model = keras.Sequential([keras.Input((16, 16, 3)), *layers])
    spec = tf.TensorSpec((1, 16, 16, 3), tf.float32)
    function = tf.function(lambda x: model(x)).get_concrete_function(spec)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], model)
    return bytes(converter.convert()), model.count_params()


def test_a_file_that_lost_its_weights_is_refused(lost: tuple[bytes, int]) -> None:
    weights = weights_of(lost[0], parameters=lost[1], quantization=FLOAT)
    assert weights.state_operations == ("READ_VARIABLE", "VAR_HANDLE")
    assert weights.constant_bytes < 0.1 * weights.expected_bytes
    with pytest.raises(ParityBroken, match=r"bytes of constants .*, and READ_VARIABLE, VAR_HANDLE\. Convert"):
        require_weights(weights)


def test_the_command_writes_no_such_file(
    call: Callable[..., Any],
    shift: Path,
    lost: tuple[bytes, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pixelproof.tflite import converter

    monkeypatch.setattr(converter, "_converted", lambda *_, **__: lost[0])
    out = tmp_path / "made.tflite"
    answer = call("pb2tflite", str(shift), "--input-shape", "1,16,16,3", "--out", str(out))
    assert answer.code == 1
    assert "A TFLite file must hold its model's weights" in answer.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["none", "fp16", "dynamic"])
def test_each_kind_has_its_bytes(tf: Any, save_graph: Callable[..., Path], tmp_path: Path, kind: Any) -> None:
    wide, back = kernel(3, 3, 3, 64), kernel(3, 3, 64, 3)
    graph = save_graph(
        tmp_path / "m.pb",
        lambda x: tf.nn.conv2d(tf.nn.relu(tf.nn.conv2d(x, wide, 1, "SAME")), back, 1, "SAME"),
        (1, None, None, 3),
    )
    quantization = Quantization(kind)
    made = make_tflite(read_graph(str(graph)), **ENDS, shape=(1, 16, 16, 3), quantization=quantization)
    assert made.weights.parameters == wide.size + back.size
    assert made.weights.expected_bytes == made.weights.parameters * quantization.weight_bytes
    assert made.weights.constant_bytes == pytest.approx(made.weights.expected_bytes, rel=0.3)
    assert made.weights.complete
    with pytest.raises(ParityBroken, match="must hold its model's weights"):
        require_weights(
            weights_of(made.data, parameters=4 * made.weights.parameters, quantization=quantization)
        )


def test_what_counts_as_a_weight(tf: Any, save_graph: Callable[..., Path], tmp_path: Path) -> None:
    first, second = kernel(3, 3, 3, 8), kernel(3, 3, 8, 3)

    def build(x: Any) -> Any:
        tf.nn.conv2d(x, kernel(5, 5, 3, 3), 1, "SAME", name="leftover")
        maps = tf.nn.conv2d(x, tf.identity(first), 1, "SAME") + np.zeros(8, np.float32)
        maps = tf.nn.conv2d(maps, tf.constant(second * 1.0), 1, "SAME") * 0.5
        return maps + tf.nn.conv2d(tf.nn.conv2d(x, first * 1.0, 1, "SAME"), second, 1, "SAME")

    assert count(save_graph(tmp_path / "twice.pb", build, (1, None, None, 3))) == first.size + second.size

    def folded(x: Any) -> Any:
        thin = tf.tensordot(tf.constant(kernel(3, 3, 3, 100)), tf.constant(kernel(100, 2)), 1)
        return tf.nn.conv2d(x, thin, 1, "SAME")

    assert count(save_graph(tmp_path / "folded.pb", folded, (1, None, None, 3))) == 3 * 3 * 3 * 2
    shade = save_graph(tmp_path / "fill.pb", lambda x: x + tf.zeros((1, 16, 16, 3)), (1, None, None, 3))
    assert count(shade) == 0
    assert count(save_graph(tmp_path / "none.pb", lambda x: x * 0.5 + 0.1, (1, None, None, 3))) == 0


def test_normalisation_that_is_folded_in_leaves_enough(
    tf: Any, save_graph: Callable[..., Path], tmp_path: Path
) -> None:
    def build(x: Any) -> Any:
        for _ in range(3):
            x = tf.nn.depthwise_conv2d(x, kernel(1, 1, 3, 1) + 1, [1, 1, 1, 1], "SAME")
            mean, spread = kernel(3), kernel(3) + 1
            x = tf.compat.v1.nn.fused_batch_norm(
                x, kernel(3) + 1, kernel(3), mean, spread, is_training=False
            )[0]
        return x

    graph = save_graph(tmp_path / "norm.pb", build, (1, None, None, 3))
    made = make_tflite(read_graph(str(graph)), **ENDS, shape=(1, 16, 16, 3))
    assert made.weights.parameters == 3 * 15
    assert 0.4 <= made.weights.constant_bytes / made.weights.expected_bytes < 0.6


def test_punet_has_the_weights_that_keras_counts(tf: Any, save_graph: Callable[..., Path]) -> None:
    registry = pytest.importorskip("pixelproof.models.registry")
    from pixelproof.convert.frozen_graph import freeze_function

    model = registry.create("punet", num_maps_base=4)
    for weight in model.weights:
        weight.assign(kernel(*weight.shape))
    function = tf.function(lambda x: model(x)).get_concrete_function(
        tf.TensorSpec((1, 32, 48, 4), tf.float32)
    )
    frozen, start, end = freeze_function(function)
    made = make_tflite(frozen, input_name=start, output_name=end, shape=(1, 32, 48, 4))
    assert made.weights.parameters == model.count_params()
    assert made.weights.constant_bytes == pytest.approx(made.weights.expected_bytes, rel=0.02)
