"""Training steps of ours, for bench_training: python -m benchmarks.peers.training_keras MODEL THREADS FOLDER [bare]

Answers ``steps COUNT`` with the seconds of a step and the share of it that was spent waiting for data, all as
``train-model`` does it: photographs from FOLDER cropped, turned and batched, Keras's ``fit``, loss, Adam, the loss
looked at. With ``bare`` Keras alone: one batch made beforehand, ``fit`` as it comes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from pixelproof.models.training.recipe import Data, TrainingRecipe
from pixelproof.models.training.run.backend import Hardware, import_keras

BATCH = {"srcnn_915": (128, 33, 3, 1), "msrresnet": (8, 128, 4, 4)}  # batch, crop, scale, enlargement


def main(name: str, threads: int, folder: str, bare: bool) -> None:
    """Answer until standard input ends."""
    import_keras(Hardware("cpu", threads))
    import keras

    from pixelproof.models.training.run.distribution import Share
    from pixelproof.models.training.run.learner import learner_of
    from pixelproof.models.training.run.loader import Batches
    from pixelproof.models.training.run.session import open_data

    class Clock(keras.callbacks.Callback):
        """When each step ended."""

        def on_train_begin(self, logs: Any = None) -> None:
            self.ends: list[float] = []

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if not np.isfinite(float((logs or {})["loss"])):
                raise RuntimeError("the loss is not finite")
            self.ends.append(perf_counter())

    batch, crop, scale, enlargement = BATCH[name]
    loss = {"mse": 1.0} if name == "srcnn_915" else {"l1": 1.0}
    recipe = TrainingRecipe(
        "bench", name, Data("photographs", folder, "", {"crop": crop}), scale=scale, loss=loss
    )
    clock = Clock()
    if bare:
        model = learner_of(recipe, steps=1, steps_per_epoch=1).network
        model.compile("adam", "mse" if name == "srcnn_915" else "mae")
        rng = np.random.default_rng(0)
        inputs = rng.random((batch, crop // enlargement, crop // enlargement, 3), np.float32)
        targets = rng.random((batch, crop, crop, 3), np.float32)
    else:
        model = learner_of(recipe, steps=1000, steps_per_epoch=1000).model
        batches = Batches(open_data(recipe), first=0, batch_size=batch, share=Share())
    for line in sys.stdin:
        steps = int(line.split()[1]) + 1
        if bare:
            many = [np.concatenate([array] * steps) for array in (inputs, targets)]
            model.fit(*many, batch_size=batch, shuffle=False, verbose=0, callbacks=[clock])
            waited = 0.0
        else:
            before = batches.waited_seconds
            model.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=[clock])
            waited = batches.waited_seconds - before
        took = clock.ends[-1] - clock.ends[0]
        print(took / (steps - 1), waited / max(took, 1e-9), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), str(Path(sys.argv[3])), "bare" in sys.argv[4:])
