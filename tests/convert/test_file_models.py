"""``--model FILE.py:FUNCTION``: Keras functions, and TF1 functions of 2018 as they are."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof.convert.file_source import file_source, split_reference
from pixelproof.convert.plan import make_plan
from pixelproof.convert.source import Ends
from pixelproof.errors import CallError, CheckpointError, InputError
from pixelproof.measure.worker import Worker

Convert = Callable[..., dict[str, Any]]
PROBES = [[(1, 21, 34, 3)]]

OPS = """
import tensorflow as tf

def weights(shape, name):
    return tf.Variable(tf.random_normal(shape, stddev=0.2), name=name)

def conv(net, size, channels, name):
    before = [i.value for i in net.get_shape()][3]
    kernel = weights([size, size, before, channels], 'W' + name)
    return tf.nn.conv2d(net, kernel, strides=[1, 1, 1, 1], padding='SAME') + weights([channels], 'b' + name)
"""

MODELS = """
import tensorflow as tf
from ops import conv

PATTERN = "\\d+"

def norm(net):
    channels = [i.value for i in net.get_shape()][3]
    mean, variance = tf.nn.moments(net, [1, 2], keep_dims=True)
    shift = tf.Variable(tf.random_normal([channels]))
    scale = tf.Variable(tf.random_normal([channels]))
    return scale * (net - mean) / (variance + 1e-3) ** .5 + shift

def small_net(input_image):
    with tf.variable_scope("generator"):
        net = tf.nn.relu(norm(conv(input_image, 9, 8, '1')))
        net = tf.stop_gradient(tf.identity(net))
        with tf.control_dependencies([tf.Assert(tf.reduce_max(net) < 1e9, [net])]):
            net = tf.identity(net)
        net = net + tf.nn.relu(norm(conv(net, 3, 8, '2')))
        return tf.nn.tanh(conv(net, 3, 3, '3')) * 0.58 + 0.5

def grey_net(image):
    grey = tf.image.rgb_to_grayscale(image)
    return conv(grey, 3, 3, '1') + grey

def unet(image):
    down = tf.nn.max_pool(conv(image, 3, 8, '1'), [1, 4, 4, 1], [1, 4, 4, 1], 'SAME')
    up = tf.depth_to_space(conv(down, 3, 48, '2'), 4)
    return image + up

def with_flag(image, is_training=False):
    flag = tf.placeholder_with_default(is_training, shape=[], name='is_training')
    return conv(image, 3, 3, '1') * tf.where(flag, 0., 1.)

def needs_keep(image):
    keep = tf.placeholder(tf.float32, name='keep')
    return conv(image, 3, 3, '1') * keep

def ignores(image):
    return tf.Variable(tf.zeros([1, 4, 4, 3]), name='W1') + 0.

def pair(image):
    return image, image

def raising(image):
    raise KeyError('no layer of that name')

def with_contrib(image):
    return tf.contrib.layers.conv2d(image, 3, 3)

alias = small_net
"""

NEWER = """
import tensorflow.compat.v1 as tf
tf.disable_v2_behavior()
from models import small_net as older

def small_net(image):
    return older(image)
"""

SAVE = """
import sys
import numpy as np
import tensorflow.compat.v1 as tf
tf.disable_v2_behavior()
sys.modules['tensorflow'] = tf
sys.path.insert(0, sys.argv[1])
import models
for name in ('small_net', 'grey_net', 'unet', 'with_flag', 'needs_keep'):
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(1)
        x = tf.placeholder(tf.float32, [1, None, None, 3])
        y = getattr(models, name)(x)
        step = tf.Variable(7, name='global_step')
        session.run(tf.global_variables_initializer())
        prefix = sys.argv[1] + '/' + name
        tf.train.Saver().save(session, prefix, write_meta_graph=False, write_state=False)
        if name != 'needs_keep':
            image = np.random.RandomState(0).rand(1, 24, 40, 3).astype('float32')
            np.savez(prefix + '.npz', x=image, y=session.run(y, {x: image}))
"""

KERAS = """
import keras
import tensorflow as tf

def build():
    image = keras.Input((None, None, 3))
    return keras.Model(image, keras.layers.Conv2D(3, 3, padding="same", name="conv")(image))

def bayer():
    image = keras.Input((None, None, 4))
    skip = keras.layers.Conv2D(12, 3, padding="same")(image)
    net = keras.layers.MaxPooling2D(16)(skip)
    net = keras.layers.UpSampling2D(16)(net)
    return keras.Model(image, keras.layers.Add()([skip, net]))

def by_size(scale=2):
    image = keras.Input((None, None, 3))
    return keras.Model(image, keras.layers.UpSampling2D(scale, interpolation="bilinear")(image))

def fixed():
    image = keras.Input((24, 40, 3))
    return keras.Model(image, keras.layers.Conv2D(3, 3, padding="same")(image))

def gated():
    image = keras.Input((None, None, 3))
    return keras.Model(image, keras.layers.Conv2D(3, 3, padding="same", activation="silu")(image))

def two():
    image = keras.Input((None, None, 3))
    return keras.Model(image, [image, image])

class Own(keras.Model):
    def call(self, x):
        return x

def subclassed():
    return Own()

def number():
    return 3

def half():
    image = keras.Input((None, None, 3))
    return keras.Model(image, keras.layers.Conv2D(3, 3, dtype="mixed_float16")(image))

def leaves():
    raise SystemExit("bye")
"""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A participant's repository of 2018 with its checkpoints, saved by a process of its own."""
    folder = tmp_path_factory.mktemp("repository")
    for name, text in (("ops", OPS), ("models", MODELS), ("newer", NEWER), ("keras_models", KERAS)):
        (folder / f"{name}.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", SAVE, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (folder / "json.py").write_text("raise ImportError('of the user')")
    return folder


def _graph(tf: Any, path: Path) -> Any:
    return tf.compat.v1.GraphDef.FromString(path.read_bytes())


@pytest.mark.parametrize(
    ("reference", "checkpoint"),
    [
        ("models.py:small_net", "small_net"),
        ("models.py:grey_net", "grey_net"),
        ("models.py:unet", "unet"),
        ("models.py:with_flag", "with_flag"),
        ("models.py:alias", "small_net"),
        ("newer.py:small_net", "small_net"),
    ],
)
def test_an_untouched_tf1_function(
    convert_with: Convert,
    tf: Any,
    folder: Path,
    tmp_path: Path,
    shared_worker: Worker,
    reference: str,
    checkpoint: str,
) -> None:
    before, path_before = set(sys.modules), list(sys.path)
    lines: list[str] = []
    formats = ("pb", "tflite") if checkpoint == "unet" else ("pb",)
    document = convert_with(
        f"{folder}/{reference}", folder / checkpoint, tmp_path / "out", formats=formats, lines=lines
    )
    assert sys.path == path_before
    assert not {"models", "ops", "newer"} & set(sys.modules)
    assert not [name for name in set(sys.modules) - before if "user" in name]
    assert document["passed"] and document["checkpoint"]["reported"] == ["global_step"]
    graph = _graph(tf, tmp_path / "out" / "model.pb")
    operations = {node.op for node in graph.node}
    assert not {"Assert", "VarHandleOp", "VariableV2", "StopGradient", "PlaceholderWithDefault"} & operations
    assert not [i for node in graph.node for i in node.input if i.startswith("^")]
    assert [node.name for node in graph.node if node.op in ("Placeholder", "Identity")] == ["input", "output"]
    with np.load(folder / f"{checkpoint}.npz") as pair:
        shared_worker.load(tmp_path / "out" / "model.pb", "pb", input_name="input", output_name="output")
        assert np.abs(shared_worker.run(pair["x"]) - pair["y"]).max() < 1e-5
    rows = document["artifacts"][0]["rows"]
    if checkpoint == "unet":
        assert [(row["height"] % 4, row["width"] % 4) for row in rows] == [(0, 0), (0, 0)]
        assert any("doesn't take 37x54: proven at" in line for line in lines)
    else:
        assert [(row["height"], row["width"]) for row in rows] == [(37, 54), (45, 23)]


def test_a_keras_function_with_its_checkpoints(
    call: Callable[..., Any], folder: Path, tmp_path: Path, tf: Any, shared_worker: Worker
) -> None:
    import keras

    image = keras.Input((None, None, 3))
    model = keras.Model(image, keras.layers.Conv2D(3, 3, padding="same", name="conv")(image))
    model.layers[1].set_weights([w + 0.1 for w in model.layers[1].get_weights()])
    x = np.random.default_rng(0).random((1, 24, 40, 3), np.float32)
    expected = np.asarray(model(x))
    model.save(tmp_path / "whole.keras")
    model.save_weights(tmp_path / "only.weights.h5")
    for name, arguments in (
        ("only", ["--model", f"{folder}/keras_models.py:build", "--ckpt", str(tmp_path / "only.weights.h5")]),
        ("file", ["--model", str(tmp_path / "whole.keras")]),
    ):
        out = tmp_path / "out" / name
        shape = ("--input-shape", "1,24,40,3")
        answer = call("convert-model", *arguments, "--out", str(out), "--format", "pb", *shape)
        assert answer.code == 0, answer.err
        shared_worker.load(out / "model.pb", "pb", input_name="input", output_name="output")
        np.testing.assert_allclose(shared_worker.run(x), expected, atol=1e-6)
    assert "keras_models" not in sys.modules


@pytest.fixture(scope="session")
def keras_models(tf: Any) -> dict[str, Any]:
    """The functions of the Keras file, in this process."""
    names: dict[str, Any] = {}
    exec(KERAS, names)
    return names


def test_a_model_of_four_channels_and_sizes_of_sixteen(
    convert_with: Convert, folder: Path, tmp_path: Path, keras_models: dict[str, Any]
) -> None:
    reference, formats = f"{folder}/keras_models.py:bayer", ("pb", "tflite", "onnx")
    document = convert_with(reference, None, tmp_path, formats=formats, shape=(1, 48, 80, 4))
    rows = [row for artifact in document["artifacts"] for row in artifact["rows"]]
    assert document["passed"] and {(row["height"] % 16, row["width"] % 16) for row in rows} == {(0, 0)}
    for shape, reason in (
        ((1, 50, 80, 4), r"proven; found at 50x80: .*50"),
        ((1, 48, 80, 3), r"must have 4 channels; found 3\. Use --input-shape 1,HEIGHT,WIDTH,4"),
    ):
        plan = make_plan(formats=("tflite",), shape=shape, ends=Ends(), opset=18, contract=None)
        with pytest.raises(CallError, match=reason):
            _source_of(keras_models["bayer"](), plan.probes())


def test_an_activation_with_a_gradient_of_its_own(
    convert_with: Convert, folder: Path, tmp_path: Path
) -> None:
    reference = f"{folder}/keras_models.py:gated"
    document = convert_with(reference, None, tmp_path, formats=("pb", "savedmodel"), shape=(1, 48, 80, 3))
    assert document["passed"]
    assert b"_gradient_op_type" not in (tmp_path / "model.pb").read_bytes()


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("two", CallError, r"1 inputs and 2 outputs"),
        ("fixed", CallError, r"leave height and width open"),
        ("subclassed", CallError, r"doesn't say its input and output"),
        ("by_size", InputError, r"UpSampling2D does so.*tf\.image\.resize"),
        ("half", CallError, r"float32 image.*found float16"),
    ],
)
def test_a_keras_model_of_another_kind(
    keras_models: dict[str, Any], name: str, kind: type[Exception], reason: str
) -> None:
    with pytest.raises(kind, match=reason):
        _source_of(keras_models[name](), PROBES)


def _source_of(model: Any, probes: Any) -> Any:
    from pixelproof.convert.source import keras_source

    return keras_source(model, label="mine", weights=None, probes=probes, ends=Ends())


@pytest.mark.parametrize(
    ("reference", "kind", "reason"),
    [
        (
            "models.py:smal_net",
            CallError,
            r"models.py must define the function; found 'smal_net'. Did you mean small_net",
        ),
        ("modles.py:small_net", CallError, r"must exist; found .*modles.py"),
        ("models.py:", CallError, r"FILE.py:FUNCTION"),
        ("models.py:small-net", CallError, r"FILE.py:FUNCTION"),
        ("broken.py:net", InputError, r"must be Python 3; found .*broken.py.*line 1"),
        ("binary.py:net", InputError, r"must be Python 3"),
    ],
)
def test_what_can_be_told_without_running_the_file(
    folder: Path, reference: str, kind: type[Exception], reason: str
) -> None:
    (folder / "broken.py").write_text("print 'python 2'\ndef net(x):\n    return x\n")
    (folder / "binary.py").write_bytes(b"\x00\xff\xfe")
    with pytest.raises(kind, match=reason) as raised:
        split_reference(f"{folder}/{reference}")
    assert raised.value.exit_code == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("reference", "checkpoint", "kind", "reason"),
    [
        (
            "models.py:raising",
            "small_net",
            InputError,
            r"must build the model; found KeyError: 'no layer.*line 4\d",
        ),
        ("models.py:with_contrib", "small_net", InputError, r"contrib.*ended with TensorFlow 1"),
        ("models.py:pair", "small_net", CallError, r"must return the output tensor; found tuple"),
        ("models.py:small_net", None, CallError, r"TF1 function needs its checkpoint"),
        (
            "models.py:small_net",
            "grey_net",
            CheckpointError,
            r"10 weights once.*found missing 10: generator/W1",
        ),
        ("models.py:grey_net", "small_net", CheckpointError, r"2 weights once.*(missing|another shape)"),
        (
            "models.py:needs_keep",
            "needs_keep",
            CallError,
            r"image alone; found keep\. Give it its value",
        ),
        ("models.py:ignores", "ignores", CallError, r"depend on the input"),
        ("keras_models.py:number", None, CallError, r"must return a keras.Model; found int"),
        ("keras_models.py:leaves", None, InputError, r"run to its end; found exit code 1: bye"),
        ("keras_models.py:build", "small_net", CheckpointError, r"keras_models.py:build must say how .* TF1"),
    ],
)
def test_what_is_wrong_with_a_function_is_told(
    folder: Path,
    saver: Callable[..., Path],
    reference: str,
    checkpoint: str | None,
    kind: type[Exception],
    reason: str,
) -> None:
    if checkpoint == "ignores":
        saver(folder / "ignores", {"W1": np.zeros((1, 4, 4, 3), np.float32)})
    with pytest.raises(kind, match=reason) as raised:
        file_source(
            f"{folder}/{reference}",
            folder / checkpoint if checkpoint else None,
            probes=PROBES,
            ends=Ends(),
            allow_surplus=False,
        )
    assert raised.value.exit_code == 2  # type: ignore[attr-defined]


def test_surplus_variables_need_a_word(folder: Path, saver: Callable[..., Path], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "W1": rng.random((3, 3, 1, 3), np.float32),
        "b1": rng.random(3, np.float32),
        "discriminator/W": rng.random((2, 2), np.float32),
    }
    checkpoint = saver(tmp_path / "odd [1]*?", arrays)
    call = {"probes": PROBES, "ends": Ends()}
    with pytest.raises(CheckpointError, match=r"surplus: discriminator/W 2x2\. --allow-surplus"):
        file_source(f"{folder}/models.py:grey_net", checkpoint, allow_surplus=False, **call)  # type: ignore[arg-type]
    source = file_source(f"{folder}/models.py:grey_net", checkpoint, allow_surplus=True, **call)  # type: ignore[arg-type]
    assert source.weights is not None and source.weights.surplus == ("discriminator/W",)


def test_names_that_stand_for_a_function_can_not_take_part_in_ours() -> None:
    for wrong in ("", "a b", "input:0", "/in", "in/", "a//b", "^x", "_x", "ü"):
        with pytest.raises(CallError, match="--input-name must be a name that TensorFlow takes"):
            Ends(input_name=wrong)
    with pytest.raises(CallError, match="two names"):
        Ends(input_name="same", output_name="same")
