"""Every rewrite: the same picture over kernels, strides, odd sizes and channels; and where it must stay away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelproof.convert.optimize.network import Network
from pixelproof.convert.optimize.rewrite import Rewrite
from pixelproof.convert.optimize.rewrites import REWRITES, applied_everywhere
from pixelproof.measure.parity import probe_image

BY_ID = {rewrite.id: rewrite for rewrite in REWRITES}
SIZES = st.integers(7, 24)
ODD = st.sampled_from([1, 3, 5, 7])
FEW = st.integers(1, 4)
SEEDS = st.integers(0, 1000)
TOLERANCE = 1e-5
AROUND = [[0, 0], [1, 1], [1, 1], [0, 0]]
SOBEL_X = [[1, 0, -1], [2, 0, -2], [1, 0, -1]]
LAPLACE = [[0, 1, 0], [1, -4, 1], [0, 1, 0]]


@pytest.fixture(autouse=True)
def _tf(tf: Any) -> None:
    """TensorFlow is imported as the commands do."""


def network_of(body: Callable[[Any], Any], channels: int) -> Network:
    """A frozen graph of any size from a function of an image."""
    import tensorflow as tf

    from pixelproof.convert.frozen_graph import freeze_function, tidy

    function = tf.function(body).get_concrete_function(tf.TensorSpec((1, None, None, channels), tf.float32))
    graph, start, end = freeze_function(function)
    tidied = tidy(graph, input_tensor=start, output_tensor=end, input_name="input", output_name="output")
    return Network(tidied, input_name="input", output_name="output")


def picture(network: Network, image: Any) -> Any:
    """What a network computes, run as it is written."""
    import tensorflow as tf

    from pixelproof.convert.frozen_graph import unoptimised

    with tf.Graph().as_default() as graph:
        tf.import_graph_def(network.graph_def(), name="")
        with tf.compat.v1.Session(graph=graph, config=unoptimised()) as session:
            return session.run("output:0", {"input:0": image})


def operations(network: Network) -> list[str]:
    """Operations of a network that aren't constants."""
    return sorted(node.op for node in network if node.op != "Const")


def rewritten(rewrite: Rewrite, body: Callable[[Any], Any], size: tuple[int, int], channels: int) -> Network:
    """The network after a rewrite, which found something to do and changed nothing of the picture."""
    before = network_of(body, channels)
    after = before.copy()
    assert applied_everywhere(rewrite, after)
    image = probe_image(*size, channels)
    first, second = picture(before, image), picture(after, image)
    assert first.shape == second.shape
    np.testing.assert_allclose(second, first, atol=TOLERANCE, rtol=TOLERANCE)
    assert np.ptp(first) > 1e-3
    return after


def untouched(rewrite: Rewrite, body: Callable[[Any], Any], channels: int) -> None:
    """A rewrite finds nothing to do."""
    assert rewrite.sites(network_of(body, channels)) == []


def weights(seed: int, *shape: int) -> Any:
    """Random float32 weights around zero, small enough that outputs stay near 1."""
    fan = max(1, int(np.prod(shape[:-1])))
    return (np.random.default_rng(seed).normal(0, 1, shape) / np.sqrt(fan)).astype(np.float32)


def conv(x: Any, kernel: Any, *, stride: int = 1, padding: str = "SAME", dilation: int = 1) -> Any:
    """A convolution."""
    import tensorflow as tf

    return tf.nn.conv2d(x, kernel, stride, padding, dilations=dilation)


@settings(max_examples=20)
@given(
    ODD.filter(lambda k: k > 1),
    ODD.filter(lambda k: k > 1),
    FEW,
    FEW,
    SIZES,
    SIZES,
    SEEDS,
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_thin_last_convolutions_are_packed(
    kernel_height: int,
    kernel_width: int,
    inputs: int,
    outputs: int,
    height: int,
    width: int,
    seed: int,
    biased: bool,
    bent: bool,
    filled: bool,
) -> None:
    import tensorflow as tf

    kernel, bias = weights(seed, kernel_height, kernel_width, inputs, outputs), weights(seed + 1, outputs)
    filled &= outputs != 4

    def body(x: Any) -> Any:
        y = conv(x, kernel)
        y = tf.nn.bias_add(y, bias) if biased else y
        return tf.tanh(y) * 0.58 + 0.5 if bent else y

    after = rewritten(BY_ID["fill_last" if filled else "pack_last"], body, (height, width), inputs)
    assert ("DepthToSpace" in operations(after)) == (not filled or outputs == 1)


@pytest.mark.parametrize(
    "change",
    [{"stride": 2}, {"padding": "VALID"}, {"dilation": 2}, {"outputs": 5}, {"side": 2}, {"side": 1}],
    ids=str,
)
def test_other_convolutions_are_not_packed(change: dict[str, Any]) -> None:
    shape = {"outputs": 3, "side": 3} | {k: v for k, v in change.items() if k in ("outputs", "side")}
    rest = {k: v for k, v in change.items() if k not in shape}
    kernel = weights(1, shape["side"], shape["side"], 4, shape["outputs"])
    untouched(BY_ID["pack_last"], lambda x: conv(x, kernel, **rest), 4)


@settings(max_examples=8)
@given(st.sampled_from([5, 7, 9]), st.sampled_from([5, 7]), FEW, st.integers(1, 6), SIZES, SIZES, SEEDS)
def test_thin_first_convolutions_are_packed(
    kernel_height: int, kernel_width: int, inputs: int, outputs: int, height: int, width: int, seed: int
) -> None:
    import tensorflow as tf

    kernel, bias = weights(seed, kernel_height, kernel_width, inputs, outputs), weights(seed + 1, outputs)
    body = lambda x: tf.tanh(tf.nn.bias_add(conv(x, kernel), bias)) + 0.1  # noqa: E731
    after = rewritten(BY_ID["pack_first"], body, (height, width), inputs)
    assert "SpaceToDepth" in operations(after)


def test_other_first_convolutions_are_not_packed() -> None:
    untouched(BY_ID["pack_first"], lambda x: conv(x, weights(1, 3, 3, 3, 8)), 3)
    untouched(BY_ID["pack_first"], lambda x: conv(x, weights(1, 5, 5, 3, 8), padding="VALID"), 3)
    untouched(BY_ID["pack_first"], lambda x: conv(x, weights(1, 5, 5, 5, 8)), 5)


def test_a_convolution_that_two_use_is_packed_once_for_both() -> None:
    import tensorflow as tf

    kernel = weights(3, 5, 5, 3, 3)

    def body(x: Any) -> Any:
        y = conv(x, kernel)
        return tf.nn.relu(y) + 0.25 * tf.sigmoid(y)

    after = rewritten(BY_ID["pack_last"], body, (13, 10), 3)
    assert operations(after).count("Conv2D") == 1


@settings(max_examples=12)
@given(ODD, st.sampled_from([1, 2, 3]), st.sampled_from(["SAME", "VALID"]), FEW, FEW, SIZES, SIZES, SEEDS)
def test_batch_norm_and_scales_are_folded(
    side: int, stride: int, padding: str, inputs: int, outputs: int, height: int, width: int, seed: int
) -> None:
    import tensorflow as tf

    kernel, bias = weights(seed, side, side, inputs, outputs), weights(seed + 1, outputs)
    gamma, beta, mean = (weights(seed + n, outputs) for n in (2, 3, 4))
    variance = np.abs(weights(seed + 5, outputs)) + 0.1

    def body(x: Any) -> Any:
        y = tf.nn.bias_add(conv(x, kernel, stride=stride, padding=padding), bias)
        y = tf.compat.v1.nn.fused_batch_norm(y, gamma, beta, mean, variance, is_training=False, epsilon=0.01)[
            0
        ]
        return (y * 1.5 - 0.25) / np.float32(0.7)

    after = rewritten(BY_ID["fold_affine"], body, (height, width), inputs)
    assert operations(after) == ["BiasAdd", "Conv2D", "Identity", "Placeholder"]


def test_what_others_use_as_well_is_not_folded() -> None:
    import tensorflow as tf

    kernel, scale = weights(1, 3, 3, 3, 4), weights(2, 4)

    def body(x: Any) -> Any:
        y = conv(x, kernel)
        return y * scale + tf.nn.relu(y)

    untouched(BY_ID["fold_affine"], body, 3)


def test_a_training_batch_norm_is_not_folded() -> None:
    import tensorflow as tf

    kernel, one = weights(1, 3, 3, 3, 4), np.ones(4, np.float32)

    def body(x: Any) -> Any:
        return tf.compat.v1.nn.fused_batch_norm(conv(x, kernel), one, one, is_training=True)[0]

    untouched(BY_ID["fold_affine"], body, 3)


@settings(max_examples=8)
@given(ODD, st.sampled_from([1, 2]), FEW, FEW, SIZES, SIZES, SEEDS, st.booleans())
def test_scales_in_front_move_into_the_kernels(
    side: int, stride: int, inputs: int, outputs: int, height: int, width: int, seed: int, each: bool
) -> None:
    kernels = weights(seed, side, side, inputs, outputs), weights(seed + 1, 1, 1, inputs, outputs)
    scale = weights(seed + 2, inputs) if each else np.float32(2.55)
    after = rewritten(
        BY_ID["scale_before"],
        lambda x: conv(x * scale, kernels[0], stride=stride) + conv(x * scale, kernels[1], stride=stride),
        (height, width),
        inputs,
    )
    assert "Mul" not in operations(after)


def test_a_shift_in_front_stays() -> None:
    kernel = weights(1, 3, 3, 3, 4)
    untouched(BY_ID["scale_before"], lambda x: conv(x - 0.5, kernel), 3)


def test_a_scale_behind_depth_to_space_reaches_the_convolution() -> None:
    import tensorflow as tf

    kernel = weights(1, 3, 3, 3, 12)
    body = lambda x: tf.nn.depth_to_space(conv(x, kernel), 2) * (1 / 2.55)  # noqa: E731
    after = rewritten(BY_ID["scale_through"], body, (9, 12), 3)
    assert applied_everywhere(BY_ID["fold_affine"], after)
    assert "Mul" not in operations(after)


@settings(max_examples=12)
@given(ODD, ODD, st.booleans(), FEW, SIZES, SIZES, SEEDS)
def test_repvgg_branches_become_one_convolution(
    large: int, small: int, bare: bool, channels: int, height: int, width: int, seed: int
) -> None:
    import tensorflow as tf

    kernels = (
        weights(seed, large, large, channels, channels),
        weights(seed + 1, small, large, channels, channels),
    )
    bias = weights(seed + 2, channels)

    def body(x: Any) -> Any:
        x = tf.nn.relu(x)
        y = tf.nn.bias_add(conv(x, kernels[0]), bias) + tf.nn.bias_add(conv(x, kernels[1]), bias)
        return y + x if bare else y

    after = rewritten(BY_ID["merge_branches"], body, (height, width), channels)
    assert operations(after).count("Conv2D") == 1
    assert "AddV2" not in operations(after)


def test_branches_of_two_pictures_stay() -> None:
    import tensorflow as tf

    kernels = weights(1, 3, 3, 3, 3), weights(2, 3, 3, 3, 3)
    untouched(BY_ID["merge_branches"], lambda x: conv(x, kernels[0]) + conv(tf.nn.relu(x), kernels[1]), 3)
    untouched(BY_ID["merge_branches"], lambda x: conv(x, kernels[0]) + tf.nn.relu(x), 3)


def edge_finding(x: Any, seed: int, channels: int, mask: Any, *, padded_first: bool) -> Any:
    """One of ECB's branches as it is trained: 1x1, then a depthwise edge filter with a scale and a bias."""
    import tensorflow as tf

    pointwise, bias = weights(seed, 1, 1, channels, channels), weights(seed + 1, channels)
    scaled = np.array(mask, np.float32)[..., None, None] * weights(seed + 2, channels)[:, None]
    if padded_first:
        y = tf.nn.bias_add(conv(tf.pad(x, AROUND), pointwise), bias)
        y = tf.nn.depthwise_conv2d(y, scaled, [1, 1, 1, 1], "VALID")
    else:
        y = tf.nn.depthwise_conv2d(conv(x, pointwise), scaled, [1, 1, 1, 1], "SAME")
    return tf.nn.bias_add(y, weights(seed + 3, channels))


@settings(max_examples=12)
@given(st.integers(1, 5), st.integers(1, 2), st.booleans(), st.booleans(), SIZES, SIZES, SEEDS)
def test_an_edge_oriented_block_as_it_is_trained_becomes_one_convolution(
    channels: int, multiplier: int, residual: bool, padded_first: bool, height: int, width: int, seed: int
) -> None:
    """Zhang et al. 2021: 3x3, 1x1 to more channels and 3x3 back, two Sobel filters and a Laplacian."""
    import tensorflow as tf

    middle = multiplier * channels
    plain, bias = weights(seed, 3, 3, channels, channels), weights(seed + 1, channels)
    expanding, reducing = weights(seed + 2, 1, 1, channels, middle), weights(seed + 3, 3, 3, middle, channels)
    inner = weights(seed + 4, middle)

    def body(x: Any) -> Any:
        y = tf.nn.bias_add(conv(x, plain), bias)
        if padded_first:
            y += conv(tf.nn.bias_add(conv(tf.pad(x, AROUND), expanding), inner), reducing, padding="VALID")
        else:
            y += conv(conv(x, expanding), reducing)
        for number, mask in enumerate((SOBEL_X, np.transpose(SOBEL_X), LAPLACE)):
            y += edge_finding(x, seed + 10 * number, channels, mask, padded_first=padded_first)
        return tf.tanh((y + x if residual else y) * 0.5)

    after = rewritten(BY_ID["merge_branches"], body, (height, width), channels)
    applied_everywhere(BY_ID["fold_affine"], after)
    assert operations(after) in (
        ["BiasAdd", "Conv2D", "Identity", "Placeholder", "Tanh"],
        ["AddV2", "Conv2D", "Identity", "Placeholder", "Tanh"],
    )


def test_edge_filters_alone_pay_only_together() -> None:
    """Two of them cost less than the 3x3 convolution that they make; with the plain one beside them it is free."""
    two = lambda x: sum(  # noqa: E731
        edge_finding(x, seed, 4, mask, padded_first=True) for seed, mask in ((1, SOBEL_X), (2, LAPLACE))
    )
    untouched(BY_ID["merge_branches"], two, 4)
    kernel = weights(5, 3, 3, 4, 4)
    after = rewritten(BY_ID["merge_branches"], lambda x: two(x) + conv(x, kernel), (9, 12), 4)
    assert operations(after).count("Conv2D") == 1
    assert not {"DepthwiseConv2dNative", "AddV2", "Pad"} & set(operations(after))


@settings(max_examples=8)
@given(FEW, st.booleans(), SIZES, SIZES, SEEDS)
def test_crossed_kernels_and_differences_are_branches_too(
    channels: int, all_at_once: bool, height: int, width: int, seed: int
) -> None:
    """ACNet's 3x3, 3x1 and 1x3, of which no two make a smaller one; summed one by one, or subtracted, or at once."""
    import tensorflow as tf

    sides = ((1, 3), (3, 1), (3, 3))
    kernels = [weights(seed + n, *side, channels, channels) for n, side in enumerate(sides)]

    def body(x: Any) -> Any:
        a, b, c = (conv(x, kernel) for kernel in kernels)
        return tf.add_n([a, b, c]) if all_at_once else a - b + c

    after = rewritten(BY_ID["merge_branches"], body, (height, width), channels)
    assert operations(after).count("Conv2D") == 1


@pytest.mark.parametrize("case", ["biased border", "used inside", "wider", "another size"])
def test_branches_that_cannot_be_one_convolution_stay(case: str) -> None:
    """Zeros around a bias; a step that others use; more multiplications than before; a picture cut smaller."""
    import tensorflow as tf

    large, small = weights(1, 3, 3, 3, 3), weights(2, 3, 3, 3, 3)
    bias = weights(3, 3)

    def body(x: Any) -> Any:
        if case == "biased border":
            many = tf.nn.bias_add(conv(x, weights(4, 1, 1, 3, 9)), np.ones(9, np.float32))
            return conv(many, weights(5, 3, 3, 9, 3)) + conv(x, large)
        if case == "used inside":
            inner = conv(x, small)
            return tf.concat([tf.nn.relu(inner), tf.nn.bias_add(inner, bias) + conv(x, large)], 3)
        if case == "wider":
            around = [[0, 0], [2, 2], [2, 2], [0, 0]]
            return conv(conv(tf.pad(x, around), small, padding="VALID"), large, padding="VALID") + x
        return conv(x, large, padding="VALID") + x[:, 1:-1, 1:-1]

    untouched(BY_ID["merge_branches"], body, 3)


def test_very_deep_residual_networks_are_no_trouble() -> None:
    """A chain of a thousand sums, each of which is linear in the one before."""
    import tensorflow as tf

    kernel = weights(1, 1, 1, 2, 2)

    def body(x: Any) -> Any:
        for _ in range(1000):
            x = x + tf.nn.relu(x)
        return x + conv(x, kernel)

    network = network_of(body, 2)
    assert len(applied_everywhere(BY_ID["merge_branches"], network)) == 1


def test_halves_of_a_split_are_two_pictures() -> None:
    import tensorflow as tf

    kernels = weights(1, 3, 3, 2, 2), weights(2, 3, 3, 2, 2)
    around = [[0, 0], [1, 1], [2, 0], [0, 0]]

    def convolved(x: Any) -> Any:
        first, second = tf.split(x, 2, axis=3)
        return conv(first, kernels[0]) + conv(second, kernels[1])

    def padded(x: Any) -> Any:
        first, second = tf.split(x, 2, axis=3)
        return tf.nn.relu(tf.pad(first, around)) + tf.tanh(tf.pad(second, around))

    def beside(x: Any) -> Any:
        first, second = tf.split(x, 2, axis=3)
        return conv(first, kernels[0]) + second

    untouched(BY_ID["merge_branches"], convolved, 4)
    untouched(BY_ID["merge_branches"], beside, 4)
    untouched(BY_ID["merge_padding"], padded, 4)


@settings(max_examples=12)
@given(ODD, st.sampled_from(["SAME", "VALID"]), st.sampled_from([1, 2]), st.booleans(), SIZES, SIZES, SEEDS)
def test_expanding_and_reducing_convolutions_become_one(
    side: int, padding: str, stride: int, pointwise_first: bool, height: int, width: int, seed: int
) -> None:
    import tensorflow as tf

    middle = 16
    shapes = (
        [(1, 1, 3, middle), (side, side, middle, 3)]
        if pointwise_first
        else [(side, side, 3, middle), (1, 1, middle, 3)]
    )
    first, second = (weights(seed + n, *shape) for n, shape in enumerate(shapes))
    bias = (
        weights(seed + 2, middle)
        if padding == "VALID" or not pointwise_first
        else np.zeros(middle, np.float32)
    )

    def body(x: Any) -> Any:
        y = tf.nn.bias_add(conv(x, first, padding=padding, stride=1 if pointwise_first else stride), bias)
        return tf.nn.bias_add(
            conv(y, second, padding=padding, stride=stride if pointwise_first else 1), bias[:3]
        )

    after = rewritten(BY_ID["merge_chain"], body, (height, width), 3)
    assert operations(after).count("Conv2D") == 1


def test_a_padded_bias_between_two_convolutions_keeps_them_apart() -> None:
    import tensorflow as tf

    first, second, bias = weights(1, 1, 1, 3, 16), weights(2, 3, 3, 16, 3), weights(3, 16)
    untouched(BY_ID["merge_chain"], lambda x: conv(tf.nn.bias_add(conv(x, first), bias), second), 3)


def test_a_chain_that_would_cost_more_stays() -> None:
    first, second = weights(1, 3, 3, 8, 2), weights(2, 1, 1, 2, 8)
    untouched(BY_ID["merge_chain"], lambda x: conv(conv(x, first), second), 8)


@settings(max_examples=8)
@given(ODD.filter(lambda k: k > 1), st.integers(0, 3), st.integers(0, 3), SIZES, SIZES, SEEDS)
def test_padding_is_merged(side: int, top: int, left: int, height: int, width: int, seed: int) -> None:
    import tensorflow as tf

    kernel = weights(seed, side, side, 3, 3)

    def body(x: Any) -> Any:
        half = side // 2
        once = tf.pad(x, [[0, 0], [half, half], [half, half], [0, 0]])
        twice = tf.pad(tf.pad(x, [[0, 0], [top, 1], [left, 2], [0, 0]]), [[0, 0], [1, 0], [2, 0], [0, 0]])
        return tf.concat([conv(once, kernel, padding="VALID"), twice[:, :height, :width]], 3)

    after = rewritten(BY_ID["merge_padding"], body, (height, width), 3)
    assert operations(after).count("Pad") == 1


def test_padding_with_another_value_or_too_little_stays() -> None:
    import tensorflow as tf

    kernel = weights(1, 5, 5, 3, 3)
    around = [[0, 0], [2, 2], [2, 2], [0, 0]]
    untouched(
        BY_ID["merge_padding"],
        lambda x: conv(tf.pad(x, around, constant_values=0.5), kernel, padding="VALID"),
        3,
    )
    untouched(
        BY_ID["merge_padding"],
        lambda x: conv(tf.pad(x, [[0, 0], [1, 3], [2, 2], [0, 0]]), kernel, padding="VALID"),
        3,
    )
    untouched(
        BY_ID["merge_padding"], lambda x: conv(tf.pad(x, around, "REFLECT"), kernel, padding="VALID"), 3
    )


def test_equal_padding_is_done_once() -> None:
    import tensorflow as tf

    around = [[0, 0], [1, 1], [2, 0], [0, 0]]
    body = lambda x: tf.nn.relu(tf.pad(x, around)) + tf.tanh(tf.pad(x, around))  # noqa: E731
    after = rewritten(BY_ID["merge_padding"], body, (8, 9), 3)
    assert operations(after).count("Pad") == 1


@pytest.mark.parametrize("order", ["tensorflow", "pytorch"])
@pytest.mark.parametrize("block", [2, 3, 4])
@pytest.mark.parametrize("biased", [True, False])
def test_pixel_shuffles_are_recognised(order: str, block: int, biased: bool) -> None:
    import tensorflow as tf

    kernel, bias = weights(block, 3, 3, 3, 3 * block**2), weights(9, 3 * block**2)

    def body(x: Any) -> Any:
        y = conv(x, kernel)
        y = tf.nn.bias_add(y, bias) if biased else y
        height, width = tf.shape(y)[1], tf.shape(y)[2]
        parts = (block, block, 3) if order == "tensorflow" else (3, block, block)
        axes = (0, 1, 3, 2, 4, 5) if order == "tensorflow" else (0, 1, 4, 2, 5, 3)
        y = tf.transpose(tf.reshape(y, (1, height, width, *parts)), axes)
        return tf.reshape(y, (1, height * block, width * block, 3))

    after = rewritten(BY_ID["depth_to_space"], body, (7, 10), 3)
    assert operations(after).count("DepthToSpace") == 1
    assert "Transpose" not in operations(after)


def test_other_transpositions_are_no_pixel_shuffle() -> None:
    import tensorflow as tf

    kernel = weights(1, 3, 3, 3, 12)

    def body(x: Any) -> Any:
        y = conv(x, kernel)
        height, width = tf.shape(y)[1], tf.shape(y)[2]
        y = tf.transpose(tf.reshape(y, (1, height, width, 2, 2, 3)), (0, 1, 4, 2, 3, 5))
        return tf.reshape(y, (1, height * 2, width * 2, 3))

    untouched(BY_ID["depth_to_space"], body, 3)


@settings(max_examples=8)
@given(st.booleans(), st.booleans(), st.booleans(), st.booleans(), FEW, SIZES, SIZES, SEEDS)
def test_instance_norms_become_scale_and_shift(
    gained: bool, shifted: bool, inverse: bool, known: bool, channels: int, height: int, width: int, seed: int
) -> None:
    """Written with a division, as Keras does, or with a product by 1 / sqrt, as ONNX files become."""
    import tensorflow as tf

    gain, shift, kernel = (
        weights(seed, channels),
        weights(seed + 1, channels),
        np.eye(channels, dtype=np.float32),
    )

    def body(x: Any) -> Any:
        x = tf.nn.relu(conv(x, kernel[None, None])) if known else x
        mean = tf.reduce_mean(x, [1, 2], keepdims=True)
        variance = tf.reduce_mean(tf.math.squared_difference(x, mean), [1, 2], keepdims=True)
        y = tf.math.rsqrt(variance + 1e-3) * (x - mean) if inverse else (x - mean) / tf.sqrt(variance + 1e-3)
        y = y * gain if gained else y
        return y + shift if shifted else y

    after = rewritten(BY_ID["instance_norm"], body, (height, width), channels)
    whole = [node.op for node in after if node.op in ("Mul", "AddV2", "Sub", "RealDiv")]
    assert whole.count("Mul") == 2 + inverse
    assert whole.count("Sub") == 1


def test_neutral_gains_stay_where_the_optimiser_finds_them() -> None:
    """Without a gain and a bias TensorFlow's optimiser doesn't know an instance normalisation for one."""
    import tensorflow as tf

    kernel = weights(1, 3, 3, 3, 8)

    def body(x: Any) -> Any:
        x = tf.nn.leaky_relu(conv(x, kernel))
        mean = tf.reduce_mean(x, [1, 2], keepdims=True)
        variance = tf.reduce_mean(tf.math.squared_difference(x, mean), [1, 2], keepdims=True)
        return (x - mean) / tf.sqrt(variance + 1e-3)

    after = rewritten(BY_ID["instance_norm"], body, (9, 12), 3)
    constants = [after.constant(node.name) for node in after if node.op == "Const"]
    vectors = [value for value in constants if value is not None and value.shape == (8,)]
    assert len(vectors) == 2
    assert not any(np.isin(value, (0, 1)).any() for value in vectors)


def test_a_norm_over_channels_is_no_instance_norm() -> None:
    import tensorflow as tf

    def body(x: Any) -> Any:
        mean = tf.reduce_mean(x, [3], keepdims=True)
        variance = tf.reduce_mean(tf.math.squared_difference(x, mean), [3], keepdims=True)
        return (x - mean) / tf.sqrt(variance + 1e-3)

    untouched(BY_ID["instance_norm"], body, 4)


def test_constants_are_computed_ahead_and_nothing_grows() -> None:
    import tensorflow as tf

    kernel, scale = weights(1, 3, 3, 3, 4), tf.constant(weights(2, 4))

    def body(x: Any) -> Any:
        tiled = tf.reshape(scale, (1, 1, 1, 4)) * tf.ones((1, 64, 64, 1))  # large, of small parts
        return conv(x, kernel) * tf.sqrt(tf.square(scale) + 1.0) + tf.reduce_mean(
            tiled, [1, 2], keepdims=True
        )

    after = rewritten(BY_ID["fold_constants"], body, (9, 8), 3)
    assert "Sqrt" not in operations(after)
    assert after.graph_def().ByteSize() < 2 * network_of(body, 3).graph_def().ByteSize()


def test_every_rewrite_says_its_identity() -> None:
    assert len(BY_ID) == len(REWRITES)
    for rewrite in REWRITES:
        assert any(word in (type(rewrite).__doc__ or "") for word in ("equals", " is ")), rewrite.id
