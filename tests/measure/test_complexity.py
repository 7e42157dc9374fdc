"""What layers cost: small graphs, counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof.errors import ArtifactError, CallError, GraphRefused, ModelFailed
from pixelproof.measure.complexity import CONVENTIONS, Complexity, complexity, under
from pixelproof.measure.worker import Worker

SaveGraph = Callable[..., Path]
Build = Callable[[Any], Any]
Count = Callable[..., Complexity]

HEIGHT, WIDTH = 24, 40
PIXELS = HEIGHT * WIDTH


class Drawer:
    """Weights that differ from one another, as trained ones do."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(7)

    def __call__(self, *shape: int) -> np.ndarray[Any, Any]:
        return self._random.normal(0.2, 0.1, shape).astype(np.float32)


@pytest.fixture(scope="session")
def draw() -> Drawer:
    """``draw(3, 3, 8, 8)``: random weights."""
    return Drawer()


@pytest.fixture
def count(shared_worker: Worker, save_graph: SaveGraph) -> Count:
    """``count(build, shape, convention)``: the figures of ``build(x)`` at 24x40."""

    def counted(build: Build, shape: Any = (1, None, None, 3), convention: str = "ntire2022") -> Complexity:
        path, channels = save_graph(build, shape), 3 if shape is None or shape[1:] == (None,) * 3 else None
        return complexity(
            shared_worker, path, "pb", height=HEIGHT, width=WIDTH, convention=convention, channels=channels
        )

    return counted


def kinds(found: Complexity) -> list[str]:
    """What the layers are counted as."""
    return [layer.kind for layer in found.layers]


def test_a_convolution_with_bias_and_relu(count: Count, tf: Any, draw: Drawer) -> None:
    found = count(lambda x: tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, draw(3, 5, 3, 8), 2, "SAME"), draw(8))))
    positions = PIXELS // 4
    assert (found.params, found.activations, found.conv_layers) == (3 * 5 * 3 * 8 + 8, positions * 8, 1)
    assert found.flops == 3 * 5 * 3 * 8 * positions + 8 * positions
    assert [layer.op for layer in found.layers] == ["Conv2D", "Relu"]
    assert found.layers[0].output_shape == (1, 12, 20, 8) and found.channels == 3
    assert sum(layer.share for layer in found.layers) == pytest.approx(1)


def test_the_three_conventions(tf: Any, save_graph: SaveGraph, shared_worker: Worker, draw: Drawer) -> None:
    def build(x: Any) -> Any:
        y = tf.nn.relu(tf.nn.conv2d(x, draw(3, 3, 3, 4), 1, "SAME"))
        y = tf.nn.conv2d_transpose(y, draw(3, 3, 5, 4), (1, 2 * HEIGHT, 2 * WIDTH, 5), 2, "SAME")
        return tf.image.resize(y, (HEIGHT, WIDTH), "bilinear") * tf.reduce_mean(y, (1, 2), keepdims=True)

    asked = {"height": HEIGHT, "width": WIDTH, "channels": None, "output": None}
    table = shared_worker.cost(save_graph(build), "pb", asked)
    found = {name: under(table, name) for name in CONVENTIONS}
    conv, transposed = 27 * 4 * PIXELS, 9 * 4 * 5 * PIXELS
    assert found["ntire2022"].flops == conv + 4 * PIXELS + 4 * transposed  # at output positions
    assert found["fvcore"].flops == conv + transposed + 4 * 5 * PIXELS + 5 * 4 * PIXELS
    assert found["2xmac"].flops == 2 * (conv + transposed)
    for figures in found.values():
        assert figures.params == 27 * 4 + 9 * 4 * 5 and figures.conv_layers == 2
        assert figures.activations == 4 * PIXELS + 5 * 4 * PIXELS
    assert found["ntire2022"].not_counted == {"Mean": 1, "Mul": 1, "ResizeBilinear": 1}
    assert found["2xmac"].not_counted == {"Mean": 1, "Mul": 1, "Relu": 1, "ResizeBilinear": 1}


@pytest.mark.parametrize("bias_inside", [True, False])
def test_dilation_by_way_of_the_batch(count: Count, tf: Any, draw: Drawer, bias_inside: bool) -> None:
    weights, bias = draw(3, 3, 3, 8), draw(8)

    def build(x: Any) -> Any:
        y = tf.nn.conv2d(tf.space_to_batch(x, (2, 2), ((2, 2), (2, 2))), weights, 1, "VALID")
        y = tf.batch_to_space(y + bias if bias_inside else y, (2, 2), ((0, 0), (0, 0)))
        return y if bias_inside else y + bias

    found = count(build)
    assert (found.params, found.flops) == (27 * 8 + 8, 27 * 8 * PIXELS)
    assert (found.activations, found.conv_layers) == (8 * PIXELS, 1)


def test_grouped_and_depthwise(count: Count, tf: Any, draw: Drawer) -> None:
    grouped = count(lambda x: tf.nn.conv2d(x, draw(3, 3, 2, 8), 1, "SAME"), (1, None, None, 4))
    assert (grouped.params, grouped.flops) == (9 * 2 * 8, 9 * 2 * 8 * PIXELS)
    depthwise = count(lambda x: tf.nn.depthwise_conv2d(x, draw(3, 3, 3, 2), (1, 1, 1, 1), "SAME"))
    assert (depthwise.params, depthwise.flops) == (9 * 3 * 2, 9 * 3 * 2 * PIXELS)
    assert depthwise.activations == 6 * PIXELS


def test_a_split_with_a_convolution_a_part_is_one_grouped_convolution(
    count: Count, tf: Any, draw: Drawer
) -> None:
    weights, biases = [draw(3, 3, 2, 4) for _ in range(2)], [draw(4) for _ in range(2)]

    def build(x: Any, *, parts: int) -> Any:
        first, second = tf.split(tf.concat([x, x[..., :1]], -1), 2, -1)
        joined = [tf.nn.conv2d(first, weights[0], 1, "SAME") + biases[0]]
        joined += [tf.nn.conv2d(second, weights[1], 1, "SAME") + biases[1]] if parts == 2 else [second]
        return tf.concat(joined, -1)

    whole = count(lambda x: build(x, parts=2))
    assert (whole.conv_layers, whole.params, whole.activations) == (1, 2 * (72 + 4), 8 * PIXELS)
    assert whole.flops == 2 * 72 * PIXELS and "grouped" in whole.assumptions[0]
    half = count(lambda x: build(x, parts=1))
    assert (half.conv_layers, half.params, half.assumptions) == (1, 76, ())


def test_weights_that_are_used_twice_count_once(count: Count, tf: Any, draw: Drawer) -> None:
    weights, other = draw(3, 3, 3, 3), draw(3, 3, 3, 3)

    def build(x: Any, second: Any) -> Any:
        one, bias = tf.constant(weights), tf.constant(draw(3))
        two = one if second is weights else tf.constant(second)
        return tf.nn.conv2d(tf.nn.conv2d(x, one, 1, "SAME") + bias, two, 1, "SAME") + bias

    shared = count(lambda x: build(x, weights))
    assert (shared.params, shared.conv_layers, shared.flops) == (81 + 3, 2, 2 * 81 * PIXELS)
    assert count(lambda x: build(x, other)).params == 2 * (81 + 3)  # equal biases, stored once, of two layers


@pytest.mark.parametrize(
    ("write", "op", "params"),
    [
        (lambda tf, x, a: tf.nn.relu(x), "Relu", 0),
        (lambda tf, x, a: tf.maximum(x, 0.0), "Relu", 0),
        (lambda tf, x, a: tf.nn.relu6(x), "Relu6", 0),
        (lambda tf, x, a: tf.minimum(tf.maximum(x, 0.0), 6.0), "Relu6", 0),
        (lambda tf, x, a: tf.minimum(tf.nn.relu(x), 6.0), "Relu6", 0),
        (lambda tf, x, a: tf.nn.elu(x), "Elu", 0),
        (lambda tf, x, a: tf.nn.leaky_relu(x, 0.1), "LeakyRelu", 0),
        (lambda tf, x, a: tf.maximum(x, 0.1 * x), "LeakyRelu", 0),
        (lambda tf, x, a: tf.maximum(x * 0.1, x), "LeakyRelu", 0),
        (lambda tf, x, a: tf.where(x > 0, x, 0.1 * x), "LeakyRelu", 0),
        (lambda tf, x, a: tf.where(x < 0, 0.1 * x, x), "LeakyRelu", 0),
        (lambda tf, x, a: 0.55 * x + 0.45 * tf.abs(x), "LeakyRelu", 0),
        (lambda tf, x, a: tf.maximum(x, a * x), "PRelu", 8),
        (lambda tf, x, a: tf.where(x >= 0, x, a * x), "PRelu", 8),
        (lambda tf, x, a: tf.nn.relu(x) - a * tf.nn.relu(-x), "PRelu", 8),
        (lambda tf, x, a: tf.nn.relu(x) + -a * tf.nn.relu(-x), "PRelu", 8),
        (lambda tf, x, a: tf.nn.relu(x) + a * tf.minimum(x, 0.0), "PRelu", 8),
        (lambda tf, x, a: tf.maximum(0.0, x) + a * tf.minimum(0.0, x), "PRelu", 8),
        (lambda tf, x, a: tf.nn.relu(x) + a * (x - tf.abs(x)) * 0.5, "PRelu", 8),
        (lambda tf, x, a: tf.nn.relu(x) + a * (x - tf.nn.relu(x)), "PRelu", 8),
        (lambda tf, x, a: tf.nn.relu(x) - 0.25 * tf.nn.relu(-x), "LeakyRelu", 0),
    ],
)
def test_activations_however_they_are_written(
    count: Count, tf: Any, draw: Drawer, write: Callable[..., Any], op: str, params: int
) -> None:
    weights, slopes = draw(1, 1, 3, 8), draw(8)
    found = count(lambda x: write(tf, tf.nn.conv2d(x, weights, 1, "SAME"), slopes))
    assert [layer.op for layer in found.layers] == ["Conv2D", op]
    assert found.layers[1].kind == "activation" and found.layers[1].params == params
    assert found.flops == 24 * PIXELS + 8 * PIXELS


@pytest.mark.parametrize(
    "write",
    [
        lambda tf, x: tf.clip_by_value(x, 0.0, 1.0),
        lambda tf, x: tf.minimum(tf.maximum(x, 0.0), 1.0),
        lambda tf, x: tf.maximum(tf.minimum(x, 1.0), 0.0),
        lambda tf, x: tf.sigmoid(x),
        lambda tf, x: tf.nn.gelu(x),
        lambda tf, x: tf.nn.max_pool2d(x, 3, 1, "SAME"),
        lambda tf, x: x * x,
    ],
)
def test_what_costs_nothing_in_ntires_counter(
    count: Count, tf: Any, draw: Drawer, write: Callable[..., Any]
) -> None:
    weights = draw(1, 1, 3, 8)
    found = count(lambda x: write(tf, tf.nn.conv2d(x, weights, 1, "SAME")))
    assert kinds(found) == ["conv"] and found.not_counted


def moments(tf: Any, x: Any, axes: tuple[int, ...]) -> Any:
    """x, normalised by its own statistics."""
    mean, variance = tf.nn.moments(x, axes, keepdims=True)
    return (x - mean) / tf.sqrt(variance + 1e-3)


def squares(tf: Any, x: Any, axes: tuple[int, ...]) -> Any:
    """The same by the mean of squares."""
    mean = tf.reduce_mean(x, axes, keepdims=True)
    variance = tf.reduce_mean(x * x, axes, keepdims=True) - mean * mean
    return (x - mean) * tf.math.rsqrt(variance + 1e-3)


@pytest.mark.parametrize("axes", [(1, 2), (3,)])
@pytest.mark.parametrize("write", [moments, squares])
@pytest.mark.parametrize("affine", [True, False])
def test_normalisation_by_own_statistics(
    count: Count, tf: Any, draw: Drawer, write: Callable[..., Any], axes: tuple[int, ...], affine: bool
) -> None:
    weights, scale, shift = draw(1, 1, 3, 8), draw(8), draw(8)

    def build(x: Any) -> Any:
        y = write(tf, tf.nn.conv2d(x, weights, 1, "SAME"), axes)
        return tf.nn.relu(scale * y + shift if affine else y)

    found = count(build, convention="fvcore")
    assert found.params == 24 + (16 if affine else 0)
    assert found.flops == 24 * PIXELS + (5 if affine else 4) * 8 * PIXELS
    assert kinds(found) == ["conv", "norm"] and found.not_counted == {"Relu": 1}


def test_batch_normalisation_in_one_operation_or_two(count: Count, tf: Any, draw: Drawer) -> None:
    weights, numbers = draw(1, 1, 3, 8), [draw(8) + 1 for _ in range(4)]

    def fused(x: Any) -> Any:
        y = tf.nn.conv2d(x, weights, 1, "SAME")
        scale, shift, mean, variance = numbers
        return tf.compat.v1.nn.fused_batch_norm(y, scale, shift, mean, variance, is_training=False)[0]

    def written(x: Any) -> Any:
        scale, shift, mean, variance = map(tf.constant, numbers)
        y = tf.nn.conv2d(x, weights, 1, "SAME")
        return tf.nn.batch_normalization(y, mean, variance, shift, scale, 1e-3)

    for build in (fused, written):
        for convention in ("ntire2022", "fvcore"):
            found = count(build, convention=convention)
            assert found.params == 24 + 16 and kinds(found) == ["conv", "batch_norm"]
            assert found.flops == 24 * PIXELS + 2 * 8 * PIXELS


def test_linear_layers_and_attention(count: Count, tf: Any, draw: Drawer) -> None:
    weights, bias, mixing = draw(3, 8), draw(8), draw(8, 5)

    def build(x: Any) -> Any:
        y = tf.reshape(tf.matmul(tf.reshape(x, (-1, 3)), weights) + bias, (1, -1, 8))
        attended = tf.matmul(tf.matmul(y, y, transpose_b=True), y)
        return tf.einsum("bnc,cd->bnd", attended, mixing)

    linear = (24 + 40) * PIXELS
    found = count(build)
    assert (found.params, found.flops) == (24 + 8 + 40, linear)
    assert (found.conv_layers, found.activations) == (0, 0)
    assert count(build, convention="fvcore").flops == linear + 2 * 8 * PIXELS * PIXELS
    assert count(build, convention="2xmac").flops == 2 * (linear + 2 * 8 * PIXELS * PIXELS)


def test_which_constants_are_parameters(count: Count, tf: Any, draw: Drawer) -> None:
    def build(x: Any) -> Any:
        y = x * 255.0 - np.array([114.4, 111.5, 103.0], np.float32)  # into the network's range
        y = tf.nn.conv2d(y, draw(1, 1, 3, 8), 1, "SAME")
        y = y * draw(8) * 0.2  # a learned scale, and a number of the program
        y = y * draw(1)  # one learned number
        y = tf.pad(y + draw(1, 1, 1, 8), ((0, 0), (1, 1), (1, 1), (0, 0)))
        y = tf.nn.conv2d(y, draw(3, 3, 8, 12), 1, "VALID")
        y = tf.image.resize(tf.nn.depth_to_space(y, 2), (HEIGHT, WIDTH), "nearest")
        return y / 255.0 + np.array([0.4, 0.4, 0.4], np.float32)

    found = count(build)
    assert found.params == 24 + 8 + 1 + 8 + 9 * 8 * 12
    assert kinds(found).count("parameters") == 3 and "network's range" in found.assumptions[0]


def test_a_weight_made_of_others_counts_as_it_is_used(count: Count, tf: Any, draw: Drawer) -> None:
    first, second = draw(3, 3, 3, 8), draw(8)
    assert count(lambda x: tf.nn.conv2d(x, tf.constant(first) * second, 1, "SAME")).params == 27 * 8
    parts = draw(3, 3, 3, 16)

    def sliced(x: Any) -> Any:
        halves = tf.split(tf.constant(parts), 2, -1)
        return tf.concat([tf.nn.conv2d(x, half, 1, "SAME") for half in halves], -1)

    assert count(sliced).params == 27 * 16


def test_functions_are_looked_into(count: Count, tf: Any, draw: Drawer) -> None:
    weights = draw(3, 3, 3, 3)

    @tf.function(autograph=False)
    def inner(x: Any) -> Any:
        return tf.nn.relu(tf.nn.conv2d(x, weights, 1, "SAME"))

    @tf.function(autograph=False)
    def outer(x: Any) -> Any:
        return inner(x) + 1.0, inner(x) * 2.0

    found = count(lambda x: outer(x)[1] + inner(x))
    assert (found.conv_layers, found.params) == (2, 2 * 81)  # what is not needed is left out
    assert found.not_counted == {"AddV2": 1, "Mul": 1}


def test_layers_that_run_an_unknown_number_of_times_are_refused(count: Count, tf: Any, draw: Drawer) -> None:
    weights = draw(3, 3, 3, 3)

    def convolved(x: Any) -> Any:
        return tf.nn.conv2d(x, weights, 1, "SAME")

    def loop(x: Any) -> Any:
        return tf.while_loop(lambda y: tf.reduce_max(y) < 9, lambda y: (convolved(y),), (x,))[0]

    def branch(x: Any) -> Any:
        return tf.cond(tf.reduce_mean(x) > 0, lambda: convolved(x), lambda: x)

    def old_loop(x: Any) -> Any:
        tf.compat.v1.disable_control_flow_v2()
        try:
            return loop(x)
        finally:
            tf.compat.v1.enable_control_flow_v2()

    for build in (loop, branch, old_loop):
        with pytest.raises(ModelFailed, match=r"How often a layer runs .*Conv2D .*Unroll"):
            count(build)
    harmless = count(lambda x: tf.cond(tf.reduce_mean(x) > 0, lambda: x, lambda: -x) + convolved(x))
    assert harmless.conv_layers == 1


def test_shapes_that_only_a_run_tells(count: Count, tf: Any, draw: Drawer) -> None:
    weights = draw(3, 3, 3, 8)

    def build(x: Any) -> Any:
        kept = tf.reshape(tf.boolean_mask(x, x > -1.0), tf.shape(x))
        return tf.nn.conv2d(kept, weights, 1, "SAME")

    found = count(build)
    assert found.flops == 27 * 8 * PIXELS and "running the network once" in found.assumptions[0]


def test_layouts_batches_and_open_channels(count: Count, tf: Any, draw: Drawer) -> None:
    def first(x: Any) -> Any:
        return tf.nn.bias_add(
            tf.nn.conv2d(x, draw(3, 3, 3, 8), 1, "SAME", data_format="NCHW"), draw(8), data_format="NCHW"
        )

    found = count(first, (1, 3, None, None))
    assert (found.flops, found.params) == (27 * 8 * PIXELS, 27 * 8 + 8)
    assert found.layers[0].output_shape == (1, 8, HEIGHT, WIDTH)
    eight = count(lambda x: tf.nn.conv2d(x, draw(3, 3, 3, 8), 1, "SAME"), (8, 64, 64, 3))
    assert eight.flops == 27 * 8 * PIXELS and "8x64x64x3" in eight.assumptions[0]
    for shape in ((1, None, None, None), None):
        assert count(lambda x: tf.nn.relu(x), shape).flops == 3 * PIXELS


def test_what_no_output_needs_is_not_counted(
    tf: Any, save_graph: SaveGraph, shared_worker: Worker, draw: Drawer
) -> None:
    def build(x: Any) -> Any:
        tf.nn.conv2d(x, draw(3, 3, 3, 8), 1, "SAME", name="beside")
        return tf.nn.conv2d(x, draw(1, 1, 3, 8), 1, "SAME")

    path = save_graph(build)
    size = {"height": HEIGHT, "width": WIDTH}
    found = complexity(shared_worker, path, "pb", **size)
    assert found.params == 24 and "output:0" in found.assumptions[0]
    assert complexity(shared_worker, path, "pb", **size, output_name="beside").params == 27 * 8


def test_what_is_refused(count: Count, tf: Any, tmp_path: Path, blur: Path, shared_worker: Worker) -> None:
    size = {"height": HEIGHT, "width": WIDTH}
    with pytest.raises(CallError, match="Did you mean ntire2022"):
        complexity(shared_worker, blur, "pb", **size, convention="ntire2023")
    with pytest.raises(CallError, match="must have 3 channels"):
        complexity(shared_worker, blur, "pb", **size, channels=4)
    with pytest.raises(ModelFailed, match="one input; found input:0, second:0"):
        count(lambda x: x + tf.compat.v1.placeholder(tf.float32, (1, None, None, 3), name="second"))
    with pytest.raises(ModelFailed, match=r"must be an image.*2 dimensions"):
        count(lambda x: x * 2.0, (None, 3))
    with pytest.raises(ModelFailed, match=r"24x40; found .*must be equal.*try --input 32,64"):
        count(lambda x: tf.concat([x, tf.repeat(x[:, ::16], 16, 1)], -1))
    open_channels = tmp_path / "open.pb"
    with tf.Graph().as_default() as graph:
        tf.nn.relu(tf.compat.v1.placeholder(tf.float32, (1, None, None, None)), name="output")
    open_channels.write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(ModelFailed, match="number of channels"):
        complexity(shared_worker, open_channels, "pb", **size)
    evil, damaged = tmp_path / "evil.pb", tmp_path / "damaged.pb"
    evil.write_bytes(b"\n\x12\n\x01r\x12\x08ReadFile*\x00\x1a\x01a" + blur.read_bytes())
    with pytest.raises(GraphRefused, match="ReadFile"):
        complexity(shared_worker, evil, "pb", **size)
    damaged.write_bytes(blur.read_bytes()[:-200])
    with pytest.raises(ArtifactError):
        complexity(shared_worker, damaged, "pb", **size)


def test_the_loaded_model_stays(shared_worker: Worker, tf: Any, save_graph: SaveGraph, blur: Path) -> None:
    image = np.random.default_rng(1).random((1, HEIGHT, WIDTH, 3), np.float32)
    shared_worker.load(blur, "pb")
    expected = shared_worker.run(image)
    complexity(shared_worker, save_graph(lambda x: x * 2.0), "pb", height=HEIGHT, width=WIDTH)
    np.testing.assert_array_equal(shared_worker.run(image), expected)
