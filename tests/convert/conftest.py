"""Small models and their checkpoints, made on the spot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof.convert.workers import WarmWorkers
from pixelproof.measure.worker import Worker


@pytest.fixture(scope="session")
def convert_with(tf: Any) -> Callable[..., dict[str, Any]]:
    """``convert_with(model, checkpoint, folder, formats=("pb",), shape=(1, 24, 40, 3), ...)``."""
    from pixelproof.convert.conversion import convert
    from pixelproof.convert.plan import Request
    from pixelproof.convert.source import Ends

    def convert_it(model: str, checkpoint: Path | None, folder: Path, **options: Any) -> dict[str, Any]:
        ends = Ends(
            **{key: options.pop(key) for key in ("input_name", "output_name", "clip") if key in options}
        )
        lines = options.pop("lines", [])
        publish = options.pop("publish", None)
        usual = {"formats": ("pb",), "shape": (1, 24, 40, 3), "ends": ends}
        request = Request(model=model, checkpoint=checkpoint, folder=folder, **{**usual, **options})
        with WarmWorkers() as workers:
            return convert(request, workers=workers, note=lines.append, publish=publish)

    return convert_it


@pytest.fixture(scope="session")
def srcnn_checkpoint(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TF1 checkpoint of ``srcnn`` with seeded weights, as the challenge's training script would save it."""
    from pixelproof.models.registry import create, spec

    model, rng = create("srcnn"), np.random.default_rng(0)
    rule = spec("srcnn").tf1_names
    assert rule is not None
    names = rule(model)
    arrays = {
        f"generator/{names[w.path]}": (rng.standard_normal(w.shape) * 0.05).astype(np.float32)
        for w in model.weights
    }
    return save_tf1(tf, tmp_path_factory.mktemp("srcnn") / "srcnn", arrays)


@pytest.fixture(scope="session")
def saver(tf: Any) -> Callable[..., Path]:
    """``saver(prefix, arrays)`` writes a TF1 checkpoint with these variables."""
    return lambda prefix, arrays, **options: save_tf1(tf, prefix, arrays, **options)


def save_tf1(tf: Any, prefix: Path, arrays: dict[str, np.ndarray], **options: Any) -> Path:
    """Write a TF1 checkpoint without a ``.meta``."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        variables, feeds = {}, {}
        for place, (name, array) in enumerate(arrays.items()):
            value = v1.placeholder(tf.as_dtype(array.dtype), array.shape)
            variables[name] = v1.Variable(value, name=f"saved_{place}", use_resource=False)
            feeds[value] = array
        session.run([variable.initializer for variable in variables.values()], feeds)
        v1.train.Saver(variables, **options).save(
            session, str(prefix), write_meta_graph=False, write_state=False
        )
    return prefix


@pytest.fixture(scope="session")
def shared_worker() -> Iterator[Worker]:
    """One worker for all artifacts of a test file; loading replaces what it held."""
    with Worker(timeout_s=120) as worker:
        yield worker
