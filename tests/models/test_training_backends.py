"""Training on each Keras backend, on several devices, and in several processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelproof.errors import CallError, EnvironmentFault
from pixelproof.models.training.run.distribution import Distribution, check_distribution

_MAIN = "from pixelproof.cli import main; main()"
_MIRRORED = """
import sys
import tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from pixelproof.cli import main; main()
"""
_RECIPE = """
id = "quick"
model = "srcnn"
scale = 2
seed = 3

[data]
kind = "photographs"
train = "photos"
crop = 16

[training]
batch_size = 4
epochs = 1
steps_per_epoch = 3
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe and photographs."""
    folder = tmp_path_factory.mktemp("place")
    rng = np.random.default_rng(3)
    (folder / "photos").mkdir()
    for number in range(3):
        small = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8))
        small.resize((64, 48), Image.Resampling.BICUBIC).save(folder / "photos" / f"{number}.png")
    (folder / "recipe.toml").write_text(_RECIPE)
    return folder


def start(place: Path, out: str, *options: str, backend: str, code: str = _MAIN) -> subprocess.Popen[str]:
    """The recipe trained by a process of its own."""
    words = ["train-model", "train", "recipe.toml", "--out", out, "--cpu", *options]
    return subprocess.Popen(
        [sys.executable, "-c", code, *words],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )


def weights_of(place: Path, out: str) -> dict[str, np.ndarray]:
    from pixelproof.models.training.run.checkpoints import read_checkpoint

    arrays = read_checkpoint(place / out / "final.keras").arrays
    return {name: value for name, value in arrays.items() if name.startswith("model.")}


def ended(*processes: subprocess.Popen[str]) -> list[str]:
    said = [process.communicate(timeout=240)[0] for process in processes]
    for process, text in zip(processes, said, strict=True):
        assert process.returncode == 0, text
    return said


@pytest.fixture(scope="module")
def of_jax(place: Path) -> dict[str, np.ndarray]:
    """The weights that JAX alone comes to."""
    pytest.importorskip("jax", reason="JAX is not installed: pip install 'pixelproof[jax]'")
    ended(start(place, "jax", backend="jax"))
    return weights_of(place, "jax")


def close(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray], *, tolerance: float) -> None:
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        np.testing.assert_allclose(value, theirs[name], rtol=0, atol=tolerance, err_msg=name)


def test_two_processes_learn_what_one_does(place: Path, of_jax: dict[str, np.ndarray]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = ["--distribute", "data-parallel", "--coordinator", f"127.0.0.1:{port}", "--processes", "2"]
    said = ended(*(start(place, "two", *shared, "--rank", str(rank), backend="jax") for rank in range(2)))
    assert "epoch 1 of 1" in said[0] and "epoch 1 of 1" not in said[1]
    ours = weights_of(place, "two")
    close(ours, of_jax, tolerance=1e-6)
    begun = {name: np.abs(value).sum() for name, value in ours.items() if name.endswith("bias")}
    assert all(begun.values())  # biases begin at zero: they did learn


def test_mirrored_devices_learn_what_one_does(place: Path) -> None:
    ended(start(place, "tf", backend="tensorflow"))
    ended(start(place, "mirrored", "--distribute", "data-parallel", backend="tensorflow", code=_MIRRORED))
    close(weights_of(place, "mirrored"), weights_of(place, "tf"), tolerance=1e-6)


def test_a_checkpoint_of_jax_is_resumed_by_tensorflow(place: Path, of_jax: dict[str, np.ndarray]) -> None:
    process = subprocess.run(
        [sys.executable, "-c", _MAIN, "train-model", "resume", "jax", "--out", "on", "--num-epoch", "2"],
        cwd=place,
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        timeout=240,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    ours = weights_of(place, "on")
    assert any(np.abs(value - of_jax[name]).max() > 0 for name, value in ours.items())


@pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed: see docs/training.md")
def test_torch_trains_and_saves(place: Path) -> None:
    ended(start(place, "torch", backend="torch"))
    biases = [value for name, value in weights_of(place, "torch").items() if name.endswith("bias")]
    assert all(np.abs(value).sum() for value in biases)


@pytest.mark.parametrize(
    ("chosen", "backend", "words"),
    [
        (Distribution(processes=2), "jax", "--distribute"),
        (Distribution(True, processes=2), "jax", "--coordinator"),
        (Distribution(True, "host:1", 2, 2), "jax", "--rank 2"),
        (Distribution(True, "host:1", 2, 0), "tensorflow", "KERAS_BACKEND=jax"),
        (Distribution(True), "torch", "JAX or TensorFlow"),
    ],
)
def test_what_cant_be_shared_out_is_refused(chosen: Distribution, backend: str, words: str) -> None:
    with pytest.raises(CallError) as caught:
        check_distribution(chosen, backend=backend)
    assert words in str(caught.value)


def test_one_device_is_no_data_parallel_training(place: Path) -> None:
    process = start(place, "alone", "--distribute", "data-parallel", backend="tensorflow")
    said, _ = process.communicate(timeout=240)
    assert process.returncode == EnvironmentFault.exit_code and "two devices" in said
    assert not (place / "alone" / "final.keras").exists()
