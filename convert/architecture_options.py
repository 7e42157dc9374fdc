"""The command-line options of registered architectures, for every command that takes a checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

_NAMES = ("num_maps_base", "instance_norm", "data_range")
_OPTIONS = (
    click.option(
        "--num-maps-base",
        "--num_maps_base",
        "num_maps_base",
        type=click.IntRange(min=1),
        help="Width of punet and rrdb_lrfu [read off a TF1 checkpoint, else 16].",
    ),
    click.option(
        "--instance-norm/--no-instance-norm",
        "instance_norm",
        default=None,
        help="Whether punet normalises [read off a TF1 checkpoint, else no].",
    ),
    click.option(
        "--data-range",
        type=click.FloatRange(min=0, min_open=True),
        help="255 for a network trained on 0..255, 1 for [0, 1]; of the efficient networks [read off the weights].",
    ),
)


def architecture_options(command: CommandT) -> CommandT:
    """Add them to a command; what it takes as ``**architecture`` goes to `given_options`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def given_options(architecture: dict[str, Any]) -> dict[str, object]:
    """Those that were given, by the names that the architectures know."""
    return {name: architecture[name] for name in _NAMES if architecture[name] is not None}
