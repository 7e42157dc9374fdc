"""What a rewrite is: a named identity, the places of a network where it holds, and how to apply it there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from pixelproof.convert.optimize.evaluate import Constant
from pixelproof.convert.optimize.network import ADDITIONS, Network


class Rewrite(Protocol):
    """One identity by which a network becomes another that computes the same picture.

    Its docstring states the identity. ``id`` stands in reports and in the names of new nodes.
    """

    id: str
    title: str

    def sites(self, network: Network) -> list[str]:
        """Names of the nodes at which it can be applied now, each alone or all of them one after another."""
        ...

    def apply(self, network: Network, site: str) -> None:
        """Apply it at one of its sites."""
        ...


def kernel_of(network: Network, node: Any) -> Constant | None:
    """Constant kernel (height, width, inputs, outputs) of an NHWC convolution without dilation; None for others."""
    if node.op != "Conv2D" or node.attr["T"].type != 1:
        return None
    if node.attr["data_format"].s not in (b"NHWC", b"") or set(node.attr["dilations"].list.i) - {1}:
        return None
    kernel = network.constant(node.input[1])
    return kernel if kernel is not None and kernel.ndim == 4 else None


def centred_kernel_of(network: Network, node: Any) -> Constant | None:
    """Constant kernel of a convolution that gives every pixel its own: odd sides, stride 1, padding SAME."""
    kernel = kernel_of(network, node)
    if kernel is None or strides_of(node) != (1, 1) or node.attr["padding"].s != b"SAME":
        return None
    return kernel if kernel.shape[0] % 2 == kernel.shape[1] % 2 == 1 else None


def strides_of(node: Any) -> tuple[int, int]:
    """Strides of a convolution: height, width."""
    strides = list(node.attr["strides"].list.i)
    return strides[1], strides[2]


def add_convolution(
    network: Network,
    source: str,
    kernel: Constant,
    bias: Constant,
    *,
    shaping: Mapping[str, Any],
    near: str,
    by: str,
) -> str:
    """A new float32 convolution, with a BiasAdd where the bias isn't 0; returns the name of its end.

    Args:
        kernel: (height, width, inputs, outputs), any precision.
        bias: (outputs,) or one number for all.
        shaping: the attributes ``strides`` and ``padding``, and ``explicit_paddings`` where there are some.
    """
    weights = network.add_constant(kernel.astype(np.float32), near=near, by=by)
    attributes = {"data_format": b"NHWC", **shaping}
    end = network.add("Conv2D", [source, weights], near=near, by=by, attributes=attributes)
    if not np.any(bias):
        return end
    shift = np.broadcast_to(bias, kernel.shape[3]).astype(np.float32)
    constant = network.add_constant(shift, near=near, by=by)
    return network.add("BiasAdd", [end, constant], near=near, by=by, attributes={"data_format": b"NHWC"})


def shaping_of(node: Any) -> dict[str, Any]:
    """Strides and padding of a convolution, as attributes for another one."""
    shaping: dict[str, Any] = {
        "strides": list(node.attr["strides"].list.i),
        "padding": node.attr["padding"].s,
    }
    if shaping["padding"] == b"EXPLICIT":
        shaping["explicit_paddings"] = list(node.attr["explicit_paddings"].list.i)
    return shaping


def added_constant(network: Network, node: Any) -> tuple[str, Constant] | None:
    """(the other input, per-channel constant) where a node adds a constant of each channel; None elsewhere.

    Scalars and shapes (C,), (1, 1, 1, C) count.
    """
    if node.op != "BiasAdd" and node.op not in ADDITIONS:
        return None
    return _with_constant(network, node)


def multiplied_constant(network: Network, node: Any) -> tuple[str, Constant] | None:
    """(the other input, per-channel constant) where a node multiplies by one; None elsewhere."""
    return _with_constant(network, node) if node.op == "Mul" else None


def _with_constant(network: Network, node: Any) -> tuple[str, Constant] | None:
    for index in (1, 0):
        value = network.constant(node.input[index])
        if value is not None and value.shape == (1,) * (value.ndim - 1) + value.shape[-1:]:
            return node.input[1 - index], value.reshape(-1)
    return None
