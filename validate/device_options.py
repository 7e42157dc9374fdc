"""The command-line options of the device that runtime and memory are measured on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

MIB_IN_GB = 1024
_OPTIONS = (
    click.option(
        "--device",
        type=click.Choice(("auto", "cpu", "gpu")),
        default="auto",
        show_default=True,
        help="What runtime and memory are measured on; auto: a GPU where CUDA_VISIBLE_DEVICES names one.",
    ),
    click.option(
        "--device-memory-gb",
        type=click.FloatRange(min=0, min_open=True),
        metavar="GB",
        help="Let the model take no more of the GPU's memory, as on a smaller card; 1 GB is 1024 MiB.",
    ),
)


def device_options(command: CommandT) -> CommandT:
    """Add ``--device`` and ``--device-memory-gb`` to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def mib_of(gigabytes: float | None) -> float | None:
    """A limit as it is given, in MiB."""
    return None if gigabytes is None else gigabytes * MIB_IN_GB
