"""TensorFlow sessions on a device. Lives in the worker."""

from __future__ import annotations

import re
from typing import Any

from tensorflow.core.protobuf.config_pb2 import ConfigProto

from pixelproof.measure.device import CPU, Device

_NAME = re.compile(r"\bname: ([^,]+)")


def session_config(*, threads: int, device: Device = CPU) -> ConfigProto:
    """How a session runs: so many threads, and on a GPU no more memory than it was given.

    The limit is a virtual device of that size (``GPUOptions.Experimental.virtual_devices``), which is how
    ``tf.config.LogicalDeviceConfiguration(memory_limit=...)`` does it too.
    """
    config = ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads)
    if device.kind == "gpu":
        config.allow_soft_placement = True  # shapes, and what has no kernel there
        if device.memory_mib is not None:
            virtual = config.gpu_options.experimental.virtual_devices.add()
            virtual.memory_limit_mb.append(device.memory_mib)
        else:
            config.gpu_options.allow_growth = True
    return config


def gpu_name(device: Device) -> str | None:
    """What TensorFlow calls the GPU of this process; None where it can use none.

    Args:
        device: made as it is going to be used: TensorFlow makes a GPU's memory once a process.
    """
    from tensorflow.python.client import device_lib

    for found in device_lib.list_local_devices(session_config(threads=1, device=device)):
        if found.device_type == "GPU":
            return name_in(found.physical_device_desc)
    return None


def name_in(description: Any) -> str:
    """The name in a ``physical_device_desc``: "device: 0, name: NVIDIA X, pci bus id: ..."."""
    match = _NAME.search(str(description))
    return match[1].strip() if match else "GPU"
