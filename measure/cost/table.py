"""What the worker tells about a network's cost: one row a layer, facts that no convention has touched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

from pixelproof.measure.protocol import MAX_DIMENSIONS, ProtocolError
from pixelproof.schema import build, to_jsonable

LayerKind = Literal[
    "conv",
    "conv_transposed",
    "linear",
    "matmul",
    "activation",
    "batch_norm",
    "norm",
    "resize_nearest",
    "resize_bilinear",
    "grid_sample",
    "average",
    "parameters",
]
KINDS: tuple[LayerKind, ...] = get_args(LayerKind)
CONVOLUTIONS: frozenset[LayerKind] = frozenset({"conv", "conv_transposed"})

MOST_BYTES = 64 << 20
MOST_ROWS = 100_000
LONGEST = 300
LARGEST = 10**18


@dataclass(frozen=True)
class Row:
    """One layer.

    Attributes:
        kind: ``parameters`` is a constant that features are combined with, such as a learned scale.
        output_shape: as the format orders its dimensions.
        params: elements of its weights that no earlier row has counted.
        macs: multiply-accumulates without bias. Of a transposed convolution: weights times input positions.
        output_macs: the same with output positions in place of input positions; another number for transposed
            convolutions alone.
        input_elements, output_elements: of the features.
        affine: whether a normalisation has a scale and a shift.
    """

    name: str
    op: str
    kind: LayerKind
    output_shape: tuple[int, ...]
    params: int = 0
    macs: int = 0
    output_macs: int = 0
    input_elements: int = 0
    output_elements: int = 0
    affine: bool = False


@dataclass(frozen=True)
class CostTable:
    """All layers of a network at one input size, in the order of computation.

    Attributes:
        channels: of the input.
        other: operations that compute and have no row, and how often.
        notes: what was assumed, in sentences.
    """

    height: int
    width: int
    channels: int
    rows: tuple[Row, ...]
    other: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


_FIELDS = tuple(item.name for item in fields(Row))


def to_bytes(table: CostTable) -> bytes:
    """A table for the way from the worker to the parent."""
    rows = [[getattr(row, name) for name in _FIELDS] for row in table.rows]
    return json.dumps({**to_jsonable(replace(table, rows=())), "rows": rows}).encode()


def from_bytes(data: bytes | memoryview) -> CostTable:
    """The table that a worker sent. Nothing in it is believed.

    Raises:
        ProtocolError: it is none, or holds impossible numbers.
    """

    def unlike(where: str, rule: str, found: str, remedy: str) -> ProtocolError:
        return ProtocolError(f"cost table {where} {rule}: {found}"[:300])

    try:
        document: Any = json.loads(bytes(data))
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"a cost table that is not JSON: {error}"[:300]) from error
    rows = document.pop("rows", None) if isinstance(document, dict) else None
    if not isinstance(rows, list) or len(rows) > MOST_ROWS:
        raise ProtocolError("a cost table without rows, or with too many")
    table = replace(
        build(CostTable, {**document, "rows": ()}, fail=unlike), rows=tuple(_row(item) for item in rows)
    )
    counts = (table.height, table.width, table.channels, *table.other.values())
    if not all(map(_is_count, counts)) or not all(map(_is_text, (*table.other, *table.notes))):
        raise ProtocolError("a cost table with impossible numbers or endless names")
    return table


def _row(item: Any) -> Row:
    """One row as it was sent. Rows are many: this is `schema.build`, written out."""
    if not isinstance(item, list) or len(item) != len(_FIELDS):
        raise ProtocolError(f"a cost row {item!r}"[:200])
    name, op, kind, shape, params, macs, output_macs, inputs, outputs, affine = item
    numbers = (params, macs, output_macs, inputs, outputs)
    fits = isinstance(shape, list) and len(shape) <= MAX_DIMENSIONS and all(map(_is_count, shape))
    texts = _is_text(name) and _is_text(op) and isinstance(kind, str) and kind in KINDS
    if not (fits and texts and all(map(_is_count, numbers)) and isinstance(affine, bool)):
        raise ProtocolError(f"a cost row {item!r}"[:200])
    return Row(name, op, kind, tuple(shape), params, macs, output_macs, inputs, outputs, affine)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LARGEST


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST
