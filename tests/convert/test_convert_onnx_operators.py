"""Every operator of ``convert-onnx``, in the forms that networks have, against onnxruntime at uneven sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from pixelproof.errors import ModelFailed

SIZES = ((37, 54), (45, 23))
RNG = np.random.default_rng(5)


def real(*shape: int) -> np.ndarray:
    """Random numbers."""
    return RNG.standard_normal(shape).astype(np.float32)


def whole(*numbers: int) -> np.ndarray:
    """A list of whole numbers."""
    return np.array(numbers, np.int64)


@dataclass(frozen=True)
class Net:
    """A small network from ``x`` to ``y``; nodes are (operator, inputs, outputs, attributes)."""

    nodes: Sequence[tuple[str, str, str, dict[str, Any]]]
    constants: Mapping[str, Any] = field(default_factory=dict)
    opset: int = 17
    shape: tuple[Any, ...] = (1, 4, "h", "w")

    def data(self) -> bytes:
        """The file."""
        from onnx import TensorProto, helper, numpy_helper

        graph = helper.make_graph(
            [
                helper.make_node(op, [i if i != "-" else "" for i in ins.split()], outs.split(), **more)
                for op, ins, outs, more in self.nodes
            ],
            "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in self.constants.items()],
        )
        imports = [helper.make_opsetid("", self.opset)]
        made: bytes = helper.make_model(graph, opset_imports=imports, ir_version=9).SerializeToString()
        return made


def one(op: str, inputs: str = "x", *, constants: Any = None, opset: int = 17, **attributes: Any) -> Net:
    """A network of one node."""
    return Net([(op, inputs, "y", attributes)], constants or {}, opset)


def convolutions() -> dict[str, Net]:
    """Conv and ConvTranspose: size, stride, pads, dilation, groups, maps."""
    nets = {}
    for size, stride, pad, dilation, groups, maps in (
        (3, 1, 1, 1, 1, 5),
        (3, 2, 1, 1, 1, 5),
        (5, 1, 2, 1, 1, 4),
        (3, 1, 2, 2, 1, 4),
        (3, 1, 1, 1, 4, 8),
        (3, 2, 1, 1, 4, 4),
        (3, 1, 0, 1, 2, 6),
        (4, 2, 1, 1, 1, 3),
        (2, 1, 0, 1, 1, 2),
    ):
        constants = {"k": real(maps, 4 // groups, size, size), "b": real(maps)}
        nets[f"Conv {size} {stride} {pad} {dilation} {groups}"] = one(
            "Conv",
            "x k b",
            constants=constants,
            strides=[stride] * 2,
            pads=[pad] * 4,
            dilations=[dilation] * 2,
            group=groups,
        )
    for size, stride, pad, more, groups, maps in (
        (2, 2, 0, 0, 1, 3),
        (3, 2, 1, 1, 1, 3),
        (4, 2, 1, 0, 1, 3),
        (4, 4, 0, 0, 1, 2),
        (3, 1, 1, 0, 1, 3),
        (9, 3, 4, 2, 1, 2),
        (2, 3, 0, 0, 1, 2),
        (3, 2, 0, 0, 2, 4),
    ):
        constants = {"k": real(4, maps // groups, size, size), "b": real(maps)}
        nets[f"ConvTranspose {size} {stride} {pad} {more} {groups}"] = one(
            "ConvTranspose",
            "x k b",
            constants=constants,
            strides=[stride] * 2,
            pads=[pad] * 4,
            output_padding=[more] * 2,
            group=groups,
        )
    nets["Conv uneven"] = one(
        "Conv", "x k", constants={"k": real(3, 4, 3, 5)}, strides=[2, 1], pads=[0, 1, 2, 3]
    )
    for automatic in ("SAME_UPPER", "VALID"):
        nets[f"Conv {automatic}"] = one(
            "Conv", "x k", constants={"k": real(3, 4, 3, 3)}, strides=[2, 2], auto_pad=automatic
        )
    return nets


def single() -> dict[str, Net]:
    """Operators of one input, activations, arithmetic."""
    names = """Relu Sigmoid Tanh HardSwish HardSigmoid Elu Selu Softplus Softsign Neg Abs Exp Sin Cos Erf Floor Ceil
        Round Sign Identity Dropout LeakyRelu GlobalAveragePool GlobalMaxPool"""
    nets = {name: one(name) for name in names.split()}
    nets["Mish"] = one("Mish", opset=18)
    nets["Elu 0.3"] = one("Elu", alpha=0.3)
    for kind in ("none", "tanh"):
        nets[f"Gelu {kind}"] = one("Gelu", opset=20, approximate=kind)
    for low, high in ((0, 6), (-0.3, 0.4), (0, None), (None, 0.2)):
        limits = {name: np.float32(n) for name, n in (("low", low), ("high", high)) if n is not None}
        inputs = f"x {'low' if low is not None else '-'} {'high' if high is not None else '-'}"
        nets[f"Clip {low} {high}"] = one("Clip", inputs, constants=limits)
    nets["PRelu channels"] = one("PRelu", "x s", constants={"s": real(4, 1, 1)})
    nets["PRelu one"] = one("PRelu", "x s", constants={"s": real(1)})
    for op in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"):
        start: list[tuple[str, str, str, dict[str, Any]]] = [("Exp", "x", "e", {}), ("Sigmoid", "x", "s", {})]
        constants = {"c": np.abs(real(4, 1, 1)) + 0.5, "n": np.float32(1.7)}
        for inputs in ("e c", "e s", "e n", "n e"):
            nets[f"{op} {inputs}"] = Net([*start, (op, inputs, "y", {})], constants)
    for exponent in (2.0, 0.5, 3.0):
        nets[f"Pow {exponent}"] = Net(
            [("Exp", "x", "e", {}), ("Pow", "e p", "y", {})], {"p": np.float32(exponent)}
        )
    nets["Where"] = Net(
        [("Greater", "x z", "c", {}), ("Not", "c", "d", {}), ("Where", "d x z", "y", {})],
        {"z": real(4, 1, 1)},
    )
    nets["Sum"] = Net([("Relu", "x", "r", {}), ("Sum", "x r x", "y", {})])
    nets["Mean"] = Net([("Relu", "x", "r", {}), ("Mean", "x r", "y", {})])
    nets["LeakyRelu behind Add"] = Net(
        [("Conv", "x k b", "a", {}), ("Add", "a a", "s", {}), ("LeakyRelu", "s", "y", {"alpha": 0.05})],
        {"k": real(4, 4, 1, 1), "b": real(4)},
    )
    return nets


def statistics() -> dict[str, Net]:
    """Pooling, normalisation, reductions, softmax."""
    nets = {}
    for ceil in (0, 1):
        nets[f"MaxPool ceil_mode {ceil}"] = one(
            "MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=ceil
        )
        nets[f"AveragePool counting {ceil}"] = one(
            "AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, count_include_pad=ceil
        )
    nets["MaxPool pads"] = one("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    nets["MaxPool 7 by 3"] = one("MaxPool", kernel_shape=[7, 7], strides=[3, 3])
    nets["AveragePool same"] = one("AveragePool", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")
    weights = {"s": real(4), "b": real(4), "m": real(4), "v": np.abs(real(4)) + 0.2}
    nets["BatchNormalization"] = one("BatchNormalization", "x s b m v", constants=weights)
    nets["InstanceNormalization"] = one("InstanceNormalization", "x s b", constants=weights)
    groups = {"s": real(2), "b": real(2)}
    nets["GroupNormalization"] = one("GroupNormalization", "x s b", constants=groups, opset=18, num_groups=2)
    nets["LayerNormalization over channels"] = Net(
        [
            ("Transpose", "x", "t", {"perm": [0, 2, 3, 1]}),
            ("LayerNormalization", "t s b", "u", {"axis": -1}),
            ("Transpose", "u", "y", {"perm": [0, 3, 1, 2]}),
        ],
        weights,
    )
    nets["LayerNormalization over a width"] = Net(
        [("LayerNormalization", "x s b", "y", {})], {"s": real(32), "b": real(32)}, shape=(1, 4, "h", 32)
    )
    nets["LpNormalization"] = one("LpNormalization", axis=1)
    for op, axes in (("ReduceMean", [1]), ("ReduceMax", [-1]), ("ReduceL2", [1]), ("ReduceMin", [2, 3])):
        nets[f"{op} {axes}"] = Net([(op, "x", "m", {"axes": axes}), ("Sub", "x m", "y", {})])
    axes_input = {"a": whole(2, 3)}
    nets["ReduceMean 18"] = Net(
        [("ReduceMean", "x a", "m", {}), ("Sub", "x m", "y", {})], axes_input, opset=18
    )
    nets["ReduceSum without axes kept"] = Net(
        [
            ("ReduceSum", "x a", "m", {"keepdims": 0}),
            ("Unsqueeze", "m a", "u", {}),
            ("Mul", "x u", "y", {}),
        ],
        {"a": whole(1)},
    )
    for axis in (1, -1, 2):
        nets[f"Softmax {axis}"] = one("Softmax", axis=axis)
    return nets


def shuffles() -> dict[str, Net]:
    """Pixel shuffles, by name and as reshapes."""
    eight = (1, 8, "h", "w")
    nets = {
        f"DepthToSpace {mode}": Net([("DepthToSpace", "x", "y", {"blocksize": 2, "mode": mode})], shape=eight)
        for mode in ("DCR", "CRD")
    }
    nets["DepthToSpace of a convolution"] = Net(
        [
            ("Conv", "x k b", "a", {"pads": [1] * 4}),
            ("DepthToSpace", "a", "y", {"blocksize": 3, "mode": "CRD"}),
        ],
        {"k": real(27, 4, 3, 3), "b": real(27)},
    )
    nets["SpaceToDepth"] = Net([("SpaceToDepth", "x", "y", {"blocksize": 2})], shape=(1, 4, 36, 28))
    for name, source, middle, perm, end in (
        ("CRD", (1, 8, 12, 10), (1, 2, 2, 2, 12, 10), [0, 1, 4, 2, 5, 3], (1, 2, 24, 20)),
        ("DCR", (1, 8, 12, 10), (1, 2, 2, 2, 12, 10), [0, 3, 4, 1, 5, 2], (1, 2, 24, 20)),
        ("back", (1, 4, 12, 10), (1, 4, 6, 2, 5, 2), [0, 1, 3, 5, 2, 4], (1, 16, 6, 5)),
        ("back DCR", (1, 4, 12, 10), (1, 4, 6, 2, 5, 2), [0, 3, 5, 1, 2, 4], (1, 16, 6, 5)),
        ("other sides inside", (1, 8, 12, 10), (1, 2, 2, 2, 10, 12), [0, 1, 4, 2, 5, 3], (1, 2, 20, 24)),
        ("other sides outside", (1, 8, 12, 10), (1, 2, 2, 2, 12, 10), [0, 1, 4, 2, 5, 3], (1, 2, 20, 24)),
    ):
        nets[f"reshapes {name}"] = Net(
            [
                ("Reshape", "x first", "r", {}),
                ("Transpose", "r", "t", {"perm": perm}),
                ("Reshape", "t last", "y", {}),
            ],
            {"first": whole(*middle), "last": whole(*end)},
            shape=source,
        )
    return nets


def cuts() -> dict[str, Net]:
    """Slice, Split, Gather, Pad, Tile, Expand, Squeeze, sizes."""
    ends = {"s": whole(1, -9), "e": whole(-1, -2), "a": whole(2, 3)}
    nets = {
        "Slice": one("Slice", "x s e a", constants=ends),
        "Slice channels": one(
            "Slice",
            "x s e a t",
            constants={"s": whole(1), "e": whole(2**63 - 1), "a": whole(1), "t": whole(2)},
        ),
        "Slice backwards": one(
            "Slice",
            "x s e a t",
            constants={"s": whole(-1), "e": whole(-(2**63)), "a": whole(3), "t": whole(-1)},
        ),
        "Split": Net(
            [("Split", "x s", "a b", {"axis": 1}), ("Concat", "b a", "y", {"axis": 1})], {"s": whole(1, 3)}
        ),
        "Split 11": Net(
            [("Split", "x", "a b", {"axis": 1, "split": [3, 1]}), ("Concat", "b a", "y", {"axis": 1})],
            opset=11,
        ),
        "Gather": one("Gather", "x i", constants={"i": whole(2, 0, -1)}, axis=1),
        "Gather one": Net(
            [("Gather", "x i", "g", {"axis": 1}), ("Unsqueeze", "g a", "y", {})],
            {"i": np.int64(-2), "a": whole(1)},
        ),
        "Pad cuts": one("Pad", "x p", constants={"p": whole(0, 0, -1, 2, 0, 0, 3, -2)}),
        "Pad channels": one("Pad", "x p", constants={"p": whole(0, 1, 0, 0, 0, 2, 0, 0)}),
        "Pad axes": one(
            "Pad",
            "x p v a",
            constants={"p": whole(1, 2, 1, 0), "v": np.float32(-2), "a": whole(2, -1)},
            opset=18,
        ),
        "Tile": one("Tile", "x t", constants={"t": whole(1, 2, 1, 3)}),
        "Expand": Net(
            [
                ("GlobalAveragePool", "x", "m", {}),
                ("Shape", "x", "s", {}),
                ("Expand", "m s", "e", {}),
                ("Sub", "x e", "y", {}),
            ]
        ),
        "Squeeze": Net(
            [
                ("ReduceMean", "x", "m", {"axes": [1]}),
                ("Squeeze", "m a", "q", {}),
                ("Unsqueeze", "q a", "u", {}),
                ("Add", "x u", "y", {}),
            ],
            {"a": whole(1)},
        ),
        "folded weights": Net(
            [
                ("Mul", "k k", "k2", {}),
                ("Transpose", "k2", "k3", {"perm": [1, 0, 2, 3]}),
                ("Conv", "x k3", "y", {}),
            ],
            {"k": real(4, 4, 3, 3)},
        ),
        "height and width exchanged": Net(
            [("Transpose", "x", "t", {"perm": [0, 1, 3, 2]}), ("Conv", "t k", "y", {"pads": [1, 0, 1, 0]})],
            {"k": real(3, 4, 3, 1)},
        ),
        "sizes with halves": Net(
            [
                ("Shape", "x", "s", {}),
                ("Slice", "s two four", "hw", {}),
                ("Cast", "hw", "f", {"to": 1}),
                ("Mul", "f half", "p", {}),
                ("Floor", "p", "q", {}),
                ("Cast", "q", "small", {"to": 7}),
                ("Concat", "front small", "all", {"axis": 0}),
                ("Resize", "x - - all", "y", {"mode": "linear"}),
            ],
            {"two": whole(2), "four": whole(4), "half": np.float32(0.5), "front": whole(1, 4)},
        ),
    }
    sides: list[tuple[str, str, str, dict[str, Any]]] = [
        ("Shape", "x", "s", {}),
        ("Slice", "s two four", "hw", {}),
    ]
    cut: list[tuple[str, str, str, dict[str, Any]]] = [
        ("Where", "c yes no", "ends", {}),
        ("Slice", "x zero ends two_three", "y", {}),
    ]
    numbers: dict[str, Any] = {
        "two": whole(2),
        "four": whole(4),
        "zero": whole(0, 0),
        "two_three": whole(2, 3),
    }
    numbers |= {"low": whole(40, 40), "high": whole(50, 60), "yes": whole(20, 21), "no": whole(7, 8)}
    between = [("Greater", "hw low", "a", {}), ("Less", "hw high", "b", {}), ("And", "a b", "c", {})]
    outside = [
        ("LessOrEqual", "hw low", "a", {}),
        ("GreaterOrEqual", "hw high", "b", {}),
        ("Or", "a b", "o", {}),
    ]
    nets["cut where sizes say"] = Net([*sides, *between, *cut], numbers)
    nets["cut where sizes say not"] = Net([*sides, *outside, ("Not", "o", "c", {}), *cut], numbers)
    nets["cut by a known truth"] = Net(
        [*sides, ("Equal", "hw low", "a", {}), ("Or", "a t", "c", {}), *cut],
        {**numbers, "t": np.array([True, False])},
    )
    for mode in ("constant", "reflect", "edge"):
        nets[f"Pad {mode}"] = one("Pad", "x p", constants={"p": whole(0, 0, 1, 2, 0, 0, 3, 1)}, mode=mode)
    return nets


def products() -> dict[str, Net]:
    """MatMul and Gemm, as attention and squeezing write them."""
    return {
        "MatMul of channels": Net(
            [
                ("Transpose", "x", "t", {"perm": [0, 2, 3, 1]}),
                ("MatMul", "t k", "m", {}),
                ("Transpose", "m", "y", {"perm": [0, 3, 1, 2]}),
            ],
            {"k": real(4, 6)},
        ),
        "attention between channels": Net(
            [
                ("Reshape", "x rows", "r", {}),
                ("Transpose", "r", "t", {"perm": [0, 2, 1]}),
                ("MatMul", "r t", "m", {}),
                ("Mul", "m n", "scaled", {}),
                ("Softmax", "scaled", "w", {"axis": -1}),
                ("MatMul", "w r", "o", {}),
                ("Shape", "x", "s", {}),
                ("Reshape", "o s", "y", {}),
            ],
            {"rows": whole(0, 0, -1), "n": np.float32(1e-3)},
        ),
        "Gemm": Net(
            [
                ("GlobalAveragePool", "x", "g", {}),
                ("Flatten", "g", "f", {}),
                ("Gemm", "f k b", "q", {"transB": 1, "alpha": 0.7, "beta": 1.3}),
                ("Unsqueeze", "q a", "u", {}),
                ("Mul", "x u", "y", {}),
            ],
            {"k": real(4, 4), "b": real(4), "a": whole(2, 3)},
        ),
    }


def resizes() -> dict[str, Net]:
    """Resize in the forms that are translated."""
    nets = {}
    for mode, coordinates, rounding, factors in (
        ("nearest", "asymmetric", "floor", (2, 3, 0.5, 1 / 3)),
        ("nearest", "half_pixel", "round_prefer_floor", (2, 3, 4)),
        ("linear", "half_pixel", "floor", (2, 3, 0.5)),
        ("linear", "pytorch_half_pixel", "floor", (2, 0.5, 1 / 3)),
        ("linear", "align_corners", "floor", (2, 1.5, 0.5)),
        ("linear", "asymmetric", "floor", (2, 0.5)),
        ("cubic", "half_pixel", "floor", (2, 3, 4)),
    ):
        for factor in factors:
            nets[f"{mode} {coordinates} {factor:.2f}"] = one(
                "Resize",
                "x - s",
                constants={"s": np.array([1, 1, factor, factor], np.float32)},
                mode=mode,
                coordinate_transformation_mode=coordinates,
                nearest_mode=rounding,
            )
    nets["linear to sizes"] = one("Resize", "x - - s", constants={"s": whole(1, 4, 50, 71)}, mode="linear")
    axes = {"s": np.array([2, 2], np.float32)}
    nets["linear by axes"] = one("Resize", "x - s", constants=axes, mode="linear", axes=[2, 3], opset=18)
    return nets


NETS = {**convolutions(), **single(), **statistics(), **shuffles(), **cuts(), **products(), **resizes()}

REFUSED = {
    "mode nearest with half_pixel and floor by 2x2": one(
        "Resize",
        "x - s",
        constants={"s": np.array([1, 1, 2, 2], np.float32)},
        mode="nearest",
        coordinate_transformation_mode="half_pixel",
        nearest_mode="floor",
    ),
    "mode linear by 1.5": one(
        "Resize", "x - s", constants={"s": np.array([1, 1, 1.5, 1.5], np.float32)}, mode="linear"
    ),
    "mode cubic by 0.5x0.5": one(
        "Resize", "x - s", constants={"s": np.array([1, 1, 0.5, 0.5], np.float32)}, mode="cubic"
    ),
    "antialias": one(
        "Resize",
        "x - s",
        constants={"s": np.array([1, 1, 2, 2], np.float32)},
        mode="linear",
        antialias=1,
        opset=18,
    ),
    "weights that the image decides": Net([("Shape", "x", "s", {}), ("Conv", "x x", "y", {})]),
    "indices": Net([("MaxPool", "x", "y i", {"kernel_shape": [2, 2]})]),
    "several axes at once": one("Softmax", opset=11),
    "mode wrap": one("Pad", "x p", constants={"p": whole(0, 0, 1, 1, 0, 0, 1, 1)}, mode="wrap", opset=19),
}


def translated(tf: Any, data: bytes) -> Any:
    """``f(image)`` of the frozen graph, and the model."""
    from pixelproof.convert.from_onnx.model import read_model
    from pixelproof.convert.from_onnx.translate import translate

    model = read_model(data)
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(translate(model, input_name="input", output_name="output").graph, name="")

    def run(image: np.ndarray) -> np.ndarray:
        with tf.compat.v1.Session(graph=graph) as session:
            return np.asarray(session.run("output:0", {"input:0": image}))

    return run, model


@pytest.mark.parametrize("name", list(NETS))
def test_operator(tf: Any, name: str) -> None:
    import onnxruntime

    data = NETS[name].data()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    run, model = translated(tf, data)
    for sides in SIZES:
        height, width = (stated or side for stated, side in zip(model.shape[1:3], sides, strict=True))
        image = real(1, height, width, model.shape[3])
        first = model.layout == "NCHW"
        (wanted,) = session.run(None, {"x": image.transpose(0, 3, 1, 2) if first else image})
        found = run(image)
        wanted = wanted.transpose(0, 2, 3, 1) if first else wanted
        assert found.shape == wanted.shape
        assert np.max(np.abs(found - wanted)) <= 1e-5 * max(1.0, float(np.max(np.abs(wanted))))


@pytest.mark.parametrize("reason", list(REFUSED))
def test_what_is_not_translated_is_named(tf: Any, reason: str) -> None:
    with pytest.raises(ModelFailed) as refusal:
        translated(tf, REFUSED[reason].data())
    assert reason in refusal.value.found
    assert REFUSED[reason].nodes[-1][0] in refusal.value.found


def test_a_pixel_shuffle_behind_a_convolution_costs_no_gather(tf: Any) -> None:
    from pixelproof.convert.from_onnx.model import read_model
    from pixelproof.convert.from_onnx.translate import translate

    for name in ("DepthToSpace of a convolution", "reshapes CRD"):
        made = translate(read_model(NETS[name].data()), input_name="input", output_name="output")
        operations = [node.op for node in made.graph.node]
        assert operations.count("DepthToSpace") == 1
        assert not {"Transpose", "Reshape"} & set(operations)
        assert ("GatherV2" in operations) == (name == "reshapes CRD")
        assert operations.count("Conv2D") == (1 if "convolution" in name else 0)


def test_images_stay_channels_last(tf: Any) -> None:
    from pixelproof.convert.from_onnx.model import read_model
    from pixelproof.convert.from_onnx.translate import translate

    for name in (
        "LayerNormalization over channels",
        "MatMul of channels",
        "Conv 3 1 1 1 1",
        "PRelu channels",
    ):
        made = translate(read_model(NETS[name].data()), input_name="input", output_name="output")
        assert "Transpose" not in [node.op for node in made.graph.node]
