"""Records to JSON and back: nothing is lost, nothing wrong gets through."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pixelproof.challenge import Challenge
from pixelproof.errors import ReportError
from pixelproof.report import Report, dump_json, read_report
from pixelproof.schema import build, to_jsonable

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Wrong(Exception):
    """What `build` raises here."""


def fail(path: str, rule: str, found: str, remedy: str) -> Wrong:
    """The error with all four parts."""
    return Wrong(path, rule, found, remedy)


def of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type hint, all fields of dataclasses filled."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return st.builds(hint, **{f.name: of(hints[f.name]) for f in dataclasses.fields(hint)})
    if origin in (Union, types.UnionType):
        return st.one_of([of(argument) for argument in arguments])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(of(arguments[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*map(of, arguments))
    if origin is Mapping:
        return st.dictionaries(st.text(max_size=4), of(arguments[1]), max_size=2)
    plain = {
        str: st.text(max_size=8),
        bool: st.booleans(),
        int: st.integers(),
        float: st.floats(allow_nan=False),
        type(None): st.none(),
    }
    return plain[hint]


reports = of(Report).map(lambda report: dataclasses.replace(report, schema_version=1))


@QUICK
@given(reports)
def test_a_report_survives_json(report: Report) -> None:
    document = json.loads(json.dumps(to_jsonable(report), allow_nan=False))
    assert build(Report, document, fail=fail) == report
    again = Report.from_json(json.loads(dump_json(report.to_json())), label="x")
    assert again == report
    assert again.passed == report.passed


@QUICK
@given(of(Challenge))
def test_a_challenge_survives_json(challenge: Challenge) -> None:
    assert build(Challenge, json.loads(dump_json(challenge)), fail=fail) == challenge


@dataclasses.dataclass(frozen=True)
class Inner:
    """A part."""

    value: float


@dataclasses.dataclass(frozen=True)
class Outer:
    """One of everything that schemas use."""

    name: str
    inner: Inner
    many: tuple[Inner, ...] = ()
    pair: tuple[int, int] = (0, 0)
    kind: Literal["a", "b"] = "a"
    maybe: float | None = None
    table: Mapping[str, Inner] = dataclasses.field(default_factory=dict)


RIGHT = {"name": "x", "inner": {"value": 1}}


def test_defaults_are_filled_and_whole_numbers_become_floats() -> None:
    outer = build(Outer, RIGHT, fail=fail)
    assert outer == Outer("x", Inner(1.0))
    assert isinstance(outer.inner.value, float)


def test_numbers_that_json_has_not_come_back() -> None:
    for value in (math.inf, -math.inf, math.nan):
        table = json.loads(dump_json(Inner(value)))
        assert isinstance(table["value"], str)
        assert str(build(Inner, table, fail=fail).value) == str(value)


@pytest.mark.parametrize(
    ("change", "path", "rule"),
    [
        ({"nmae": 1}, "nmae", "is not a known key"),
        ({"inner": {"value": 1, "x": 2}}, "inner.x", "is not a known key"),
        ({"inner": {}}, "inner.value", "is required"),
        ({"inner": 3}, "inner", "must be a table"),
        ({"inner": {"value": "1"}}, "inner.value", "must be a number"),
        ({"inner": {"value": True}}, "inner.value", "must be a number"),
        ({"inner": {"value": None}}, "inner.value", "must be a number"),
        ({"name": 1}, "name", "must be text"),
        ({"many": [{"value": 1}, {"value": "x"}]}, "many[1].value", "must be a number"),
        ({"many": {"value": 1}}, "many", "must be a list"),
        ({"pair": [1]}, "pair", "must be a list of 2"),
        ({"pair": [1, 2.5]}, "pair[1]", "must be a whole number"),
        ({"kind": "c"}, "kind", "must be one of a, b"),
        ({"kind": ["a"]}, "kind", "must be one of a, b"),
        ({"maybe": "x"}, "maybe", "must be a number"),
        ({"table": {"k": 1}}, "table.k", "must be a table"),
        ({"table": 1}, "table", "must be a table"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], path: str, rule: str) -> None:
    with pytest.raises(Wrong) as caught:
        build(Outer, RIGHT | change, fail=fail)
    assert caught.value.args[:2] == (path, rule)


def test_a_misspelt_key_offers_the_nearest() -> None:
    with pytest.raises(Wrong) as caught:
        build(Outer, RIGHT | {"mayby": 1}, fail=fail)
    assert "Did you mean maybe?" in caught.value.args[3]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must be JSON"),
        ("[]", "without schema_version"),
        ('{"schema_version": 99}', "must have schema version 1; found version 99"),
        ('{"schema_version": 1}', "must hold its measurements"),
        ('{"schema_version": 1, "measurements": {"x": 1}}', "report.json: "),
        ("\xff", "must be JSON"),
    ],
)
def test_a_damaged_report_is_refused(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "report.json"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ReportError, match=says):
        read_report(file)
