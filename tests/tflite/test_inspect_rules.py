"""The delegates' rules and the advice, on operations written down by hand: each rule broken, and kept."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from pixelproof.tflite.inspection import gpu_rules, nnapi_rules, xnnpack_rules
from pixelproof.tflite.inspection.advice import advise
from pixelproof.tflite.inspection.delegates import DELEGATES, LABEL, Verdict, judge, judge_all
from pixelproof.tflite.inspection.facts import percent
from pixelproof.tflite.inspection.macs import macs_of
from pixelproof.tflite.inspection.model import Model, Operation, Shape, Tensor
from pixelproof.tflite.inspection.normalisation import chains
from pixelproof.tflite.inspection.showing import short
from pixelproof.tflite.inspection.timing import OperationTime, Times, configuration

PICTURE = (1, 8, 12, 4)


class Graph:
    """A file being written down, tensor by tensor."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self.operations: list[Operation] = []

    def tensor(self, shape: Shape = PICTURE, *, int8: bool = False, **more: Any) -> Tensor:
        quantized = {"dtype": "int8", "scales": 1, "scale": 0.1} if int8 else {}
        index = len(self.tensors)
        made = Tensor(
            index=index, name=f"t{index}", **{"dtype": "float32", "shape": shape, **quantized, **more}
        )
        self.tensors.append(made)
        return made

    def weights(self, *shape: int, **more: Any) -> Tensor:
        return self.tensor(shape, stored_bytes=4, **more)

    def sizes(self, *values: int) -> Tensor:
        return self.tensor((len(values),), dtype="int32", stored_bytes=4 * len(values), values=values)

    def add(
        self, kind: str, *inputs: Tensor | None, to: Tensor | None = None, version: int = 1, **options: int
    ) -> Tensor:
        made = self.tensor() if to is None else to
        place = len(self.operations)
        self.operations.append(
            Operation(place, kind, version, tuple(inputs), (made,), MappingProxyType(dict(options)))
        )
        return made

    def model(self) -> Model:
        return Model(
            operations=tuple(self.operations),
            inputs=(self.tensors[0],),
            outputs=(self.operations[-1].outputs[0],),
            tensors=tuple(self.tensors),
            subgraphs=1,
            size_bytes=1000,
            constant_bytes=100,
        )


def found(delegate: int, graph: Graph) -> dict[str, str]:
    """Rules of a delegate that are broken, and what was found."""
    return {each.rule: each.found for each in judge(graph.model(), DELEGATES[delegate]).findings}


def blocked(delegate: int, graph: Graph) -> set[str]:
    """Rules of a delegate that are broken and block."""
    return {each.rule for each in judge(graph.model(), DELEGATES[delegate]).findings if each.blocks}


GPU, NNAPI, XNNPACK = range(3)
EVERYWHERE = (GPU, NNAPI, XNNPACK)


def test_a_plain_convolution_is_taken_by_all() -> None:
    graph = Graph()
    graph.add("CONV_2D", graph.tensor(), graph.weights(4, 3, 3, 4), graph.weights(4))
    for verdict in judge_all(graph.model()):
        assert verdict.compatible and not verdict.refused and verdict.label == LABEL
        assert (verdict.taken, verdict.operations, verdict.left) == (1, 1, ())


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("CUSTOM FlexErf", "FlexErf, an operation of TensorFlow itself"),
        ("CUSTOM Sharpen", "Sharpen, a custom operation"),
        ("WHILE", "WHILE, control flow"),
        ("VAR_HANDLE", "VAR_HANDLE, which keeps something between runs"),
        ("SHAPE", "SHAPE, which computes sizes while the model runs"),
        ("WHERE", "WHERE"),
    ],
)
def test_operations_that_no_delegate_knows(kind: str, said: str) -> None:
    graph = Graph()
    graph.add("RELU", graph.add(kind, graph.tensor()))
    for verdict in judge_all(graph.model()):
        assert verdict.left == (0,) and not verdict.compatible
        (finding,) = (each for each in verdict.findings if each.blocks)
        assert (finding.rule, finding.operation, finding.type, finding.found) == ("operation", 0, kind, said)
        assert finding.remedy and finding.source


def test_five_dimensions() -> None:
    graph = Graph()
    graph.add("RELU", graph.tensor((1, 2, 3, 4, 5)), to=graph.tensor((1, 2, 3, 4, 5)))
    assert found(GPU, graph)["rank"] == found(NNAPI, graph)["rank"] == "5 dimensions"
    assert blocked(XNNPACK, graph) == set()
    seven = Graph()
    seven.add("RELU", seven.tensor((1,) * 7))
    assert blocked(XNNPACK, seven) == {"rank"}


@pytest.mark.parametrize("delegate", EVERYWHERE)
def test_sizes_that_are_computed(delegate: int) -> None:
    """SHAPE, arithmetic, and the transposed convolution that takes its size from there."""
    graph = Graph()
    picture = graph.tensor((1, None, None, 4))
    size = graph.add("SHAPE", picture, to=graph.tensor((4,), dtype="int32"))
    size = graph.add("MUL", size, graph.sizes(1, 2, 2, 1), to=graph.tensor((4,), dtype="int32"))
    graph.add("TRANSPOSE_CONV", size, graph.weights(4, 3, 3, 4), picture, stride_h=2, stride_w=2)
    verdict = judge(graph.model(), DELEGATES[delegate])
    rules = {(each.rule, each.operation) for each in verdict.findings if each.blocks}
    of_file = set() if delegate == XNNPACK else {("dynamic-file", None)}
    assert rules == {("size-arithmetic", 0), ("size-arithmetic", 1), ("computed-size", 2)} | of_file
    assert verdict.refused == bool(of_file) and verdict.taken == 0
    assert verdict.findings[-1].rule in ("free-size", "float") and not verdict.findings[-1].blocks


def test_the_same_arithmetic_for_a_result_is_no_size() -> None:
    graph = Graph()
    graph.add("MUL", graph.tensor(dtype="int32"), graph.tensor(dtype="int32"), to=graph.tensor(dtype="int32"))
    assert blocked(GPU, graph) == {"type"} and blocked(XNNPACK, graph) == {"type"}
    assert blocked(NNAPI, graph) == set()


def test_of_a_size_made_from_floats_only_the_integers_count() -> None:
    graph = Graph()
    floored = graph.add("FLOOR", graph.tensor((4,)), to=graph.tensor((4,)))
    size = graph.add("CAST", floored, to=graph.tensor((4,), dtype="int32"))
    graph.add("RESHAPE", graph.tensor(), size)
    rules = [(each.rule, each.operation) for each in judge(graph.model(), DELEGATES[XNNPACK]).findings]
    assert rules == [("size-arithmetic", 1), ("computed-size", 2)]


def resize(**options: int) -> Graph:
    graph = Graph()
    graph.add("RESIZE_BILINEAR", graph.tensor(), graph.sizes(16, 24), version=3, **options)
    return graph


def test_resizes() -> None:
    both = resize(align_corners=1, half_pixel_centers=1)
    assert blocked(GPU, both) == blocked(NNAPI, both) == {"resize"}
    half = resize(half_pixel_centers=1)
    assert blocked(GPU, half) == blocked(NNAPI, half) == blocked(XNNPACK, half) == set()
    assert found(GPU, half)["old-resize"] == "half_pixel_centers (version 3)"
    assert found(NNAPI, half)["android-10"] == "half_pixel_centers"
    plain = resize()
    assert "old-resize" not in found(GPU, plain) and "android-10" not in found(NNAPI, plain)


def test_types() -> None:
    graph = Graph()
    graph.add("ADD", graph.tensor(dtype="int64"), graph.tensor(dtype="int64"), to=graph.tensor(dtype="int64"))
    assert blocked(GPU, graph) == blocked(NNAPI, graph) == blocked(XNNPACK, graph) == {"type"}
    wide = Graph()
    scaled = {"dtype": "int16", "scales": 1, "scale": 0.1}
    wide.add("ADD", wide.tensor(**scaled), wide.tensor(**scaled), to=wide.tensor(**scaled))
    assert blocked(GPU, wide) == blocked(NNAPI, wide) == blocked(XNNPACK, wide) == {"int16"}
    compared = Graph()
    compared.add("GREATER", compared.tensor(), compared.tensor(), to=compared.tensor(dtype="bool"))
    assert blocked(GPU, compared) == set()


def test_scales_for_each_channel() -> None:
    graph = Graph()
    picture, kernel = graph.tensor(int8=True), graph.weights(4, 3, 3, 4, int8=True, scales=4)
    graph.add("CONV_2D", picture, kernel, graph.weights(4), to=graph.tensor(int8=True))
    assert blocked(GPU, graph) == blocked(NNAPI, graph) == blocked(XNNPACK, graph) == set()
    odd = Graph()
    odd.add("RELU", odd.tensor(int8=True, scales=4), to=odd.tensor(int8=True, scales=4))
    assert found(GPU, odd)["per-channel"] == "4 scales on what it computes"


def test_shapes_and_options_that_the_gpu_delegate_refuses() -> None:
    graph = Graph()
    picture = graph.tensor()
    graph.add("STRIDED_SLICE", picture, graph.sizes(0), graph.sizes(1), graph.sizes(1), shrink_axis_mask=1)
    graph.add("SLICE", graph.tensor((8, 12)), graph.sizes(0, 0), graph.sizes(4, 4))
    graph.add("MIRROR_PAD", picture, graph.weights(4, 2, dtype="int32"), mode=1)
    graph.add("PAD", picture, graph.weights(2, 2, dtype="int32"))
    graph.add("ADD_N", picture, picture, picture)
    graph.add("DEPTHWISE_CONV_2D", picture, graph.weights(1, 3, 3, 4), graph.weights(4), depth_multiplier=2)
    findings = judge(graph.model(), DELEGATES[GPU]).findings
    assert [(each.rule, each.operation, each.found) for each in findings if each.blocks] == [
        ("slice", 0, "shrink_axis_mask"),
        ("slice", 1, "a tensor of 2 dimensions"),
        ("padding", 2, "symmetric padding"),
        ("padding", 3, "padding for another number of dimensions than 3 or 4"),
        ("inputs", 4, "3 inputs"),
        ("depthwise", 5, "4 channels from 4 by a multiplier of 2"),
    ]


def test_lanes_and_moves_are_notes() -> None:
    graph = Graph()
    thin = graph.add(
        "CONV_2D", graph.tensor(), graph.weights(3, 3, 3, 4), graph.weights(3), to=graph.tensor((1, 8, 12, 3))
    )
    graph.add("RESHAPE", thin, graph.sizes(1, 96, 3), to=graph.tensor((1, 96, 3)))
    assert found(GPU, graph) == {"lanes": "3 channels", "moves": "RESHAPE, which only moves data"}
    assert blocked(GPU, graph) == set()


def test_what_nnapi_asks() -> None:
    graph = Graph()
    picture = graph.tensor()
    graph.add("CONV_2D", picture, graph.weights(4, 3, 3, 4))
    graph.add("CONCATENATION", picture, picture, fused_activation_function=1)
    graph.add("MEAN", picture, graph.sizes(0, 1, 2, 3), to=graph.tensor(()))
    graph.add("TRANSPOSE_CONV", graph.sizes(1, 16, 24, 4), graph.tensor((4, 3, 3, 4)), picture)
    graph.add("LEAKY_RELU", picture, version=2)
    graph.add("RSQRT", graph.tensor(int8=True), to=graph.tensor(int8=True))
    findings = judge(graph.model(), DELEGATES[NNAPI]).findings
    assert [(each.rule, each.operation) for each in findings if each.blocks] == [
        ("bias", 0), ("activation", 1), ("scalar", 2), ("filter", 3), ("version", 4), ("int8", 5),
    ]  # fmt: skip
    assert found(NNAPI, graph)["version"] == "version 2, above 1"


def test_what_xnnpack_asks() -> None:
    graph = Graph()
    picture, int8 = graph.tensor(), graph.tensor(int8=True)
    graph.add("CONV_2D", picture, graph.tensor((4, 3, 3, 4)), graph.weights(4))
    graph.add("CONCATENATION", *[picture] * 6)
    graph.add("STRIDED_SLICE", picture, graph.sizes(0, 0), graph.sizes(8, 8), graph.sizes(2, 2))
    graph.add("ADD", picture, picture, fused_activation_function=4)
    graph.add("MAX_POOL_2D", picture, filter_width=1, filter_height=1, stride_w=2, stride_h=2)
    graph.add("ADD", int8, graph.tensor(int8=True, scale=0.1 / 2000), to=graph.tensor(int8=True))
    graph.add("QUANTIZE", graph.tensor(dtype="uint8", scales=1, scale=0.1), to=graph.tensor(int8=True))
    graph.add("BATCH_MATMUL", int8, graph.tensor(int8=True, zero_point=-128), to=graph.tensor(int8=True))
    graph.add("SQUARED_DIFFERENCE", int8, int8, to=graph.tensor(int8=True))
    findings = judge(graph.model(), DELEGATES[XNNPACK]).findings
    assert [(each.rule, each.operation) for each in findings if each.blocks] == [
        ("constants", 0), ("parts", 1), ("slice", 2), ("activation", 3), ("pooling", 4), ("scales", 5), ("signs", 6),
        ("zero-point", 7), ("int8", 8),
    ]  # fmt: skip
    assert "d * d" in findings[8].remedy
    assert found(XNNPACK, graph)["scales"] == "an input whose scale is 0.0005 of the output's"


def test_lists_hold_only_operations_that_tflite_has() -> None:
    from pixelproof.measure.scan.tflite_operations import builtin_names

    known = set(builtin_names())
    for listed in (gpu_rules.LISTED, set(nnapi_rules.LISTED), xnnpack_rules.FLOAT, xnnpack_rules.INT8):
        assert set(listed) <= known
    for delegate in DELEGATES:
        ids = [rule.id for rule in delegate.rules]
        assert len(ids) == len(set(ids)) and all(rule.source and rule.remedy for rule in delegate.rules)


def island() -> Graph:
    """int8 convolutions around a float operation."""
    graph = Graph()
    kernel, bias = graph.weights(4, 3, 3, 4, int8=True), graph.weights(4)
    first = graph.add("CONV_2D", graph.tensor(int8=True), kernel, bias, to=graph.tensor(int8=True))
    wide = graph.add("DEQUANTIZE", first, version=2)
    floored = graph.add("FLOOR", wide)
    back = graph.add("QUANTIZE", floored, to=graph.tensor(int8=True))
    graph.add("CONV_2D", back, kernel, bias, to=graph.tensor(int8=True))
    return graph


def test_float_islands_in_an_int8_file() -> None:
    model = island().model()
    nnapi = judge(model, DELEGATES[NNAPI])
    assert nnapi.compatible and ("float-island", 2) in {
        (each.rule, each.operation) for each in nnapi.findings
    }
    (advice,) = advise(model, None)
    assert (advice.id, advice.operations, advice.share) == ("float-islands", (1, 2, 3), None)
    assert "FLOOR (#2) stays in float32" in advice.why and "#1 DEQUANTIZE, #3 QUANTIZE" in advice.why


def times(*ms: float | None, taken: Mapping[int, bool] = MappingProxyType({})) -> Times:
    single = tuple(OperationTime(each, taken.get(place, True)) for place, each in enumerate(ms))
    return Times(latency_ms=10.0, partitions=1, threads=1, runs=1, operations=single)


def test_shares() -> None:
    found = times(1.0, 3.0, None, 4.0)
    assert (found.sum_ms, found.coverage) == (8.0, 0.8)
    assert found.share(1) == 0.375 and found.share(0, 3) == 0.625
    assert found.share(0, 2) is None and times(0.0).share(0) is None


def wide_and_thin(kernel: int) -> Model:
    graph = Graph()
    wide = graph.tensor((1, 8, 12, 16))
    graph.add(
        "CONV_2D", wide, graph.weights(16, 3, 3, 16), graph.weights(16), to=graph.tensor((1, 8, 12, 16))
    )
    graph.add(
        "CONV_2D",
        wide,
        graph.weights(3, kernel, kernel, 16),
        graph.weights(3),
        to=graph.tensor((1, 8, 12, 3)),
    )
    return graph.model()


def test_a_last_convolution_of_three_channels() -> None:
    model = wide_and_thin(3)
    ratio = 16 / 3
    (advice,) = advise(model, times(3.0, 3.0))
    assert advice.id == "few-channels" and advice.operations == (1,) and advice.share == 0.5
    assert (
        f"{ratio:.1f} times as long per multiply-accumulate" in advice.why
        and "DEPTH_TO_SPACE" in advice.remedy
    )
    assert advise(model, times(3.0, 3.0 / ratio)) == ()  # no slower than the other
    assert advise(model, times(300.0, 3.0)) == ()  # and not worth saying
    (untimed,) = advise(model, None)
    assert untimed.share is None and "times as long" not in untimed.why


def test_large_kernels() -> None:
    ids = [each.id for each in advise(wide_and_thin(9), times(1.0, 9.0))]
    assert "large-kernels" in ids
    (advice,) = (each for each in advise(wide_and_thin(9), None) if each.id == "large-kernels")
    assert "kernels of 9x9" in advice.why
    assert "large-kernels" not in [each.id for each in advise(wide_and_thin(9), times(1000.0, 1.0))]


def test_transposed_convolutions_and_activations() -> None:
    graph = Graph()
    maps = graph.add("CONV_2D", graph.tensor(), graph.weights(4, 3, 3, 4), graph.weights(4))
    maps = graph.add("LEAKY_RELU", maps)
    up = graph.tensor((1, 16, 24, 4))
    graph.add("TRANSPOSE_CONV", graph.sizes(1, 16, 24, 4), graph.weights(4, 3, 3, 4), maps, to=up)
    model = graph.model()
    assert macs_of(model.operations[0]) == macs_of(model.operations[2]) == 8 * 12 * 4 * 9 * 4
    by_id = {each.id: each for each in advise(model, times(1.0, 1.0, 3.0))}
    assert "3.0 times as long" in by_id["transposed-convolution"].why
    assert "1 activations (LEAKY_RELU)" in by_id["activations"].why
    assert advise(model, times(1.0, 0.01, 1.1)) == ()


def test_what_xnnpack_left_out() -> None:
    graph = Graph()
    graph.add("RELU", graph.tensor(), to=graph.tensor(int8=True))
    graph.add("POW", graph.tensor(), graph.tensor())
    (advice,) = advise(graph.model(), times(1.0, 9.0, taken={1: False}))
    assert advice.id == "own-kernels" and advice.operations == (1,) and "POW (#1) in float32" in advice.why
    assert advise(graph.model(), times(1.0, 9.0)) == ()


def normalised(*, square: str = "SQUARED_DIFFERENCE") -> Model:
    graph = Graph()
    picture = graph.tensor()
    small = (1, 1, 1, 4)
    mean = graph.add("MEAN", picture, graph.sizes(1, 2), to=graph.tensor(small))
    squared = graph.add(square, picture, mean)
    variance = graph.add("MEAN", squared, graph.sizes(1, 2), to=graph.tensor(small))
    centred = graph.add("SUB", picture, mean)
    shifted = graph.add("ADD", variance, graph.weights(1), to=graph.tensor(small))
    root = graph.add("RSQRT", shifted, to=graph.tensor(small))
    whole = graph.add("MUL", centred, root)
    scaled = graph.add("MUL", whole, graph.weights(4))
    shifted_by = graph.add("ADD", scaled, graph.weights(4))
    graph.add("ADD", shifted_by, graph.add("RELU", shifted_by))
    return graph.model()


def test_chains_of_instance_normalisation() -> None:
    (chain,) = chains(normalised())
    assert [each.index for each in chain] == [0, 1, 2, 3, 4, 5, 6, 7, 8]  # and not the skip connection
    assert chains(normalised(square="SUB")) == ()
    (advice,) = advise(normalised(), None)
    assert advice.id == "instance-normalisation" and "once, as 9 operations" in advice.why
    one_input = Graph()
    one_input.add("SQUARED_DIFFERENCE", one_input.tensor(), one_input.weights(4))
    assert chains(one_input.model()) == ()


def test_configurations() -> None:
    def conv(*, scale: float, width: int = 4, stored: int = 4) -> Operation:
        graph = Graph()
        kernel = graph.tensor((4, 3, 3, 4), stored_bytes=stored)
        graph.add(
            "CONV_2D",
            graph.tensor(int8=True, scale=scale),
            kernel,
            to=graph.tensor((1, 8, 12, width)),
            stride_h=1,
        )
        return graph.operations[0]

    def relu(scale: float) -> Operation:
        graph = Graph()
        graph.add("RELU", graph.tensor(int8=True, scale=scale), to=graph.tensor(int8=True))
        return graph.operations[0]

    assert configuration(conv(scale=0.1)) == configuration(conv(scale=0.2))
    assert configuration(conv(scale=0.1)) != configuration(conv(scale=0.1, width=8))
    assert configuration(conv(scale=0.1)) != configuration(conv(scale=0.1, stored=0))
    assert configuration(relu(0.1)) != configuration(relu(0.2))


@pytest.mark.parametrize(
    ("kind", "inputs", "output", "options", "expected"),
    [
        ("DEPTHWISE_CONV_2D", [(1, 8, 12, 4), (1, 3, 5, 8)], (1, 8, 12, 8), {}, 8 * 12 * 8 * 15),
        ("FULLY_CONNECTED", [(2, 30), (7, 30)], (2, 7), {}, 2 * 7 * 30),
        ("BATCH_MATMUL", [(2, 3, 4), (2, 4, 5)], (2, 3, 5), {}, 2 * 3 * 5 * 4),
        ("BATCH_MATMUL", [(2, 4, 3), (2, 4, 5)], (2, 3, 5), {"adj_x": 1}, 2 * 3 * 5 * 4),
        ("CONV_2D", [(1, 8, 12, 8), (6, 3, 3, 2)], (1, 8, 12, 6), {}, 8 * 12 * 6 * 9 * 2),  # four groups
        ("CONV_2D", [(1, None, 12, 4), (6, 3, 3, 4)], (1, None, 12, 6), {}, None),
        ("ADD", [(1, 8, 12, 4), (1, 8, 12, 4)], (1, 8, 12, 4), {}, 0),
    ],
)
def test_multiply_accumulates(
    kind: str, inputs: list[Shape], output: Shape, options: dict[str, int], expected: int | None
) -> None:
    graph = Graph()
    graph.add(kind, *(graph.tensor(shape) for shape in inputs), to=graph.tensor(output), **options)
    assert macs_of(graph.operations[0]) == expected


def test_numbers_as_people_read_them() -> None:
    assert [short(n) for n in (0, 999, 1000, 1_430_945, 9_960_000_000, None)] == [
        "0", "999", "1 k", "1.43 M", "9.96 G", "?",
    ]  # fmt: skip
    assert [percent(share) for share in (0.0, 0.001, 0.126, 1.0)] == ["0%", "<1%", "13%", "100%"]


def test_a_verdict_names_what_it_leaves() -> None:
    graph = Graph()
    picture = graph.tensor()
    graph.add("RELU", graph.add("WHERE", graph.add("POW", picture, picture)))
    verdict: Verdict = judge(graph.model(), DELEGATES[XNNPACK])
    assert (verdict.left, verdict.taken, verdict.operations) == ((0, 1), 1, 3)
