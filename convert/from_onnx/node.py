"""One node of an ONNX graph with its inputs, as the translations of operators take it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pixelproof.convert.from_onnx.values import Untranslatable, Value


@dataclass(frozen=True)
class Node:
    """A node.

    Attributes:
        name: the node's own, or its first output's.
        inputs: None where one was left out.
        outputs: how many are used by name.
        follows: the operator from which its first input comes, "" for none.
    """

    name: str
    op: str
    attributes: Mapping[str, Any]
    inputs: tuple[Value | None, ...]
    outputs: int
    opset: int
    follows: str = ""

    def input(self, place: int) -> Value:
        """An input that must be there.

        Raises:
            Untranslatable: it is not.
        """
        value = self.optional(place)
        if value is None:
            raise Untranslatable(f"no input {place + 1}")
        return value

    def optional(self, place: int) -> Value | None:
        """An input that may be left out."""
        return self.inputs[place] if place < len(self.inputs) else None

    def text(self, name: str, default: str) -> str:
        """An attribute that is a word."""
        value = self.attributes.get(name, default)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

    def whole(self, name: str, default: int) -> int:
        """An attribute that is a whole number."""
        return int(self.attributes.get(name, default))

    def real(self, name: str, default: float) -> float:
        """An attribute that is a real number."""
        return float(self.attributes.get(name, default))

    def wholes(self, name: str, default: Sequence[int]) -> tuple[int, ...]:
        """An attribute that is a list of whole numbers."""
        return tuple(int(n) for n in self.attributes.get(name, default))


Translate = Callable[[Node], Value | list[Value]]


def refuse(condition: bool, what: str) -> None:
    """Refuse what isn't translated.

    Raises:
        Untranslatable: the condition holds.
    """
    if condition:
        raise Untranslatable(what)
