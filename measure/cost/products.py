"""Multiply-accumulates of convolutions and matrix products."""

from __future__ import annotations

import math

from pixelproof.errors import ModelFailed
from pixelproof.measure.cost.convolutions import channels_of
from pixelproof.measure.cost.network import Operation, Wiring


def multiply_accumulates(wiring: Wiring, core: Operation, result: str) -> tuple[int, int]:
    """Multiply-accumulates of an operation, and the same by output positions; bias apart.

    The weights hold kernel height x kernel width x input channels of a group x output channels, so weights times
    output positions is the cost of a convolution of any grouping. A transposed one applies them at input positions.

    Args:
        core: of role ``conv``, ``conv_transposed``, ``matmul`` or ``einsum``.
        result: a convolution's features in their final place; another tensor than its output where it is dilated
            by way of the batch.
    """
    output = wiring.size(core.outputs[0])
    if core.role == "matmul":
        inner = wiring.shape(core.inputs[1])[core.facts["inner_axis"]]
        return output * inner, output * inner
    if core.role == "einsum":
        macs = output * _contracted(wiring, core)
        return macs, macs
    weights = wiring.size(core.inputs[1])
    by_output = weights * (wiring.size(result) // max(1, channels_of(wiring, core)))
    if core.role == "conv":
        return by_output, by_output
    features = wiring.shape(core.inputs[0])
    channels = features[core.facts.get("channel_axis", -1)]
    return weights * (math.prod(features) // max(1, channels)), by_output


def _contracted(wiring: Wiring, core: Operation) -> int:
    """Elements along the dimensions that an einsum sums over."""
    equation = str(core.facts["equation"]).replace(" ", "")
    given, arrow, kept = equation.partition("->")
    terms = given.split(",")
    if len(terms) > 2 or len(terms) != len(core.inputs):
        raise ModelFailed(
            "An einsum must be of one or two tensors to be counted", found=f"{equation!r}"[:200]
        )
    sizes: dict[str, int] = {}
    for term, name in zip(terms, core.inputs, strict=True):
        shape = wiring.shape(name)
        before, _, behind = term.partition("...")
        sizes.update(zip(before, shape, strict=False))
        sizes.update(zip(reversed(behind), reversed(shape), strict=False))
    if not arrow:
        letters = "".join(terms)
        kept = "".join(letter for letter in sizes if letters.count(letter) == 1)
    return math.prod(size for letter, size in sizes.items() if letter not in kept)
