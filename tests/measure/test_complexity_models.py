"""Every registered architecture: the parameters that Keras counts, read off the .pb; and published figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pixelproof.measure.complexity import Complexity, complexity
from pixelproof.measure.worker import Worker
from pixelproof.models import registry

CHEAPER = {"punet": {"num_maps_base": 4, "instance_norm": True}}


def counted(
    tf: Any, worker: Worker, model: Any, folder: Path, *, height: int, convention: str = "ntire2022"
) -> Complexity:
    """The figures of a Keras model, by way of a frozen graph."""
    from pixelproof.convert.frozen_graph import freeze_function, tidy

    spec = tf.TensorSpec((1, None, None, model.inputs[0].shape[-1]), tf.float32, name="input")
    traced = tf.function(lambda x: model(x, training=False), autograph=False)
    frozen, start, end = freeze_function(traced.get_concrete_function(spec))
    names = {"input_name": "input", "output_name": "output"}
    path = folder / "model.pb"
    path.write_bytes(tidy(frozen, input_tensor=start, output_tensor=end, **names).SerializeToString())
    return complexity(worker, path, "pb", height=height, width=height, convention=convention)


@pytest.mark.parametrize("name", registry.names())
def test_parameters_are_those_of_the_model(tf: Any, shared_worker: Worker, tmp_path: Path, name: str) -> None:
    import keras

    model = registry.create(name, **CHEAPER.get(name, {}))
    found = counted(tf, shared_worker, model, tmp_path, height=64)
    assert found.params == model.count_params()
    kinds = (keras.layers.Conv2D, keras.layers.Conv2DTranspose, keras.layers.DepthwiseConv2D)
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, kinds)]
    assert found.conv_layers == len(layers)


@pytest.mark.parametrize(("name", "gflops", "million"), [("rlfn", 19.67, 0.317), ("efdn", 16.70, 0.276)])
def test_the_baselines_of_2024_and_2025_by_fvcore(
    tf: Any, shared_worker: Worker, tmp_path: Path, name: str, gflops: float, million: float
) -> None:
    """Published in the READMEs of github.com/Amazingren/NTIRE2024_ESR and NTIRE2025_ESR."""
    if name not in registry.names():
        pytest.skip(f"needs the architecture {name}")
    model = registry.create(name)
    found = counted(tf, shared_worker, model, tmp_path, height=256, convention="fvcore")
    assert (round(found.flops / 1e9, 2), round(found.params / 1e6, 3)) == (gflops, million)
