"""Native libraries write start-up chatter straight to descriptor 2; keep it from people."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from pixelproof.errors import EnvironmentFault


@contextmanager
def native_chatter_hidden() -> Iterator[None]:
    """Hold back what is written to descriptor 2; show it if the block fails, drop it otherwise."""
    try:
        kept = os.dup(2)
    except OSError:  # closed by the caller: nobody would see it
        yield
        return
    _flush()
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        failed = False
        try:
            yield
        except Exception:
            failed = True
            raise
        finally:
            _flush()
            os.dup2(kept, 2)
            os.close(kept)
            if failed or os.environ.get("PIXELPROOF_DEBUG"):
                held.seek(0)
                os.write(2, held.read())


@contextmanager
def left_out(*modules: str) -> Iterator[None]:
    """Keep TensorFlow and Keras from importing what they only look for, where it is installed, and nobody here uses.

    Matplotlib (Keras's galleries) takes half a second and writes caches into the user's home, JAX (TFLite's converter
    for it) nearly a second.
    """
    absent = [name for name in modules if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def import_tensorflow() -> None:
    """Import TensorFlow and Keras quietly, on the CPU: proofs want one arithmetic on every machine.

    A user's own Keras settings (backend, layout, precision) don't hold here: they would change the picture.

    Raises:
        EnvironmentFault: one of them can't be imported.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import importlib

    try:
        with native_chatter_hidden(), left_out("matplotlib", "jax"):
            tensorflow = importlib.import_module("tensorflow")
            tensorflow.config.list_logical_devices()
            keras = importlib.import_module("keras")
    except ImportError as error:
        remedy = "pixelproof doctor says what is missing."
        raise EnvironmentFault(
            "TensorFlow and Keras must be there", found=str(error)[:300], remedy=remedy
        ) from error
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    import logging

    logging.getLogger("absl").setLevel(logging.ERROR)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def _flush() -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()
