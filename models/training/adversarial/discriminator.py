"""The U-Net discriminator of Real-ESRGAN: it judges every pixel."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import keras
from keras import layers

from pixelproof.errors import CallError
from pixelproof.models.layers import ResizeLike
from pixelproof.models.training.adversarial.spectral import SpectralNormalization

_SLOPE = 0.2
_MOST = 1024
_PYTORCH: Mapping[str, str] = MappingProxyType(
    {"kernel": "weight", "bias": "bias", "vector_u": "weight_u"},
)


def unet_discriminator(
    *, features: int = 64, spectral: bool = True, channels: int = 3, seed: int = 0
) -> keras.Model:
    """Three steps down and three up again, with skips; one number a pixel, high where the picture looks real.

    X. Wang et al., "Real-ESRGAN" (2021); public repository xinntao/Real-ESRGAN,
    ``realesrgan/archs/discriminator_arch.py``. The layers are named after its modules, see `torch_names`. It computes
    in float32 whatever the global precision is: power iterations don't stand less.

    Args:
        features: maps of the first layer; the deepest one has eight times as many.
        spectral: whether all convolutions but the first and the last are spectrally normalised.
        channels: of the picture.
        seed: of its weights.

    Returns:
        Picture in, float32 (batch, height, width, channels), sides of 8 and more; scores out without a last
        activation, float32 (batch, height, width, 1).

    Raises:
        CallError: no width, or no channel.
    """
    if not 1 <= features <= _MOST:
        raise CallError(f"features of the discriminator must be from 1 to {_MOST}", found=str(features))
    if channels < 1:
        raise CallError("channels of the discriminator must be 1 or more", found=str(channels))
    if seed < 0:
        raise CallError("seed of the discriminator must be 0 or more", found=str(seed))
    make = _Convolutions(spectral=spectral, seed=seed)
    picture = keras.Input((None, None, channels), name="picture", dtype="float32")
    maps = [_leaky(make.plain(picture, features, number=0), number=0)]
    for number in (1, 2, 3):
        down = make.inner(maps[-1], features * 2**number, number=number, size=4, strides=2)
        maps.append(_leaky(down, number=number))
    rising = maps.pop()
    for number, skip in zip((4, 5, 6), reversed(maps), strict=True):
        rising = ResizeLike(name=f"up{number}", dtype="float32")(rising, skip)
        rising = _leaky(make.inner(rising, skip.shape[-1], number=number), number=number)
        rising = layers.Add(name=f"skip{number}", dtype="float32")([rising, skip])
    for number in (7, 8):
        rising = _leaky(make.inner(rising, features, number=number), number=number)
    return keras.Model(picture, make.plain(rising, 1, number=9), name="discriminator")


def torch_names(discriminator: keras.Model) -> dict[str, str]:
    """``conv1/conv1/kernel`` to ``conv1.weight_orig``: weight paths to the state dict of ``UNetDiscriminatorSN``.

    That one's ``weight_v`` has no partner: it follows from ``weight_u`` and the kernel.
    """
    names = {}
    for layer in discriminator.layers:
        original = "_orig" if isinstance(layer, SpectralNormalization) else ""
        for weight in layer.weights:
            suffix = original if weight.name == "kernel" else ""
            names[weight.path] = f"{layer.name}.{_PYTORCH[weight.name]}{suffix}"
    return names


class _Convolutions:
    """Makes the convolutions, each drawn from a seed of its own as PyTorch draws them."""

    def __init__(self, *, spectral: bool, seed: int) -> None:
        self._spectral, self._seed = spectral, seed

    def plain(self, maps: Any, width: int, *, number: int) -> Any:
        """The first and the last one: with bias, never normalised."""
        return self._convolution(width, 3, 1, number=number, use_bias=True)(maps)

    def inner(self, maps: Any, width: int, *, number: int, size: int = 3, strides: int = 1) -> Any:
        """The others."""
        layer = self._convolution(width, size, strides, number=number, use_bias=False)
        if self._spectral:
            name = f"conv{number}"
            layer = SpectralNormalization(layer, seed=self._of(number) + 10, name=name, dtype="float32")
        return layer(maps)

    def _of(self, number: int) -> int:
        return self._seed * 20 + number

    def _convolution(self, width: int, size: int, strides: int, *, number: int, use_bias: bool) -> Any:
        # Uniform within 1 / sqrt(inputs of a unit): PyTorch's habit.
        drawn = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform", seed=self._of(number))
        return layers.Conv2D(
            width,
            size,
            strides=strides,
            padding="same",
            use_bias=use_bias,
            kernel_initializer=drawn,
            name=f"conv{number}",
            dtype="float32",
        )


def _leaky(maps: Any, *, number: int) -> Any:
    return layers.LeakyReLU(_SLOPE, name=f"lrelu{number}", dtype="float32")(maps)
