"""The TFLite converter without the rest of TensorFlow.

Converting needs half of the modules that ``import tensorflow`` executes: 1.3 s in place of 2.3, the same bytes
(measured with TensorFlow 2.21). As with `pixelproof.measure.tf_core` in a worker, an empty ``tensorflow`` takes
the real one's place meanwhile; here it gives way to the real one as soon as somebody asks it for more.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from pixelproof.errors import EnvironmentFault
from pixelproof.measure.interrupts import interrupts_deferred
from pixelproof.measure.tf_core import enter_core_only
from pixelproof.quiet import native_chatter_hidden

_PACKAGE = "tensorflow"
_NEEDED = ("tensorflow.lite.python.lite", "pixelproof.measure.graph_def")


@contextmanager
def converter_imported() -> Iterator[None]:
    """A block in which the converter is there, on the CPU; quiet.

    Does nothing where TensorFlow has been imported already. After the block ``import tensorflow`` imports the whole.

    Raises:
        EnvironmentFault: TensorFlow can't be imported.
    """
    if _PACKAGE in sys.modules:
        yield
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    try:
        with interrupts_deferred():
            _import()
        yield
    finally:
        if not hasattr(sys.modules.get(_PACKAGE), "__version__"):
            sys.modules.pop(_PACKAGE, None)


def _import() -> None:
    try:
        with native_chatter_hidden():
            enter_core_only()
            sys.modules[_PACKAGE].__dict__["__getattr__"] = _of_the_whole
            compat: Any = importlib.import_module("tensorflow.python.compat.v2_compat")
            compat.enable_v2_behavior()  # as ``import tensorflow`` does
            for name in _NEEDED:
                importlib.import_module(name)
            devices: Any = importlib.import_module("tensorflow.python.framework.config")
            devices.list_logical_devices()  # what looking for a GPU says is hidden too
    except ImportError as error:
        remedy = "pixelproof doctor says what is missing."
        raise EnvironmentFault("TensorFlow must be there", found=str(error)[:300], remedy=remedy) from error
    for name in ("absl", _PACKAGE):
        logging.getLogger(name).setLevel(logging.ERROR)


def _of_the_whole(name: str) -> Any:
    """What the empty package lacks, from the real one, which takes its place."""
    if name.startswith("__"):
        raise AttributeError(f"module {_PACKAGE!r} has no attribute {name!r}")
    present: ModuleType | None = sys.modules.get(_PACKAGE)
    if present is None or not hasattr(present, "__version__"):
        sys.modules.pop(_PACKAGE, None)
    return getattr(importlib.import_module(_PACKAGE), name)
