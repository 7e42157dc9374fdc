"""A manifest goes to JSON and comes back; anything else is refused by name."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from pixelproof.errors import InputError
from pixelproof.report import dump_json
from pixelproof.submit.manifest import Figures, Manifest, Member, Override, PackedModel, Team


def manifest() -> Manifest:
    return Manifest(
        challenge="pirm2018",
        track="B",
        rules_sha256="0" * 64,
        team=Team("42", "Equipe n\u00b0 1"),
        model=PackedModel("model.pb", "pb", 5, "1" * 64),
        members=(Member("mail.txt", 3, "2" * 64), Member("model.pb", 5, "1" * 64)),
        figures_of="samples",
        figures=Figures(psnr_db=math.inf, ms_ssim=0.9, scores={"A": 1.5}),
        forced=(Override("format", "takes pb", "tflite"),),
        pixelproof="0.1.0",
    )


def test_round_trip() -> None:
    text = dump_json(manifest().to_json())
    assert Manifest.from_json(json.loads(text), label="manifest.json") == manifest()
    assert list(json.loads(text)) == sorted(json.loads(text))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"colour": "red"}, "colour"),
        ({"figures_of": "dreams"}, "figures_of"),
        ({"members": [{"name": "a", "size_bytes": "many", "sha256": ""}]}, r"members\[0\].size_bytes"),
        ({"team": {"id": "42"}}, "team.name"),
    ],
)
def test_a_wrong_key_is_named(change: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        Manifest.from_json({**manifest().to_json(), **change}, label="manifest.json")


@pytest.mark.parametrize("document", [None, [], "text", 3, {}])
def test_anything_else_is_refused(document: Any) -> None:
    with pytest.raises(InputError, match="schema_version"):
        Manifest.from_json(document, label="manifest.json")
