"""Which variable of a checkpoint is which weight: names, scopes and shapes, without any data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Shape = tuple[int, ...]

_AUTOMATIC = re.compile(r"Variable(?:_(\d+))?")
_COUNTERS = re.compile(
    r"(?:global_?step|step|iter(?:ation)?s?|epoch|save_counter|beta_?[12](?:_power)?|learning_rate|lr|decay|momentum"
    r"|rho|epsilon|loss_scale|good_steps)(?:_\d+)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Fit:
    """How the variables of a checkpoint fit the weights of a model.

    Attributes:
        scopes: the scope that fits best; several where several fit fully.
        used: the checkpoint's variable for each weight that has one in its shape.
        missing: weights without a variable, with their shapes.
        mismatched: weights whose variable has another shape: (name in the checkpoint, expected, found).
        reported: optimizer slots and counters.
        surplus: all other variables.
    """

    scopes: tuple[str, ...]
    used: Mapping[str, str]
    missing: Mapping[str, Shape]
    mismatched: tuple[tuple[str, Shape, Shape], ...]
    reported: tuple[str, ...]
    surplus: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every weight has its variable."""
        return not self.missing and not self.mismatched


def without_scope(shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """The variables of the largest scope, by their names inside it."""
    scopes: dict[str, dict[str, Shape]] = {}
    for path, shape in shapes.items():
        scope, _, name = path.rpartition("/")
        scopes.setdefault(scope, {})[name] = shape
    return max(scopes.values(), key=len, default={})


def best_fit(expected: Mapping[str, Shape], floats: Mapping[str, Shape], every: Mapping[str, Shape]) -> Fit:
    """The one scope under which a checkpoint's variables fit a model best.

    Args:
        expected: shapes of the model's weights by TF1 name, without a scope.
        floats: shapes of the checkpoint's floating-point variables.
        every: shapes of all of the checkpoint's variables.
    """
    reported = _slots_and_counters(floats, every)
    candidates = {name: shape for name, shape in floats.items() if name not in reported}
    scopes = _scopes(expected, candidates)
    matchings = {scope: _match(scope, expected, candidates) for scope in scopes}
    full = tuple(scope for scope in scopes if len(matchings[scope]) == len(expected))
    chosen = full or tuple(sorted(scopes, key=lambda scope: -len(matchings[scope]))[:1])
    used = matchings[chosen[0]] if chosen else {}
    scope = chosen[0] if chosen else ""
    missing = {}
    mismatched = []
    for name, shape in expected.items():
        found = _join(scope, name)
        if name not in used and found in candidates and found not in used.values():
            mismatched.append((found, shape, candidates[found]))
        elif name not in used:
            missing[found] = shape
    taken = {*used.values(), *(name for name, _, _ in mismatched), *reported}
    surplus = tuple(sorted((name for name in every if name not in taken), key=natural))
    return Fit(chosen, used, missing, tuple(mismatched), tuple(sorted(reported, key=natural)), surplus)


def describe(fit: Fit, shapes: Mapping[str, Shape]) -> str:
    """What doesn't fit, in one line: missing, other shapes, surplus."""
    parts = []
    if fit.missing:
        parts.append(_some("missing", [f"{name} {by(shape)}" for name, shape in fit.missing.items()]))
    if fit.mismatched:
        wrong = [f"{name} expected {by(shape)} found {by(found)}" for name, shape, found in fit.mismatched]
        parts.append(_some("of another shape", wrong))
    if fit.surplus:
        parts.append(_some("surplus", [f"{name} {by(shapes[name])}" for name in fit.surplus]))
    return "; ".join(parts)


def by(shape: Shape) -> str:
    """``9x9x3x16``; ``scalar`` for an empty shape."""
    return "x".join(map(str, shape)) or "scalar"


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """A sorting key under which Variable_2 comes before Variable_10."""
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name))


def _match(scope: str, expected: Mapping[str, Shape], found: Mapping[str, Shape]) -> dict[str, str]:
    """Weights to variables of their shape under one scope.

    Variables that TF1 named itself (``Variable``, ``Variable_1``, ...) go by the order of their numbers where
    there are as many as expected: their count starts later when the training script made others before.
    """
    pairs = {name: _join(scope, name) for name in expected}
    automatic = sorted((name for name in expected if _AUTOMATIC.fullmatch(name)), key=natural)
    there = sorted((name for name in found if _AUTOMATIC.fullmatch(_leaf(scope, name))), key=natural)
    if len(automatic) == len(there):
        pairs |= dict(zip(automatic, there, strict=True))
    return {name: pair for name, pair in pairs.items() if found.get(pair) == expected[name]}


def _scopes(expected: Iterable[str], found: Iterable[str]) -> list[str]:
    """Scopes under which at least one expected name is found; the shortest first."""
    scopes = set()
    wanted = set(expected)
    for name in found:
        for start in [0, *(match.end() for match in re.finditer("/", name))]:
            if name[start:] in wanted:
                scopes.add(name[: max(0, start - 1)])
    return sorted(scopes, key=lambda scope: (len(scope), scope))


def _slots_and_counters(floats: Mapping[str, Shape], every: Mapping[str, Shape]) -> set[str]:
    """What an optimizer leaves in a checkpoint.

    A slot carries the name of its variable within its own (``generator/W1/Adam_1``,
    ``training/Adam/generator/W1/v``) and has its shape; a counter is one whole number, or one number of
    a known name.
    """
    reported = set()
    for name, shape in every.items():
        single = shape in ((), (1,))
        if single and (name not in floats or _COUNTERS.fullmatch(name.rsplit("/", 1)[-1])):
            reported.add(name)
            continue
        owner = name.rpartition("/")[0]
        while owner:
            if every.get(owner) == shape:
                reported.add(name)
                break
            owner = owner.partition("/")[2]
    return reported


def _join(scope: str, name: str) -> str:
    return f"{scope}/{name}" if scope else name


def _leaf(scope: str, name: str) -> str:
    return name.removeprefix(f"{scope}/") if scope else name


def _some(title: str, items: list[str]) -> str:
    shown = ", ".join(items[:6]) + (f" and {len(items) - 6} more" if len(items) > 6 else "")
    return f"{title} {len(items)}: {shown}" if len(items) > 1 else f"{title}: {shown}"
