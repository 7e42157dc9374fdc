"""Run folders as train-model writes them, made of a small network: a desk for the tests of package-course."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pixelproof.images import write_png

PARAMETERS = (3 * 3 * 3 * 4 + 4) + (4 + 4) + (3 * 3 * 4 * 3 + 3)
"""Of `keras_file`: a convolution, the moving statistics of a normalisation, a convolution."""

RECIPE = """\
id = "tiny"
title = "A tiny network"
model = "{model}"
scale = 4
seed = 7
start = "{start}"

[data]
kind = "degraded"
train = "/home/ada/photographs"
validation = "/home/ada/val"
crop = 32

[training]
batch_size = 8
epochs = {epochs}

[optimizer]
name = "adam"
learning_rate = 0.0001

[loss]
l1 = 1.0
ssim = 0.1
"""
HEADER = (
    "epoch,step,samples,seconds,learning_rate,loss,l1,ssim,validation_psnr_db,validation_psnr_y_db,"
    "validation_ssim,images_per_second,waiting_share"
)
MACHINE = {
    "cpu": "A Processor",
    "cores": 2,
    "ram_gib": 8.0,
    "gpu": "",
    "os": "Linux",
    "python": "3.11.9",
    "versions": {"tensorflow": "2.21.0", "keras": "3.15.1", "numpy": "2.4.6"},
    "seconds": 3725.0,
}
RULES = """
id = "small-face"
title = "Small faces"
url = "https://example.org"
data_folder = "small-face"
honour = ["No external data."]
[tracks.pictures]
title = "Pictures"
contract = {{ scale = 4 }}
results = {{ count = 4, height = 24, width = 32, zip_mib = {zip_mib}, folder_depth = 1 }}
fidelity = {{ targets = "gt", inputs = "lq", psnr = {{ crop_border = 0, round_to_8_bit = true }} }}
[tracks.model]
title = "Network"
contract = {{ scale = 4, channels = [3, 3] }}
limits = {{ parameters_below = {parameters_below} }}
complexity = {{ convention = "fvcore", height = 8, width = 8 }}
fidelity = {{ targets = "gt", inputs = "lq", psnr = {{ crop_border = 0, round_to_8_bit = true }} }}
"""
NAMES = ("00001.png", "00002.png", "00010.png", "face.png")


def keras_file(folder: Path) -> bytes:
    """A real Keras file, compiled, with an optimizer's variables and a dropout in it."""
    from pixelproof.quiet import import_tensorflow

    import_tensorflow()
    import keras

    image = keras.Input((None, None, 3), name="input")
    x = keras.layers.Conv2D(4, 3, padding="same")(image)
    x = keras.layers.BatchNormalization(center=False, scale=False)(x)
    x = keras.layers.Dropout(0.1)(x)
    x = keras.layers.Conv2D(3, 3, padding="same")(x)
    model = keras.Model(image, x)
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    keras.saving.save_model(model, folder / "bare.keras")
    return (folder / "bare.keras").read_bytes()


def history_rows(epochs: int) -> list[dict[str, float]]:
    """A loss that falls and a PSNR that rises, every second epoch validated."""
    rows = []
    for epoch in range(1, epochs + 1):
        row = {"epoch": epoch, "step": 10 * epoch, "samples": 80 * epoch, "seconds": 1.5 * epoch}
        row |= {"learning_rate": 1e-4, "loss": 1.0 / epoch, "l1": 0.9 / epoch, "ssim": 0.1 / epoch}
        if epoch % 2 == 0 or epoch == epochs:
            row |= {"validation_psnr_db": 24.0 + 0.5 * epoch, "validation_ssim": 0.8}
        rows.append(row)
    return rows


def csv_of(rows: Sequence[dict[str, float]]) -> str:
    """history.csv, with empty cells where nothing was measured."""
    columns = HEADER.split(",")
    lines = [",".join(repr(row[c]) if c in row else "" for c in columns) for row in rows]
    return "\n".join([HEADER, *lines]) + "\n"


def checkpoint_bytes(
    keras: bytes, *, epochs: int, model: str = "tiny_net", without: tuple[str, ...] = ()
) -> bytes:
    """A checkpoint: the Keras file with the members that train-model adds."""
    with zipfile.ZipFile(io.BytesIO(keras)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    state = io.BytesIO()
    np.savez(state, weight=np.zeros(3))
    arguments = {
        "schema_version": 1,
        "recipe": {"id": "tiny", "model": model},
        "epoch": epochs,
        "step": 10 * epochs,
        "samples": 80 * epochs,
        "seconds": 1.5,
        "history": history_rows(epochs),
    }
    members["training/arguments.json"] = json.dumps(arguments).encode()
    members["training/state.npz"] = state.getvalue()
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
    members["training/digests.json"] = json.dumps(digests).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in members.items():
            if name not in without:
                archive.writestr(zipfile.ZipInfo(name), data)
    return packed.getvalue()


def write_run(
    folder: Path, keras: bytes, *, epochs: int = 5, model: str = "tiny_net", start: str = ""
) -> Path:
    """A run's folder."""
    (folder / "logs" / "events").mkdir(parents=True)
    (folder / "checkpoints").mkdir()
    (folder / "samples").mkdir()
    (folder / "run.toml").write_text(RECIPE.format(model=model, epochs=epochs, start=start))
    (folder / "history.csv").write_text(csv_of(history_rows(epochs)))
    (folder / "machine.json").write_text(json.dumps(MACHINE))
    (folder / "logs" / "train.log").write_text("epoch 1\n")
    (folder / "logs" / "events" / "events.out.tfevents.1").write_bytes(b"\0\1")
    Image.fromarray(np.full((40, 60, 4), 255, np.uint8), "RGBA").save(folder / "curves.png")
    checkpoint = checkpoint_bytes(keras, epochs=epochs, model=model)
    (folder / "final.keras").write_bytes(checkpoint)
    (folder / "checkpoints" / f"epoch-{epochs:04d}.keras").write_bytes(checkpoint)
    return folder


def picture(seed: int, height: int, width: int) -> np.ndarray[Any, Any]:
    """Noise, uint8 (height, width, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@dataclass
class Desk:
    """A student's folder: a run, inputs and results, real-world pictures, code; the tests spoil it."""

    folder: Path
    keras: bytes
    run: Path
    call: Callable[..., Any]
    challenge: Path = field(init=False)

    def __post_init__(self) -> None:
        self.challenge = self.folder / "small.toml"
        self.rules()
        for seed, name in enumerate(NAMES):
            write_png(self.inputs / name, picture(seed, 6, 8))
            write_png(self.results / name, picture(100 + seed, 24, 32))
        for seed, name in enumerate(("slightly", "moderately", "extremely")):
            for number in (1, 2):
                write_png(self.real_world / f"{name}-{number}.png", picture(seed, 10, 12))
                write_png(self.real_world / "results" / f"{name}-{number}.png", picture(seed, 40, 48))
        self.code.mkdir()
        (self.code / "train.py").write_text("print('train')\n")
        (self.code / "model.py").write_text("print('model')\n")

    @property
    def inputs(self) -> Path:
        """The challenge's inputs."""
        return self.folder / "lq"

    @property
    def results(self) -> Path:
        """The results."""
        return self.folder / "res"

    @property
    def real_world(self) -> Path:
        """The six pictures."""
        return self.folder / "real"

    @property
    def code(self) -> Path:
        """The student's code."""
        return self.folder / "code"

    @property
    def out(self) -> Path:
        """Where zips go."""
        return self.folder / "out"

    def rules(self, *, zip_mib: float = 1, parameters_below: int = 2_276_356) -> None:
        """Write the challenge."""
        text = RULES.format(zip_mib=zip_mib, parameters_below=parameters_below)
        self.challenge.write_text(text)

    def pack_results(self, *more: str) -> Any:
        """``package-course results`` with everything given."""
        return self.call(
            "package-course", "results", str(self.results), "--inputs", str(self.inputs), "--run", str(self.run),
            "--matric", "A12345678B", "--name", "Ada Lovelace", "--codalab-user", "ada", "--no-external-data",
            "--challenge", str(self.challenge), "--out", str(self.out / "results.zip"), *more,
        )  # fmt: skip

    def hand_in(self, *more: str, leave: tuple[str, ...] = ()) -> Any:
        """``package-course hand-in`` with everything given but the options in ``leave``."""
        given = {
            "--run": self.run,
            "--results": self.results,
            "--real-world": self.real_world,
            "--code": self.code,
        }
        options = [word for name, value in given.items() if name not in leave for word in (name, str(value))]
        return self.call(
            "package-course", "hand-in", "--matric", "A12345678B", "--name", "Ada Lovelace", "--no-external-data",
            "--challenge", str(self.challenge), "--out", str(self.out), *options, *more,
        )  # fmt: skip

    def assignment(
        self, *more: str, student: str = "1155123456", last: str = "Chan", first: str = "Tai-Man"
    ) -> Any:
        """``package-course assignment`` with everything given."""
        return self.call(
            "package-course", "assignment", "--student", student, "--last-name", last, "--first-name", first,
            "--run", str(self.run), "--code", str(self.code), "--out", str(self.out), *more,
        )  # fmt: skip

    def left(self) -> list[str]:
        """What lies in the output folder, hidden files included."""
        return sorted(p.name for p in self.out.iterdir()) if self.out.exists() else []
