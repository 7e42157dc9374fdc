"""The weights that are shipped are what their manifest says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof.files import sha256_of
from pixelproof.images import bicubic_resize_8bit, read_rgb8, unit_from_8bit
from pixelproof.models.checkpoints.loading import load_checkpoint
from pixelproof.models.checkpoints.options import options_for
from pixelproof.models.registry import create, spec
from pixelproof.models.training.data.training_data import Sample
from pixelproof.models.training.evaluation import validate
from pixelproof.models.training.run.recipe_file import load_recipe, table_of

FOLDER = Path(__file__).parents[2] / "models_pretrained"
ENTRIES: dict[str, dict[str, Any]] = json.loads((FOLDER / "manifest.json").read_text())["files"]


def test_every_file_of_weights_has_its_entry() -> None:
    assert sorted(path.name for path in FOLDER.glob("*.h5")) == sorted(ENTRIES)
    models = {entry["model"] for entry in ENTRIES.values()}
    assert {"srcnn", "resnet_6_16", "srcnn_915", "msrresnet"} <= models


@pytest.mark.parametrize("name", ENTRIES)
def test_weights_are_those_of_the_manifest_and_fit(name: str) -> None:
    entry = ENTRIES[name]
    assert sha256_of(FOLDER / name) == entry["sha256"]
    options = options_for(entry["model"], FOLDER / name, {})
    assert options == entry["recipe"].get("model_options", {})
    model = create(entry["model"], **options)
    load_checkpoint(model, FOLDER / name, model_name=entry["model"])


def test_options_are_those_of_the_very_file(tmp_path: Path) -> None:
    name = "own-msrresnet-x4.weights.h5"
    (tmp_path / "manifest.json").write_bytes((FOLDER / "manifest.json").read_bytes())
    (tmp_path / name).write_bytes((FOLDER / name).read_bytes() + b"0")
    assert options_for("msrresnet", FOLDER / name, {}) == {"features": 16, "blocks": 4}
    assert options_for("msrresnet", tmp_path / name, {}) == {}
    assert options_for("srcnn", FOLDER / name, {}) == {}


@pytest.mark.parametrize("name", ENTRIES)
def test_the_recipe_is_the_one_in_the_manifest(name: str) -> None:
    written = dict(ENTRIES[name]["recipe"])
    recipe = load_recipe(Path(written.pop("file")).stem)
    table = table_of(recipe)
    table["data"] = {key: value for key, value in table["data"].items() if key not in ("train", "validation")}
    assert json.loads(json.dumps(table)) == written


def test_photographs_to_measure_on_were_not_learnt_from() -> None:
    for entry in ENTRIES.values():
        parts: dict[str, set[str]] = {"train": set(), "validation": set()}
        for file, digest in entry["photographs_sha256"].items():
            parts[file.split("/")[0]].add(digest)
        assert parts["train"] and parts["validation"] and not parts["train"] & parts["validation"]


def test_track_as_srcnn_gains_half_a_decibel() -> None:
    (entry,) = (entry for entry in ENTRIES.values() if entry["model"] == "srcnn")
    figures = entry["figures"]
    assert figures["psnr_db"] >= figures["bicubic_psnr_db"] + 0.5


@pytest.mark.official
@pytest.mark.parametrize("name", ENTRIES)
def test_the_figures_are_measured_again(name: str, official_data: Path) -> None:
    entry = ENTRIES[name]
    recipe = load_recipe(Path(entry["recipe"]["file"]).stem)
    model = create(entry["model"], **recipe.model_options)
    load_checkpoint(model, FOLDER / name, model_name=entry["model"])
    target8 = read_rgb8(official_data / "div2k" / "original" / "1.png")
    height, width = (side - side % recipe.scale for side in target8.shape[:2])
    target8 = target8[:height, :width]
    input8 = bicubic_resize_8bit(target8, height // recipe.scale, width // recipe.scale)
    if spec(recipe.model).contract.scale == 1:
        input8 = bicubic_resize_8bit(input8, height, width)
    sample = Sample(unit_from_8bit(input8), unit_from_8bit(target8), "1.png")
    found = validate(lambda image: np.asarray(model(image[None]))[0], [sample], recipe.validation)
    assert found.psnr_db == pytest.approx(entry["figures"]["images"]["1.png"]["psnr_db"], abs=1e-3)
