"""``convert-model`` as users type it: wrong calls, bad files, a full disk, Ctrl-C."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

Call = Callable[..., Any]
COMMAND = [sys.executable, "-c", "from pixelproof.cli import convert_model; convert_model()"]


def _environment(**variables: object) -> dict[str, str]:
    return {**os.environ, **{name: str(value) for name, value in variables.items()}}


def test_all_formats_from_the_command_line(srcnn_checkpoint: Path, tmp_path: Path) -> None:
    """In a process of its own, with a user's Keras settings that would change the picture."""
    home = tmp_path / "home"
    (home / ".keras").mkdir(parents=True)
    settings = {"backend": "jax", "image_data_format": "channels_first", "floatx": "float16"}
    (home / ".keras" / "keras.json").write_text(json.dumps(settings))
    (tmp_path / "my models").mkdir()
    done = subprocess.run(
        [
            *COMMAND,
            "--model",
            "srcnn",
            "--ckpt",
            srcnn_checkpoint,
            "--input-shape",
            "1,24,40,3",
            "--json",
            "-",
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path / "my models",
        env=_environment(HOME=home, KERAS_BACKEND="torch", TMPDIR=home),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["passed"] is True
    folder = tmp_path / "my models" / "models_converted" / "srcnn"
    assert json.loads((folder / "parity.json").read_text()) == document
    lines = done.stderr.splitlines()
    assert lines[0] == "srcnn with srcnn: 6 weights used (tf1-v2)"
    told = [line.split()[0] for line in lines[1:5]]
    assert sorted(told) == ["model.onnx", "model.pb", "model.tflite", "saved_model"]
    assert all(" MiB " in line and "written in" in line and "equal:" in line for line in lines[1:5])
    assert lines[5].startswith("Written to models_converted/srcnn with the proof in parity.json")
    assert lines[6:] == ["Next: validate-pb models_converted/srcnn/model.pb --track B"]
    assert [p.name for p in home.iterdir()] == [".keras"]


def test_the_next_command_can_be_pasted(call: Call, srcnn_checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "my div2k"
    options = ("--out", str(out), "--format", "pb", "--input-shape", "1x24x40x3")
    answer = call("convert-model", "--model", "srcnn", "--ckpt", str(srcnn_checkpoint) + ".index", *options)
    assert answer.code == 0
    assert answer.out.splitlines()[-1] == f"Next: validate-pb '{out}/model.pb' --track B"
    assert {p.name for p in out.iterdir()} == {"model.pb", "parity.json"}


WRONG_CALLS = {
    "no model": ([], "Missing option '--model'"),
    "an unknown model": (["--model", "srcn"], r"Did you mean srcnn\? Choices: .*resnet_12_64, "),
    "a file without its function": (["--model", "mine.py"], "FILE.py:FUNCTION"),
    "no checkpoint": (["--model", "srcnn", "--ckpt", ""], "exactly one checkpoint|must be there"),
    "three numbers": (["--input-shape", "24,40,3"], "four positive whole numbers"),
    "a size of zero": (["--input-shape", "1,0,40,3"], "four positive whole numbers"),
    "words for a shape": (["--input-shape", "big"], "must be whole numbers"),
    "a batch": (["--input-shape", "4,24,40,3"], "The batch of a submission is 1"),
    "four channels": (
        ["--input-shape", "1,24,40,4"],
        r"Input must have 3 channels; found 4\. Use --input-shape 1,24,40,3",
    ),
    "an unknown format": (["--format", "pb,onxx"], r"found 'onxx'\. Did you mean onnx\?"),
    "no format": (["--format", ","], "--format must name formats; found none"),
    "an opset from the future": (["--format", "onnx", "--opset", "99"], "--opset must be 10 to"),
    "an opset that is no number": (["--opset", "latest"], "'latest' is not a valid integer"),
    "a tensor for a node": (["--input-name", "input:0"], "--input-name must be a name that TensorFlow takes"),
    "a name with a blank": (["--output-name", "my output"], "--output-name must be a name"),
    "two ends of one name": (["--output-name", "input"], "must have two names"),
    "a misspelt option": (["--cliping"], "No such option"),
}


@pytest.mark.parametrize(("arguments", "reason"), WRONG_CALLS.values(), ids=WRONG_CALLS)
def test_a_wrong_call_writes_nothing(
    call: Call, srcnn_checkpoint: Path, tmp_path: Path, arguments: list[str], reason: str
) -> None:
    usual = ["--model", "srcnn"] if "--model" not in arguments and arguments else []
    checkpoint = ["--ckpt", str(srcnn_checkpoint)] if "--ckpt" not in arguments else []
    out = tmp_path / "out"
    answer = call("convert-model", *usual, *checkpoint, "--out", str(out), *arguments)
    assert answer.code == 2 and answer.out == ""
    assert _matches(reason, answer.err), answer.err
    assert "Traceback" not in answer.err
    assert not out.exists()


def _matches(pattern: str, text: str) -> bool:
    import re

    return re.search(pattern, " ".join(text.split())) is not None


def test_bad_checkpoints_are_told_apart(
    call: Call, saver: Callable[..., Path], srcnn_checkpoint: Path, tmp_path: Path
) -> None:
    half = tmp_path / "half"
    shutil.copy(f"{srcnn_checkpoint}.index", f"{half}.index")
    (tmp_path / "notes.txt").write_text("epoch 3\n")
    other = saver(tmp_path / "other", {"generator/w1": np.zeros((9, 9, 3, 32), np.float32)})
    broken = saver(tmp_path / "broken", {"generator/w1": np.zeros((9, 9, 3, 64), np.float32)})
    data = Path(f"{broken}.data-00000-of-00001")
    data.write_bytes(data.read_bytes()[:100])
    for checkpoint, reason in (
        (tmp_path / "srcnn_9000", "must be there"),
        (half, r"half\.index without half\.data-00000-of-00001"),
        (tmp_path / "notes.txt", "a text file that begins with 'epoch 3'"),
        (other, r"each of the 6 weights of srcnn once.*w1 expected 9x9x3x64 found 9x9x3x32"),
        (broken, "damaged|6 weights"),
    ):
        answer = call(
            "convert-model", "--model", "srcnn", "--ckpt", str(checkpoint), "--out", str(tmp_path / "out")
        )
        assert answer.code == 2, answer
        assert _matches(reason, answer.err), answer.err
        assert not (tmp_path / "out").exists()


@pytest.mark.official
def test_another_architectures_checkpoint_says_which_it_fits(
    call: Call, official_data: Path, tmp_path: Path
) -> None:
    checkpoint = official_data / "models_pretrained" / "dped_resnet_8_32"
    answer = call(
        "convert-model", "--model", "resnet_12_64", "--ckpt", str(checkpoint), "--out", str(tmp_path / "out")
    )
    assert answer.code == 2
    assert "It fits resnet_8_32: use --model resnet_8_32." in answer.err
    assert not (tmp_path / "out").exists()


def test_a_folder_below_a_file_is_our_fault_to_tell(
    call: Call, srcnn_checkpoint: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("kept")
    out = tmp_path / "file" / "out"
    answer = call("convert-model", "--model", "srcnn", "--ckpt", str(srcnn_checkpoint), "--out", str(out))
    assert answer.code == 3
    assert "Output must be writable; found" in answer.err and "Choose another folder" in answer.err
    assert (tmp_path / "file").read_text() == "kept"


FULL_DISK = """
mkdir -p {disk} && mount -t tmpfs -o size={size}k tmpfs {disk} || exit 77
{command} --out {disk}/out --format {formats} --input-shape 1,24,40,3 2>{folder}/stderr
code=$?
find {disk} -mindepth 1 >{folder}/left
exit $code
"""


@pytest.mark.parametrize(("size", "formats"), [(100, "pb"), (400, "savedmodel"), (700, "pb,onnx,tflite")])
def test_a_full_disk_leaves_nothing(srcnn_checkpoint: Path, tmp_path: Path, size: int, formats: str) -> None:
    """The disk is a real one, mounted in a name space of its own."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    model = f"--model srcnn --ckpt {srcnn_checkpoint}"
    (tmp_path / "run.py").write_text("from pixelproof.cli import convert_model; convert_model()")
    script = FULL_DISK.format(
        disk=tmp_path / "disk",
        size=size,
        command=f"{sys.executable} {tmp_path}/run.py {model}",
        formats=formats,
        folder=tmp_path,
    )
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, check=False)
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("needs the right to mount a disk in a name space of its own")
    said = (tmp_path / "stderr").read_text()
    assert done.returncode == 3, said
    assert "The disk is full; found no space for" in said and "Free some space" in said
    assert (tmp_path / "left").read_text() == ""


@pytest.mark.parametrize("moment", ["at the start", "weights used", "model.pb"])
def test_ctrl_c_leaves_nothing(srcnn_checkpoint: Path, tmp_path: Path, moment: str) -> None:
    """No half file, no staging folder, no worker, no temporary folder; the exit code is the shell's own."""
    temporary, out = tmp_path / "tmp", tmp_path / "out"
    temporary.mkdir()
    with subprocess.Popen(
        [*COMMAND, "--model", "srcnn", "--ckpt", srcnn_checkpoint, "--out", out],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(TMPDIR=temporary),
    ) as running:
        assert running.stdout is not None and running.stderr is not None
        workers: list[psutil.Process] = []
        if moment == "at the start":
            while not (workers := psutil.Process(running.pid).children()):
                assert running.poll() is None
        else:
            for line in running.stdout:
                if moment in line:
                    break
            workers = psutil.Process(running.pid).children()
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=120)
    assert running.returncode == 130
    assert said.strip() == "Stopped. Nothing half-written was left behind."
    assert workers and not [worker for worker in workers if worker.is_running()]
    assert list(temporary.iterdir()) == []
    assert not out.exists()
