"""Tidying a graph: what goes, what stays, and how the ends are named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pixelproof.errors import CallError

IMAGE = np.random.default_rng(0).random((1, 6, 9, 3), np.float32)


def _graph(tf: Any, build: Callable[[Any], Any]) -> Any:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (1, 6, 9, 3), name="x")
        tf.identity(build(x), name="y")
    return graph.as_graph_def()


def _tidy(graph: Any, **options: Any) -> Any:
    from pixelproof.convert.frozen_graph import tidy

    names = {"input_name": "input", "output_name": "output"}
    return tidy(graph, input_tensor="x:0", output_tensor="y:0", **{**names, **options})


def _run(
    tf: Any, graph_def: Any, image: np.ndarray = IMAGE, ends: tuple[str, str] = ("input", "output")
) -> Any:
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    with tf.compat.v1.Session(graph=graph) as session:
        return session.run(f"{ends[1]}:0", {f"{ends[0]}:0": image})


def test_leftovers_go_and_the_size_is_free(tf: Any) -> None:
    def build(x: Any) -> Any:
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_max(x) < 1e9, [x])]):
            net = tf.stop_gradient(tf.identity(tf.debugging.check_numerics(x, "bad")))
        keep = tf.compat.v1.placeholder_with_default(2.0, (), name="keep")
        tf.negative(net, name="unused")
        return tf.identity(net * keep, name="inner")

    tidied = _tidy(_graph(tf, build))
    assert sorted(node.op for node in tidied.node) == ["Const", "Identity", "Mul", "Placeholder"]
    assert not [i for node in tidied.node for i in node.input if i.startswith("^")]
    np.testing.assert_array_equal(_run(tf, tidied), IMAGE * 2)
    assert _run(tf, tidied, np.ones((1, 2, 5, 3), np.float32)).shape == (1, 2, 5, 3)


@pytest.mark.parametrize(
    "names", [("y", "x"), ("inner", "x"), ("x", "inner"), ("part/a", "part"), ("clip", "clip/Minimum")]
)
@pytest.mark.parametrize("clip", [False, True])
def test_names_that_inner_nodes_already_have(tf: Any, names: tuple[str, str], clip: bool) -> None:
    def build(x: Any) -> Any:
        with tf.name_scope("part"):
            net = tf.negative(x, name="a")
        return tf.add(tf.multiply(net, 3.0, name="inner"), 1.0, name="clip")

    graph = _graph(tf, build)
    tidied = _tidy(graph, input_name=names[0], output_name=names[1], clip=clip)
    expected = 1 - 3 * IMAGE
    np.testing.assert_allclose(
        _run(tf, tidied, ends=names), np.clip(expected, 0, 1) if clip else expected, atol=1e-6
    )
    assert [node.name for node in tidied.node if node.op == "Placeholder"] == [names[0]]
    assert tidied.node[-1].name == names[1] and tidied.node[-1].op == "Identity"


def test_an_input_that_is_the_output_and_outputs_of_many(tf: Any) -> None:
    np.testing.assert_array_equal(_run(tf, _tidy(_graph(tf, lambda x: x))), IMAGE)
    second = _graph(tf, lambda x: tf.split(x, 3, -1)[1])
    np.testing.assert_array_equal(_run(tf, _tidy(second)), IMAGE[..., 1:2])


def test_functions_stay_only_where_they_are_called(tf: Any) -> None:
    @tf.function
    def half(x: Any) -> Any:
        return x / 2

    @tf.function
    def outer(x: Any) -> Any:
        return half(x) + 1

    def build(x: Any) -> Any:
        tf.function(lambda z: z * 5)(x)
        return outer(x)

    tidied = _tidy(_graph(tf, build))
    assert len(tidied.library.function) == 2
    np.testing.assert_allclose(_run(tf, tidied), IMAGE / 2 + 1)


def test_an_output_that_does_not_come_from_the_image_alone(tf: Any) -> None:
    def needs(x: Any) -> Any:
        return x * tf.compat.v1.placeholder(tf.float32, (), name="keep")

    with pytest.raises(CallError, match="image alone; found keep"):
        _tidy(_graph(tf, needs))
    with pytest.raises(CallError, match="an output that ignores it"):
        _tidy(_graph(tf, lambda x: tf.random.uniform((1, 6, 9, 3))))


def test_pruning_keeps_all_names(tf: Any) -> None:
    from pixelproof.convert.frozen_graph import pruned

    graph = _graph(tf, lambda x: tf.identity(tf.negative(tf.identity(x), name="a"), name="b"))
    assert [node.name for node in pruned(graph, ["y"]).node] == ["x", "a", "y"]
    assert [node.name for node in pruned(graph, ["a", "b"]).node] == ["x", "a", "b"]
    assert [dim.size for dim in pruned(graph, ["y"]).node[0].attr["shape"].shape.dim] == [1, 6, 9, 3]
