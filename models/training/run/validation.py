"""The pictures that a run is measured on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pixelproof.contract import Contract
from pixelproof.images import rounded_8bit, write_png
from pixelproof.models.training.data.training_data import Sample
from pixelproof.models.training.evaluation import Predict, ValidationFigures, fitted, validate
from pixelproof.models.training.recipe import Validation

_PICTURES = 4


class Validator:
    """Measures a model on the same pictures again and again.

    Args:
        predict: a picture through the model as it is.
        held_out: pictures and their targets.
        rules: how they are compared.
        contract: of the model.
    """

    def __init__(
        self, predict: Predict, held_out: Sequence[Sample], rules: Validation, *, contract: Contract
    ) -> None:
        self._predict, self._rules, self._contract, self._held_out = predict, rules, contract, held_out
        self._earlier: ValidationFigures | None = None

    def __len__(self) -> int:
        """Pictures to measure on."""
        return len(self._held_out)

    def measured(self) -> dict[str, float]:
        """Mean figures over the pictures, as columns of the history."""
        figures = validate(
            self._predict, self._held_out, self._rules, contract=self._contract, earlier=self._earlier
        )
        self._earlier = figures
        row = {"validation_psnr_db": figures.psnr_db}
        if self._rules.luma:
            row["validation_psnr_y_db"] = figures.psnr_y_db
        row["validation_ssim"] = figures.ssim
        if figures.bicubic is not None:
            row["bicubic_psnr_db"] = figures.bicubic.psnr_db
        return row

    def draw(self, folder: Path, *, epoch: int) -> None:
        """Write the first pictures as the model makes them now: ``epoch-0001-NAME.png``."""
        for sample in self._held_out[:_PICTURES]:
            output = self._predict(fitted(sample, self._contract).input)
            if output.shape[-1] == 3:
                picture = rounded_8bit(np.clip(output, 0, 1))
                write_png(folder / f"epoch-{epoch:04d}-{Path(sample.name).stem}.png", picture)
