"""What strangers call things, as a terminal shows it."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelproof.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("model.pb", "model.pb"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("Ünï ✓ 模型 می‌خواهم 👩‍🔬", "Ünï ✓ 模型 می‌خواهم 👩‍🔬"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("a\rb", "a\\rb"),
        ("photo\u202egnp.exe", "photo\\u202egnp.exe"),
        ("\udcff.pb", "\\udcff.pb"),
        ("\x9b1m", "\\x9b1m"),
        ("line\u2028another", "line\\u2028another"),
    ],
)
def test_examples(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters(codec=None)))
def test_whatever_comes_can_be_written_and_moves_no_cursor(text: str) -> None:
    shown = printable(text)
    io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="strict").write(shown)
    assert not set(shown) & {*map(chr, range(32)), "\x7f", *map(chr, range(0x80, 0xA0))} - {"\n", "\t"}
    assert printable(shown) == shown
