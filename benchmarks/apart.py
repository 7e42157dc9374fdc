"""Calls in a process of their own, for what imports TensorFlow."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def apart(function: Callable[Arguments, Result], *words: Arguments.args, **named: Arguments.kwargs) -> Result:
    """What a function of a module gives, called in a fresh process, whose threads and memory end with it.

    Raises:
        Whatever the function raises, and BrokenProcessPool where the process died.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *words, **named).result()
