"""Batches of 128 crops of 33x33, several ways, with nobody who uses them: batches a second.

    python -m benchmarks.bench_loader [--batches 300]

Ours (a thread makes them ahead; which ones is a pure function of seed and number) beside Keras's own workers over
the same data, in epochs of 50 batches, and beside tf.data, which crops and turns with operations of TensorFlow's.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.bench_training import pictures
from benchmarks.row import Row, Skip
from benchmarks.setting import Setting

BATCH, CROP, EPOCH = 128, 33, 50


def ways(folder: str) -> dict[str, Callable[[int], float]]:
    """Seconds that each way takes for so many batches."""
    from pixelproof.models.training.recipe import Data, TrainingRecipe
    from pixelproof.models.training.run.backend import Hardware, import_keras

    import_keras(Hardware("cpu"))
    import keras
    import tensorflow as tf

    from pixelproof.images import list_images, read_rgb8
    from pixelproof.models.training.run.distribution import Share
    from pixelproof.models.training.run.loader import Batches
    from pixelproof.models.training.run.sample_workers import make
    from pixelproof.models.training.run.session import open_data

    recipe = TrainingRecipe("bench", "srcnn_915", Data("photographs", folder, "", {"crop": CROP}), scale=3)
    data = open_data(recipe)

    class Workers(keras.utils.PyDataset):
        """The same batches by Keras's own threads."""

        def __len__(self) -> int:
            return EPOCH

        def __getitem__(self, index: int) -> Any:
            return make(data, range(index * BATCH, (index + 1) * BATCH))

    def ours(count: int) -> float:
        batches = Batches(data, first=0, batch_size=BATCH, share=Share())
        begun = perf_counter()
        for index in range(count):
            batches[index]
        took = perf_counter() - begun
        batches.close()
        return took

    def workers(count: int) -> float:
        from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

        adapter = PyDatasetAdapter(Workers(workers=2, max_queue_size=4))
        begun = perf_counter()
        for _ in range(count // EPOCH):
            for _ in adapter.get_numpy_iterator():
                pass
        return perf_counter() - begun

    stacked = tf.constant(np.stack([read_rgb8(path) for path in list_images(Path(folder))]))

    def one(seed: Any) -> Any:
        seeds = tf.stack([seed, tf.constant(1, tf.int64)])
        which = tf.random.stateless_uniform([], seeds, 0, tf.shape(stacked)[0], tf.int32)
        pair = tf.concat([stacked[which], stacked[which]], axis=-1)  # a picture and its target
        crop = tf.image.stateless_random_crop(pair, (CROP, CROP, 6), seeds)
        crop = tf.image.stateless_random_flip_left_right(crop, seeds)
        crop = tf.image.stateless_random_flip_up_down(crop, seeds + 1)
        return tf.cast(crop[..., :3], tf.float32) / 255, tf.cast(crop[..., 3:], tf.float32) / 255

    def tf_data(count: int) -> float:
        set_ = (
            tf.data.Dataset.counter(0).map(one, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH).prefetch(4)
        )
        begun = perf_counter()
        for _ in set_.take(count):
            pass
        return perf_counter() - begun

    return {"ours": ours, "PyDataset with 2 workers": workers, "tf.data": tf_data}


def measured(*, batches: int, rounds: int) -> Iterator[Row]:
    """A row for each of the others."""
    with tempfile.TemporaryDirectory() as folder:
        pictures(Path(folder))
        times: dict[str, list[float]] = {}
        for number in range(rounds + 1):
            for name, way in ways(folder).items():
                seconds = way(batches) / batches
                if number:
                    times.setdefault(name, []).append(seconds)
    for name in [one for one in times if one != "ours"]:
        yield Row(
            f"{BATCH} crops of {CROP}x{CROP}, input and target",
            median(times["ours"]) * 1000,
            name,
            median(times[name]) * 1000,
            unit="ms",
            note=f"median of {rounds} rounds of {batches} batches",
        )


def rows(setting: Setting) -> Iterator[Row | Skip]:
    """The rows of `make bench`."""
    yield from measured(batches=50 if setting.quick else 300, rounds=1 if setting.quick else 3)


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description="loaders")
    parser.add_argument("--batches", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    for row in measured(batches=given.batches, rounds=given.rounds):
        print(
            f"{row.what}: ours {row.ours:.2f} ms, {row.peer} {row.peer_value:.2f} ms, {row.ratio:.2f}; {row.note}"
        )


if __name__ == "__main__":
    main()
