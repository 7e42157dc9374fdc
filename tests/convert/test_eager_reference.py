"""The reference of a proof doesn't go through the optimiser that the artifact goes through."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pixelproof.errors import ParityBroken
from pixelproof.measure.parity import probe_image
from pixelproof.measure.worker import Worker


def test_a_leaky_relu_that_the_optimiser_breaks_is_never_delivered(
    convert_with: Callable[..., dict[str, Any]], tf: Any, tmp_path: Path
) -> None:
    """TensorFlow 2.21 on a CPU makes convolution, bias, addition and leaky ReLU one kernel of slope 0.2."""
    import keras

    keras.utils.set_random_seed(1)
    image = keras.Input((None, None, 3))
    maps = keras.layers.Conv2D(8, 3, padding="same")(image)
    inner = keras.layers.Conv2D(8, 3, padding="same", bias_initializer="ones")(maps)
    maps = keras.layers.LeakyReLU(0.01)(keras.layers.Add()([inner, maps]))
    model = keras.Model(image, keras.layers.Conv2D(3, 3, padding="same")(maps))
    model.save(tmp_path / "leaky.keras")
    x = probe_image(24, 40, 3)
    eager = np.asarray(model(x))
    try:
        convert_with(str(tmp_path / "leaky.keras"), None, tmp_path / "out", formats=("pb",))
    except ParityBroken:
        assert not (tmp_path / "out" / "model.pb").exists()
        return
    with Worker() as worker:  # a TensorFlow that is right
        worker.load(tmp_path / "out" / "model.pb", "pb")
        assert np.abs(worker.run(x) - eager).max() < 1e-4
