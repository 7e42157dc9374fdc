"""Spectral normalisation as PyTorch computes it, on every Keras backend."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from pixelproof.errors import CallError


@keras.saving.register_keras_serializable(package="pixelproof")
class SpectralNormalization(keras.layers.SpectralNormalization):
    """A convolution whose kernel is divided by its largest singular value.

    T. Miyato et al., "Spectral Normalization for Generative Adversarial Networks" (2018). The value is followed by
    one power iteration a call. Keras's own layer writes the divided kernel back into the kernel in every training
    call: a forward pass then changes weights, and in a compiled step of JAX the change gets lost. Here, as in
    ``torch.nn.utils.spectral_norm``, the kernel is the optimizer's alone and gradients flow through the division; a
    training call moves only the vector on.

    Args:
        layer: a Conv2D without bias and activation.
        seed: of the vector at the beginning.
    """

    def __init__(self, layer: Any, *, seed: int = 0, **base: Any) -> None:
        super().__init__(layer, **base)
        convolution = isinstance(layer, keras.layers.Conv2D)
        if not convolution or layer.use_bias or layer.activation is not keras.activations.linear:
            rule = "Spectral normalisation takes a Conv2D without bias and activation"
            raise CallError(rule, found=str(layer.name))
        self.seed = seed

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the kernel and the vector, (1, filters)."""
        super().build(input_shape)
        draw = keras.initializers.RandomNormal(stddev=1.0, seed=self.seed)
        self.vector_u.assign(ops.normalize(draw(self.vector_u.shape), axis=-1))

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Convolve float32 (batch, height, width, channels); the result is the same in training and out of it."""
        vector, kernel = self.normalized_weights()
        if training:
            self.vector_u.assign(vector)
        return self.layer.convolution_op(inputs, kernel)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        return {**super().get_config(), "seed": self.seed}
