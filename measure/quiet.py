"""Native libraries write start-up chatter straight to descriptor 2; keep it from people."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def native_chatter_hidden() -> Iterator[None]:
    """Hold back what is written to descriptor 2; show it if the block raises, drop it otherwise."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        kept = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            sys.stderr.flush()
            os.dup2(kept, 2)
            held.seek(0)
            text = held.read()
            if os.environ.get("PIXELPROOF_DEBUG"):
                os.write(2, text)
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)


def import_tensorflow() -> None:
    """Import TensorFlow and Keras quietly, on the CPU: proofs want one arithmetic on every machine."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with native_chatter_hidden():
        import importlib

        tensorflow = importlib.import_module("tensorflow")
        tensorflow.config.list_logical_devices()
        importlib.import_module("keras")
    import logging

    logging.getLogger("absl").setLevel(logging.ERROR)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
