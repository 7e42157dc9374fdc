"""TF1 checkpoints made on the spot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

SaveTF1 = Callable[..., Path]


@pytest.fixture
def save_tf1() -> SaveTF1:
    """``save(prefix, arrays, version=2)`` writes a TF1 checkpoint with these variables."""
    return _save


def _save(prefix: Path, arrays: Mapping[str, np.ndarray], *, version: int = 2) -> Path:
    import tensorflow as tf

    v1 = tf.compat.v1
    prefix.parent.mkdir(parents=True, exist_ok=True)
    with tf.Graph().as_default(), v1.Session() as session:
        variables = {}
        feeds = {}
        for place, (name, array) in enumerate(arrays.items()):
            value = v1.placeholder(tf.as_dtype(array.dtype), array.shape)
            variables[name] = v1.Variable(value, name=f"saved_{place}", use_resource=False)
            feeds[value] = array
        session.run([variable.initializer for variable in variables.values()], feeds)
        saver = v1.train.Saver(variables, write_version=version)
        saver.save(session, str(prefix), write_meta_graph=False, write_state=False)
    return prefix
