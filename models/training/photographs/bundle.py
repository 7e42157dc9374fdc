"""Weights that are shipped: the file, and its entry in ``manifest.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelproof.errors import InputError
from pixelproof.files import MIB, read_bytes, sha256_of, write_bytes, write_text
from pixelproof.models.training.recipe import TrainingRecipe
from pixelproof.models.training.run.recipe_file import table_of
from pixelproof.temporary import temporary_folder

if TYPE_CHECKING:
    import keras

MANIFEST = "manifest.json"
SHARE_ALIKE = "CC-BY-SA-4.0"
FREE = "CC0-1.0"


def licence_of(record: Mapping[str, Any]) -> str:
    """The licence that weights get which learnt from these photographs.

    Whether weights are a work derived from the pictures is not settled; this keeps what share-alike asks if they are.
    """
    licences = {entry["licence"] for entry in record["photographs"] if entry["file"].startswith("train/")}
    return SHARE_ALIKE if any("-SA-" in licence for licence in licences) else FREE


def entry_of(
    recipe: TrainingRecipe,
    *,
    record: Mapping[str, Any],
    task: str,
    figures: Mapping[str, Any],
    weights_sha256: str,
    run: Mapping[str, Any],
) -> dict[str, Any]:
    """An entry of the manifest.

    Args:
        recipe: what was trained; its folders are left out, as they mean nothing elsewhere.
        record: of the folder of photographs, see `collection`.
        task: what the figures are of, in a line.
        figures: from `measuring.figures_of`.
        run: machine and seconds of the training.
    """
    table = table_of(recipe)
    table["data"] = {key: value for key, value in table["data"].items() if key not in ("train", "validation")}
    return {
        "model": recipe.model,
        "sha256": weights_sha256,
        "licence": licence_of(record),
        "recipe": {"file": f"models/training/recipes/{recipe.id}.toml", **table},
        "photographs_sha256": {entry["file"]: entry["sha256"] for entry in record["photographs"]},
        "photographs_maximum_side": record["maximum_side"],
        "figures": {"task": task, "crop_border": recipe.validation.crop_border, **figures},
        "run": dict(run),
        "versions": {name: version(name) for name in ("tensorflow", "keras", "numpy", "pillow")},
    }


def write_weights(path: Path, model: keras.Model) -> str:
    """Write ``NAME.weights.h5``, whole or not at all.

    Returns:
        The file's SHA-256.
    """
    room = 8 * model.count_params() + MIB
    with temporary_folder("pixelproof-weights-", room_bytes=room) as folder:
        model.save_weights(temporary := folder / path.name)
        write_bytes(path, temporary.read_bytes())
    return sha256_of(path)


def put_entry(folder: Path, name: str, entry: Mapping[str, Any]) -> None:
    """Put an entry into a folder's manifest; the others stay.

    Raises:
        InputError: the manifest is damaged, or of another version.
    """
    path = folder / MANIFEST
    document: dict[str, Any] = {"schema_version": 1, "files": {}}
    if path.exists():
        try:
            document = json.loads(read_bytes(path, what="The manifest"))
            if document["schema_version"] != 1 or not isinstance(document["files"], dict):
                raise ValueError("of another version")
        except (ValueError, KeyError, TypeError) as error:
            rule = "The manifest of weights must be what pixelproof wrote"
            raise InputError(rule, found=f"{path}: {error}") from error
    document["files"][name] = dict(entry)
    write_text(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
