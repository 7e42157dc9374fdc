"""State dicts into Keras models: layouts, names, prefixes, and every way of not fitting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from pixelproof.errors import CallError, CheckpointError
from pixelproof.models.checkpoints.loading import load_checkpoint
from pixelproof.models.checkpoints.options import options_for
from pixelproof.models.checkpoints.torch_layout import slots_of
from pixelproof.models.checkpoints.torch_range import trained_range
from pixelproof.models.layers import ShortcutConv2D, ShortcutDepthwiseConv2D, SubPixelConv2D
from pixelproof.models.registry import create, spec

Arrays = dict[str, np.ndarray]
RNG = np.random.default_rng(0)
IMAGE = RNG.standard_normal((1, 7, 6, 4)).astype(np.float32)
SMALL = {"features": 8, "blocks": 1}


def _random(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def _torch_conv(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, *, groups: int = 1) -> np.ndarray:
    """PyTorch's Conv2d with padding of half the kernel, by its definition; x: (batch, channels, height, width)."""
    outputs, inputs, size, _ = weight.shape
    half = size // 2
    padded = np.pad(x, ((0, 0), (0, 0), (half, half), (half, half)))
    result = np.zeros((x.shape[0], outputs, *x.shape[2:]))
    for out in range(outputs):
        first = out // (outputs // groups) * inputs
        for row in range(x.shape[2]):
            for column in range(x.shape[3]):
                window = padded[:, first : first + inputs, row : row + size, column : column + size]
                result[:, out, row, column] = (window * weight[out]).sum((1, 2, 3)) + bias[out]
    return result


def _torch_transposed(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int) -> np.ndarray:
    """PyTorch's ConvTranspose2d without padding, by its definition: each pixel stamps the kernel."""
    _, outputs, size, _ = weight.shape
    sides = [(side - 1) * stride + size for side in x.shape[2:]]
    result = np.zeros((x.shape[0], outputs, *sides)) + bias[:, None, None]
    for row in range(x.shape[2]):
        for column in range(x.shape[3]):
            stamp = np.einsum("bi,iohw->bohw", x[:, :, row, column], weight)
            top, left = row * stride, column * stride
            result[:, :, top : top + size, left : left + size] += stamp
    return result


def _pixel_shuffle(x: np.ndarray, block: int) -> np.ndarray:
    """PyTorch's PixelShuffle, by its definition."""
    batch, channels, height, width = x.shape
    split = x.reshape(batch, channels // block**2, block, block, height, width)
    return split.transpose(0, 1, 4, 2, 5, 3).reshape(batch, -1, height * block, width * block)


def _nchw(array: np.ndarray) -> np.ndarray:
    return array.transpose(0, 3, 1, 2)


def _own_model(*stack: Any) -> keras.Model:
    image = keras.Input((None, None, 4))
    maps = image
    for layer in stack:
        maps = layer(maps)
    return keras.Model(image, maps)


def _output(writer: Any, folder: Path, model: keras.Model, arrays: Arrays) -> np.ndarray:
    report = load_checkpoint(model, writer.save(folder / "m.pth", arrays), model_name="mine.py:net")
    assert report.used == len(model.weights)
    return _nchw(np.asarray(model(IMAGE, training=False)))


def _check(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-4


@pytest.mark.parametrize("groups", [1, 2])
def test_convolutions(torch_writer: Any, tmp_path: Path, groups: int) -> None:
    weight, bias = _random(6, 4 // groups, 3, 3), _random(6)
    model = _own_model(layers.Conv2D(6, 3, padding="same", groups=groups, name="body.0"))
    found = _output(torch_writer, tmp_path, model, {"body.0.weight": weight, "body.0.bias": bias})
    _check(found, _torch_conv(_nchw(IMAGE), weight, bias, groups=groups))


@pytest.mark.parametrize("multiplier", [1, 3])
def test_depthwise_convolutions(torch_writer: Any, tmp_path: Path, multiplier: int) -> None:
    weight, bias = _random(4 * multiplier, 1, 3, 3), _random(4 * multiplier)
    model = _own_model(layers.DepthwiseConv2D(3, padding="same", depth_multiplier=multiplier, name="dw"))
    found = _output(torch_writer, tmp_path, model, {"dw.weight": weight, "dw.bias": bias})
    _check(found, _torch_conv(_nchw(IMAGE), weight, bias, groups=4))


@pytest.mark.parametrize(("size", "stride"), [(3, 2), (4, 2), (3, 1)])
def test_transposed_convolutions(torch_writer: Any, tmp_path: Path, size: int, stride: int) -> None:
    weight, bias = _random(4, 5, size, size), _random(5)
    model = _own_model(layers.Conv2DTranspose(5, size, strides=stride, padding="valid", name="up"))
    found = _output(torch_writer, tmp_path, model, {"up.weight": weight, "up.bias": bias})
    _check(found, _torch_transposed(_nchw(IMAGE), weight, bias, stride))


@pytest.mark.parametrize("block", [2, 3])
def test_a_convolution_before_a_pixel_shuffle(torch_writer: Any, tmp_path: Path, block: int) -> None:
    weight, bias = _random(3 * block**2, 4, 3, 3), _random(3 * block**2)
    model = _own_model(SubPixelConv2D(3, 3, block_size=block, padding="same", name="up.0"))
    found = _output(torch_writer, tmp_path, model, {"up.0.weight": weight, "up.0.bias": bias})
    _check(found, _pixel_shuffle(_torch_conv(_nchw(IMAGE), weight, bias), block))


@pytest.mark.parametrize("depthwise", [False, True])
def test_convolutions_with_a_shortcut(torch_writer: Any, tmp_path: Path, depthwise: bool) -> None:
    weight, bias = _random(4, 1 if depthwise else 4, 3, 3), _random(4)
    image = keras.Input((None, None, 4))
    kind = ShortcutDepthwiseConv2D(3, padding="same", name="c")
    layer = kind if depthwise else ShortcutConv2D(4, 3, padding="same", name="c")
    model = keras.Model(image, layer(image, image))
    found = _output(torch_writer, tmp_path, model, {"c.weight": weight, "c.bias": bias})
    _check(found, _torch_conv(_nchw(IMAGE), weight, bias, groups=4 if depthwise else 1) + _nchw(IMAGE))


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 1, 1)])
def test_linear_layers_and_1x1_convolutions(
    torch_writer: Any, tmp_path: Path, dense: bool, shape: tuple[int, ...]
) -> None:
    weight, bias = _random(*shape), _random(5)
    layer = layers.Dense(5, name="fc") if dense else layers.Conv2D(5, 1, name="fc")
    found = _output(torch_writer, tmp_path, _own_model(layer), {"fc.weight": weight, "fc.bias": bias})
    _check(found, _torch_conv(_nchw(IMAGE), weight.reshape(5, 4, 1, 1), bias))


@pytest.mark.parametrize("count", [4, 1])
@pytest.mark.parametrize("shared", [[1, 2], [1, 2, 3]])
def test_prelu_of_one_number_or_one_a_channel(
    torch_writer: Any, tmp_path: Path, count: int, shared: list[int]
) -> None:
    slope = np.abs(_random(count))
    model = _own_model(layers.PReLU(shared_axes=shared, name="act"))
    if shared == [1, 2, 3] and count == 4:
        with pytest.raises(CheckpointError, match=r"act\.weight expected 1 found 4"):
            _output(torch_writer, tmp_path, model, {"act.weight": slope})
        return
    found = _output(torch_writer, tmp_path, model, {"act.weight": slope})
    _check(found, np.where(_nchw(IMAGE) > 0, _nchw(IMAGE), slope.reshape(1, -1, 1, 1) * _nchw(IMAGE)))


def test_batch_normalisation(torch_writer: Any, tmp_path: Path) -> None:
    mean, variance, weight, bias = _random(4), np.abs(_random(4)) + 0.5, _random(4), _random(4)
    arrays = {
        "bn.weight": weight, "bn.bias": bias, "bn.running_mean": mean, "bn.running_var": variance,
        "bn.num_batches_tracked": np.array(100),
    }  # fmt: skip
    model = _own_model(layers.BatchNormalization(epsilon=1e-5, name="bn"))
    report = load_checkpoint(model, torch_writer.save(tmp_path / "m.pth", arrays), model_name="mine")
    assert (report.used, report.reported, report.surplus) == (4, ("bn.num_batches_tracked",), ())
    x = np.moveaxis(_nchw(IMAGE), 1, -1)
    expected = (x - mean) / np.sqrt(variance + 1e-5) * weight + bias
    _check(np.asarray(model(IMAGE, training=False)), expected)


def test_layers_inside_layers_and_models(torch_writer: Any, tmp_path: Path) -> None:
    inner = keras.Sequential(
        [keras.Input((None, None, 4)), layers.Conv2D(4, 3, padding="same", name="0")], name="in"
    )
    model = _own_model(inner)
    weight, bias = _random(4, 4, 3, 3), _random(4)
    names = [weight.path for weight in model.weights]
    arrays = {names[0].replace("/kernel", "").replace("/", ".") + ".weight": weight}
    arrays[names[1].replace("/", ".")] = bias
    _check(_output(torch_writer, tmp_path, model, arrays), _torch_conv(_nchw(IMAGE), weight, bias))


def _imdn(*, scale: int = 4) -> Arrays:
    model, rule = create("imdn", **SMALL), spec("imdn").torch_names
    assert rule is not None
    names = rule(model)
    arrays = {names[path]: _random(*slot.shape) * 0.1 for path, slot in slots_of(model).items()}
    if scale != 4:
        arrays |= {"model.2.weight": _random(3 * scale**2, 8, 3, 3), "model.2.bias": _random(3 * scale**2)}
    return arrays


def _load(writer: Any, folder: Path, arrays: Any, **options: Any) -> Any:
    model = create("imdn", **SMALL)
    before = model.get_weights()
    try:
        return load_checkpoint(model, writer.save(folder / "m.pth", arrays), model_name="imdn", **options)
    except CheckpointError:
        assert all(map(np.array_equal, before, model.get_weights()))
        raise


@pytest.mark.parametrize("prefix", ["module.", "net_g.", "module.generator.", "model."])
def test_prefixes(torch_writer: Any, tmp_path: Path, prefix: str) -> None:
    arrays = {prefix + name: array for name, array in _imdn().items()}
    report = _load(torch_writer, tmp_path, arrays)
    assert (report.format, report.used, report.surplus) == ("torch", 16, ())
    both = arrays | {name.replace(prefix, "other.", 1): array for name, array in arrays.items()}
    with pytest.raises(CheckpointError, match=r"One prefix of the state dict must fit imdn; found .*other\."):
        _load(torch_writer, tmp_path, both)


def test_the_chosen_dictionary_is_in_the_report(torch_writer: Any, tmp_path: Path) -> None:
    ema = _imdn()
    model = create("imdn", **SMALL)
    path = torch_writer.save(tmp_path / "m.pth", {"params": _imdn(), "params_ema": ema})
    assert load_checkpoint(model, path, model_name="imdn").taken == "params_ema"
    kernel = np.asarray(model.get_layer("model.0").kernel)
    assert np.array_equal(kernel, ema["model.0.weight"].transpose(2, 3, 1, 0))


def test_what_is_missing_surplus_or_of_another_shape_is_named(torch_writer: Any, tmp_path: Path) -> None:
    arrays = _imdn()
    missing = {name: array for name, array in arrays.items() if name != "model.0.bias"}
    with pytest.raises(
        CheckpointError, match=r"each of the 16 weights of imdn once.*missing: model\.0\.bias 8\."
    ):
        _load(torch_writer, tmp_path, missing)
    wrong = arrays | {"model.1.sub.0.conv4.weight": _random(2, 6, 5, 5)}
    with pytest.raises(CheckpointError, match=r"conv4\.weight expected 2x6x3x3 found 2x6x5x5"):
        _load(torch_writer, tmp_path, wrong)
    surplus = arrays | {"mean.weight": _random(3, 3, 1, 1), "steps": np.array(3)}
    with pytest.raises(CheckpointError, match=r"surplus: mean\.weight 3x3x1x1\. --allow-surplus"):
        _load(torch_writer, tmp_path, surplus)
    report = _load(torch_writer, tmp_path, surplus, allow_surplus=True)
    assert (report.surplus, report.reported) == (("mean.weight",), ("steps",))
    with pytest.raises(CheckpointError, match=r"1 NaN or infinite of 8 in model\.0\.bias"):
        _load(torch_writer, tmp_path, arrays | {"model.0.bias": np.array([1] * 7 + [np.nan])})


@pytest.mark.parametrize("scale", [2, 3])
def test_weights_of_another_scale_are_told(torch_writer: Any, tmp_path: Path, scale: int) -> None:
    with pytest.raises(CheckpointError, match=rf"weights that enlarge {scale} times.*imdn enlarges 4 times"):
        _load(torch_writer, tmp_path, _imdn(scale=scale))


def test_another_architecture_and_other_options_are_offered(torch_writer: Any, tmp_path: Path) -> None:
    path = torch_writer.save(tmp_path / "m.pth", _imdn())
    with pytest.raises(CheckpointError, match=r"It fits imdn: use --model imdn\."):
        load_checkpoint(create("fmen"), path, model_name="fmen")
    with pytest.raises(
        CheckpointError, match=r"It fits imdn with features=8, blocks=1: leave these options out"
    ):
        load_checkpoint(create("imdn", features=8, blocks=2), path, model_name="imdn")
    with pytest.raises(
        CheckpointError, match=r"srcnn must say how its weights are named in PyTorch.*It fits imdn"
    ):
        load_checkpoint(create("srcnn"), path, model_name="srcnn")
    other = torch_writer.save(tmp_path / "o.pth", {"fc.weight": _random(3, 4)})
    with pytest.raises(CheckpointError, match="Of the registered architectures none fits"):
        load_checkpoint(create("imdn", **SMALL), other, model_name="imdn")
    with pytest.raises(
        CheckpointError, match=r"each of the 2 weights of mine\.py:net once.*missing 2: c\.weight"
    ):
        load_checkpoint(_own_model(layers.Conv2D(2, 3, name="c")), other, model_name="mine.py:net")


def _plain(*, bias: float) -> keras.Model:
    """Enlarges by repeating pixels; with a bias it keeps a colour only where that is small against the range."""
    image = keras.Input((None, None, 3))
    larger = layers.UpSampling2D(4)(image)
    kernel = keras.initializers.Constant(np.eye(3)[None, None])
    rule = {"kernel_initializer": kernel, "bias_initializer": keras.initializers.Constant(bias)}
    return keras.Model(image, layers.Conv2D(3, 1, **rule)(larger))


def test_the_range_that_a_network_was_trained_for() -> None:
    assert trained_range(_plain(bias=1.0)) == 255
    assert trained_range(_plain(bias=0.0)) is None
    assert trained_range(_plain(bias=100.0)) is None
    halves = keras.Input((None, None, 3))
    trained_on_unit = keras.Model(halves, layers.ReLU(max_value=1.0)(layers.UpSampling2D(4)(halves)))
    assert trained_range(trained_on_unit) == 1


def test_random_weights_keep_the_default_range(torch_writer: Any, tmp_path: Path) -> None:
    found = options_for("imdn", torch_writer.save(tmp_path / "m.pth", _imdn()), {})
    assert found == {"features": 8, "blocks": 1}


def test_a_width_that_no_network_has_is_refused_before_it_is_built(torch_writer: Any, tmp_path: Path) -> None:
    """A tensor of one number, repeated, can claim any width."""
    arrays: dict[str, Any] = dict(_imdn())
    one = torch_writer.tensor(np.ones(1, np.float32))
    arrays["model.0.weight"] = type(one)(one.storage, 0, (1 << 30, 3, 3, 3), (0, 0, 0, 0))
    path = torch_writer.save(tmp_path / "m.pth", arrays)
    options = options_for("imdn", path, {})
    with pytest.raises(CallError, match=f"features of imdn must be from 4 to 1024; found {1 << 30}"):
        create("imdn", **options)
    with pytest.raises(CheckpointError, match="expected 8x3x3x3 found 1073741824x3x3x3"):
        load_checkpoint(create("imdn", **SMALL), path, model_name="imdn")
