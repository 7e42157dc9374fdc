"""The bundled photographs."""

from __future__ import annotations

import numpy as np
from PIL import Image


def photographs() -> list[np.ndarray]:
    """Those of the bundled samples, uint8 (height, width, 3)."""
    from importlib import resources

    found = resources.files("pixelproof.samples").joinpath("ai-challenge")
    with resources.as_file(found) as folder:
        return [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.glob("*/HD_res/*.jpg"))]
