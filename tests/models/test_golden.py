"""The official checkpoints give the original graphs' own output."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pixelproof.models.checkpoints.loading import load_checkpoint
from pixelproof.models.registry import create

PAIRS = {
    "div2k_srcnn": ("srcnn", "tf1-v2", 6),
    "dped_srcnn": ("srcnn", "tf1-v2", 6),
    "div2k_resnet_6_16": ("resnet_6_16", "tf1-v2", 16),
    "dped_resnet_8_32": ("resnet_8_32", "tf1-v2", 24),
    "dped_resnet_12_64": ("resnet_12_64", "tf1-v2", 40),
    "div2k_vgg19_vdsr": ("vgg_19", "tf1-v1", 40),
}


@pytest.mark.official
@pytest.mark.parametrize(("checkpoint", "about"), PAIRS.items(), ids=PAIRS)
def test_output_agrees_with_the_original_graph(
    official_data: Path, checkpoint: str, about: tuple[str, str, int]
) -> None:
    name, kind, weights = about
    model = create(name)
    suffix = ".ckpt" if kind == "tf1-v1" else ""
    report = load_checkpoint(
        model, official_data / "models_pretrained" / f"{checkpoint}{suffix}", model_name=name
    )
    assert (report.format, report.used, report.reported, report.surplus) == (kind, weights, (), ())
    with np.load(official_data / f"{checkpoint}_io.npz") as pair:
        assert np.abs(np.asarray(model(pair["x"])) - pair["y"]).max() < 1e-5
