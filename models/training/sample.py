"""Trains the bundled sample checkpoint.

``python -m pixelproof.models.training.sample --images DIR --out DIR``, where DIR holds the photographs that
the recipe names (scikit-image's ``skimage/data``). One thread and one seed, to be repeated.
"""

from __future__ import annotations

import itertools
import json
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
import numpy.typing as npt

from pixelproof.errors import ImageError, PixelproofError
from pixelproof.files import sha256_of, write_bytes, write_text
from pixelproof.images import bicubic_resize_8bit, unit_from_8bit
from pixelproof.measure.metrics import psnr_db
from pixelproof.temporary import temporary_folder

if TYPE_CHECKING:
    import keras

RECIPE = "sample_resnet_6_16"
BORDER = 16  # what track A drops on each side before it compares
Image = npt.NDArray[np.float32]
Pair = tuple[Image, Image]  # degraded and original, (height, width, 3) in [0, 1]


@dataclass(frozen=True)
class Recipe:
    """What a sample is trained from and how.

    Attributes:
        model: a registered architecture, one of the residual networks.
        seed, crop: of the weights and of the crops; height and width of the crops.
        train, held_out: file names of photographs.
        shrink: factors by which each training photograph is reduced first; 2 gives finer detail.
        scale: by which the input was reduced and enlarged again.
        batch, steps, learning_rate: of Adam on the mean squared error, with cosine decay to zero.
    """

    model: str
    seed: int
    train: list[str]
    held_out: str
    shrink: list[int]
    scale: int
    crop: int
    batch: int
    steps: int
    learning_rate: float


def read_recipe() -> Recipe:
    """The sample's recipe, a TOML file beside this module."""
    file = resources.files("pixelproof.models.training").joinpath("recipes", f"{RECIPE}.toml")
    return Recipe(**tomllib.loads(file.read_text(encoding="utf-8")))


def read_pair(path: Path, *, scale: int, shrink: int = 1) -> Pair:
    """What track A makes of a photograph (bicubic down and up again, on 8 bit), and the photograph.

    Grey becomes three equal channels; sides are cut to multiples of the scale.
    Raises ImageError where the file is missing or unreadable.
    """
    from PIL import Image as pillow

    try:
        with pillow.open(path) as opened:
            photo = np.array(opened.convert("RGB").reduce(shrink))
    except OSError as error:
        raise ImageError("A photograph must be readable", found=f"{path}: {error}") from error
    height, width = (side - side % scale for side in photo.shape[:2])
    photo = photo[:height, :width]
    small = bicubic_resize_8bit(photo, height // scale, width // scale)
    return unit_from_8bit(bicubic_resize_8bit(small, height, width)), unit_from_8bit(photo)


def crops(pairs: list[Pair], recipe: Recipe) -> Iterator[Pair]:
    """Endless seeded batches of aligned crops, turned and mirrored; larger pictures come oftener."""
    rng = np.random.default_rng(recipe.seed)
    areas = np.array([original.size for _, original in pairs], np.float64)
    while True:
        batch = []
        for which in rng.choice(len(pairs), recipe.batch, p=areas / areas.sum()):
            top, left = (int(rng.integers(side - recipe.crop + 1)) for side in pairs[which][1].shape[:2])
            both = np.stack([one[top : top + recipe.crop, left : left + recipe.crop] for one in pairs[which]])
            both = np.rot90(both, int(rng.integers(4)), axes=(1, 2))
            batch.append(both[:, :, ::-1] if rng.integers(2) else both)
        degraded, original = np.stack(batch, axis=1)
        yield degraded, original


def start_near_identity(model: keras.Model) -> None:
    """Let some maps of a residual network carry the image through, so that training starts from its input.

    The architecture has no skip around it; without this, a short training is spent on learning the identity.
    The last hidden maps begin as ``x``, ``relu(x - 0.85)`` and ``relu(0.15 - x)`` of each colour; a weighted
    sum of them undoes the final ``tanh(z) * 0.58 + 0.5``.
    """
    first, *_, third_last, hidden, last = (one for one in model.layers if one.name.startswith("conv_"))
    rgb, x = np.arange(3), np.linspace(0, 1, 256)
    parts = np.stack([x, np.maximum(x - 0.85, 0), np.maximum(0.15 - x, 0), np.ones(256)], axis=1)
    shares = np.linalg.lstsq(parts, np.arctanh((x - 0.5) / 0.58), rcond=None)[0]
    for layer in (first, third_last, hidden, last):
        kernel, bias = layer.get_weights()
        middle = kernel[kernel.shape[0] // 2, kernel.shape[1] // 2]
        if layer is last:
            kernel *= 0.05
            kernel[:, :, :9], bias[:] = 0, shares[3]
            for place in range(3):
                middle[rgb + 3 * place, rgb] = shares[place]
        elif layer is hidden:
            kernel[..., :9], bias[3:6], bias[6:9] = 0, -0.85, 0.15
            middle[rgb, rgb], middle[rgb, rgb + 3], middle[rgb, rgb + 6] = 1, 1, -1
        else:
            kernel[..., :3] = 0
            middle[rgb, rgb] = 1
        layer.set_weights([kernel, bias])
    for layer in model.layers:
        if layer.name.startswith("norm_") and int(layer.name.removeprefix("norm_")) % 2 == 0:
            layer.scale.assign(np.where(np.arange(layer.scale.shape[0]) < 3, 0.01, 1.0))


def train(recipe: Recipe, images: Path) -> tuple[keras.Model, dict[str, float]]:
    """A trained model, and PSNR in decibels on the held-out photograph: its own and bicubic's."""
    import keras

    from pixelproof.models.registry import create

    wanted = itertools.product(recipe.train, recipe.shrink)
    pairs = [read_pair(images / name, scale=recipe.scale, shrink=factor) for name, factor in wanted]
    held_out = read_pair(images / recipe.held_out, scale=recipe.scale)
    keras.utils.set_random_seed(recipe.seed)
    model = create(recipe.model)
    start_near_identity(model)
    rate = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, recipe.steps)
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="mse")
    for step, (degraded, original) in zip(range(1, recipe.steps + 1), crops(pairs, recipe), strict=False):
        model.train_on_batch(degraded, original)
        if step % 1000 == 0 or step == recipe.steps:
            restored = np.clip(np.asarray(model(held_out[0][None]))[0], 0, 1)
            psnr = psnr_db(restored, held_out[1], crop_border=BORDER)
            click.echo(f"step {step} of {recipe.steps}: {psnr:.3f} dB on {recipe.held_out}")
    bare = create(recipe.model)  # without the optimizer, which would travel in the file
    bare.set_weights(model.get_weights())
    return bare, {"psnr_db": psnr, "bicubic_psnr_db": psnr_db(*held_out, crop_border=BORDER)}


def write_sample(
    model: keras.Model, recipe: Recipe, figures: dict[str, float], *, images: Path, out: Path
) -> None:
    """Write ``NAME.weights.h5`` and ``manifest.json`` into a folder."""
    weights = out / f"{RECIPE}.weights.h5"
    with temporary_folder("pixelproof-sample-") as folder:
        model.save_weights(temporary := folder / weights.name)
        write_bytes(weights, temporary.read_bytes())
    entry = {
        "model": recipe.model,
        "sha256": sha256_of(weights),
        "licence": "CC0-1.0",
        "recipe": {"file": f"models/training/recipes/{RECIPE}.toml", **asdict(recipe)},
        "photographs_sha256": {name: sha256_of(images / name) for name in [*recipe.train, recipe.held_out]},
        "figures": {"task": "PIRM 2018 track A", "image": recipe.held_out, "crop_border": BORDER, **figures},
        "versions": {name: version(name) for name in ("tensorflow", "keras", "numpy", "pillow")},
    }
    document = {"schema_version": 1, "files": {weights.name: entry}}
    write_text(out / "manifest.json", json.dumps(document, indent=2) + "\n")
    click.echo(f"{weights}: {figures['psnr_db']:.2f} dB; bicubic {figures['bicubic_psnr_db']:.2f} dB")


@click.command()
@click.option("--images", type=click.Path(path_type=Path), required=True, help="Folder of photographs.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the weights.")
def main(images: Path, out: Path) -> None:
    """Train the sample and write its weights and manifest."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    recipe = read_recipe()
    try:
        model, figures = train(recipe, images)
        write_sample(model, recipe, figures, images=images, out=out)
    except PixelproofError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
