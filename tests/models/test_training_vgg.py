"""VGG-19's features: read from files in the true layouts, and equal to convolutions of SciPy."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import io, signal

from pixelproof.errors import CheckpointError, PixelproofError, RecipeError, ShapeMismatch
from pixelproof.models.training.losses import vgg_reading
from pixelproof.models.training.losses.vgg_reading import read_vgg19
from pixelproof.models.training.losses.vgg_weights import CONVOLUTIONS, IMAGENET_MEAN
from pixelproof.models.training.recipe import Content

WIDTHS = (4, 5, 6, 4, 7, 5, 6, 4, 8, 6, 5, 7, 6, 5, 4, 9)
MEAN = (123.68, 116.779, 103.939)
SEED = 5

Weights = Mapping[str, tuple[np.ndarray, np.ndarray]]
WriteMat = Callable[..., Path]


@pytest.fixture(scope="module")
def weights() -> Weights:
    """Kernels, unlike their own mirror images, and biases of a narrow VGG-19."""
    rng = np.random.default_rng(SEED)
    made, inputs = {}, 3
    for name, outputs in zip(CONVOLUTIONS, WIDTHS, strict=True):
        kernel = rng.normal(0, (2 / (9 * inputs)) ** 0.5, (3, 3, inputs, outputs)).astype(np.float32)
        made[name] = kernel, rng.normal(0, 0.1, outputs).astype(np.float32)
        inputs = outputs
    return made


def _structure(name: str, kind: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **fields}


def _cell(*values: Any) -> np.ndarray:
    cell = np.empty((1, len(values)), dtype=object)
    for place, value in enumerate(values):
        cell[0, place] = value
    return cell


def write_mat(path: Path, weights: Weights, *, era: str = "2015", **changes: Any) -> Path:
    """A file as MatConvNet's importer writes it: of beta 16 (2015), of later ones (2016), or of the first (2014)."""
    layers = []
    for name, (kernel, bias) in weights.items():
        if name.endswith("_1") and name != "conv1_1":
            pool = {"method": "max", "pool": np.full((1, 2), 2.0), "stride": np.full((1, 2), 2.0)}
            layers.append(_structure(f"pool{int(name[4]) - 1}", "pool", pad=np.zeros((1, 4)), **pool))
        if era == "2014":
            held: dict[str, Any] = {"filters": kernel, "biases": bias.reshape(1, -1)}
        else:
            held = {"weights": _cell(kernel, bias.reshape(-1, 1) if era == "2016" else bias.reshape(1, -1))}
        layers.append(_structure(name, "conv", pad=np.ones((1, 4)), stride=np.ones((1, 2)), **held))
        layers.append(_structure(name.replace("conv", "relu"), "relu"))
    dense = _cell(np.zeros((1, 1, 4, 2), np.float32), np.zeros((1, 2), np.float32))
    layers += [_structure("fc6", "conv", weights=dense), _structure("prob", "softmax")]
    average: Any = np.asarray(MEAN).reshape(1, 1, 3)
    if era == "2015":
        average = np.tile(average, (6, 6, 1))
    normalization = {"averageImage": average, "imageSize": np.array([[224.0, 224.0, 3.0]])}
    content: dict[str, Any] = {"layers": _cell(*layers)}
    content |= (
        {"meta": {"normalization": normalization}} if era == "2016" else {"normalization": normalization}
    )
    content |= changes
    io.savemat(path, {key: value for key, value in content.items() if value is not None}, oned_as="row")
    return path


@pytest.fixture(scope="module")
def mat(weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A narrow ``imagenet-vgg-verydeep-19.mat``."""
    return write_mat(tmp_path_factory.mktemp("vgg") / "vgg.mat", weights)


def reference(images: np.ndarray, weights: Weights, layer: str) -> np.ndarray:
    """Features of float64 pictures in [0, 1] by SciPy's correlation."""
    maps = images.astype(np.float64) * 255 - np.asarray(MEAN)
    for name, (kernel, bias) in weights.items():
        if name.endswith("_1") and name != "conv1_1":
            maps = _pooled(maps)
        maps = np.stack([_correlated(image, kernel) + bias for image in maps])
        if name == layer:
            return maps
        maps = np.maximum(maps, 0)
        if name.replace("conv", "relu") == layer:
            return maps
    raise AssertionError(layer)


def _correlated(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    outputs = [
        sum(
            signal.correlate2d(image[..., i], kernel[:, :, i, o], mode="same") for i in range(image.shape[-1])
        )
        for o in range(kernel.shape[-1])
    ]
    return np.stack(outputs, axis=-1)


def _pooled(maps: np.ndarray) -> np.ndarray:
    beyond = [(0, 0), (0, maps.shape[1] % 2), (0, maps.shape[2] % 2), (0, 0)]
    maps = np.pad(maps, beyond, constant_values=-np.inf)
    count, height, width, channels = maps.shape
    return maps.reshape(count, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))


def _pictures(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def _features(path: Path, layer: str) -> Any:
    from pixelproof.models.training.losses.vgg19 import features_model

    return features_model(read_vgg19(path, layer), layer)


def _content(path: Path, layer: str) -> Any:
    from pixelproof.models.training.losses.content import content_loss

    return content_loss(Content(str(path), layer))


@pytest.mark.usefixtures("tf")
@pytest.mark.parametrize("layer", ["conv1_1", "relu2_2", "conv3_3", "relu5_4"])
def test_features_are_those_of_scipys_convolutions(mat: Path, weights: Weights, layer: str) -> None:
    images = _pictures(2, 37, 50, 3)
    model = _features(mat, layer)
    found = np.asarray(model(images * 255 - np.asarray(MEAN, np.float32)))
    expected = reference(images, weights, layer)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 2e-5 * np.abs(expected).max()


@pytest.mark.usefixtures("tf")
def test_the_content_loss_is_the_mean_squared_difference(mat: Path, weights: Weights) -> None:
    target, output = _pictures(2, 33, 48, 3), _pictures(2, 33, 48, 3, seed=2)
    found = np.asarray(_content(mat, "relu5_4")(target, output))
    seen = [reference(images, weights, "relu5_4") for images in (target, output)]
    expected = np.square(seen[1] - seen[0]).mean(axis=(1, 2, 3))
    assert found.shape == (2,) and found.dtype == np.float32
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("era", ["2014", "2016"])
def test_other_editions_of_the_file(mat: Path, weights: Weights, tmp_path: Path, era: str) -> None:
    usual, other = (
        read_vgg19(path, "relu4_1") for path in (mat, write_mat(tmp_path / "o.mat", weights, era=era))
    )
    assert other.mean == pytest.approx(MEAN) and usual.mean == pytest.approx(MEAN)
    assert [one.name for one in other.convolutions] == list(CONVOLUTIONS[:9])
    for ours, theirs in zip(usual.convolutions, other.convolutions, strict=True):
        assert np.array_equal(ours.kernel, theirs.kernel) and np.array_equal(ours.bias, theirs.bias)


@pytest.mark.usefixtures("tf")
def test_the_network_is_frozen_and_gradients_pass_through(mat: Path, tf: Any) -> None:
    import keras

    loss = _content(mat, "relu3_1")
    model = _features(mat, "relu3_1")
    assert model.trainable_variables == [] and len(model.non_trainable_variables) == 10
    picture = keras.Input((16, 16, 3))
    learner = keras.Model(picture, keras.layers.Conv2D(3, 3, padding="same")(picture))
    learner.compile(keras.optimizers.SGD(1e-9), loss=loss)
    before = learner.get_weights()[0].copy()
    learner.fit(_pictures(2, 16, 16, 3), _pictures(2, 16, 16, 3, seed=2), verbose=0)
    assert len(learner.trainable_variables) == 2
    assert np.abs(learner.get_weights()[0] - before).max() > 0
    target, output = tf.constant(_pictures(1, 16, 16, 3)), tf.constant(_pictures(1, 16, 16, 3, seed=2))
    with tf.GradientTape() as tape:
        tape.watch(output)
        value = loss(target, output)
    gradient = tape.gradient(value, output).numpy()
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0


@pytest.mark.usefixtures("tf")
def test_gradients_of_equal_and_flat_pictures_are_finite(mat: Path, tf: Any) -> None:
    loss = _content(mat, "relu5_4")
    noise, flat = _pictures(1, 32, 32, 3), np.full((1, 32, 32, 3), 0.5, np.float32)
    for picture in (noise, flat):
        output = tf.constant(picture)
        with tf.GradientTape() as tape:
            tape.watch(output)
            value = loss(tf.constant(picture), output)
        assert value.numpy() == [0]
        assert np.isfinite(tape.gradient(value, output).numpy()).all()


@pytest.mark.usefixtures("tf")
def test_float32_and_the_runs_random_numbers_stay(mat: Path) -> None:
    import random

    import keras

    keras.utils.set_random_seed(3)
    states = random.getstate(), np.random.get_state()[1].tolist()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model, loss = _features(mat, "relu1_2"), _content(mat, "relu1_2")
    finally:
        keras.config.set_dtype_policy("float32")
    assert random.getstate() == states[0] and np.random.get_state()[1].tolist() == states[1]
    half = _pictures(1, 16, 16, 3).astype(np.float16)
    other = half[:, ::-1]
    assert {variable.dtype for variable in model.variables} == {"float32"}
    assert np.asarray(loss(half, other)) == pytest.approx(
        np.asarray(loss(half.astype(np.float32), other.astype(np.float32))), rel=1e-6
    )


@pytest.mark.usefixtures("tf")
def test_pictures_that_are_not_rgb_are_refused(mat: Path) -> None:
    with pytest.raises(ShapeMismatch, match="RGB pictures; found 1 channels"):
        _content(mat, "relu1_1")(_pictures(1, 16, 16, 1), _pictures(1, 16, 16, 1))


@pytest.mark.parametrize(
    ("layer", "remedy"), [("relu5_5", "Did you mean relu5_"), ("block5", "Choices: conv1_1 to")]
)
def test_a_layer_that_vgg19_lacks(mat: Path, layer: str, remedy: str) -> None:
    with pytest.raises(RecipeError, match="must name a layer of VGG-19") as caught:
        read_vgg19(mat, layer)
    assert remedy in caught.value.remedy


# Keras's files


def _named_model(weights: Weights) -> Any:
    """A narrow network with the layers' names of ``keras.applications.VGG19``; it takes BGR."""
    import keras

    maps = image = keras.Input((None, None, 3), name="input_layer")
    for name, (_, bias) in weights.items():
        if name.endswith("_1") and name != "conv1_1":
            maps = keras.layers.MaxPooling2D(name=f"block{int(name[4]) - 1}_pool")(maps)
        named = f"block{name[4]}_conv{name[6]}"
        maps = keras.layers.Conv2D(bias.size, 3, padding="same", activation="relu", name=named)(maps)
    model = keras.Model(image, maps, name="vgg19")
    for name, (kernel, bias) in weights.items():
        turned = kernel[:, :, ::-1] if name == "conv1_1" else kernel
        model.get_layer(f"block{name[4]}_conv{name[6]}").set_weights([turned, bias])
    return model


@pytest.mark.usefixtures("tf")
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("name", ["vgg.keras", "vgg.weights.h5", "vgg.h5", "published.h5"])
def test_keras_files_give_the_same_weights(mat: Path, weights: Weights, tmp_path: Path, name: str) -> None:
    import h5py

    path, model = tmp_path / name, _named_model(weights)
    if name == "published.h5":  # as vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5 has it
        with h5py.File(path, "w") as file:
            for layer in model.layers:
                group = file.create_group(layer.name)
                for array, kind in zip(layer.get_weights(), "Wb", strict=False):
                    group[f"{layer.name}_{kind}_1:0"] = array
    elif name == "vgg.weights.h5":
        model.save_weights(path)
    else:
        model.save(path)
    found = read_vgg19(path, "relu5_4")
    assert found.mean == IMAGENET_MEAN
    for one, expected in zip(found.convolutions, read_vgg19(mat, "relu5_4").convolutions, strict=True):
        assert np.array_equal(one.kernel, expected.kernel) and np.array_equal(one.bias, expected.bias)


@pytest.mark.usefixtures("tf")
def test_features_are_those_of_keras_own_vgg19(tmp_path: Path) -> None:
    import keras

    keras.utils.set_random_seed(1)
    theirs = keras.applications.VGG19(weights=None, include_top=False, input_shape=(32, 48, 3))
    theirs.save_weights(tmp_path / "vgg.weights.h5")
    images = _pictures(1, 32, 48, 3)
    loss = _content(tmp_path / "vgg.weights.h5", "relu5_4")
    view = keras.Model(theirs.input, theirs.get_layer("block5_conv4").output)
    seen = [
        np.asarray(view(keras.applications.vgg19.preprocess_input(picture * 255)))
        for picture in (images.copy(), images[:, ::-1].copy())
    ]
    expected = np.square(seen[1] - seen[0]).mean()
    assert np.asarray(loss(images, images[:, ::-1])) == pytest.approx([expected], rel=1e-4)


# Files that aren't what they should be


def _refused(path: Path, *, layer: str = "relu5_4") -> str:
    with pytest.raises(CheckpointError) as caught:
        read_vgg19(path, layer)
    assert path.name in str(caught.value)
    return str(caught.value)


def _without(weights: Weights, *names: str) -> Weights:
    return {name: pair for name, pair in weights.items() if name not in names}


def _with(weights: Weights, name: str, kernel: np.ndarray, bias: np.ndarray) -> Weights:
    return {**weights, name: (kernel, bias)}


def test_vgg16_lacks_convolutions(weights: Weights, tmp_path: Path) -> None:
    path = write_mat(tmp_path / "vgg16.mat", _without(weights, "conv3_4", "conv4_4", "conv5_4"))
    assert "vgg16.mat without conv3_4, conv4_4, conv5_4" in _refused(path, layer="relu1_1")


def test_kernels_of_other_shapes(weights: Weights, tmp_path: Path) -> None:
    kernel, bias = weights["conv2_1"]
    for number, pair in enumerate(
        [(kernel[:, :, :-1], bias), (kernel, bias[:-1]), (kernel[:2], bias), (kernel[..., 0], bias[:1])]
    ):
        path = write_mat(tmp_path / f"{number}.mat", _with(weights, "conv2_1", *pair))
        assert "conv2_1 of VGG-19 must have a kernel of (3, 3, 5, outputs)" in _refused(path)


def test_weights_that_are_no_finite_numbers(weights: Weights, tmp_path: Path) -> None:
    kernel, bias = weights["conv4_2"]
    wrong = bias.copy()
    wrong[0] = np.nan
    assert "NaN or infinite in conv4_2" in _refused(
        write_mat(tmp_path / "nan.mat", _with(weights, "conv4_2", kernel, wrong))
    )
    whole = _with(weights, "conv4_2", kernel.astype(np.int32), bias)
    assert "int32 in conv4_2" in _refused(write_mat(tmp_path / "int.mat", whole))


@pytest.mark.parametrize(
    "normalization",
    [None, {"imageSize": 224.0}, {"averageImage": np.zeros((1, 2))}, {"averageImage": np.full((1, 3), 1e9)}],
)
def test_a_file_without_a_mean_colour(weights: Weights, tmp_path: Path, normalization: Any) -> None:
    path = write_mat(tmp_path / "no-mean.mat", weights, normalization=normalization)
    assert "must hold the mean colour" in _refused(path)


@pytest.mark.parametrize(
    "layers",
    [None, np.zeros((1, 3)), "text", _cell("text", np.zeros(2)), {"name": "conv1_1", "weights": np.zeros(3)}],
)
def test_a_matlab_file_of_something_else(weights: Weights, tmp_path: Path, layers: Any) -> None:
    _refused(write_mat(tmp_path / "other.mat", weights, layers=layers))


def test_files_of_another_kind(tmp_path: Path) -> None:
    import h5py

    page, empty, newer = tmp_path / "page.mat", tmp_path / "empty.mat", tmp_path / "newer.mat"
    page.write_text("<!doctype html>")
    empty.write_bytes(b"")
    with h5py.File(newer, "w", userblock_size=512) as file:
        file["layers"] = 1
    data = newer.read_bytes()
    newer.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + data[128:])
    assert "of another kind" in _refused(page)
    assert "the empty file" in _refused(empty)
    assert "No such file" in _refused(tmp_path / "absent.mat")
    assert "Is a directory" in _refused(tmp_path)
    assert "-v7" in _refused(newer)


def test_a_file_that_crashes_its_reader(tmp_path: Path) -> None:
    header = struct.pack("<IIIIIIii", 6, 8, 1, 0, 5, 8, 1, 1) + struct.pack("<II", 1, 0)
    named = header[:-8] + struct.pack("<II", 1, 6) + b"layers\0\0"
    depth, inner = 100_000, b""
    sizes = [0]
    for _ in range(depth):
        sizes.append(8 + len(header) + sizes[-1])
    parts = [struct.pack("<II", 14, len(named) + sizes[depth]), named]
    parts += [struct.pack("<II", 14, len(header) + sizes[left - 1]) + header for left in range(depth, 0, -1)]
    path = tmp_path / "deep.mat"
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + b"".join(parts) + inner)
    assert "damaged: reading ended with code -" in _refused(path)


def test_damaged_files_are_named(mat: Path, tmp_path: Path) -> None:
    data = mat.read_bytes()
    for cut in (20, 127, 200, len(data) // 3, len(data) - 700):
        short = tmp_path / f"cut-{cut}.mat"
        short.write_bytes(data[:cut])
        _refused(short)


def test_damaged_bytes(mat: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vgg_reading, "_TIME_S", 20.0)
    data, rng = mat.read_bytes(), np.random.default_rng(SEED)
    path = tmp_path / "mutated.mat"
    for start in (128, 136, 150, 180, 260, 400, 600, 900):
        changed = bytearray(data)
        for place in rng.integers(start, start + 40, 3):
            changed[place] ^= int(rng.integers(1, 256))
        path.write_bytes(changed)
        with suppress(CheckpointError):
            assert len(read_vgg19(path, "relu5_4").convolutions) == 16


@pytest.mark.usefixtures("tf")
def test_damaged_and_hostile_keras_files(weights: Weights, tmp_path: Path) -> None:
    import h5py

    good = tmp_path / "good.weights.h5"
    _named_model(weights).save_weights(good)
    data = good.read_bytes()
    for cut in (9, 600, len(data) // 2):
        short = tmp_path / f"cut-{cut}.h5"
        short.write_bytes(data[:cut])
        _refused(short)
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("config.json", "{}")
    assert "a zip without model.weights.h5" in _refused(other)
    secret, thief = tmp_path / "secret", tmp_path / "thief.h5"
    secret.write_bytes(bytes(1000))
    with h5py.File(thief, "w") as file:
        for name, (kernel, bias) in weights.items():
            group = file.create_group(f"block{name[4]}_conv{name[6]}")
            group["bias"] = bias
            if name != "conv1_1":
                group["kernel"] = kernel
        size = weights["conv1_1"][0].nbytes
        shape = weights["conv1_1"][0].shape
        file["block1_conv1"].create_dataset("kernel", shape, "f4", external=[(str(secret), 0, size)])
    assert "must lie in the file itself" in _refused(thief)
    wide = tmp_path / "wide.h5"
    with h5py.File(wide, "w") as file:
        for name in weights:
            group = file.create_group(f"block{name[4]}_conv{name[6]}")
            group.create_dataset("kernel", (3, 3, 100_000, 100_000), "f4", chunks=(3, 3, 8, 8))
            group.create_dataset("bias", (100_000,), "f4")
    assert "conv1_1 of VGG-19 must have a kernel" in _refused(wide)


def test_errors_are_those_of_input_files(tmp_path: Path) -> None:
    with pytest.raises(PixelproofError) as caught:
        read_vgg19(tmp_path / "absent.mat", "relu5_4")
    assert caught.value.exit_code == 2 and "imagenet-vgg-verydeep-19.mat" in caught.value.remedy
