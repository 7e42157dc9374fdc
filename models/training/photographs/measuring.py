"""What weights are worth: PSNR on photographs beside bicubic and beside another checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pixelproof.errors import ImageError
from pixelproof.images import SUFFIXES, list_images, read_rgb8, unit_from_8bit
from pixelproof.models.checkpoints.loading import load_checkpoint
from pixelproof.models.training.data.fit import fit_for_whole_pictures, reduced
from pixelproof.models.training.data.training_data import Image, Sample, Setting
from pixelproof.models.training.evaluation import ValidationFigures, validate
from pixelproof.models.training.recipe import TrainingRecipe
from pixelproof.models.training.run.network import contract_of, network_of

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Row:
    """One picture's figures.

    Attributes:
        name: of the file.
        psnr_db, bicubic_psnr_db, official_psnr_db: RGB; the last None where there is no other checkpoint.
        psnr_y_db, bicubic_psnr_y_db, official_psnr_y_db: on Y; None where the recipe doesn't ask for it.
    """

    name: str
    psnr_db: float
    bicubic_psnr_db: float
    official_psnr_db: float | None = None
    psnr_y_db: float | None = None
    bicubic_psnr_y_db: float | None = None
    official_psnr_y_db: float | None = None

    @property
    def gain_db(self) -> float:
        """RGB, above bicubic."""
        return self.psnr_db - self.bicubic_psnr_db


def pictures_of(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Files, and those in folders.

    Raises:
        ImageError: a folder without pictures, or a missing one.
    """
    found: list[Path] = []
    for path in paths:
        files = list_images(path) if path.is_dir() else (path,)
        if not files:
            suffixes = ", ".join(SUFFIXES)
            raise ImageError(f"A folder must hold pictures ({suffixes})", found=f"none in {path}")
        found += files
    return tuple(found)


def sample_of(path: Path, recipe: TrainingRecipe) -> Sample:
    """A photograph and what the recipe's task makes of it: bicubic down, and up again where the model takes it so.

    Raises:
        ImageError: unreadable, not RGB, or too small.
    """
    nowhere = Path()
    setting = Setting(nowhere, None, recipe.scale, contract_of(recipe), recipe.seed)
    input8, target8 = reduced(read_rgb8(path), fit_for_whole_pictures(setting))
    return Sample(unit_from_8bit(input8), unit_from_8bit(target8), path.name)


def network_with(weights: Path, recipe: TrainingRecipe) -> keras.Model:
    """The recipe's network with a checkpoint's weights, of any kind that convert-model reads.

    Raises:
        CheckpointError: the weights aren't this network's.
    """
    model = network_of(recipe)
    load_checkpoint(model, weights, model_name=recipe.model)
    return model


def measure(
    model: keras.Model, paths: Sequence[Path], recipe: TrainingRecipe, *, official: keras.Model | None = None
) -> tuple[Row, ...]:
    """A model's figures by the recipe's rules, picture by picture.

    Args:
        model, official: of the recipe's task.
        paths: photographs.

    Raises:
        ImageError: a picture can't be used.
    """
    rows = []
    for path in paths:
        sample = sample_of(path, recipe)
        row = _row(path.name, _validated(model, sample, recipe))
        if official is not None:
            other = _row(path.name, _validated(official, sample, recipe))
            row = replace(row, official_psnr_db=other.psnr_db, official_psnr_y_db=other.psnr_y_db)
        rows.append(row)
    return tuple(rows)


def figures_of(rows: Sequence[Row]) -> dict[str, Any]:
    """Means over the pictures, and each picture's figures, without those that weren't measured."""
    names = [name for name, value in asdict(rows[0]).items() if name != "name" and value is not None]
    tables = [asdict(row) for row in rows]
    means = {name: float(np.mean([table[name] for table in tables])) for name in names}
    return {**means, "images": {table["name"]: {name: table[name] for name in names} for table in tables}}


def _validated(model: keras.Model, sample: Sample, recipe: TrainingRecipe) -> ValidationFigures:
    def predict(image: Image) -> Image:
        made: Image = np.asarray(model(image[None], training=False))[0]
        return made

    return validate(predict, (sample,), recipe.validation, contract=contract_of(recipe))


def _row(name: str, figures: ValidationFigures) -> Row:
    if figures.bicubic is None:
        raise ImageError("A photograph must be RGB", found=name)
    luma = not np.isnan(figures.psnr_y_db)
    return Row(
        name,
        psnr_db=figures.psnr_db,
        bicubic_psnr_db=figures.bicubic.psnr_db,
        psnr_y_db=figures.psnr_y_db if luma else None,
        bicubic_psnr_y_db=figures.bicubic.psnr_y_db if luma else None,
    )
