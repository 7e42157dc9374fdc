"""``ckpt2pb``: foreign checkpoints with their ``.meta``."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof.measure.worker import Worker

Call = Callable[..., Any]

SAVE = """
import sys
import numpy as np
import tensorflow.compat.v1 as tf
tf.disable_v2_behavior()
folder = sys.argv[1]

random = tf.random_normal_initializer(stddev=.2)

def conv(net, channels, name):
    kernel = tf.get_variable(name, [3, 3, net.shape[3], channels], initializer=random)
    return tf.nn.conv2d(net, kernel, [1, 1, 1, 1], 'SAME')

def save(name, build, step=7):
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(1)
        build()
        tf.Variable(step, name='global_step')
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, folder + '/' + name)

def training():
    x = tf.placeholder(tf.float32, [None, None, None, 3], name='image')
    target = tf.placeholder(tf.float32, [None, None, None, 3], name='target')
    with tf.control_dependencies([tf.assert_less(tf.reduce_max(x), 1e9)]):
        net = tf.identity(x)
    net = tf.nn.relu(conv(net, 8, 'first'))
    y = tf.identity(tf.nn.sigmoid(conv(net, 3, 'last')), name='enhanced')
    loss = tf.reduce_mean(tf.square(y - target))
    tf.train.AdamOptimizer().minimize(loss)

def several():
    x = tf.placeholder(tf.float32, [1, 16, 24, 3], name='image')
    tf.identity(conv(x, 3, 'a'), name='half/out')
    tf.identity(conv(x, 3, 'b'), name='full/out')

def looping():
    x = tf.placeholder(tf.float32, [1, None, None, 3], name='image')
    steps = tf.cast(tf.reduce_sum(tf.zeros_like(x)) + 3.5, tf.int32)
    kernel = tf.get_variable('kernel', [3, 3, 3, 3], initializer=random)
    loop = lambda i, y: (i + 1, tf.nn.conv2d(y, kernel, [1, 1, 1, 1], 'SAME') + tf.constant(0.1))
    _, y = tf.while_loop(lambda i, y: i < steps, loop, [0, x])
    tf.identity(y, name='looped')

def flagged():
    x = tf.placeholder(tf.float32, [1, None, None, 3], name='image')
    training = tf.placeholder(tf.bool, [], name='is_training')
    tf.identity(tf.cond(training, lambda: x * 2, lambda: conv(x, 3, 'a')), name='out')

for name, build in (('training', training), ('several', several), ('looping', looping), ('flagged', flagged)):
    save(name, build)
"""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints with ``.meta``, saved by a process of its own."""
    folder = tmp_path_factory.mktemp("checkpoints")
    done = subprocess.run(
        [sys.executable, "-c", SAVE, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", ["punet_8", "punet_4_in"])
@pytest.mark.parametrize("suffix", ["", ".meta"])
def test_the_published_graphs_give_their_published_output(
    call: Call, shared_data: Path, tmp_path: Path, shared_worker: Worker, tf: Any, name: str, suffix: str
) -> None:
    checkpoint = shared_data / "mai2021_isp" / f"{name}.ckpt{suffix}"
    out = tmp_path / "new" / "model.pb"
    nodes = ["--out-nodes", "output_l0"] if suffix else []
    answer = call("ckpt2pb", "--in-path", str(checkpoint), "--out-path", str(out), *nodes)
    assert answer.code == 0, answer.err
    with np.load(shared_data / "mai2021_isp" / f"{name}.npz") as pair:
        x, y = pair["x"], pair["y"]
    assert "Placeholder -> output_l0" in answer.out
    shape = ",".join(map(str, x.shape))
    assert answer.out.splitlines()[-1] == f"Next: pb2tflite {out} --input-shape {shape}"
    loaded = shared_worker.load(out, "pb")
    assert (loaded.used_input, loaded.used_output) == ("Placeholder:0", "output_l0:0")
    assert np.abs(shared_worker.run(x) - y).max() < 1e-5
    graph = tf.compat.v1.GraphDef.FromString(out.read_bytes())
    assert [node.name for node in graph.node if node.op in ("Identity", "Placeholder")] == [
        "Placeholder",
        "output_l0",
    ]
    assert not graph.library.function


def test_training_leftovers_go_and_any_size_stays(
    call: Call, folder: Path, tmp_path: Path, shared_worker: Worker, tf: Any
) -> None:
    out = tmp_path / "m.pb"
    answer = call(
        "ckpt2pb", "--in_path", str(folder / "training"), "--out_path", str(out), "--out_nodes", "enhanced:0"
    )
    assert answer.code == 0, answer.err
    assert "m.pb at 37x54: largest difference" in answer.out
    graph = tf.compat.v1.GraphDef.FromString(out.read_bytes())
    assert {node.op for node in graph.node} == {
        "Placeholder",
        "Const",
        "Conv2D",
        "Relu",
        "Sigmoid",
        "Identity",
    }
    assert [(node.name, len(node.input)) for node in graph.node if node.op == "Identity"] == [("enhanced", 1)]
    shared_worker.load(out, "pb")
    for shape in ((1, 5, 9, 3), (2, 12, 8, 3)):
        assert shared_worker.run(np.zeros(shape, np.float32)).shape == shape


def test_several_outputs_are_each_proven(
    call: Call, folder: Path, tmp_path: Path, shared_worker: Worker
) -> None:
    arguments = ("ckpt2pb", "--in-path", str(folder / "several"), "--out-path", str(tmp_path / "m.pb"))
    answer = call(*arguments, "--out-nodes", "half/out, full/out")
    assert answer.code == 0, answer.err
    assert "half/out of m.pb at 16x24" in answer.out and "full/out of m.pb at 16x24" in answer.out
    loaded = shared_worker.load(tmp_path / "m.pb", "pb")
    assert [t.name for t in loaded.interface.outputs] == ["half/out:0", "full/out:0"]
    (tmp_path / "m.pb").unlink()
    answer = call(*arguments)
    assert (
        answer.code == 2
        and "--out-nodes must name the output; found candidates half/out, full/out" in answer.err
    )
    assert not (tmp_path / "m.pb").exists()


def test_a_loop_of_tf1_stays_whole(call: Call, folder: Path, tmp_path: Path, shared_worker: Worker) -> None:
    out = tmp_path / "m.pb"
    answer = call(
        "ckpt2pb", "--in-path", str(folder / "looping"), "--out-path", str(out), "--out-nodes", "looped"
    )
    assert answer.code == 0, answer.err
    assert "m.pb at 37x54: largest difference" in answer.out


@pytest.mark.parametrize("wrong", ["enhancd", "enhanced_1", "target"])
def test_a_wrong_output_name_offers_candidates(call: Call, folder: Path, tmp_path: Path, wrong: str) -> None:
    arguments = ("--in-path", str(folder / "training"), "--out-path", str(tmp_path / "m.pb"))
    answer = call("ckpt2pb", *arguments, "--out-nodes", wrong)
    assert answer.code == 2
    assert f"found '{wrong}'." in answer.err and "Choices: enhanced." in answer.err
    assert list(tmp_path.iterdir()) == []


def test_files_that_do_not_belong_together(call: Call, folder: Path, tmp_path: Path) -> None:
    for ending in ("index", "data-00000-of-00001", "meta"):
        for name in ("bare", "mixed", "text", "empty"):
            shutil.copy(folder / f"several.{ending}", tmp_path / f"{name}.{ending}")
    (tmp_path / "bare.meta").unlink()
    shutil.copy(folder / "training.meta", tmp_path / "mixed.meta")
    (tmp_path / "text.meta").write_text("no graph")
    (tmp_path / "empty.meta").write_bytes(b"")
    (tmp_path / "alone.meta").write_bytes((folder / "several.meta").read_bytes())
    before = sorted(p.name for p in tmp_path.iterdir())
    for name, reason in {
        "gone": "must be there",
        "alone": "alone, which holds only the training graph",
        "bare": "needs the .meta beside the checkpoint",
        "mixed": "The .meta must fit the checkpoint",
        "text": "The .meta must be a readable TF1 graph",
        "empty": "The .meta must ",
    }.items():
        answer = call("ckpt2pb", "--in-path", str(tmp_path / name), "--out-path", str(tmp_path / "m.pb"))
        assert answer.code == 2, (name, answer)
        assert reason in answer.err, (name, answer.err)
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_an_output_that_needs_more_than_an_image(call: Call, folder: Path, tmp_path: Path) -> None:
    arguments = (
        "--in-path",
        str(folder / "flagged"),
        "--out-path",
        str(tmp_path / "m.pb"),
        "--out-nodes",
        "out",
    )
    answer = call("ckpt2pb", *arguments)
    assert answer.code == 2 and "must depend on one placeholder; found image, is_training" in answer.err


def test_the_checkpoint_is_not_written_over(call: Call, folder: Path, tmp_path: Path) -> None:
    index = folder / "several.index"
    before = index.read_bytes()
    answer = call(
        "ckpt2pb", "--in-path", str(folder / "several"), "--out-path", str(index), "--out-nodes", "half/out"
    )
    assert answer.code == 2 and "must not be the checkpoint itself" in answer.err
    assert index.read_bytes() == before
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "m.pb"
    answer = call(
        "ckpt2pb", "--in-path", str(folder / "several"), "--out-path", str(out), "--out-nodes", "half/out"
    )
    assert answer.code == 3 and "must be writable" in answer.err
