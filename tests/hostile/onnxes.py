"""ONNX files that strangers may hand in, made field by field; as bytes, or written with what stands beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

PICTURE = (1, "height", "width", 3)


def darkened(*nodes: Any, constants: Sequence[Any] = (), output: str = "output", name: str = "input") -> Any:
    """A model that halves the picture, as a ModelProto to change; further nodes run after that.

    Args:
        output: the value that is given back; ``half`` is the darkened picture.
        name: of the input.
    """
    from onnx import TensorProto, helper

    float_ = TensorProto.FLOAT
    half = helper.make_node("Mul", [name, "factor"], ["half" if nodes else output])
    graph = helper.make_graph(
        [half, *nodes],
        "main",
        [helper.make_tensor_value_info(name, float_, PICTURE)],
        [helper.make_tensor_value_info(output, float_, None)],
        [helper.make_tensor("factor", float_, [1], [0.5]), *constants],
    )
    imports = [
        helper.make_opsetid("", 17),
        helper.make_opsetid("strange", 1),
        helper.make_opsetid("com.microsoft", 1),
    ]
    return helper.make_model(graph, opset_imports=imports, ir_version=9)


def data(model: Any) -> bytes:
    """The file."""
    made: bytes = model.SerializeToString()
    return made


def with_node(operation: str, *inputs: str, domain: str = "", **attributes: Any) -> bytes:
    """A model that ends in this node."""
    from onnx import helper

    return data(darkened(helper.make_node(operation, list(inputs), ["output"], domain=domain, **attributes)))


def external(location: str, *, offset: int = 0, length: int = 4) -> bytes:
    """A model whose factor lies in another file."""
    from onnx import TensorProto

    model = darkened()
    factor = model.graph.initializer[0]
    factor.ClearField("float_data")
    factor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": offset, "length": length}.items():
        factor.external_data.add(key=key, value=str(value))
    return data(model)


def through_a_link(folder: Path, secret: Path) -> Path:
    """A model whose weights are a link beside it that leads to a secret."""
    (folder / "weights.bin").symlink_to(secret)
    path = folder / "model.onnx"
    path.write_bytes(external("weights.bin"))
    return path


def splat() -> bytes:
    """Weights that claim 2^40 floats and hold one."""
    model = darkened()
    model.graph.initializer[0].dims[:] = [2**40]
    return data(model)


def overflow() -> bytes:
    """Weights whose size is beyond any number."""
    model = darkened()
    model.graph.initializer[0].dims[:] = [2**40, 2**40]
    return data(model)


def function_in_a_circle() -> bytes:
    """A function of the file that calls itself."""
    from onnx import helper

    imports = [helper.make_opsetid("strange", 1)]
    again = helper.make_node("Turn", ["x"], ["y"], domain="strange")
    model = darkened(helper.make_node("Turn", ["half"], ["output"], domain="strange"))
    model.functions.append(helper.make_function("strange", "Turn", ["x"], ["y"], [again], imports))
    return data(model)


def looping() -> bytes:
    """A Loop whose condition always holds."""
    from onnx import TensorProto, helper

    always = helper.make_tensor("always", TensorProto.BOOL, [], [True])
    body = helper.make_graph(
        [helper.make_node("Identity", ["going"], ["go_on"]), helper.make_node("Neg", ["state"], ["next"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
        ],
    )
    loop = helper.make_node("Loop", ["", "always", "half"], ["output"], body=body)
    return data(darkened(loop, constants=[always]))


def configured() -> bytes:
    """A model that configures the runtime by its metadata."""
    model = darkened()
    model.metadata_props.add(key="ort_config", value='{"session_options": {"inter_op_num_threads": 9999}}')
    return data(model)


def cycle() -> bytes:
    """Two nodes that feed each other."""
    from onnx import helper

    first = helper.make_node("Add", ["half", "b"], ["output"])
    second = helper.make_node("Neg", ["output"], ["b"])
    return data(darkened(first, second))


def truncated() -> bytes:
    """The first half of a good model."""
    whole = good()
    return whole[: len(whole) // 2]


def named(name: str) -> bytes:
    """A good model whose input bears a name."""
    return data(darkened(name=name))


def good() -> bytes:
    """What an honest team hands in."""
    return data(darkened())


BUILDERS: Mapping[str, Callable[[], bytes]] = {
    "external_by_dots": lambda: external("../outside/secret.txt"),
    "external_absolute": lambda: external("/etc/passwd", offset=0, length=4),
    "external_in_memory": lambda: external("*/_ORT_MEM_ADDR_/*", offset=4096, length=4),
    "custom": lambda: with_node("ReadSecret", "half", domain="strange"),
    "of_the_runtime": lambda: with_node("Gelu", "half", domain="com.microsoft"),
    "unknown": lambda: with_node("NoSuchOperation", "half"),
    "splat": splat,
    "overflow": overflow,
    "recursion": function_in_a_circle,
    "endless": looping,
    "configured": configured,
    "cycle": cycle,
    "truncated": truncated,
    "page": lambda: b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
    "control_name": lambda: named("in\x1b[2J\x1b[1;32mPASSED\x1b[0m\r\n\u202e\x07"),
    "good": good,
}
