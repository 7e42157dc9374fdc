"""The pages name every check, every key of a report and every key of a challenge file, with its default."""

from __future__ import annotations

import dataclasses
import json
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pixelproof.challenge import Challenge
from pixelproof.report import Evidence, Report
from pixelproof.schema import to_jsonable
from pixelproof.validate.checks import all_checks
from pixelproof.validate.commands import validate_pb

DOCS = Path(__file__).resolve().parents[2] / "docs"
pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="the pages are in the checkout only")


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    start = text.index(heading)
    level = len(heading) - len(heading.lstrip("#"))
    end = re.search(rf"^#{{1,{level}}} ", text[start + len(heading) :], re.MULTILINE)
    return text[start : start + len(heading) + end.start()] if end else text[start:]


def inner(hint: Any) -> Iterator[type]:
    """Dataclasses inside a type."""
    if dataclasses.is_dataclass(hint):
        yield typing.cast(type, hint)
    for argument in typing.get_args(hint):
        yield from inner(argument)


def nested(kind: type) -> Iterator[type]:
    """A dataclass and those inside it."""
    yield kind
    for hint in typing.get_type_hints(kind).values():
        for other in inner(hint):
            yield from nested(other)


def test_every_check_has_its_row() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (\w+) \|(.*)\|(.*)\|(.*)\|$", section(page("validate"), "## The checks"), re.M
    )
    assert [(row[0], row[1]) for row in rows] == [(check.id, check.group) for check in all_checks()]
    assert all(cell.strip() for row in rows for cell in row)


def test_every_option_has_its_row() -> None:
    told = section(page("validate"), "## Options")
    options = [name for parameter in validate_pb.params for name in parameter.opts if name.startswith("--")]
    assert options
    assert [name for name in options if f"`{name}" not in told] == []


def test_every_key_of_a_report_is_told() -> None:
    told = page("report")
    top = {field.name for field in dataclasses.fields(Report)} - {"evidence"}
    parts = {field.name for field in dataclasses.fields(Evidence)}
    for name in {"passed", "measurements", "artifact", "fidelity", "runtime", "memory"} | top | parts:
        assert re.search(rf"`{name}(\[\])?`", told), name
    for kind in {*nested(Report)} - {Report, Evidence}:
        for field in dataclasses.fields(kind):
            assert re.search(rf"`{field.name}(\[\])?`", told), f"{kind.__name__}.{field.name}"


def test_every_key_of_a_challenge_file_is_told_with_its_default() -> None:
    told = page("challenges")
    for kind in {*nested(Challenge)}:
        for field in dataclasses.fields(kind):
            assert re.search(rf"\b{field.name}\b", told), f"{kind.__name__}.{field.name}"
            if isinstance(field.default, bool | int | float | str):
                value = json.dumps(field.default)
                near = rf"{field.name}[` =,a-z\"]*.{{0,60}}{re.escape(value)}"
                assert re.search(near, told), f"{kind.__name__}.{field.name} = {value}"
            elif isinstance(field.default, tuple):
                assert re.search(rf"`{field.name}` \| `{re.escape(str(list(field.default)))}`", told), (
                    field.name
                )


def test_the_pages_name_no_key_that_is_not_there() -> None:
    keys = {field.name for kind in nested(Report) for field in dataclasses.fields(kind)} | {
        "passed",
        "measurements",
    }
    for row in re.findall(r"^\| (`[^|]+`) \|", page("report"), re.M):
        for name in re.findall(r"`(\w+)(?:\[\])?`", row):
            assert name in keys, name
    keys = {field.name for kind in nested(Challenge) for field in dataclasses.fields(kind)}
    for row in re.findall(r"^\| (`[^|]+`) \|", page("challenges"), re.M):
        for name in re.findall(r"`(\w+)`", row):
            assert name in keys, name


def test_infinity_is_told_as_it_is_written() -> None:
    for value, text in ((float("inf"), '"inf"'), (float("-inf"), '"-inf"'), (float("nan"), '"nan"')):
        assert json.dumps(to_jsonable(value)) == text
        assert f"`{text}`" in page("report")
