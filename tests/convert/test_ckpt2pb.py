"""ckpt2pb on the original PUNET checkpoints, and on what people give it by mistake."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof.measure.worker import Worker

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def isp(shared_data: Path) -> Path:
    folder = shared_data / "mai2021_isp"
    if not folder.is_dir():
        pytest.skip("needs the PUNET checkpoints in PIXELPROOF_DATA/mai2021_isp")
    return folder


@pytest.fixture(scope="module")
def frozen(isp: Path, tf: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    from pixelproof.convert.checkpoint import freeze_checkpoint

    folder = tmp_path_factory.mktemp("frozen")
    paths = {}
    for name in ("punet_8", "punet_4_in"):
        paths[name] = folder / f"{name}.pb"
        freeze_checkpoint(isp / f"{name}.ckpt", out=paths[name], output_names=["output_l0"])
    return paths


@pytest.mark.parametrize("name", ["punet_8", "punet_4_in"])
def test_the_frozen_graph_gives_the_original_output(isp: Path, frozen: dict[str, Path], name: str) -> None:
    with np.load(isp / f"{name}.npz") as pair:
        x, y = pair["x"], pair["y"]
    with Worker() as worker:
        loaded = worker.load(frozen[name], "pb", input_name="Placeholder:0", output_name="output_l0:0")
        assert loaded.used_output == "output_l0:0"
        assert np.abs(worker.run(x) - y).max() < 1e-5


def test_a_wrong_output_offers_the_candidates(call: Call, isp: Path, tmp_path: Path) -> None:
    out = tmp_path / "no.pb"
    answer = call(
        "ckpt2pb", "--in-path", str(isp / "punet_8.ckpt"), "--out-path", str(out), "--out-nodes", "output_10"
    )
    assert answer.code == 2
    assert "output_l0" in answer.err
    assert not out.exists()


def test_the_only_candidate_is_found(call: Call, isp: Path, tmp_path: Path) -> None:
    out = tmp_path / "found.pb"
    answer = call("ckpt2pb", "--in_path", str(isp / "punet_8.ckpt"), "--out_path", str(out))
    assert answer.code == 0, answer.err
    assert "output_l0" in answer.out
    assert "--input-shape 1,64,96,4" in answer.out


def test_without_the_meta_it_says_what_to_do(call: Call, official_data: Path, tmp_path: Path) -> None:
    checkpoint = official_data / "models_pretrained" / "dped_resnet_8_32"
    answer = call("ckpt2pb", "--in-path", str(checkpoint), "--out-path", str(tmp_path / "no.pb"))
    assert answer.code == 2
    assert ".meta" in answer.err
    assert "convert-model" in answer.err


def test_the_meta_of_another_checkpoint_is_refused(call: Call, isp: Path, tmp_path: Path) -> None:
    for suffix in (".index", ".data-00000-of-00001"):
        shutil.copy(isp / f"punet_8.ckpt{suffix}", tmp_path / f"mixed.ckpt{suffix}")
    shutil.copy(isp / "punet_4_in.ckpt.meta", tmp_path / "mixed.ckpt.meta")
    out = tmp_path / "no.pb"
    answer = call("ckpt2pb", "--in-path", str(tmp_path / "mixed.ckpt"), "--out-path", str(out))
    assert answer.code == 2
    assert not out.exists()


@pytest.mark.parametrize("content", [b"", b"text, no graph\n" * 20])
def test_a_meta_that_is_no_graph_is_refused(call: Call, isp: Path, tmp_path: Path, content: bytes) -> None:
    for suffix in (".index", ".data-00000-of-00001"):
        shutil.copy(isp / f"punet_8.ckpt{suffix}", tmp_path / f"bad.ckpt{suffix}")
    (tmp_path / "bad.ckpt.meta").write_bytes(content)
    answer = call("ckpt2pb", "--in-path", str(tmp_path / "bad.ckpt"), "--out-path", str(tmp_path / "no.pb"))
    assert answer.code == 2
    assert ".meta" in answer.err


def test_a_missing_checkpoint_is_exit_2(call: Call, tmp_path: Path) -> None:
    answer = call(
        "ckpt2pb", "--in-path", str(tmp_path / "nothing.ckpt"), "--out-path", str(tmp_path / "no.pb")
    )
    assert answer.code == 2
