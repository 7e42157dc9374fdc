"""Weights to begin with: a network without a skip around it that gives back its input.

SRCNN and the residual networks of PIRM 2018 see an enlarged image and should mend it; with random weights a short
training is spent on learning to copy it first.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from pixelproof.errors import CallError
from pixelproof.models.layers import InstanceNormalization, ScalarBias, ScaledTanh

_COLOURS = np.arange(3)
_FAINT = 0.005  # of the usual size of weights: what else the last layer sees, so that it can be learnt
_NORM = 0.0005  # what residual branches add to the colours
_KNOTS = (0.74, 0.9)  # where the straight pieces of the inverse tanh meet, and as far from the other end
_PASSING = ("relu", "leaky_relu", "linear")
_TOLERANCE = 4 / 255


def near_identity(model: keras.Model) -> None:
    """Set a network's weights so that it gives back its input, to a level or two; the others stay random.

    Some maps carry the image through all convolutions, and a final scaled tanh is undone by straight pieces. Of a
    network that adds its input itself, the last convolution is made faint; one that enlarges then begins with its
    own enlargement.

    Args:
        model: convolutions one after another, with or without residual blocks; image in and out in [0, 1]. On an
            error its weights stay.

    Raises:
        CallError: another kind of network.
    """
    before = model.get_weights()
    try:
        convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
        if not convolutions:
            raise _unknown(model, "no convolution in it")
        if _adds_input(model, convolutions[-1]):
            _make_faint(convolutions[-1])
        else:
            _carry(model)
        _check(model)
    except CallError:
        model.set_weights(before)
        raise


def _carry(model: keras.Model) -> None:
    """Let maps 0 to 2 of every convolution on the way from input to output be the three colours."""
    way, ends = _way(model)
    for layer in ends:
        _silence(layer, model)
    convolutions = [layer for layer in way if isinstance(layer, keras.layers.Conv2D)]
    if len(convolutions) < 2 or convolutions[-1].filters != 3:
        raise _unknown(model, "fewer than two convolutions on its way, or no three colours at the end")
    for layer in convolutions[:-1]:
        if layer.filters < 3 or keras.activations.serialize(layer.activation) not in _PASSING:
            raise _unknown(model, layer.name)
        kernel, *bias = layer.get_weights()
        kernel[..., _COLOURS] = 0
        _middle(kernel)[_COLOURS, _COLOURS] = 1
        layer.set_weights([kernel, *(_zeroed(one) for one in bias)])
    endings = [layer for layer in way if isinstance(layer, ScaledTanh)]
    if endings:
        _undo_tanh(model, convolutions[-2], convolutions[-1], endings[-1], way)
    else:
        _end(convolutions[-1], np.array([1.0]), 0.0)


def _undo_tanh(
    model: keras.Model, hidden: Any, last: Any, tanh: ScaledTanh, way: list[keras.layers.Layer]
) -> None:
    """Let the last hidden maps be x and relu(x - k), relu(1 - k - x) of each colour; their sum undoes the tanh."""
    knots = _KNOTS if hidden.filters >= 3 * (1 + 2 * len(_KNOTS)) else _KNOTS[:1]
    if hidden.filters < 3 * (1 + 2 * len(knots)) or not 0 < tanh.offset < 1 < tanh.factor + tanh.offset:
        raise _unknown(model, f"{hidden.filters} maps before {tanh.name}")
    x = np.linspace(0, 1, 501)
    pieces = [x, *(np.maximum(x - k, 0) for k in knots), *(np.maximum(1 - k - x, 0) for k in knots)]
    table = np.stack([*pieces, np.ones_like(x)], axis=1)
    slope = tanh.factor * (1 - ((x - tanh.offset) / tanh.factor) ** 2)
    wanted = np.arctanh((x - tanh.offset) / tanh.factor)
    *shares, constant = np.linalg.lstsq(table * slope[:, None], wanted * slope, rcond=None)[0]
    kernel, bias = hidden.get_weights()
    kernel[..., : 3 * len(shares)] = 0
    for place, (sign, offset) in enumerate(
        [(1, 0.0), *((1, -k) for k in knots), *((-1, 1 - k) for k in knots)]
    ):
        maps = _COLOURS + 3 * place
        _middle(kernel)[_COLOURS, maps], bias[maps] = sign, offset
    hidden.set_weights([kernel, bias])
    _end(last, np.array(shares), constant)
    for layer in way:
        if isinstance(layer, ScalarBias) and not last.use_bias:
            layer.bias.assign(np.array([constant]))


def _end(last: Any, shares: npt.NDArray[np.float64], constant: float) -> None:
    """Let the last convolution add maps of each colour; of the others it sees little."""
    kernel, *bias = last.get_weights()
    kernel *= _FAINT
    kernel[:, :, : 3 * len(shares)] = 0
    for place, share in enumerate(shares):
        _middle(kernel)[_COLOURS + 3 * place, _COLOURS] = share
    last.set_weights([kernel, *(np.full_like(one, constant) for one in bias)])


def _way(model: keras.Model) -> tuple[list[keras.layers.Layer], list[keras.layers.Layer]]:
    """The layers from input to output along the skips, and the last layers of what is added to them."""
    makers = _makers(model)
    way, ends = [], []
    tensor = model.outputs[0]
    while not isinstance(layer := makers[id(tensor)], keras.layers.InputLayer):
        way.append(layer)
        inputs = keras.tree.flatten(layer.input)
        if len(inputs) == 1:
            tensor = inputs[0]
            continue
        if not isinstance(layer, keras.layers.Add) or len(inputs) != 2:
            raise _unknown(model, layer.name)
        first, second = inputs
        if id(second) in _before(first, makers):
            tensor, end = second, first
        elif id(first) in _before(second, makers):
            tensor, end = first, second
        else:
            raise _unknown(model, layer.name)
        ends.append(makers[id(end)])
    return way[::-1], ends


def _before(tensor: Any, makers: dict[int, keras.layers.Layer]) -> set[int]:
    """All that a tensor is made of, by identity."""
    found: set[int] = set()
    waiting = [tensor]
    while waiting:
        layer = makers[id(waiting.pop())]
        for one in [] if isinstance(layer, keras.layers.InputLayer) else keras.tree.flatten(layer.input):
            if id(one) not in found:
                found.add(id(one))
                waiting.append(one)
    return found


def _makers(model: keras.Model) -> dict[int, keras.layers.Layer]:
    """The layer that makes a tensor, by the tensor's identity."""
    try:
        return {id(one): layer for layer in model.layers for one in keras.tree.flatten(layer.output)}
    except AttributeError as error:  # Keras says so of a layer that is used twice
        raise _unknown(model, "a layer that is used twice") from error


def _silence(layer: keras.layers.Layer, model: keras.Model) -> None:
    """Let a residual branch add next to nothing to the three colours."""
    makers = _makers(model)
    while not layer.weights:
        inputs = keras.tree.flatten(layer.input)
        if len(inputs) != 1:
            raise _unknown(model, layer.name)
        layer = makers[id(inputs[0])]
    if isinstance(layer, InstanceNormalization):
        shift, scale = layer.get_weights()
        scale[_COLOURS] = _NORM
        layer.set_weights([shift, scale])
    elif isinstance(layer, keras.layers.Conv2D):
        kernel, *bias = layer.get_weights()
        kernel[..., _COLOURS] *= _NORM
        layer.set_weights([kernel, *(_zeroed(one) for one in bias)])
    else:
        raise _unknown(model, layer.name)


def _adds_input(model: keras.Model, last: keras.layers.Layer) -> bool:
    """Whether something is added to what the last convolution makes."""
    return any(isinstance(layer, keras.layers.Add) for layer in model.layers[model.layers.index(last) :])


def _make_faint(last: Any) -> None:
    kernel, *bias = last.get_weights()
    last.set_weights([kernel * _FAINT, *(np.zeros_like(one) for one in bias)])


def _check(model: keras.Model) -> None:
    """Refuse a start that doesn't give back a smooth picture, each block of an enlarged one on average."""
    y, x = np.mgrid[0:32, 0:32] / 31
    image = np.stack([y, x, (1 - y) * x], axis=-1)[None].astype(np.float32)
    given = keras.ops.convert_to_numpy(model(image))
    if given.ndim != 4 or given.shape[1] % 32 or given.shape[2:] != (given.shape[1], 3):
        raise _unknown(model, f"an output of shape {given.shape[1:]} for 32x32x3")
    block = given.shape[1] // 32
    means = given.reshape(1, 32, block, 32, block, 3).mean(axis=(2, 4))
    inside = np.abs(means - image)[:, 8:-8, 8:-8]
    if not inside.max() <= _TOLERANCE:
        raise _unknown(model, f"an output {inside.max() * 255:.1f} levels from the input")


def _middle(kernel: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    middle: npt.NDArray[np.float32] = kernel[kernel.shape[0] // 2, kernel.shape[1] // 2]
    return middle


def _zeroed(bias: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    bias[_COLOURS] = 0
    return bias


def _unknown(model: keras.Model, found: str) -> CallError:
    remedy = "It knows convolutions one after another and residual networks, such as srcnn and resnet_6_16."
    return CallError(
        f"{model.name} must be a network that can start near the identity", found=found, remedy=remedy
    )
