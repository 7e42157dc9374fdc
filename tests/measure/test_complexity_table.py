"""What the worker tells about costs is believed by nobody."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from pixelproof.measure.cost.table import LARGEST, CostTable, Row, from_bytes, to_bytes
from pixelproof.measure.protocol import ProtocolError
from pixelproof.measure.worker_answers import costs_from

ROW = Row("conv", "Conv2D", "conv", (1, 8, 8, 4), 108, 6912, 6912, 192, 256, affine=False)
TABLE = CostTable(8, 8, 3, (ROW, ROW), {"Add": 2}, ("A note.",))


def test_a_table_comes_back_as_it_was_sent() -> None:
    assert from_bytes(to_bytes(TABLE)) == TABLE
    assert costs_from([np.frombuffer(to_bytes(TABLE), np.uint8)]) == TABLE


def changed(place: int, value: Any) -> bytes:
    """The table with one field of its second row replaced."""
    document = json.loads(to_bytes(TABLE))
    document["rows"][1][place] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, "n" * 1000),
        (0, 7),
        (1, None),
        (2, "convolution"),
        (2, ["conv"]),
        (3, [1, -8]),
        (3, [1.5]),
        (3, list(range(99))),
        (3, "1"),
        (4, -1),
        (4, True),
        (5, 1.5),
        (5, LARGEST * 10),
        (9, 1),
    ],
)
def test_impossible_rows(place: int, value: Any) -> None:
    with pytest.raises(ProtocolError):
        from_bytes(changed(place, value))


@pytest.mark.parametrize(
    "change",
    [
        {"rows": None},
        {"rows": [[]]},
        {"rows": [{}]},
        {"height": "8"},
        {"height": -8},
        {"channels": 10**30},
        {"other": {"Add": "2"}},
        {"other": {"n" * 1000: 2}},
        {"notes": [1]},
        {"more": 1},
    ],
)
def test_impossible_tables(change: dict[str, Any]) -> None:
    document = {**json.loads(to_bytes(TABLE)), **change}
    with pytest.raises(ProtocolError):
        from_bytes(json.dumps(document).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"7", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_table(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        from_bytes(data)


def test_an_answer_is_one_array_of_bytes() -> None:
    for arrays in ([], [np.zeros(4, np.float32)], [np.zeros((2, 2), np.uint8)], [np.zeros(4, np.uint8)] * 2):
        with pytest.raises(ProtocolError):
            costs_from(arrays)
