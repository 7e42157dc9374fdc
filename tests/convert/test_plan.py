"""What a request means: formats, folders, sizes; and files that are looked at before anything heavy starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pixelproof.contract import Contract
from pixelproof.convert.plan import Request, check_files, default_folder, make_plan, parse_formats
from pixelproof.convert.source import Ends
from pixelproof.errors import CallError, CheckpointError, PixelproofError

SHAPE = (1, 96, 160, 3)


def test_formats_are_a_set_in_the_order_of_writing() -> None:
    assert parse_formats(" ONNX, pb,onnx") == ("pb", "onnx")
    assert parse_formats("saved_model,frozen") == ("pb", "savedmodel")
    for wrong in ("", ",", "pb;onnx", "pth"):
        with pytest.raises(CallError, match=r"--format must name formats.*Choices: .*pb"):
            parse_formats(wrong)


def test_the_folder_has_the_checkpoints_name(tmp_path: Path) -> None:
    for name in ("net.ckpt-100.index", "net.ckpt-100.data-00000-of-00001", "net.ckpt-100.meta"):
        (tmp_path / name).touch()
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "net.ckpt-100"\n')
    for given in ("net.ckpt-100", "net.ckpt-100.index", "net.ckpt-100.meta", "checkpoint", ""):
        assert default_folder("srcnn", tmp_path / given) == Path("models_converted/net.ckpt-100")
    assert default_folder("some/where/mine.py:net", None) == Path("models_converted/mine")
    assert default_folder("some/where/best.keras", None) == Path("models_converted/best")
    with pytest.raises(CheckpointError, match="must be there"):
        default_folder("srcnn", tmp_path / "gone")


def test_a_plan_keeps_to_the_contract() -> None:
    def plan(contract: Contract | None, shape: Any = SHAPE, formats: Any = ("pb", "tflite")) -> Any:
        return make_plan(formats=formats, shape=shape, ends=Ends(), opset=18, contract=contract)

    assert plan(Contract()).probes() == [[(1, 37, 54, 3), (1, 45, 23, 3), SHAPE]]
    assert plan(Contract(), formats=("onnx",)).probes() == [[(1, 37, 54, 3), (1, 45, 23, 3)]]
    own = plan(None, (1, 30, 50, 4)).probes()
    assert len(own) == 7 and all(rung[-1] == (1, 30, 50, 4) and rung[0][3] == 4 for rung in own)
    bayer = Contract(channels=(4, 3), size_multiple=16, minimum_size=32)
    with pytest.raises(
        CallError, match=r"Input must have 4 channels; found 3\. Use --input-shape 1,96,160,4\."
    ):
        plan(bayer)
    with pytest.raises(
        CallError, match=r"multiples of 16 and at least 32; found 100x16\. The nearest size is 96x32\."
    ):
        plan(bayer, (1, 100, 16, 4))
    assert plan(bayer, (1, 96, 160, 4)).probes()[0][0][1] % 16 == 0


@pytest.mark.parametrize(
    ("model", "checkpoint", "reason"),
    [
        ("srcnn", None, "registered model needs its checkpoint"),
        ("mine.py", None, r"FILE\.py:FUNCTION; found mine\.py\. For example --model mine\.py:resnet"),
        ("gone.py:net", None, r"must exist; found gone\.py"),
        ("gone.keras", None, "must be there"),
        ("gone.keras", "gone", "brings its own weights"),
        ("srcnn", "gone", "must be there"),
    ],
)
def test_files_are_looked_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, checkpoint: str | None, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    request = Request(
        model, Path(checkpoint) if checkpoint else None, tmp_path / "out", ("pb",), SHAPE, Ends()
    )
    with pytest.raises(PixelproofError, match=reason) as raised:
        check_files(request)
    assert raised.value.exit_code == 2


def test_a_missing_file_is_told_without_tensorflow(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from pixelproof.cli import convert_model\n"
        "try:\n"
        "    convert_model()\n"
        "except SystemExit as stop:\n"
        "    print(stop.code, 'tensorflow' in sys.modules, 'keras' in sys.modules)\n"
    )
    command = [sys.executable, "-c", script, "--model", "srcnn", "--ckpt", str(tmp_path / "gone")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stdout == "2 False False\n"
    assert "must be there" in done.stderr
    assert list(tmp_path.iterdir()) == []
