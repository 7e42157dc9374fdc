"""What an ONNX value is while its graph is translated: a known array, or a tensor that depends on the image.

ONNX's images have their channels before height and width, TensorFlow's behind. A `Moving` value carries the order of
its axes, so that layers take and give channels last, an ONNX `Transpose` costs nothing, and only where an operation
needs ONNX's own order the tensor is really turned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from pixelproof.convert.from_onnx.sizes import Side, as_tensor, is_numeric, side_of
from pixelproof.measure.protocol import Array

CHANNELS_LAST = (0, 2, 3, 1)
"""The order of an image's axes in TensorFlow, by ONNX's numbers."""


class Untranslatable(Exception):
    """A node that can't be translated, in words."""


@dataclass(frozen=True)
class Known:
    """Constants and sizes.

    Attributes:
        array: numbers, or objects of which some are `Side`.
    """

    array: Array

    @property
    def rank(self) -> int:
        """Number of axes."""
        return self.array.ndim

    @property
    def is_numeric(self) -> bool:
        """Whether no image is needed to know it."""
        return is_numeric(self.array)


@dataclass(frozen=True)
class Convolved:
    """Where a value comes from: a convolution, which can be made again with its channels in another order."""

    with_channels: Callable[[Array], Moving]


@dataclass(frozen=True)
class Regrouped:
    """Where a value comes from: an image, reshaped to more axes, which were then put in an order.

    Attributes:
        image: before.
        shape: of the reshaped value.
        order: axes of the reshaped value as they stand now.
    """

    image: Moving
    shape: tuple[int | Side, ...]
    order: tuple[int, ...]


@dataclass(frozen=True)
class Moving:
    """A tensor that depends on the image.

    Attributes:
        order: the tensor's axis i is ONNX's axis ``order[i]``.
        origin: what may be done better where another operation follows.
    """

    tensor: Any
    order: tuple[int, ...]
    origin: Convolved | Regrouped | None = None

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.order)

    def axis(self, onnx_axis: int) -> int:
        """The tensor's axis that is ONNX's."""
        return self.order.index(onnx_axis % self.rank)

    def side(self, onnx_axis: int) -> int | Side:
        """The length of an axis, by ONNX's number."""
        return side_of(self.tensor, self.axis(onnx_axis))

    def known_side(self, onnx_axis: int) -> int | None:
        """The length of an axis, where it is fixed."""
        side = self.tensor.shape[self.axis(onnx_axis)]
        return None if side is None else int(side)

    def static_side(self, onnx_axis: int, *, what: str) -> int:
        """The length of an axis that must be fixed.

        Raises:
            Untranslatable: the image's size decides it.
        """
        side = self.known_side(onnx_axis)
        if side is None:
            raise Untranslatable(f"{what} that the image's size decides")
        return side


Value = Known | Moving


def plain(rank: int) -> tuple[int, ...]:
    """ONNX's own order."""
    return tuple(range(rank))


def arranged(value: Moving, order: Sequence[int]) -> Any:
    """The tensor with its axes in an order."""
    places = [value.order.index(axis) for axis in order]
    return value.tensor if places == sorted(places) else tf.transpose(value.tensor, places)


def image(value: Value) -> Any:
    """A value of four axes as a tensor with channels last.

    Raises:
        Untranslatable: it has another number of axes.
    """
    if value.rank != len(CHANNELS_LAST):
        raise Untranslatable(f"an input of {value.rank} axes, where an image has four")
    return arranged(moving(value), CHANNELS_LAST)


def of_image(tensor: Any, origin: Convolved | None = None) -> Moving:
    """A tensor with channels last as a value."""
    return Moving(tensor, CHANNELS_LAST, origin)


def moving(value: Value) -> Moving:
    """Any value as a tensor."""
    return value if isinstance(value, Moving) else Moving(as_tensor(value.array), plain(value.rank))


def tensor_of(value: Value) -> Any:
    """Any value as a tensor in ONNX's order."""
    value = moving(value)
    return arranged(value, plain(value.rank))


def broadcast(values: Sequence[Value]) -> tuple[list[Any], tuple[int, ...]]:
    """Tensors that broadcast against each other as ONNX's values do, and the order of their axes."""
    rank = max(value.rank for value in values)
    full = [value.order for value in values if isinstance(value, Moving) and value.rank == rank]
    order = next((order for order in full if order != plain(rank)), plain(rank))
    return [_broadcast(value, order) for value in values], order


def _broadcast(value: Value, order: tuple[int, ...]) -> Any:
    rank = len(order)
    if isinstance(value, Known) and value.is_numeric:
        array = value.array.reshape((1,) * (rank - value.rank) + value.array.shape).transpose(order)
        while array.ndim and array.shape[0] == 1:
            array = array[0]
        return as_tensor(np.ascontiguousarray(array))
    if value.rank == rank:
        return arranged(moving(value), order)
    tensor = tensor_of(value)
    for _ in range(rank - value.rank):
        tensor = tf.expand_dims(tensor, 0)
    return arranged(Moving(tensor, plain(rank)), order)


def numbers(value: Value | None, *, what: str) -> Array:
    """A known array of numbers.

    Raises:
        Untranslatable: the image, or its size, decides it.
    """
    if isinstance(value, Known) and value.is_numeric:
        return value.array
    raise Untranslatable(f"{what} that the image decides")


def known(value: Value | None, *, what: str) -> list[Any]:
    """A known list of numbers and sides.

    Raises:
        Untranslatable: the image's values decide it.
    """
    if not isinstance(value, Known):
        raise Untranslatable(f"{what} that the image decides")
    return [item if isinstance(item, Side) else item.item() for item in _items(value.array)]


def _items(array: Array) -> list[Any]:
    return [item if isinstance(item, Side) else np.asarray(item) for item in array.reshape(-1)]


def raw(numbers_: Sequence[int | Side]) -> Any:
    """Sides as TensorFlow takes them: a list where all are known, else a tensor."""
    if all(isinstance(n, int) for n in numbers_):
        return list(numbers_)
    return tf.stack([n.tensor if isinstance(n, Side) else tf.constant(n, tf.int32) for n in numbers_])
