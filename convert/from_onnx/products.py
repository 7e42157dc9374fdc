"""MatMul and Gemm."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from pixelproof.convert.from_onnx.node import Node, Translate, refuse
from pixelproof.convert.from_onnx.values import Known, Moving, Value, moving, numbers, plain, tensor_of


def matmul(node: Node) -> Value:
    """MatMul; weights on the right go along the channels, wherever these stand."""
    a, b = node.input(0), node.input(1)
    refuse(a.rank < 2 or b.rank < 2, "vectors")
    if isinstance(a, Moving) and isinstance(b, Known) and b.rank == 2 and a.order[-1] == a.rank - 1:
        return Moving(tf.matmul(a.tensor, tf.constant(numbers(b, what="weights"))), a.order)
    return Moving(tf.matmul(tensor_of(a), tensor_of(b)), plain(max(a.rank, b.rank)))


def gemm(node: Node) -> Value:
    """Gemm."""
    alpha, beta = node.real("alpha", 1.0), node.real("beta", 1.0)
    a, b = moving(node.input(0)), moving(node.input(1))
    y = tf.matmul(
        tensor_of(a),
        tensor_of(b),
        transpose_a=bool(node.whole("transA", 0)),
        transpose_b=bool(node.whole("transB", 0)),
    )
    y = y if alpha == 1 else np.float32(alpha) * y
    added = node.optional(2)
    if added is not None:
        y = y + (tensor_of(added) if beta == 1 else np.float32(beta) * tensor_of(added))
    return Moving(y, plain(2))


OPERATORS: dict[str, Translate] = {"MatMul": matmul, "Gemm": gemm}
