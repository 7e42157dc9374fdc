"""Data-parallel training: every batch shared out among devices, and on JAX among processes too.

With TensorFlow Keras's MirroredStrategy does it, with JAX ``keras.distribution``. Keras's ``fit`` can't be used under
TensorFlow's MultiWorkerMirroredStrategy, so several processes need JAX.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pixelproof.errors import CallError, EnvironmentFault


@dataclass(frozen=True)
class Share:
    """Which part of every batch is this process's.

    Attributes:
        rank, ranks: this process's number from 0, and how many there are.
    """

    rank: int = 0
    ranks: int = 1


@dataclass(frozen=True)
class Distribution:
    """How a training is shared out.

    Attributes:
        parallel: whether it is, over all devices.
        coordinator: address of process 0, ``host:port``; None for one process.
        processes, rank: how many, and this one's number from 0.
    """

    parallel: bool = False
    coordinator: str | None = None
    processes: int = 1
    rank: int = 0

    @property
    def share(self) -> Share:
        """This process's part."""
        return Share(self.rank, self.processes)


def check_distribution(chosen: Distribution, *, backend: str) -> None:
    """Check that a training can be shared out so.

    Raises:
        CallError: several processes without an address, a rank that isn't one of them, or a backend that can't.
    """
    if not chosen.parallel:
        if chosen.processes > 1 or chosen.coordinator or chosen.rank:
            remedy = "Add --distribute data-parallel."
            raise CallError(
                "--processes, --rank and --coordinator belong to a shared training", remedy=remedy
            )
        return
    if not 0 <= chosen.rank < chosen.processes:
        found = f"--rank {chosen.rank} of --processes {chosen.processes}"
        raise CallError("A rank must be below the number of processes, counted from 0", found=found)
    if chosen.processes > 1 and not chosen.coordinator:
        remedy = "--coordinator HOST:PORT is the address of rank 0, the same for all."
        raise CallError("Several processes must know where to meet", found="no --coordinator", remedy=remedy)
    if chosen.processes > 1 and backend != "jax":
        remedy = "Set KERAS_BACKEND=jax for all of them."
        raise CallError("Several processes need Keras on JAX", found=f"Keras on {backend}", remedy=remedy)
    if backend == "torch":
        remedy = "Set KERAS_BACKEND to jax or tensorflow."
        raise CallError(
            "A shared training needs Keras on JAX or TensorFlow", found="Keras on torch", remedy=remedy
        )


def meet(chosen: Distribution) -> None:
    """Let this process find the others; before anything is computed, and once.

    Raises:
        EnvironmentFault: they didn't come together.
    """
    if chosen.processes == 1:
        return
    jax = importlib.import_module("jax")
    if jax.distributed.is_initialized():
        return
    try:
        jax.distributed.initialize(
            coordinator_address=chosen.coordinator, num_processes=chosen.processes, process_id=chosen.rank
        )
    except (RuntimeError, ValueError) as error:
        remedy = "Start all ranks with one --coordinator, within five minutes."
        found = str(error).strip().splitlines()[0][:300]
        raise EnvironmentFault("The processes must find each other", found=found, remedy=remedy) from error


@contextmanager
def built_shared(chosen: Distribution, *, backend: str) -> Iterator[None]:
    """What is built in this block is held by all devices alike.

    Raises:
        EnvironmentFault: there is but one device.
    """
    if chosen.parallel and backend == "tensorflow":
        with _mirrored().scope():
            yield
        return
    with fed_shared(chosen, backend=backend):
        yield


@contextmanager
def fed_shared(chosen: Distribution, *, backend: str) -> Iterator[None]:
    """Batches that a model takes in this block are shared out; a model of TensorFlow's knows by itself.

    Raises:
        EnvironmentFault: there is but one device.
    """
    if not chosen.parallel or backend == "tensorflow":
        yield
        return
    import keras

    devices = keras.distribution.list_devices()
    if len(devices) < 2:
        raise _alone(devices)
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False)
    )
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)


def devices_of(chosen: Distribution, *, backend: str) -> int:
    """Over how many devices a batch is shared out."""
    if not chosen.parallel:
        return 1
    if backend == "tensorflow":
        return int(_mirrored().num_replicas_in_sync)
    import keras

    return len(keras.distribution.list_devices())


def _mirrored() -> Any:
    import tensorflow as tf

    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) < 2:
        raise _alone(devices)
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def _alone(devices: Any) -> EnvironmentFault:
    remedy = "Leave --distribute away; or train in several processes with KERAS_BACKEND=jax."
    return EnvironmentFault(
        "--distribute data-parallel needs two devices or more", found=f"{len(devices)}", remedy=remedy
    )
