"""An architecture's options, read off the shapes of a PyTorch state dict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixelproof.models.registry import TorchOptions

Shape = tuple[int, ...]


def counted(shapes: Mapping[str, Shape], pattern: str, *, start: int = 0) -> int:
    """How many of ``block.0.weight``, ``block.1.weight``, ... there are without a gap.

    Args:
        shapes: of a state dict's tensors, by name.
        pattern: a name with ``{}`` for the number.
        start: the first number.
    """
    number = start
    while pattern.format(number) in shapes:
        number += 1
    return number - start


def told_options(rule: TorchOptions, shapes: Mapping[str, Shape]) -> dict[str, object]:
    """What a rule reads off the shapes under the shortest prefix under which it reads anything.

    Args:
        rule: an architecture's, see :class:`pixelproof.models.registry.ModelSpec`.
        shapes: by the names that the file has, ``module.`` and other prefixes included.
    """
    prefixes = {""}
    for name in shapes:
        parts = name.split(".")
        prefixes.update(".".join(parts[:count]) + "." for count in range(1, min(len(parts), 4)))
    for prefix in sorted(prefixes, key=lambda prefix: (len(prefix), prefix)):
        under = {name[len(prefix) :]: shape for name, shape in shapes.items() if name.startswith(prefix)}
        if told := rule(under):
            return dict(told)
    return {}
