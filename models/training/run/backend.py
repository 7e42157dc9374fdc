"""Keras on the backend, device and threads that a training wants."""

from __future__ import annotations

import importlib
import logging
import os
from dataclasses import dataclass, field
from typing import Literal

from pixelproof.errors import EnvironmentFault
from pixelproof.models.training.run.distribution import Distribution, check_distribution, meet
from pixelproof.quiet import left_out, native_chatter_hidden

BACKENDS = ("tensorflow", "jax", "torch")
Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class Hardware:
    """What a training runs on.

    Attributes:
        device: ``auto`` takes GPUs where there are some.
        threads: of the processor; None for the backend's choice.
        distribution: how the training is shared out.
    """

    device: Device = "auto"
    threads: int | None = None
    distribution: Distribution = field(default_factory=Distribution)


def backend_name() -> str:
    """The Keras backend that the environment asks for: ``KERAS_BACKEND``, else TensorFlow.

    Raises:
        EnvironmentFault: no backend of this name.
    """
    name = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if name not in BACKENDS:
        raise EnvironmentFault(f"KERAS_BACKEND must be one of {', '.join(BACKENDS)}", found=name)
    return name


def import_keras(hardware: Hardware) -> None:
    """Import Keras and its backend quietly, set up for training.

    Raises:
        EnvironmentFault: one of them can't be imported, a GPU was asked for and there is none, or the processes of a
            shared training didn't find each other.
        CallError: a training that can't be shared out so.
    """
    name = backend_name()
    check_distribution(hardware.distribution, backend=name)
    os.environ["KERAS_BACKEND"] = name
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its optimiser logs as errors what it leaves alone
    if hardware.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        if name == "jax":
            os.environ["JAX_PLATFORMS"] = "cpu"
    try:
        unused = ("matplotlib",) if name == "jax" else ("matplotlib", "jax")
        with native_chatter_hidden(), left_out(*unused):
            importlib.import_module(name)
            keras = importlib.import_module("keras")
            meet(hardware.distribution)
            _limit_threads(name, hardware.threads)
            found = _gpus(name)
    except ImportError as error:
        remedy = "pixelproof doctor says what is missing; KERAS_BACKEND chooses another."
        raise EnvironmentFault(
            f"Keras and its backend {name} must be there", found=str(error)[:300], remedy=remedy
        ) from error
    if hardware.device == "cuda" and not found:
        remedy = "Leave --cuda away, or install the driver and the backend's GPU build."
        raise EnvironmentFault(
            "--cuda needs a GPU that the backend sees", found=f"none with {name}", remedy=remedy
        )
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    for chatty in ("absl", "tensorflow", "jax"):
        logging.getLogger(chatty).setLevel(logging.ERROR)


def make_deterministic() -> None:
    """Equal runs give equal bits from here on, where the backend can.

    Raises:
        EnvironmentFault: it can't.
    """
    match backend_name():
        case "tensorflow":
            import tensorflow as tf

            tf.config.experimental.enable_op_determinism()
        case "torch":
            torch = importlib.import_module("torch")
            torch.use_deterministic_algorithms(True)
        case _:
            if _gpus("jax"):
                remedy = "Set XLA_FLAGS=--xla_gpu_deterministic_ops=true before the start."
                if "xla_gpu_deterministic_ops=true" not in os.environ.get("XLA_FLAGS", ""):
                    raise EnvironmentFault(
                        "--deterministic on a GPU with JAX needs a flag of XLA", remedy=remedy
                    )


def _limit_threads(name: str, threads: int | None) -> None:
    if threads is None:
        return
    match name:
        case "tensorflow":
            import tensorflow as tf

            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        case "torch":
            importlib.import_module("torch").set_num_threads(threads)
        case _:
            remedy = "Limit the process instead: taskset -c 0-1 train-model ..."
            raise EnvironmentFault(
                "--threads must be one that the backend can set", found="JAX", remedy=remedy
            )


def _gpus(name: str) -> int:
    match name:
        case "tensorflow":
            import tensorflow as tf

            return len(tf.config.list_physical_devices("GPU"))
        case "torch":
            return int(importlib.import_module("torch").cuda.device_count())
        case _:
            jax = importlib.import_module("jax")
            return sum(device.platform == "gpu" for device in jax.devices())
