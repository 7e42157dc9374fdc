"""The learned ISP from RAW and RGB pairs to a TFLite file, by the commands of 2021's flow."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelproof.bayer import unpack_bayer
from pixelproof.measure.worker import Worker
from pixelproof.raw import read_raw

Call = Callable[..., Any]
OPTIONS = ("num_maps_base=4", "patch_w=64", "patch_h=64", "batch_size=2", "eval_step=3", "learning_rate=1e-3")
FIGURE = r"-?\d[\d.e+-]*"


@dataclass(frozen=True)
class Places:
    """The folders of one training."""

    images: Path
    models: Path
    vgg: Path

    def words(self, *more: str) -> list[str]:
        """The call, as 2021's."""
        folders = (f"dataset_dir={self.images}/", f"model_dir={self.models}/", f"vgg_dir={self.vgg}")
        return ["train-model", "isp", "--cpu", *folders, *OPTIONS, *more]


def write_pairs(folder: Path, count: int) -> None:
    """Smooth pictures and the mosaics that an RGGB sensor of ten bit sees of them, half as bright."""
    rng = np.random.default_rng(len(folder.name))
    for name in ("mediatek_raw", "fujifilm"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        coarse = rng.integers(0, 256, (7, 7, 3), dtype=np.uint8)
        picture = np.asarray(Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC))
        mosaic = np.zeros((64, 64), np.uint16)
        for row, column, colour in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
            mosaic[row::2, column::2] = picture[row::2, column::2, colour] * np.uint16(2)
        Image.fromarray(picture).save(folder / "fujifilm" / f"{number}.png")
        Image.fromarray(mosaic).save(folder / "mediatek_raw" / f"{number}.png")


def write_vgg(path: Path) -> None:
    """A VGG-19 of few channels with random weights, laid out as MatConvNet's file."""
    from scipy import io

    rng, channels, layers = np.random.default_rng(3), 3, []
    for block, (places, width) in enumerate(((2, 4), (2, 4), (4, 6), (4, 6), (4, 8)), 1):
        for place in range(1, places + 1):
            kernel = rng.standard_normal((3, 3, channels, width)).astype(np.float32) / np.sqrt(4.5 * channels)
            weights = np.empty((1, 2), object)
            weights[0, 0], weights[0, 1] = kernel, np.zeros((1, width), np.float32)
            layers.append({"name": f"conv{block}_{place}", "type": "conv", "weights": weights})
            channels = width
    cells = np.empty((1, len(layers)), object)
    cells[0, :] = layers
    average = np.tile(np.array([123.68, 116.779, 103.939]).reshape(1, 1, 3), (4, 4, 1))
    path.parent.mkdir(parents=True)
    io.savemat(path, {"layers": cells, "normalization": {"averageImage": average}})


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """Eight pairs to learn from, three to measure on, a content network."""
    folder = tmp_path_factory.mktemp("isp_flow")
    images = folder / "raw_images"
    write_pairs(images / "train", 8)
    write_pairs(images / "val", 3)
    write_vgg(folder / "vgg_pretrained" / "imagenet-vgg-verydeep-19.mat")
    return Places(images, folder / "models", folder / "vgg_pretrained" / "imagenet-vgg-verydeep-19.mat")


def test_from_pairs_to_tflite(
    call: Call, places: Places, tf: Any, shared_worker: Worker, tmp_path: Path
) -> None:
    answer = call(*places.words("num_train_iters=6"))
    assert answer.code == 0, answer.err
    models = places.models
    prefix = models / "punet_iteration_6.ckpt"
    assert {path.name for path in models.iterdir()} == {"checkpoint", "logs_0-6.txt", "run_0-6"} | {
        f"punet_iteration_{n}.ckpt.{ending}"
        for n in (3, 6)
        for ending in ("index", "data-00000-of-00001", "meta")
    }
    first, second, rest = (models / "logs_0-6.txt").read_text().split("\n\n")
    figures = ", ".join(f"{name}: {FIGURE}" for name in ("content", "mse", "psnr"))
    for iteration, line in ((3, first), (6, second)):
        wanted = rf"step {iteration} \| training: {FIGURE}, validation: {FIGURE} \| {figures}, ms-ssim: nan"
        assert re.fullmatch(wanted, line) and line in answer.out
    assert rest == ""
    graph = tmp_path / "punet_iteration_6.pb"
    assert f"Next: ckpt2pb --in-path {prefix} --out-path {prefix.with_suffix('.pb')}" in answer.out

    frozen = call("ckpt2pb", "--in-path", str(prefix), "--out-path", str(graph), "--out-nodes", "output_l0")
    assert frozen.code == 0 and "Placeholder -> output_l0" in frozen.out, frozen.err
    tflite = tmp_path / "punet.tflite"
    ends = ("--input-arrays", "Placeholder", "--output-arrays", "output_l0")
    lite = call("pb2tflite", str(graph), "--input-shape", "1,32,32,4", *ends, "--out", str(tflite))
    assert lite.code == 0, lite.err

    trained = tf.keras.models.load_model(models / "run_0-6" / "final.keras", compile=False)
    mosaic = read_raw(places.images / "val" / "mediatek_raw" / "1.png").mosaic
    planes = unpack_bayer(mosaic)[None]
    picture = np.asarray(trained(planes))
    assert picture.shape == (1, 64, 64, 3) and picture.std() > 0
    for path, kind in ((graph, "pb"), (tflite, "tflite")):
        shared_worker.load(path, kind)
        assert np.abs(shared_worker.run(planes) - picture).max() < 1e-5
    shared_worker.load(graph, "pb")
    wide = unpack_bayer(np.tile(mosaic, (1, 2))[:, :96])[None]
    assert np.abs(shared_worker.run(wide) - np.asarray(trained(wide))).max() < 1e-5


def test_going_on_from_the_newest_checkpoint(call: Call, places: Places, tf: Any) -> None:
    if not (places.models / "punet_iteration_6.ckpt.index").is_file():
        assert call(*places.words("num_train_iters=6")).code == 0
    again = call(*places.words("num_train_iters=6"))
    assert again.code == 2 and "found 6 after 6" in again.err
    begun = call(*places.words("num_train_iters=6", "restore_iter=0"))
    assert begun.code == 2 and f"train-model resume {places.models / 'run_0-6'}" in begun.err
    further = call(*places.words("num_train_iters=9", "augment=public", "vgg_dir="))
    assert further.code == 0, further.err
    assert f"Weights of iteration 6: {places.models / 'punet_iteration_6.ckpt'}" in further.out
    assert Path(tf.train.latest_checkpoint(str(places.models))).name == "punet_iteration_9.ckpt"
    (line,) = (places.models / "logs_6-9.txt").read_text().split("\n\n")[:-1]
    assert line.startswith("step 9 | ") and "content: nan" in line
    before, after = (
        tf.train.load_checkpoint(str(places.models / f"punet_iteration_{n}.ckpt")) for n in (6, 9)
    )
    kernels = [one.get_tensor("generator/Variable") for one in (before, after)]
    assert 0 < np.abs(kernels[1] - kernels[0]).max() < 0.02  # three steps of Adam at 1e-3 from there


def test_what_is_missing_is_said_before_anything_is_written(
    call: Call, places: Places, tmp_path: Path
) -> None:
    for word, rule in (
        (f"vgg_dir={tmp_path}/vgg.mat", "vgg_dir; found no file"),
        ("phone_dir=iphone", "no folder"),
        ("patch_w=72", "multiples of 32"),
        ("arch=srcnn", "4 planes"),
        ("arch=punett", "Did you mean punet?"),
        ("maps=8", "key=value"),
    ):
        answer = call(*places.words("num_train_iters=3", word, f"model_dir={tmp_path}/models"))
        assert answer.code == 2 and rule in answer.err, (word, answer)
    assert not (tmp_path / "models").exists()
