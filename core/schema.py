"""Tables (TOML, JSON) into frozen dataclasses and back; a wrong key or type is named, not swallowed."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, Union

from pixelproof.errors import did_you_mean

T = TypeVar("T")
Fail = Callable[[str, str, str, str], Exception]
"""Makes the error: (dotted path of the key, rule, found, remedy)."""

_SPECIAL_FLOATS = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def build(cls: type[T], table: Any, *, fail: Fail, path: str = "") -> T:
    """A dataclass from a table, nested dataclasses included.

    Args:
        cls: the dataclass.
        table: a mapping, as `tomllib` or `json` give it.
        fail: makes the error that is raised for an unknown or missing key or a wrong type.
        path: dotted path of this table, for messages.
    """
    if not isinstance(table, Mapping):
        raise fail(path, "must be a table", _shown(table), "")
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in table:
        if key not in fields:
            raise fail(_join(path, key), "is not a known key", key, did_you_mean(str(key), list(fields)))
    values = {}
    for name, field in fields.items():
        if name in table:
            values[name] = _value(hints[name], table[name], fail=fail, path=_join(path, name))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise fail(_join(path, name), "is required", "nothing", "")
    return cls(**values)


def _value(hint: Any, value: Any, *, fail: Fail, path: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _value(_member(arguments, value, fail=fail, path=path), value, fail=fail, path=path)
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint):
        return build(typing.cast(type, hint), value, fail=fail, path=path)
    if origin is Literal:
        if value not in arguments:
            choices = ", ".join(map(str, arguments))
            raise fail(path, f"must be one of {choices}", _shown(value), "")
        return value
    if origin is tuple:
        return _tuple(arguments, value, fail=fail, path=path)
    if origin in (dict, Mapping):
        if not isinstance(value, Mapping):
            raise fail(path, "must be a table", _shown(value), "")
        return {k: _value(arguments[1], v, fail=fail, path=_join(path, str(k))) for k, v in value.items()}
    return _plain(hint, value, fail=fail, path=path)


def _member(arguments: tuple[Any, ...], value: Any, *, fail: Fail, path: str) -> Any:
    """The type of a union that a value is meant for: of several tables the one whose literal names it so."""
    kinds = [kind for kind in arguments if kind is not type(None)]
    if len(kinds) == 1 or not isinstance(value, Mapping):
        return kinds[0]
    names: dict[str, list[Any]] = {}
    for kind in kinds:
        for name, hint in typing.get_type_hints(kind).items():
            if typing.get_origin(hint) is Literal:
                names.setdefault(name, []).extend(typing.get_args(hint))
                if value.get(name) in typing.get_args(hint):
                    return kind
    key, choices = next(iter(names.items()))
    if key not in value:
        raise fail(_join(path, key), "is required", "nothing", "")
    listed = ", ".join(map(str, choices))
    raise fail(_join(path, key), f"must be one of {listed}", _shown(value[key]), "")


def _tuple(arguments: tuple[Any, ...], value: Any, *, fail: Fail, path: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise fail(path, "must be a list", _shown(value), "")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_value(arguments[0], v, fail=fail, path=f"{path}[{i}]") for i, v in enumerate(value))
    if len(value) != len(arguments):
        raise fail(path, f"must be a list of {len(arguments)}", _shown(value), "")
    return tuple(
        _value(a, v, fail=fail, path=f"{path}[{i}]")
        for i, (a, v) in enumerate(zip(arguments, value, strict=True))
    )


def _plain(hint: Any, value: Any, *, fail: Fail, path: str) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if hint is float and number:
        return float(value)
    if hint is float and isinstance(value, str) and value in _SPECIAL_FLOATS:
        return _SPECIAL_FLOATS[value]
    if hint is int and number and isinstance(value, int):
        return value
    if hint in (str, bool) and isinstance(value, hint):
        return value
    names = {float: "a number", int: "a whole number", str: "text", bool: "true or false"}
    raise fail(path, f"must be {names.get(hint, str(hint))}", _shown(value), "")


def to_jsonable(value: Any) -> Any:
    """Dataclasses, tuples and non-finite floats as what strict JSON can hold."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_jsonable(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): to_jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_jsonable(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return value


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else str(key)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
