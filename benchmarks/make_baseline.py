"""Make validate/baselines: the SRCNN graph that runtime is compared with, in every format.

The weights are pixelproof's own (models_pretrained/own-srcnn-x4): how many activations are zero decides up to 3 % of
the time of the same convolutions, so random weights would be another baseline than a trained network.

    python benchmarks/make_baseline.py validate/baselines
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from pixelproof.quiet import import_tensorflow

WEIGHTS = Path(__file__).parents[1] / "models_pretrained" / "own-srcnn-x4.weights.h5"


def main(folder: Path) -> None:
    """Write srcnn.pb, srcnn/, srcnn.tflite and srcnn.onnx."""
    import_tensorflow()
    from pixelproof.convert.export import write_artifact
    from pixelproof.convert.plan import FILE_NAMES, make_plan
    from pixelproof.convert.source import Ends, keras_source
    from pixelproof.measure.formats import KINDS
    from pixelproof.models import registry
    from pixelproof.models.checkpoints.loading import load_checkpoint

    model = registry.create("srcnn")
    load_checkpoint(model, WEIGHTS, model_name="srcnn")
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
