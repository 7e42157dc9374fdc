"""Make validate/baselines: the SRCNN graph that runtime is compared with, in every format.

The weights are seeded random numbers (He et al. 2015). The hidden biases are a little negative, so that about as many
activations are zero as in a trained network: with dense activations the same convolutions took 3 % longer (measured
beside the official dped_srcnn.pb on an AMD EPYC; with these biases the two agree within 1 %).

    python benchmarks/make_baseline.py validate/baselines
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from pixelproof.quiet import import_tensorflow


def main(folder: Path) -> None:
    """Write srcnn.pb, srcnn/, srcnn.tflite and srcnn.onnx."""
    import_tensorflow()
    import keras

    from pixelproof.convert.export import write_artifact
    from pixelproof.convert.plan import FILE_NAMES, make_plan
    from pixelproof.convert.source import Ends, keras_source
    from pixelproof.measure.formats import KINDS
    from pixelproof.models import registry

    keras.utils.set_random_seed(2018)
    model = registry.create("srcnn")
    initialize = keras.initializers.HeNormal(seed=2018)
    for weight in model.weights:
        if len(weight.shape) == 4:
            weight.assign(initialize(weight.shape))
        elif weight.shape[0] > 1:
            weight.assign(keras.ops.full(weight.shape, -0.1))
    ends = Ends()
    shape = (1, 720, 1280, 3)
    plan = make_plan(
        formats=KINDS, shape=shape, ends=ends, opset=18, contract=registry.spec("srcnn").contract
    )
    source = keras_source(model, label="srcnn", weights=None, probes=[], ends=ends)
    staging = folder / ".staging"
    staging.mkdir(parents=True, exist_ok=True)
    (staging / FILE_NAMES["pb"]).write_bytes(source.graph.SerializeToString(deterministic=True))
    for kind, name in (
        ("pb", "srcnn.pb"),
        ("savedmodel", "srcnn"),
        ("tflite", "srcnn.tflite"),
        ("onnx", "srcnn.onnx"),
    ):
        write_artifact(kind, source, plan, staging)
        target = folder / name
        if target.is_dir():
            shutil.rmtree(target)
        (staging / FILE_NAMES[kind]).replace(target)
    shutil.rmtree(staging)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
